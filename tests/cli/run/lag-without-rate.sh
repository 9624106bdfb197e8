rehearse run --max-lag 5s m.sql
