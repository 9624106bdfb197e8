echo "select 1;" >m.sql
echo "-- nothing yet" >c.sql
rehearse run --checks c.sql m.sql
