-- What it takes to write a row into table $1 (its identity): one row per column, in order.
--   name (quoted), number, type (with modifier), base (name of the type below its domains), category,
--   length (of characters, NULL), is_required, has_default, is_computed (never written), is_key,
--   label (first of an enum), uniques: JSON [index id, ...] of unique keys it takes part in,
--   parent, parent_column: of a foreign key, NULL; table_id
WITH RECURSIVE type (attnum, oid, typbasetype, typtype, typname, typcategory, typtypmod, is_required) AS (
    SELECT a.attnum, t.oid, t.typbasetype, t.typtype, t.typname, t.typcategory, a.atttypmod, a.attnotnull
      FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
     WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT d.attnum, t.oid, t.typbasetype, t.typtype, t.typname, t.typcategory,
           (SELECT o.typtypmod FROM pg_type AS o WHERE o.oid = d.oid), d.is_required OR
           (SELECT o.typnotnull FROM pg_type AS o WHERE o.oid = d.oid)
      FROM type AS d JOIN pg_type AS t ON t.oid = d.typbasetype
     WHERE d.typtype = 'd')
SELECT quote_ident(a.attname) AS name, a.attnum AS number, format_type(a.atttypid, a.atttypmod) AS type,
       t.typname AS base, t.typcategory AS category,
       CASE WHEN t.typname IN ('varchar', 'bpchar') AND t.typtypmod > 4 THEN t.typtypmod - 4 END AS length,
       t.is_required, a.atthasdef OR a.attidentity <> '' AS has_default,
       a.attgenerated <> '' OR a.attidentity = 'a' AS is_computed,
       k.indexrelid IS NOT NULL AS is_key,
       (SELECT quote_literal(e.enumlabel) FROM pg_enum AS e WHERE e.enumtypid = t.oid
         ORDER BY e.enumsortorder LIMIT 1) AS label,
       (SELECT json_agg(DISTINCT i.indexrelid::int8) FROM pg_index AS i
         WHERE i.indrelid = a.attrelid AND (i.indisunique OR i.indisexclusion) AND i.indisvalid
           AND (a.attnum = ANY (i.indkey)
                OR EXISTS (SELECT FROM pg_depend AS d
                            WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                              AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid
                              AND d.refobjsubid = a.attnum))) AS uniques,
       f.confrelid::regclass::text AS parent,
       (SELECT quote_ident(p.attname) FROM pg_attribute AS p
         WHERE p.attrelid = f.confrelid AND p.attnum = f.confkey[array_position(f.conkey, a.attnum)]) AS parent_column,
       a.attrelid::int8 AS table_id
  FROM pg_attribute AS a
  JOIN type AS t ON t.attnum = a.attnum AND t.typtype <> 'd'
  LEFT JOIN pg_index AS k ON k.indrelid = a.attrelid AND k.indisprimary AND a.attnum = ANY (k.indkey)
  LEFT JOIN LATERAL (
      SELECT c.confrelid, c.conkey, c.confkey FROM pg_constraint AS c
       WHERE c.conrelid = a.attrelid AND c.contype = 'f' AND a.attnum = ANY (c.conkey)
       ORDER BY c.oid LIMIT 1) AS f ON true
 WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
