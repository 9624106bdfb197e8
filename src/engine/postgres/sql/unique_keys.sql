-- Columns that a unique index covers, as a key or inside of one of its expressions.
SELECT pg_catalog.format('%I.%I', n.nspname, t.relname) AS table_name,
       pg_catalog.quote_ident(a.attname) AS column_name, c.relname AS key_name
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE i.indisunique AND t.oid >= 16384
   AND (a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1])
        OR (i.indexprs IS NOT NULL AND EXISTS (
               SELECT FROM pg_catalog.pg_depend AS d
                WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
                  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = i.indrelid
                  AND d.refobjsubid = a.attnum)))
 ORDER BY 1, 2, 3
