-- Relations whose catalogue row was written by a transaction not older than $1. bytes: of the
-- relation's own files, without its lock: pg_relation_size() would wait behind ACCESS EXCLUSIVE.
-- table_rows: what the last index build counted, which leaves no trace in the table's own row (it is
-- changed in place). Segments are 1 GB (RELSEG_SIZE times BLCKSZ) unless the server was built otherwise.
SELECT c.oid AS id,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name,
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'i' THEN 'index'
           WHEN 'I' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view'
           WHEN 'm' THEN 'materialized view' WHEN 'c' THEN 'composite type'
           WHEN 'f' THEN 'foreign table' WHEN 't' THEN 'toast table'
           ELSE c.relkind::pg_catalog.text END AS kind,
       coalesce(o.oid, c.oid) AS table_id,
       pg_catalog.quote_ident(m.nspname) || '.' || pg_catalog.quote_ident(o.relname) AS table_name,
       coalesce(pg_catalog.pg_relation_filenode(c.oid), 0) AS storage_id,
       CASE WHEN c.reltuples < 0 THEN NULL -- since 14
       CASE WHEN c.reltuples = 0 AND c.relpages = 0 THEN NULL -- before 14
           ELSE c.reltuples::pg_catalog.int8 END AS rows_estimate,
       (WITH RECURSIVE segment (number, bytes) AS (
            SELECT 0, f.size
              FROM pg_catalog.pg_stat_file(pg_catalog.pg_relation_filepath(c.oid), true) AS f
             WHERE pg_catalog.pg_relation_filepath(c.oid) IS NOT NULL
            UNION ALL
            SELECT s.number + 1, f.size
              FROM segment AS s,
                   pg_catalog.pg_stat_file(pg_catalog.pg_relation_filepath(c.oid) || '.'
                                           || (s.number + 1)::pg_catalog.text, true) AS f
             WHERE s.bytes >= 1073741824)
        SELECT coalesce(pg_catalog.sum(segment.bytes), 0) FROM segment) AS bytes,
       c.oid < 16384 OR n.nspname = 'rehearse' AS is_system,
       CASE WHEN coalesce(o.reltuples, c.reltuples) < 0 THEN NULL -- since 14
       CASE WHEN coalesce(o.reltuples, c.reltuples) = 0 AND coalesce(o.relpages, c.relpages) = 0 THEN NULL -- before 14
           ELSE coalesce(o.reltuples, c.reltuples)::pg_catalog.int8 END AS table_rows
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
  LEFT JOIN pg_catalog.pg_class AS t ON t.reltoastrelid = c.oid AND c.relkind = 't'
  LEFT JOIN pg_catalog.pg_class AS o ON o.oid = coalesce(i.indrelid, t.oid)
  LEFT JOIN pg_catalog.pg_namespace AS m ON m.oid = o.relnamespace
 WHERE pg_catalog.age(c.xmin) <= pg_catalog.age($1::pg_catalog.xid8::pg_catalog.xid)
