-- A boundary without a session: where the server is.
SELECT (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_catalog.pg_lsn)::pg_catalog.int8
           AS wal_position,
       (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000000)::pg_catalog.int8
           AS server_clock_us,
       pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()) AS current_xid_horizon,
       NULL AS locks
