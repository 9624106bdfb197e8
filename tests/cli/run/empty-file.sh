touch m.sql
rehearse run m.sql
