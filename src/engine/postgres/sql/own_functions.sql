-- Functions that this database numbers in its own way, by their signatures.
SELECT p.oid, n.nspname AS schema_name,
       p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' AS signature
  FROM pg_catalog.pg_proc AS p
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE p.oid >= 16384 AND p.prokind = 'f' AND n.nspname !~ '^pg_temp_'
