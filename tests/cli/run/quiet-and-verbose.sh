rehearse run -qv m.sql
