echo "select 1;" >m.sql
rehearse run --rollback --sandbox-url postgresql://localhost/staging --schema m.sql m.sql
