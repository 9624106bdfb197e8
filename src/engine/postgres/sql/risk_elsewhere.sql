-- Relations called $1 (not quoted) but for case: what IF EXISTS missed.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE lower(c.relname) = lower($1) AND c.relname <> $1 AND c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'i', 'I', 'S')
   AND n.nspname !~ '^(pg_toast|pg_temp_|rehearse$)' AND c.relpersistence <> 't'
 ORDER BY 1
 LIMIT 5
