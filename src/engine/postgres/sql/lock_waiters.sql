-- Sessions that wait for a lock, and for whom.
SELECT a.pid, pg_catalog.pg_blocking_pids(a.pid)::pg_catalog.text AS blockers
  FROM pg_catalog.pg_stat_activity AS a WHERE a.wait_event_type = 'Lock'
