-- The relation named $2 (not quoted) in the schema of table $1 (regclass text), and how it differs from index $3 (oid,
-- NULL: not made yet), which a step wanted. -> kind, table_name, is_valid, definition, wanted
SELECT CASE c.relkind WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view'
           WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind,
       i.indrelid::regclass::text AS table_name, i.indisvalid AS is_valid,
       CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END
           || substr(pg_get_indexdef(i.indexrelid), strpos(pg_get_indexdef(i.indexrelid), ' USING ') + 1) AS definition,
       (SELECT CASE WHEN w.indisunique THEN 'UNIQUE ' ELSE '' END
               || substr(pg_get_indexdef(w.indexrelid), strpos(pg_get_indexdef(w.indexrelid), ' USING ') + 1)
          FROM pg_index AS w WHERE w.indexrelid = $3::oid) AS wanted
  FROM pg_class AS t
  JOIN pg_class AS c ON c.relnamespace = t.relnamespace AND c.relname = $2
  LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
 WHERE t.oid = $1::regclass
