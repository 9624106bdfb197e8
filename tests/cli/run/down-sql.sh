echo "ALTER TABLE users ADD COLUMN note text;" > up.sql
rehearse run up.sql --down "ALTER TABLE users DROP COLUMN note"
