echo "select 1;" >m.sql
rehearse run m.sql -- true
