echo "select 1;" >m.sql
rehearse run --rollback --sandbox-url postgresql://me:hush@[::1/staging m.sql
