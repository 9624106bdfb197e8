-- What of a database holds rows: one row each, for the data state.
--   id, identity, kind, parent (of a partition, else NULL), bytes (of the heap), blocks
--   (NULL where rows cannot be read by ranges of blocks), skipped (why not to be read, NULL)
--   columns: JSON [[name, type, number, text form, bytes of an integer or 0, may_be_null], ...]; the
--   text form is an SQL expression of type text
--   key: JSON [name, ...], the columns that tell rows apart: those of the primary key, else of a unique
--   index that admits no NULL; empty for none
-- Left out as in state_schema.sql. A partitioned table holds no rows of its own: it is listed so that
-- the rows of its partitions can be added up (blocks NULL, no key).
--
-- Sizes are those of the files, segments of 1 GB: pg_relation_size() would wait for a lock on the table. Who
-- is no superuser may not look at files, and is given the planner's estimate.
--
-- The text form is the type's output function by way of ::text, but where somebody made a cast to text
-- of their own, which may be anything. Columns that are computed when read (18) hold nothing.
SELECT c.oid::int8 AS id, c.oid::regclass::text AS identity,
       CASE c.relkind WHEN 'p' THEN 'partitioned table' WHEN 'm' THEN 'materialized view'
           WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind,
       CASE WHEN c.relispartition
           THEN (SELECT i.inhparent::regclass::text FROM pg_inherits AS i WHERE i.inhrelid = c.oid) END AS parent,
       f.bytes,
       CASE WHEN c.relkind IN ('r', 'm') AND a.amhandler = 'heap_tableam_handler'::regproc -- since 14
           THEN f.bytes / current_setting('block_size')::int8 END AS blocks, -- since 14
       NULL AS blocks, -- before 14
       CASE WHEN c.relkind = 'f' THEN 'a foreign table: its rows are elsewhere'
           WHEN NOT c.relispopulated THEN 'not populated' END AS skipped,
       coalesce((SELECT json_agg(json_build_array(quote_ident(t.attname), format_type(t.atttypid, t.atttypmod), t.attnum,
                                     CASE WHEN EXISTS (SELECT FROM pg_cast AS k
                                                        WHERE k.castsource = t.atttypid AND k.casttarget = 'text'::regtype
                                                          AND k.castfunc >= 16384)
                                         THEN format('CASE WHEN NOT %1$I IS NULL THEN format(''%%s'', %1$I) END', t.attname)
                                         ELSE format('%I::text', t.attname) END,
                                     CASE WHEN t.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
                                         THEN t.attlen ELSE 0 END,
                                     NOT t.attnotnull
                                     OR EXISTS (SELECT FROM pg_constraint AS v -- since 18
                                                 WHERE v.conrelid = c.oid AND v.contype = 'n' -- since 18
                                                   AND NOT v.convalidated AND t.attnum = ANY (v.conkey)) -- since 18
                                     )
                                 ORDER BY t.attnum)
                   FROM pg_attribute AS t
                  WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped AND t.attgenerated <> 'v'), '[]') AS columns,
       coalesce(CASE WHEN c.relkind IN ('r', 'm') THEN
           (SELECT json_agg(quote_ident(t.attname) ORDER BY u.number)
              FROM (SELECT i.indkey, i.indnkeyatts FROM pg_index AS i
                     WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
                       AND i.indpred IS NULL AND i.indexprs IS NULL
                       AND NOT EXISTS (SELECT FROM pg_attribute AS n
                                        WHERE n.attrelid = c.oid AND NOT n.attnotnull
                                          AND n.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
                     ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1) AS k,
                   unnest(k.indkey::int2[]) WITH ORDINALITY AS u (attnum, number),
                   pg_attribute AS t
             WHERE u.number <= k.indnkeyatts AND t.attrelid = c.oid AND t.attnum = u.attnum) END, '[]') AS key
  FROM pg_class AS c
  LEFT JOIN pg_am AS a ON a.oid = c.relam
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL ( -- as superuser
     WITH RECURSIVE segment (number, bytes) AS ( -- as superuser
         SELECT 0, f.size FROM pg_stat_file(pg_relation_filepath(c.oid), true) AS f -- as superuser
          WHERE c.relkind IN ('r', 'm') -- as superuser
         UNION ALL -- as superuser
         SELECT s.number + 1, f.size -- as superuser
           FROM segment AS s, pg_stat_file(pg_relation_filepath(c.oid) || '.' || (s.number + 1), true) AS f -- as superuser
          WHERE s.bytes >= 1073741824) -- as superuser
     SELECT coalesce(sum(s.bytes), 0)::int8 AS bytes FROM segment AS s) AS f -- as superuser
 CROSS JOIN LATERAL (SELECT c.relpages::int8 * current_setting('block_size')::int8 AS bytes) AS f -- as another
 WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't'
   AND n.nspname <> 'rehearse'
   AND NOT EXISTS (SELECT FROM pg_depend AS d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
                      AND d.refclassid = 'pg_extension'::regclass)
 ORDER BY c.oid::regclass::text COLLATE "C"
