rehearse run --fail-on everything m.sql
