echo "select 1;" >m.sql
printf -- '-- name: a\nselect 1;\n\n-- name: b\n  select * from t where id = $1;\n' >q.sql
rehearse run --queries q.sql m.sql
