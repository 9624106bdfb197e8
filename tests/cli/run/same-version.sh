mkdir db
echo "select 1;" | tee db/V1__a.sql >db/V1.0__b.sql
rehearse run db
