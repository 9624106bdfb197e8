-- What a cast is asked with. $1, $2: the old and the new type; $3: the table (all as text, qualified).
--   before_category, after_category: pg_type.typcategory, of what a domain is over
--   before_is_json, after_is_json; has_equality: values of the old type can be compared
--   bytes: of the table's own pages; is_sampled: TABLESAMPLE can read it
SELECT b.typcategory AS before_category, a.typcategory AS after_category,
       b.oid IN ('json'::regtype) AS before_is_json, a.oid IN ('jsonb'::regtype) AS after_is_json,
       EXISTS (SELECT FROM pg_opclass AS o
                WHERE o.opcdefault AND o.opcintype IN (b.oid, CASE b.typcategory WHEN 'A' THEN 'anyarray'::regtype
                    WHEN 'E' THEN 'anyenum'::regtype WHEN 'R' THEN 'anyrange'::regtype WHEN 'S' THEN 'text'::regtype END)
                  AND o.opcmethod IN (SELECT m.oid FROM pg_am AS m WHERE m.amname = 'btree')) AS has_equality,
       (SELECT sum(pg_relation_size(h.relid)) FROM (SELECT c.oid AS relid UNION
           SELECT p.relid FROM pg_partition_tree(c.oid) AS p) AS h)::int8 AS bytes,
       c.relkind IN ('r', 'p', 'm') AS is_sampled
  FROM pg_type AS x
  JOIN pg_type AS b ON b.oid = CASE WHEN x.typbasetype <> 0 THEN x.typbasetype ELSE x.oid END,
       pg_type AS y
  JOIN pg_type AS a ON a.oid = CASE WHEN y.typbasetype <> 0 THEN y.typbasetype ELSE y.oid END,
       pg_class AS c
 WHERE x.oid = to_regtype(regexp_replace($1, '\([0-9, -]*\)', ''))
   AND y.oid = to_regtype(regexp_replace($2, '\([0-9, -]*\)', '')) AND c.oid = to_regclass($3)
