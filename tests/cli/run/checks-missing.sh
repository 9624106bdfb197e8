echo "select 1;" >m.sql
rehearse run --checks nowhere.sql m.sql
