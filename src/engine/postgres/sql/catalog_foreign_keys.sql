-- Foreign keys. Those of partitions are listed beside that of their table. What the server keeps besides for
-- each partition of a referenced table is none of its own: its row may be in any of them.
SELECT quote_ident(k.conname) AS name, k.conrelid::int8 AS child_id, k.confrelid::int8 AS parent_id,
       array_to_string(k.conkey, ',') AS child_columns, array_to_string(k.confkey, ',') AS parent_columns,
       k.confmatchtype = 'f' AS match_full,
       k.convalidated
       AND k.conenforced -- since 18
       AS is_validated
  FROM pg_constraint AS k
  LEFT JOIN pg_constraint AS p ON p.oid = k.conparentid
 WHERE k.oid >= 16384 AND k.contype = 'f' AND (p.oid IS NULL OR p.confrelid = k.confrelid)
 ORDER BY k.conrelid::regclass::text COLLATE "C", k.conname COLLATE "C", k.oid
