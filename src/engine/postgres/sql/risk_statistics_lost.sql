-- Of what risk_statistics.sql found ($1 table ids, $2 numbers, $3 is_extended, $4 table names, $5 names: arrays),
-- that which is still there, be it under the same number or dropped and made again under the same name, and which
-- the planner knows nothing about any more. -> place (1-based, in the arrays), table_name, name
SELECT b.place, c.oid::regclass::text AS table_name, quote_ident(a.attname) AS name
  FROM unnest($1::int8[], $2::int8[], $3::bool[], $4::text[], $5::text[])
       WITH ORDINALITY AS b (table_id, number, is_extended, table_name, name, place)
  JOIN pg_class AS c
    ON c.oid = coalesce((SELECT o.oid FROM pg_class AS o WHERE o.oid = b.table_id::oid), to_regclass(b.table_name))
  JOIN pg_attribute AS a
    ON a.attrelid = c.oid AND NOT a.attisdropped AND a.attnum > 0
   AND CASE WHEN c.oid = b.table_id::oid AND EXISTS (SELECT FROM pg_attribute AS o WHERE o.attrelid = c.oid
                                                        AND o.attnum = b.number AND NOT o.attisdropped)
           THEN a.attnum = b.number ELSE quote_ident(a.attname) = b.name END
 WHERE NOT b.is_extended
   AND NOT EXISTS (SELECT FROM pg_statistic AS s WHERE s.starelid = c.oid AND s.staattnum = a.attnum)
UNION ALL
SELECT b.place, c.oid::regclass::text, b.name
  FROM unnest($1::int8[], $2::int8[], $3::bool[], $4::text[], $5::text[])
       WITH ORDINALITY AS b (table_id, number, is_extended, table_name, name, place)
  JOIN pg_statistic_ext AS e ON e.oid = b.number::oid
  JOIN pg_class AS c ON c.oid = e.stxrelid
 WHERE b.is_extended
   AND NOT EXISTS (SELECT FROM pg_statistic_ext_data AS d
                    WHERE d.stxoid = e.oid
                      AND coalesce(d.stxdndistinct::text, d.stxddependencies::text, d.stxdmcv::text) IS NOT NULL)
 ORDER BY 1
