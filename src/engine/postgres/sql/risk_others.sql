-- Sessions of others than us that have not ended, and whether the counters are younger than $1 (seconds since 1970):
-- before 15 they are told through a file that is written now and then.
SELECT (SELECT count(*) FROM pg_stat_activity AS a
         WHERE a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()) AS others,
       true AS is_fresh, -- since 15
       date_part('epoch', pg_stat_get_snapshot_timestamp()) > $1::float8 AS is_fresh, -- before 15
       date_part('epoch', clock_timestamp()) AS now,
       $1::text
