-- What session $1 holds at this moment: it has answered, so it waits for none. Weak locks on the
-- system's own relations, which every statement takes, are left out. A transaction of many commands
-- holds hundreds, and as one text a lock costs 0.7 us (0.3 of them pg_lock_status()), in JSON 1.1.
SELECT (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_catalog.pg_lsn)::pg_catalog.int8
           AS wal_position,
       (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000000)::pg_catalog.int8
           AS server_clock_us,
       pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()) AS current_xid_horizon,
       (SELECT pg_catalog.string_agg(l.relation::pg_catalog.text || ' ' || l.mode, ',')
          FROM pg_catalog.pg_lock_status() AS l
         WHERE l.pid = $1::pg_catalog.int4 AND l.locktype = 'relation' AND l.granted
           AND (l.relation >= 16384
                OR l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))) AS locks
