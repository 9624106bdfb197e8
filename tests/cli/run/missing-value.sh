rehearse run m.sql --schema
