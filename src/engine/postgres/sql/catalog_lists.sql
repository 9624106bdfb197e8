-- The short lists of a catalogue: what, and up to five texts of it.
--   extension: name, version, schema
--   role: name
--   setting: scope, name, value; not at their default. Values that may be a secret are not shown: commands,
--     connection strings, and what no part of the server defines ("app.key").
--   collation: name, provider, locale, recorded version, actual version; those that columns have, and the database's
--   replica: application name, state, sync state, bytes behind
WITH position (lsn) AS (
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END
), setting (scope, name, value) AS (
    SELECT 'server', s.name, current_setting(s.name, true)
      FROM pg_settings AS s
     WHERE s.source IN ('configuration file', 'command line', 'environment variable')
       AND s.category <> 'File Locations'
    UNION ALL
    SELECT CASE WHEN s.setrole = 0 AND s.setdatabase = 0 THEN 'role all'
               WHEN s.setrole = 0 THEN 'database'
               WHEN s.setdatabase = 0 THEN 'role ' || quote_ident(pg_get_userbyid(s.setrole))
               ELSE 'role ' || quote_ident(pg_get_userbyid(s.setrole)) || ' in database ' || quote_ident(current_database())
               END,
           split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
      FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c
     WHERE s.setdatabase = 0
        OR s.setdatabase = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
)
SELECT 'extension' AS what, e.extname::text AS a, e.extversion AS b, n.nspname::text AS c, NULL::text AS d, NULL::text AS e
  FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
UNION ALL
SELECT 'role', r.rolname, NULL, NULL, NULL, NULL FROM pg_roles AS r WHERE r.rolname !~ '^pg_'
UNION ALL
SELECT 'setting', s.scope, s.name,
       CASE WHEN s.name ~ '_command$|conninfo|passphrase|password|secret|token|credential|_key$'
              OR (s.name LIKE '%.%' AND NOT EXISTS (SELECT FROM pg_settings AS k
                                                     WHERE k.name = s.name AND k.category <> 'Customized Options'))
           THEN '(not shown)' ELSE s.value END, NULL, NULL
  FROM setting AS s
UNION ALL
SELECT 'collation', c.oid::regcollation::text,
       CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
       coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collcollate), -- 17, 15
       c.collversion, pg_collation_actual_version(c.oid)
  FROM pg_collation AS c
 WHERE c.collname <> 'default'
   AND c.oid IN (SELECT a.attcollation FROM pg_attribute AS a WHERE a.attrelid >= 16384 AND a.attnum > 0)
UNION ALL
SELECT 'collation', 'database',
       CASE to_jsonb(d) ->> 'datlocprovider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END, -- 15
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', d.datcollate), -- 17, 15
       d.datcollversion, pg_database_collation_actual_version(d.oid) -- since 15
       NULL, NULL -- before 15
  FROM pg_database AS d WHERE d.datname = current_database()
UNION ALL
SELECT 'replica', r.application_name, r.state, r.sync_state,
       pg_wal_lsn_diff(p.lsn, r.replay_lsn)::text, NULL
  FROM pg_stat_replication AS r, position AS p
ORDER BY 1, 2, 3, 4
