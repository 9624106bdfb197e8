-- What the asking session holds and did in its transaction so far, as it alone can see it: its locks
-- (weak ones on the system's own relations left out) in the order of relation and mode, the files that
-- relations it locked have now, rows that its sequential scans read of them.
WITH held AS MATERIALIZED (
    SELECT l.relation, l.mode
      FROM pg_catalog.pg_lock_status() AS l
     WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted
       AND (l.relation >= 16384 OR l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))),
locked AS MATERIALIZED (
    SELECT c.oid, c.relkind
      FROM (SELECT DISTINCT h.relation FROM held AS h WHERE h.relation >= 16384) AS r
      JOIN pg_catalog.pg_class AS c ON c.oid = r.relation
     WHERE c.relkind IN ('r', 'i', 'm'))
SELECT (pg_catalog.date_part('epoch', pg_catalog.current_setting('lock_timeout')::pg_catalog.interval)
           * 1000)::pg_catalog.int8 AS lock_timeout_ms, -- "2s", "1min" and so on are intervals
       (pg_catalog.date_part('epoch', pg_catalog.current_setting('statement_timeout')::pg_catalog.interval)
           * 1000)::pg_catalog.int8 AS statement_timeout_ms,
       (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_catalog.pg_lsn)::pg_catalog.int8
           AS wal_position,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(h.relation::pg_catalog.int8, h.mode)
                   ORDER BY h.relation, h.mode COLLATE pg_catalog."C")
          FROM held AS h) AS locks,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.oid::pg_catalog.int8,
                   coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::pg_catalog.int8))
          FROM locked AS c) AS files,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.oid::pg_catalog.int8,
                   pg_catalog.pg_stat_get_xact_tuples_returned(c.oid)))
          FROM locked AS c
         WHERE c.relkind IN ('r', 'm')
           AND pg_catalog.pg_stat_get_xact_tuples_returned(c.oid) > 0) AS scans
