-- Integer columns of the tables $1 (text[]) that are keys or fed by a sequence, and what limits them.
--   table_name, column_name, type, role, type_limit
--   sequence, increment, sequence_limit: what feeds it, else NULL
--   source_table, source_column: what it refers to, else NULL
--   is_unique: a unique index has it; is_cheap: the highest value is found by an index, or the table is small
WITH touched AS (
SELECT DISTINCT c.oid
  FROM unnest($1::text[]) AS n (name)
  JOIN pg_class AS c ON c.oid = to_regclass(n.name) AND c.relkind IN ('r', 'p')
), key (relation, number, role, sequence, source, source_number) AS (
SELECT k.conrelid, u.number, 'primary key', NULL::oid, NULL::oid, NULL::int2
  FROM pg_constraint AS k, unnest(k.conkey) AS u (number)
 WHERE k.contype = 'p'
UNION ALL
SELECT k.conrelid, u.number, 'foreign key', NULL, k.confrelid, u.source_number
  FROM pg_constraint AS k, unnest(k.conkey, k.confkey) AS u (number, source_number)
 WHERE k.contype = 'f' AND k.conparentid = 0
UNION ALL
SELECT d.refobjid, d.refobjsubid::int2, 'sequence', d.objid, NULL, NULL
  FROM pg_depend AS d
  JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
 WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
   AND d.deptype IN ('a', 'i')
UNION
SELECT f.adrelid, f.adnum, 'sequence', d.refobjid, NULL, NULL
  FROM pg_attrdef AS f
  JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
  JOIN pg_class AS s ON s.oid = d.refobjid AND s.relkind = 'S'
)
SELECT k.relation::regclass::text AS table_name, quote_ident(a.attname) AS column_name,
       format_type(a.atttypid, NULL) AS type, k.role,
       CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
           ELSE 9223372036854775807 END AS type_limit,
       k.sequence::regclass::text AS sequence, q.seqincrement AS increment, q.seqmax AS sequence_limit,
       k.source::regclass::text AS source_table, quote_ident(o.attname) AS source_column,
       EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = k.relation AND i.indisunique
                  AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])) AS is_unique,
       -- 32 MB
       (coalesce(s.relpages, c.relpages) < 4096 AND coalesce(s.relkind, c.relkind) = 'r')
       OR EXISTS (SELECT FROM pg_index AS i
                   WHERE i.indrelid = coalesce(k.source, k.relation) AND i.indisvalid AND i.indpred IS NULL
                     AND i.indkey[0] = coalesce(k.source_number, k.number)) AS is_cheap
  FROM key AS k
  JOIN touched AS t ON t.oid = k.relation
  JOIN pg_class AS c ON c.oid = k.relation
  JOIN pg_attribute AS a ON a.attrelid = k.relation AND a.attnum = k.number
  LEFT JOIN pg_class AS s ON s.oid = k.source
  LEFT JOIN pg_attribute AS o ON o.attrelid = k.source AND o.attnum = k.source_number
  LEFT JOIN pg_sequence AS q ON q.seqrelid = k.sequence
 WHERE a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
 ORDER BY 1, 2, k.role <> 'primary key', k.role
