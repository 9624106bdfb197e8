-- What ANALYZE counted of columns that the asking role may read. pg_stats keeps quiet about the others.
SELECT c.oid::int8 AS table_id, a.attnum AS number, s.null_frac, s.n_distinct, s.avg_width
  FROM (SELECT v.schemaname, v.tablename, v.attname, v.inherited, v.null_frac, v.n_distinct, v.avg_width
          FROM pg_stats AS v OFFSET 0) AS s
  JOIN pg_namespace AS n ON n.nspname = s.schemaname
  JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = s.tablename
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = s.attname
 WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'm', 'f') AND s.inherited = (c.relkind = 'p')
