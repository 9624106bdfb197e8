echo "select 1;" >m.sql
rehearse run --queries nowhere.sql m.sql
