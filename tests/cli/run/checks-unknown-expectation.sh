echo "select 1;" >m.sql
printf -- '-- name: users\n-- expect: none\nselect count(*) from users;\n' >c.sql
rehearse run --checks c.sql m.sql
