echo "select 1;" >m.sql
rehearse run --rollback m.sql
