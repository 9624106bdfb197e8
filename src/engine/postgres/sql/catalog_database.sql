-- One row about the server and the database of a catalogue, and what the asking role may not see of it.
-- wal_position is where the server is now; on a standby, what it has replayed.
SELECT split_part(current_setting('server_version'), ' ', 1) AS server_version,
       d.datname AS database, pg_encoding_to_char(d.encoding) AS encoding,
       pg_is_in_recovery() AS is_standby,
       pg_database_size(d.oid) AS database_bytes,
       CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE')
           THEN (SELECT s.system_identifier::text FROM pg_control_system() AS s) END AS system_identifier,
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS wal_position,
       (date_part('epoch', now()) * 1000000)::int8 AS taken_at_us,
       CASE WHEN pg_table_size('pg_largeobject_metadata') < 268435456
           THEN (SELECT count(*) FROM pg_largeobject_metadata)
           ELSE (SELECT c.reltuples::int8 FROM pg_class AS c WHERE c.oid = 'pg_largeobject_metadata'::regclass)
           END AS large_objects,
       pg_table_size('pg_largeobject') AS large_object_bytes,
       (SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.relkind = 'S' AND c.oid >= 16384 AND c.relpersistence <> 't' AND n.nspname <> 'rehearse') AS sequences,
       (SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.relkind = 'm' AND c.oid >= 16384 AND n.nspname <> 'rehearse') AS materialized_views,
       pg_has_role('pg_read_all_settings', 'USAGE') OR current_setting('is_superuser') = 'on' AS sees_settings,
       pg_has_role('pg_read_all_stats', 'USAGE') OR current_setting('is_superuser') = 'on' AS sees_replicas,
       current_user AS role
  FROM pg_database AS d WHERE d.datname = current_database()
