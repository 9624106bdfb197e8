-- What the asking session holds and did in its transaction so far, as it alone can see it: its locks
-- (weak ones on the system's own relations left out), the files of relations whose catalogue row it
-- wrote, rows that its sequential scans read. Subtransactions have later ids than their parent.
SELECT (SELECT s.setting FROM pg_catalog.pg_settings AS s WHERE s.name = 'lock_timeout')
           AS lock_timeout_ms,
       (SELECT s.setting FROM pg_catalog.pg_settings AS s WHERE s.name = 'statement_timeout')
           AS statement_timeout_ms,
       (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_catalog.pg_lsn)::pg_catalog.int8
           AS wal_position,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(l.relation::pg_catalog.int8, l.mode))
          FROM pg_catalog.pg_lock_status() AS l
         WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted
           AND (l.relation >= 16384
                OR l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))) AS locks,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.oid::pg_catalog.int8,
                   coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::pg_catalog.int8))
          FROM pg_catalog.pg_class AS c
         WHERE c.oid >= 16384 AND c.relkind IN ('r', 'i', 'm')
           AND pg_catalog.age(c.xmin)
               <= pg_catalog.age(pg_catalog.pg_current_xact_id()::pg_catalog.xid)) AS files,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.oid::pg_catalog.int8,
                   pg_catalog.pg_stat_get_xact_tuples_returned(c.oid)))
          FROM pg_catalog.pg_class AS c
         WHERE c.oid >= 16384 AND c.relkind IN ('r', 'm')
           AND pg_catalog.pg_stat_get_xact_tuples_returned(c.oid) > 0) AS scans
