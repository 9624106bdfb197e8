-- What table $2 (oid, made as a step wanted it) has that table $1 (oid, which was there) has not, as sentences.
-- $3: name of the one column that is compared, NULL: all of them, and constraints. Sequences have other names there.
WITH wanted AS (
SELECT a.attname, a.attnotnull, a.attidentity, a.attgenerated, format_type(a.atttypid, a.atttypmod) AS type, a.attcollation,
       regexp_replace(pg_get_expr(d.adbin, d.adrelid), 'nextval\(.*\)', 'nextval()') AS expression, a.attnum
  FROM pg_attribute AS a
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = $2::oid AND a.attnum > 0 AND NOT a.attisdropped AND ($3::text IS NULL OR quote_ident(a.attname) = $3)
), found AS (
SELECT a.attname, a.attnotnull, a.attidentity, a.attgenerated, format_type(a.atttypid, a.atttypmod) AS type, a.attcollation,
       regexp_replace(pg_get_expr(d.adbin, d.adrelid), 'nextval\(.*\)', 'nextval()') AS expression
  FROM pg_attribute AS a
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
)
SELECT x.sentence
  FROM (SELECT 1 AS part, w.attnum::int8 AS number,
               CASE WHEN f.attname IS NULL THEN format('column %I is missing', w.attname)
                   ELSE nullif(concat_ws(', ',
                       CASE WHEN f.type <> w.type THEN format('column %I is %s, not %s', w.attname, f.type, w.type) END,
                       CASE WHEN f.type = w.type AND f.attcollation <> w.attcollation
                           THEN format('column %I has another collation', w.attname) END,
                       CASE WHEN w.attnotnull AND NOT f.attnotnull
                           THEN format('column %I may be NULL', w.attname) END,
                       CASE WHEN w.attgenerated <> f.attgenerated OR w.attidentity <> f.attidentity
                           THEN format('column %I is computed in another way', w.attname)
                           WHEN w.expression IS NOT NULL AND f.expression IS NULL
                           THEN format('column %I has no default', w.attname)
                           WHEN w.expression <> f.expression
                           THEN format('column %I has another default', w.attname) END), '') END AS sentence
          FROM wanted AS w
          LEFT JOIN found AS f ON f.attname = w.attname
        UNION ALL
        SELECT 2, k.oid::int8, 'without the constraint ' || pg_get_constraintdef(k.oid)
          FROM pg_constraint AS k
         WHERE $3::text IS NULL AND k.conrelid = $2::oid AND k.contype IN ('c', 'f', 'p', 'u', 'x')
           AND NOT EXISTS (SELECT FROM pg_constraint AS o
                            WHERE o.conrelid = $1::oid AND o.contype = k.contype
                              AND regexp_replace(pg_get_constraintdef(o.oid), ' NOT VALID$', '')
                                  = regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', ''))) AS x
 WHERE x.sentence IS NOT NULL
 ORDER BY x.part, x.number
 LIMIT 20
