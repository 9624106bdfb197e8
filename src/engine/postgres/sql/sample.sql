-- $1: sessions watched. Rows: relation locks these hold, whatever they await, and what sessions await
-- behind them, directly or behind one another (a queue). Our own sessions behind them are left out.
WITH RECURSIVE locks AS MATERIALIZED (
    SELECT l.locktype, l.relation, l.pid, l.mode, l.granted,
           l.waitstart -- since 14
           NULL::pg_catalog.timestamptz AS waitstart -- before 14
      FROM pg_catalog.pg_lock_status() AS l
     WHERE l.pid IS NOT NULL
), waits AS MATERIALIZED (
    SELECT d.pid, pg_catalog.pg_blocking_pids(d.pid) AS blockers
      FROM (SELECT DISTINCT l.pid FROM locks AS l WHERE NOT l.granted) AS d
), queue (pid) AS (
    SELECT pg_catalog.unnest($1::pg_catalog.int4[])
    UNION
    SELECT w.pid FROM queue AS q JOIN waits AS w ON q.pid = ANY (w.blockers)
), activity AS MATERIALIZED (
    SELECT q.pid, a.state, a.wait_event, a.xact_start, a.query_start, a.application_name,
           q.pid = ANY ($1::pg_catalog.int4[]) AS is_ours
      FROM queue AS q
      LEFT JOIN LATERAL pg_catalog.pg_stat_get_activity(q.pid) AS a ON true
)
SELECT l.pid, coalesce(l.relation, 0) AS relation_id, l.mode, l.granted,
       (pg_catalog.date_part('epoch', l.waitstart) * 1000000)::pg_catalog.int8 AS wait_start_us,
       CASE WHEN NOT l.granted THEN w.blockers::pg_catalog.text END AS blockers,
       a.state, a.wait_event,
       (pg_catalog.date_part('epoch', a.xact_start) * 1000000)::pg_catalog.int8
           AS transaction_start_us,
       (pg_catalog.date_part('epoch', a.query_start) * 1000000)::pg_catalog.int8 AS query_start_us,
       a.application_name, a.is_ours,
       CASE WHEN NOT l.granted THEN
           (SELECT pg_catalog.string_agg(
                       CASE WHEN b.pid = 0 THEN 'a prepared transaction'
                            ELSE 'session ' || b.pid::pg_catalog.text
                                 || coalesce(' "' || nullif(s.application_name, '') || '"', '')
                                 || coalesce(' (' || s.state || ')', '') END, ', ')
              FROM pg_catalog.unnest(w.blockers) AS b (pid)
              LEFT JOIN LATERAL pg_catalog.pg_stat_get_activity(nullif(b.pid, 0)) AS s
                ON s.pid = b.pid)
       END AS waits_for
  FROM locks AS l
  JOIN activity AS a ON a.pid = l.pid
  LEFT JOIN waits AS w ON w.pid = l.pid
 WHERE CASE WHEN a.is_ours
            THEN NOT l.granted
                 OR (l.locktype = 'relation'
                     AND (l.relation >= 16384
                          OR l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')))
            ELSE NOT l.granted AND coalesce(a.application_name, '') NOT LIKE 'rehearse/%' END
