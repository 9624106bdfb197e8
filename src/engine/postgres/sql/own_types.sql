-- Types that this database numbers in its own way. Those of temporary tables belong to their sessions.
SELECT t.oid, n.nspname AS schema_name, t.typname AS type_name, t.typtype AS kind, t.typelem AS element
  FROM pg_catalog.pg_type AS t
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
 WHERE t.oid >= 16384 AND n.nspname !~ '^pg_(toast_)?temp_'
