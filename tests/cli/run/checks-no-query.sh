echo "select 1;" >m.sql
printf 'select 1;\n\n  delete from users;\n' >c.sql
rehearse run --checks c.sql m.sql
