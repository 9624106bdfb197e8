-- The columns of the relations of catalog_tables.sql, table by table in order.
SELECT a.attrelid::int8 AS table_id, a.attnum AS number, a.attname AS name, quote_ident(a.attname) AS quoted,
       format_type(a.atttypid, a.atttypmod) AS type, a.atttypid::int8 AS type_id, a.atttypmod AS modifier,
       a.attnotnull AS not_null, a.attgenerated <> '' AS is_generated, a.attidentity <> '' AS is_identity,
       pg_get_expr(d.adbin, d.adrelid) AS default_expression,
       CASE WHEN a.attcollation <> 0 THEN a.attcollation::regcollation::text END AS collation,
       coalesce(k.collisdeterministic, true) AS is_deterministic,
       has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS may_select
  FROM pg_attribute AS a
  JOIN pg_class AS c ON c.oid = a.attrelid
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_collation AS k ON k.oid = a.attcollation
 WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'm', 'f', 'v') AND c.relpersistence <> 't'
   AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
