-- The relations of a catalogue that hold or show rows, by identity: the system's and ours ("rehearse") are
-- left out, and other sessions' temporary ones.
--   parents: ids with commas between; partition_columns: numbers
-- row_security_active() is the server's own answer (owner, memberships, BYPASSRLS, FORCE).
-- The columns of a partition key depend on their table (dependency.c, recordDependencyOnSingleRelExpr
-- with reverse_self; heap.c, StorePartitionKey): pg_depend names those of expressions as well.
SELECT c.oid::int8 AS id, n.nspname AS schema, c.relname AS name, c.oid::regclass::text AS identity,
       c.relkind AS kind, pg_get_userbyid(c.relowner) AS owner,
       (SELECT string_agg(i.inhparent::text, ',' ORDER BY i.inhseqno) FROM pg_inherits AS i WHERE i.inhrelid = c.oid)
           AS parents,
       CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
       CASE c.relkind WHEN 'p' THEN
           (SELECT string_agg(d.objsubid::text, ',' ORDER BY d.objsubid) FROM pg_depend AS d
             WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid > 0
               AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = 0
               AND d.deptype = 'i') END AS partition_columns,
       CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END AS partition_bound,
       c.relpersistence = 'u' AS is_unlogged, c.relrowsecurity, c.relforcerowsecurity,
       row_security_active(c.oid) AS is_filtered,
       has_schema_privilege(n.oid, 'USAGE') AS may_use_schema,
       has_table_privilege(c.oid, 'SELECT') AS may_lock,
       e.extname AS extension, coalesce(f.is_configuration, false) AS is_extension_configuration,
       CASE WHEN c.reltuples >= 0 -- since 14
       CASE WHEN c.reltuples > 0 OR c.relpages > 0 -- before 14
           THEN c.reltuples::int8 ELSE -1 END AS rows_estimate,
       greatest(c.relpages, 0)::int8 AS pages,
       CASE WHEN c.relkind NOT IN ('r', 'm') THEN 0
           ELSE pg_table_size(c.oid) END AS bytes
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_depend AS o
    ON o.classid = 'pg_class'::regclass AND o.objid = c.oid AND o.objsubid = 0 AND o.deptype = 'e'
   AND o.refclassid = 'pg_extension'::regclass
  LEFT JOIN pg_extension AS e ON e.oid = o.refobjid
  LEFT JOIN LATERAL (SELECT true AS is_configuration FROM pg_extension AS x
                      WHERE c.oid = ANY (x.extconfig) LIMIT 1) AS f ON true
 WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'm', 'f', 'v') AND c.relpersistence <> 't'
   AND n.nspname <> 'rehearse' AND n.nspname <> 'pg_toast'
 ORDER BY c.oid::regclass::text COLLATE "C"
