rehearse run --max-blocked 3 m.sql
