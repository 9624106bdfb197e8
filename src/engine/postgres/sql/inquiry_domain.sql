-- A domain (DOMAIN: an expression that gives its oid): its base type, where a copy may be made,
-- and every column that holds its values, those of domains over it included.
WITH RECURSIVE domain AS (
    SELECT t.oid, t.typname, t.typnotnull, n.nspname, n.oid AS namespace,
           pg_catalog.format_type(t.typbasetype, t.typtypmod) AS base
      FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
     WHERE t.oid = @DOMAIN@ AND t.typtype = 'd'),
heir AS (
    SELECT oid FROM domain
    UNION
    SELECT t.oid FROM heir JOIN pg_catalog.pg_type AS t ON t.typbasetype = heir.oid AND t.typtype = 'd')
SELECT domain.oid, pg_catalog.format('%I.%I', nspname, typname) AS name, base,
       CASE WHEN pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') THEN 'rehearse_scratch'
            WHEN pg_catalog.has_schema_privilege(namespace, 'CREATE') THEN pg_catalog.quote_ident(nspname)
            WHEN pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP') THEN 'pg_temp' END AS scratch,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.oid::int8, pg_catalog.quote_ident(a.attname),
                                   NOT a.attnotnull AND NOT domain.typnotnull) ORDER BY c.oid, a.attnum)
          FROM heir JOIN pg_catalog.pg_attribute AS a ON a.atttypid = heir.oid AND a.attnum > 0 AND NOT a.attisdropped
               JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
         WHERE c.relkind IN ('r', 'm', 'p') AND NOT c.relispartition) AS columns,
       pg_catalog.quote_ident(typname) AS ident
  FROM domain
