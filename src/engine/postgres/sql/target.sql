-- A database that is not ours: what it is, who else is in it. $1: our own sessions. Of other roles'
-- sessions an ordinary role sees neither kind nor state: they count, whatever they do.
WITH sessions AS (
    SELECT a.state, a.usename::pg_catalog.text AS role
      FROM pg_catalog.pg_stat_activity AS a
      JOIN pg_catalog.pg_database AS d ON d.oid = a.datid
     WHERE d.datname = pg_catalog.current_database()
       AND a.pid <> ALL ($1::pg_catalog.int4[]) AND a.usesysid IS NOT NULL
       AND coalesce(a.backend_type, 'client backend') = 'client backend')
SELECT pg_catalog.current_database() AS database,
       pg_catalog.current_setting('server_version') AS server_version,
       pg_catalog.pg_is_in_recovery() AS is_standby,
       pg_catalog.current_setting('rehearse.production', true) AS production_setting,
       pg_catalog.shobj_description((SELECT d.oid FROM pg_catalog.pg_database AS d
           WHERE d.datname = pg_catalog.current_database()), 'pg_database') AS comment,
       (SELECT pg_catalog.count(*) FROM sessions) AS sessions,
       (SELECT pg_catalog.count(*) FROM sessions WHERE state <> 'idle') AS busy_sessions,
       (SELECT pg_catalog.string_agg(DISTINCT role, ', ') FROM sessions) AS roles
