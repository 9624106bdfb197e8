-- What a set question needs to know of a table (RELATION: an expression that gives its oid): how its
-- rows are named, which column tells the newest, and where a copy may be made. Keys are shown where
-- they are numbers, times and the like, all of them when SHOWN is true.
WITH subject AS (
    SELECT c.oid, c.relname, c.relkind, c.relpersistence, c.relowner, c.relnamespace,
           c.relrowsecurity AND c.relforcerowsecurity AND pg_catalog.pg_has_role(c.relowner, 'USAGE') AS is_forced,
           n.nspname
      FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid = @RELATION@),
column_ AS (
    SELECT a.attname, a.attnum, a.atttypid, a.attnotnull,
           pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_name,
           pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS default_,
           t.typcategory IN ('N', 'D', 'T', 'B', 'E') OR a.atttypid = 2950 OR @SHOWN@ AS is_shown
      FROM subject JOIN pg_catalog.pg_attribute AS a ON a.attrelid = subject.oid
           JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
           LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped),
-- The primary key, else a unique index over columns that are never NULL.
key AS (
    SELECT i.indkey, i.indnkeyatts
      FROM subject JOIN pg_catalog.pg_index AS i ON i.indrelid = subject.oid
     WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
       AND NOT EXISTS (SELECT FROM pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
                         JOIN column_ USING (attnum)
                        WHERE k.place <= i.indnkeyatts AND NOT column_.attnotnull)
     ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid
     LIMIT 1),
key_text AS (
    SELECT pg_catalog.string_agg(pg_catalog.format('%L || %s', column_.attname || '=',
               CASE WHEN is_shown THEN pg_catalog.format('pg_catalog.left(%I::text, 100)', column_.attname)
                    ELSE '''***''' END), ' || '', '' || ' ORDER BY k.place) AS sql,
           pg_catalog.string_agg(pg_catalog.format('%I', column_.attname), ', ' ORDER BY k.place) AS columns
      FROM key, pg_catalog.unnest(key.indkey) WITH ORDINALITY AS k (attnum, place)
      JOIN column_ USING (attnum)
     WHERE k.place <= key.indnkeyatts),
newest AS (
    SELECT attname, CASE atttypid WHEN 1082 THEN 'YYYY-MM-DD' WHEN 1114 THEN 'YYYY-MM-DD HH24:MI:SS'
                                  ELSE 'YYYY-MM-DD HH24:MI:SSOF' END AS format
      FROM column_
     WHERE atttypid IN (1082, 1114, 1184)
       AND (attname ~* '^(date_?)?(created|inserted|creation|registered|added|ordered|placed|posted|received|signed_?up)(_?(at|on|date|time|ts|timestamp))?$'
            OR (default_ ~* '^\(*(now\(\)|current_timestamp|localtimestamp|current_date|(statement|clock|transaction)_timestamp\(\))'
                AND attname !~* 'updat|modif|chang|touch|delet|expir|last|valid|until'))
     ORDER BY attname !~* 'creat', attname !~* 'insert|regist|added', attnum
     LIMIT 1)
SELECT subject.oid, pg_catalog.format('%I.%I', nspname, relname) AS name, pg_catalog.quote_ident(relname) AS ident,
       relname, relkind, relpersistence,
       -- in a schema of its own a copy may have the table's name, as expressions may want it
       CASE WHEN relpersistence = 't' THEN 'pg_temp'
            WHEN pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') THEN 'rehearse_scratch'
            WHEN pg_catalog.has_schema_privilege(relnamespace, 'CREATE')
            THEN pg_catalog.quote_ident(nspname)
            WHEN pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP') THEN 'pg_temp' END AS scratch,
       is_forced,
       CASE WHEN relkind IN ('v', 'm') THEN (SELECT sql FROM key_text)
            ELSE coalesce((SELECT sql FROM key_text), CASE WHEN relkind = 'p' OR EXISTS (
                     SELECT FROM pg_catalog.pg_inherits WHERE inhparent = subject.oid)
                 THEN pg_catalog.format('''ctid='' || %1$I.tableoid::pg_catalog.regclass || '' '' || %1$I.ctid', relname)
                 ELSE pg_catalog.format('''ctid='' || %I.ctid', relname) END) END AS key,
       coalesce((SELECT columns FROM key_text), 'ctid') AS key_columns,
       (SELECT pg_catalog.quote_ident(attname) FROM newest) AS newest, (SELECT attname FROM newest) AS newest_name,
       (SELECT format FROM newest) AS newest_format,
       EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = subject.oid AND NOT tgisinternal
                  AND tgtype & 3 = 3 AND tgenabled <> 'D') AS has_row_triggers,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(pg_catalog.quote_ident(attname), attname, type_name,
               NOT attnotnull) ORDER BY attnum) FROM column_) AS columns,
       CASE relkind WHEN 'p' THEN pg_catalog.pg_get_partkeydef(subject.oid) END AS partition_key,
       (SELECT nullif(partdefid, 0) FROM pg_catalog.pg_partitioned_table WHERE partrelid = subject.oid) AS default_partition,
       pg_catalog.pg_get_partition_constraintdef(subject.oid) AS partition_constraint,
       CASE relkind WHEN 'm' THEN pg_catalog.rtrim(pg_catalog.pg_get_viewdef(subject.oid), ';') END AS view_query,
       EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = subject.oid) AS has_children,
       EXISTS (WITH RECURSIVE tree (oid) AS (
                   SELECT subject.oid UNION SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits AS i ON i.inhparent = tree.oid)
               SELECT FROM tree JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = tree.oid
                WHERE g.tgdeferrable AND g.tgenabled <> 'D') AS may_defer
  FROM subject
