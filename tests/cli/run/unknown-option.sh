rehearse run --max-bloked 2s m.sql
