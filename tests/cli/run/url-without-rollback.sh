echo "select 1;" >m.sql
rehearse run --sandbox-url postgresql://localhost/staging m.sql
