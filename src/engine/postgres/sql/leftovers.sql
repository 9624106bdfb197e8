-- Unfinished states: invalid indexes; constraints that exist but were never checked against the rows
-- (NOT ENFORCED ones, which never will be, are not unfinished).
SELECT 'invalid index' AS kind,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS identity,
       pg_catalog.quote_ident(m.nspname) || '.' || pg_catalog.quote_ident(t.relname) AS table_name
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
  JOIN pg_catalog.pg_namespace AS m ON m.oid = t.relnamespace
 WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
UNION ALL
SELECT 'not-validated constraint',
       pg_catalog.quote_ident(k.conname) || ' on '
       || coalesce(pg_catalog.quote_ident(m.nspname) || '.' || pg_catalog.quote_ident(t.relname),
                   'domain ' || pg_catalog.format_type(k.contypid, NULL)),
       pg_catalog.quote_ident(m.nspname) || '.' || pg_catalog.quote_ident(t.relname)
  FROM pg_catalog.pg_constraint AS k
  LEFT JOIN pg_catalog.pg_class AS t ON t.oid = k.conrelid
  LEFT JOIN pg_catalog.pg_namespace AS m ON m.oid = t.relnamespace
 WHERE NOT k.convalidated
   AND k.conenforced -- since 18
 ORDER BY 1, 2
