-- Rows changed in every table since its counters began, and by which ways a statement on another table reaches it:
-- foreign keys with an action. Counters are those of the statistics system: sessions that ended have told all of theirs.
SELECT s.relid::int8 AS table_id, s.relid::regclass::text AS table_name,
       CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::text END AS root,
       s.n_tup_ins, s.n_tup_upd, s.n_tup_del,
       (SELECT string_agg('foreign key ' || quote_ident(k.conname)
                          || CASE k.confdeltype WHEN 'c' THEN ' ON DELETE CASCADE' WHEN 'n' THEN ' ON DELETE SET NULL'
                                 WHEN 'd' THEN ' ON DELETE SET DEFAULT' ELSE '' END
                          || CASE k.confupdtype WHEN 'c' THEN ' ON UPDATE CASCADE' WHEN 'n' THEN ' ON UPDATE SET NULL'
                                 WHEN 'd' THEN ' ON UPDATE SET DEFAULT' ELSE '' END, ', ' ORDER BY k.conname)
          FROM pg_constraint AS k
         WHERE k.conrelid = c.oid AND k.contype = 'f'
           AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))) AS ways
  FROM pg_stat_user_tables AS s
  JOIN pg_class AS c ON c.oid = s.relid AND c.relpersistence <> 't'
 WHERE s.schemaname <> 'rehearse'
 ORDER BY s.relid
