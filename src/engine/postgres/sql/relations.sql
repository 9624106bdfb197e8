-- All relations of the database. kind: see pg_engine_int.h. Partitioned tables and indexes count as
-- tables and indexes; they have no storage (storage_id 0). bytes: of a table with its indexes and
-- TOAST; of another relation its own; NULL for the system's.
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
       CASE WHEN s.is_system THEN NULL
           WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_total_relation_size(c.oid)
           WHEN c.relkind IN ('i', 't', 'S') THEN pg_catalog.pg_relation_size(c.oid)
           ELSE 0 END AS bytes,
       s.is_system
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
  LEFT JOIN pg_catalog.pg_class AS t ON t.reltoastrelid = c.oid AND c.relkind = 't'
  LEFT JOIN pg_catalog.pg_class AS o ON o.oid = coalesce(i.indrelid, t.oid)
  LEFT JOIN pg_catalog.pg_namespace AS m ON m.oid = o.relnamespace
 CROSS JOIN LATERAL (SELECT c.oid < 16384 OR n.nspname = 'rehearse' AS is_system) AS s
