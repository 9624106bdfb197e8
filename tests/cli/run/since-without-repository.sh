mkdir db
echo "select 1;" >db/1.sql
rehearse run --since main db
