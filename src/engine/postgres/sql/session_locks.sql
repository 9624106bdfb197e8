-- What one session does and holds, and how many clients there are besides the asker. A command that
-- works in several transactions (CREATE INDEX CONCURRENTLY) awaits those of others between two of
-- its own: then what it has done so far is committed. Locks on user relations alone: OIDs below
-- 16384 are those of initdb (FirstNormalObjectId).
SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a
                WHERE a.pid = $1::pg_catalog.int4 AND a.state = 'active') AS is_running,
       EXISTS (SELECT FROM pg_catalog.pg_locks AS l
                WHERE l.pid = $1::pg_catalog.int4 AND NOT l.granted
                  AND l.locktype = 'virtualxid') AS awaits_transactions,
       (SELECT count(*) FROM pg_catalog.pg_locks AS l
         WHERE l.pid = $1::pg_catalog.int4 AND l.granted AND l.locktype = 'relation'
           AND l.relation >= 16384) AS relation_locks,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity AS a
         WHERE a.backend_type = 'client backend'
           AND a.pid <> pg_catalog.pg_backend_pid()) AS other_clients
