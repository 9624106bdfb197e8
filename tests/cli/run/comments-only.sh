echo "-- later" >m.sql
rehearse run m.sql
