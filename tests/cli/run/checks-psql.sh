echo "select 1;" >m.sql
printf 'select 1;\n\\i other.sql\n' >c.sql
rehearse run --checks c.sql m.sql
