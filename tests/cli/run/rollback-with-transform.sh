echo "select 1;" >m.sql
rehearse run --rollback --sandbox-url postgresql://localhost/staging --transform new.yaml m.sql
