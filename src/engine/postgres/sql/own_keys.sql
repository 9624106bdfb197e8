-- Columns that the server fills with new values, sequences that fill none, and foreign keys column
-- by column; and columns that can hold large objects, as if they referred to those (2995 is
-- pg_largeobject_metadata, 1 its oid). made: sequence_schema, sequence_name and since (its last value now, NULL: not to be
-- told) of what fills it, '' for uuids. reference: the column that it refers to.
WITH large AS (
    SELECT a.attrelid AS relation, a.attnum AS attribute
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE c.oid >= 16384 AND a.attnum > 0
      AND (t.oid = 'pg_catalog.oid'::pg_catalog.regtype OR t.typname = 'lo')
), filled AS (
    -- identity columns
    SELECT d.refobjid AS relation, d.refobjsubid AS attribute, d.objid AS sequence
    FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.deptype = 'i' AND d.refobjsubid > 0
      AND EXISTS (SELECT FROM pg_catalog.pg_class s WHERE s.oid = d.objid AND s.relkind = 'S')
    UNION
    -- defaults that name a sequence
    SELECT a.adrelid, a.adnum, d.refobjid
    FROM pg_catalog.pg_attrdef a
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
        AND d.objid = a.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
    UNION
    SELECT a.adrelid, a.adnum, 0::pg_catalog.oid
    FROM pg_catalog.pg_attrdef a
    JOIN pg_catalog.pg_attribute c ON c.attrelid = a.adrelid AND c.attnum = a.adnum
    WHERE c.atttypid = 'pg_catalog.uuid'::pg_catalog.regtype AND c.attgenerated = ''
      AND pg_catalog.pg_get_expr(a.adbin, a.adrelid)
          ~ '^([a-z_0-9"]+\.)?(gen_random_uuid|uuid_generate_v[0-9a-z]+|uuidv[0-9]+)\('
    UNION
    SELECT 2995, 1, 0 WHERE EXISTS (SELECT FROM large)
), sequences AS (
    SELECT s.oid, n.nspname AS schema, s.relname AS name,
           CASE WHEN q.seqincrement > 0
                     AND pg_catalog.has_sequence_privilege(s.oid, 'SELECT, USAGE')
                THEN coalesce(pg_catalog.pg_sequence_last_value(s.oid), q.seqstart - 1) END AS since
    FROM pg_catalog.pg_class s
    JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
    JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
    WHERE s.relkind = 'S' AND n.nspname NOT LIKE 'pg\_temp\_%'
), columns AS (
    SELECT a.attrelid AS relation, a.attnum AS attribute, n.nspname AS schema,
           c.relname AS table_name, a.attname AS name
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\_temp\_%'
      AND a.attnum > 0 AND NOT a.attisdropped
)
SELECT 'made' AS kind, c.relation, c.attribute, c.schema, c.table_name, c.name,
       0::pg_catalog.oid AS to_relation, 0 AS to_attribute,
       coalesce(s.schema, '') AS sequence_schema, coalesce(s.name, '') AS sequence_name, s.since
FROM filled f
JOIN columns c USING (relation, attribute)
LEFT JOIN sequences s ON s.oid = f.sequence
UNION ALL
SELECT 'reference', c.relation, c.attribute, c.schema, c.table_name, c.name,
       k.confrelid, k.confkey[i.i], '', '', NULL
FROM pg_catalog.pg_constraint k,
     pg_catalog.generate_subscripts(k.conkey, 1) AS i (i), columns c
WHERE k.contype = 'f' AND c.relation = k.conrelid AND c.attribute = k.conkey[i.i]
UNION ALL
SELECT 'reference', c.relation, c.attribute, c.schema, c.table_name, c.name, 2995, 1, '', '', NULL
FROM large JOIN columns c USING (relation, attribute)
UNION ALL
SELECT 'sequence', 0, 0, '', '', '', 0, 0, s.schema, s.name, s.since
FROM sequences s
WHERE NOT EXISTS (SELECT FROM filled f WHERE f.sequence = s.oid)
ORDER BY 1, 2, 3
