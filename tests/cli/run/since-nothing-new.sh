git init -q -b main .
mkdir db
echo "select 1;" >db/1.sql
git add db
git commit -q -m one
rehearse run --since main --dir db
status=$?
test ! -e .rehearse && exit $status
