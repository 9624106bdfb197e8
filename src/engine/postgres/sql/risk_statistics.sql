-- What the planner has figures about: columns, and extended statistics objects. Not of the system's tables,
-- nor of expressions of indexes.
SELECT s.starelid::int8 AS table_id, s.staattnum::int8 AS number, false AS is_extended,
       c.oid::regclass::text AS table_name, quote_ident(a.attname) AS name, greatest(c.reltuples, 0)::int8 AS rows,
       CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::text END AS root
  FROM (SELECT DISTINCT starelid, staattnum FROM pg_statistic WHERE starelid >= 16384) AS s
  JOIN pg_class AS c ON c.oid = s.starelid AND c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't'
   AND c.relnamespace <> coalesce(to_regnamespace('rehearse'), 0)
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = s.staattnum AND NOT a.attisdropped
UNION ALL
SELECT DISTINCT e.stxrelid::int8, e.oid::int8, true, c.oid::regclass::text,
       quote_ident(n.nspname) || '.' || quote_ident(e.stxname), greatest(c.reltuples, 0)::int8,
       CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::text END
  FROM pg_statistic_ext AS e
  JOIN pg_namespace AS n ON n.oid = e.stxnamespace
  JOIN pg_class AS c ON c.oid = e.stxrelid
  JOIN pg_statistic_ext_data AS d ON d.stxoid = e.oid
 WHERE coalesce(d.stxdndistinct::text, d.stxddependencies::text, d.stxdmcv::text) IS NOT NULL
 ORDER BY 1, 3, 2
