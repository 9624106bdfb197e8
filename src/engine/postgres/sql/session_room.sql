-- How many sessions more there is room for, for a role like ours.
SELECT pg_catalog.current_setting('max_connections')::pg_catalog.int8 AS max_connections,
       CASE WHEN r.rolsuper THEN 0
            ELSE pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int8
                 + coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::pg_catalog.int8
       END AS reserved,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity AS a
         WHERE coalesce(a.backend_type, 'client backend') IN ('client backend', 'walsender')) AS used
  FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user
