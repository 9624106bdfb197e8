-- The indexes of a catalogue, one row for each of their key columns in order (INCLUDE's are left out). An index
-- that is not valid promises nothing and is not dumped, but for one on a partitioned table (pg_dump.c, getIndexes).
--   number: 0 with the expression
SELECT i.indrelid::int8 AS table_id, i.indexrelid::int8 AS id, quote_ident(c.relname) AS name,
       i.indisprimary AS is_primary, i.indisunique AS is_unique,
       coalesce(k.contype = 'x', false) AS is_exclusion, k.oid IS NOT NULL AS is_constraint,
       i.indnullsnotdistinct AS nulls_not_distinct, -- since 15
       false AS nulls_not_distinct, -- before 15
       CASE WHEN k.contype = 'x' THEN pg_get_constraintdef(k.oid) ELSE pg_get_indexdef(c.oid) END AS definition,
       pg_get_expr(i.indpred, i.indrelid) AS predicate,
       i.indkey[p.position - 1] AS number,
       CASE i.indkey[p.position - 1] WHEN 0 THEN pg_get_indexdef(c.oid, p.position, false) END AS expression
  FROM pg_index AS i
  JOIN pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_class AS t ON t.oid = i.indrelid
  LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
 CROSS JOIN LATERAL generate_series(1, i.indnkeyatts::int4) AS p (position)
 WHERE t.oid >= 16384 AND t.relkind IN ('r', 'p', 'm') AND t.relpersistence <> 't'
   AND (i.indisvalid OR t.relkind = 'p')
 ORDER BY i.indrelid, i.indisprimary DESC, c.relname COLLATE "C", c.oid, p.position
