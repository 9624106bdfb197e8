-- The types that columns and attributes can have, by id; row types of tables only where something is of them.
--   base, modifier: of a domain; element: of a true array; subtype: of a range or multirange
SELECT t.oid::int8 AS id, n.nspname AS schema, t.typname AS name,
       quote_ident(n.nspname) || '.' || quote_ident(t.typname) AS identity,
       t.typtype AS kind, t.typcategory AS category, t.typbasetype::int8 AS base, t.typtypmod AS modifier,
       CASE WHEN e.oid IS NOT NULL THEN e.oid::int8 ELSE 0 END AS element,
       coalesce((SELECT r.rngsubtype::int8 FROM pg_range AS r WHERE r.rngtypid = t.oid), 0) AS subtype, -- before 14
       coalesce((SELECT r.rngsubtype::int8 FROM pg_range AS r -- since 14
                  WHERE t.oid IN (r.rngtypid, r.rngmultitypid)), 0) AS subtype, -- since 14
       t.typrelid::int8 AS relation_id
  FROM pg_type AS t
  JOIN pg_namespace AS n ON n.oid = t.typnamespace
  LEFT JOIN pg_type AS e ON e.oid = t.typelem AND e.typarray = t.oid
 WHERE t.typtype <> 'p'
   AND (t.oid IN (SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid >= 16384)
        OR NOT EXISTS (SELECT FROM pg_class AS c
                        WHERE c.oid IN (t.typrelid, e.typrelid) AND c.relkind <> 'c')
        OR t.oid IN (SELECT u.typelem FROM pg_attribute AS a JOIN pg_type AS u ON u.oid = a.atttypid
                      WHERE a.attrelid >= 16384))
 ORDER BY t.oid
