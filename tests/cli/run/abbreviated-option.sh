rehearse run --snap x m.sql
