REHEARSE_MAX_WAL=lots rehearse run m.sql
