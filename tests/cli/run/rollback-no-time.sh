echo "select 1;" >m.sql
rehearse run --rollback --sandbox-url postgresql://localhost/staging --lock-timeout 0 m.sql
