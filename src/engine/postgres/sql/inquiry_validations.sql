-- What the definitions on the table SUBJECT ask of the rows of the table REAL (oids), one row of
-- (kind, facts) each. NAME: only the constraint or index of that name, validated or not; NULL: all
-- that are in force. USING: columns that are computed anew whatever their type. COLUMN: that
-- column's NOT NULL too, although REAL has it. (No mark may stand in a comment: names hold newlines.)
WITH new_column AS (
    SELECT a.*, r.attnum IS NULL AS is_new, r.attnotnull AS was_not_null, r.atttypid AS old_type,
           r.atttypmod AS old_typmod, t.typcategory, t.typtype,
           t.typdefault,
           (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef AS d
             WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) AS value,
           (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef AS d
             WHERE d.adrelid = r.attrelid AND d.adnum = r.attnum AND r.attgenerated = '') AS old_default,
           -- as a key or inside of one of its expressions
           EXISTS (SELECT FROM pg_catalog.pg_index AS i
                    CROSS JOIN LATERAL (SELECT CASE i.indrelid WHEN a.attrelid THEN a.attnum ELSE r.attnum END AS attnum) AS k
                    WHERE i.indisunique AND i.indrelid IN (a.attrelid, r.attrelid)
                      AND (k.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1])
                           OR (i.indexprs IS NOT NULL AND EXISTS (
                                  SELECT FROM pg_catalog.pg_depend AS d
                                   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
                                     AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                                     AND d.refobjid = i.indrelid AND d.refobjsubid = k.attnum)))) AS is_unique,
           (WITH RECURSIVE base (oid) AS (
                SELECT a.atttypid UNION SELECT b.typbasetype FROM base JOIN pg_catalog.pg_type AS b ON b.oid = base.oid
                                         WHERE b.typtype = 'd')
            SELECT b.oid FROM base JOIN pg_catalog.pg_type AS b ON b.oid = base.oid WHERE b.typtype <> 'd') AS base_type
      FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
           LEFT JOIN pg_catalog.pg_attribute AS r
             ON r.attrelid = @REAL@ AND r.attname = a.attname AND NOT r.attisdropped
     WHERE a.attrelid = @SUBJECT@ AND a.attnum > 0 AND NOT a.attisdropped)
SELECT 'column' AS kind, pg_catalog.json_build_object(
           'column', pg_catalog.quote_ident(attname), 'type', pg_catalog.format_type(atttypid, atttypmod),
           'value', coalesce(value, typdefault, 'NULL::' || pg_catalog.format_type(atttypid, atttypmod)),
           'generated', attgenerated <> '') AS facts
  FROM new_column WHERE is_new AND @NAME@::text IS NULL
UNION ALL
SELECT 'type', pg_catalog.json_build_object(
           'column', pg_catalog.quote_ident(attname), 'raw', attname,
           'type', pg_catalog.format_type(atttypid, atttypmod), 'type_id', atttypid::int8, 'typmod', atttypmod,
           'old_type_id', old_type::int8,
           'old_text', (SELECT typcategory = 'S' AND typtype = 'b' FROM pg_catalog.pg_type WHERE oid = old_type),
           'nullable', NOT attnotnull, 'category', typcategory,
           'label', (SELECT e.enumlabel FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = atttypid
                      ORDER BY e.enumsortorder LIMIT 1))
  FROM new_column
 WHERE NOT is_new AND ((atttypid, atttypmod) <> (old_type, old_typmod) OR attname = ANY (@USING@::text[]))
   AND @NAME@::text IS NULL
UNION ALL
SELECT 'not null', pg_catalog.json_build_object(
           'column', pg_catalog.quote_ident(attname), 'is_new', is_new,
           'composite', typtype = 'c' OR (typtype = 'd' AND typcategory = 'C'),
           'default', old_default, 'type', pg_catalog.format_type(atttypid, atttypmod),
           'type_id', base_type::int8, 'category', typcategory, 'is_unique', is_unique,
           'label', (SELECT e.enumlabel FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = atttypid
                      ORDER BY e.enumsortorder LIMIT 1))
  FROM new_column
 WHERE (@NAME@::text IS NULL AND attnotnull AND (is_new OR NOT was_not_null) AND attidentity = '')
    OR attname = @COLUMN@::text
    OR EXISTS (SELECT FROM pg_catalog.pg_constraint AS n WHERE n.conrelid = @SUBJECT@ AND n.contype = 'n'
                  AND n.conname = @NAME@::text AND attnum = ANY (n.conkey))
UNION ALL
SELECT 'check', pg_catalog.json_build_object(
           'name', con.conname, 'expression', pg_catalog.pg_get_expr(con.conbin, con.conrelid),
           'no_inherit', con.connoinherit,
           'columns', (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(attname), ', ' ORDER BY attnum)
                         FROM new_column WHERE attnum = ANY (con.conkey)),
           'nullable', (SELECT pg_catalog.min(pg_catalog.quote_ident(attname)) FROM new_column
                         WHERE attnum = ANY (con.conkey) AND NOT attnotnull AND NOT is_new
                        HAVING pg_catalog.array_length(con.conkey, 1) = 1))
  FROM pg_catalog.pg_constraint AS con
 WHERE con.conrelid = @SUBJECT@ AND con.contype = 'c'
   AND CASE WHEN @NAME@::text IS NULL THEN con.convalidated ELSE con.conname = @NAME@::text END
UNION ALL
SELECT 'foreign', pg_catalog.json_build_object(
           'name', con.conname, 'match', con.confmatchtype,
           'period', con.conperiod, -- since 18
           'referenced', pg_catalog.format('%I.%I', n.nspname, c.relname),
           'only', c.relkind <> 'p' AND EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = c.oid),
           'pairs', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                             'column', pg_catalog.quote_ident(f.attname), 'referenced', pg_catalog.quote_ident(p.attname),
                             'operator', CASE WHEN o.oprnamespace = 11 THEN o.oprname
                                  ELSE pg_catalog.format('OPERATOR(%s.%s)', o.oprnamespace::pg_catalog.regnamespace, o.oprname) END,
                             'collate', CASE WHEN p.attcollation <> f.attcollation AND p.attcollation <> 0 THEN (
                                  SELECT pg_catalog.format('%s.%I', collnamespace::pg_catalog.regnamespace, collname)
                                    FROM pg_catalog.pg_collation WHERE oid = p.attcollation) END,
                             'nullable', NOT f.attnotnull AND NOT f.is_new) ORDER BY k.place)
                       FROM ROWS FROM (pg_catalog.unnest(con.conkey), pg_catalog.unnest(con.confkey),
                                       pg_catalog.unnest(con.conpfeqop)) WITH ORDINALITY AS k (f, p, o, place)
                       JOIN new_column AS f ON f.attnum = k.f
                       JOIN pg_catalog.pg_attribute AS p ON p.attrelid = con.confrelid AND p.attnum = k.p
                       JOIN pg_catalog.pg_operator AS o ON o.oid = k.o))
  FROM pg_catalog.pg_constraint AS con JOIN pg_catalog.pg_class AS c ON c.oid = con.confrelid
       JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE con.conrelid = @SUBJECT@ AND con.contype = 'f'
   AND CASE WHEN @NAME@::text IS NULL THEN con.convalidated
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS up WHERE up.oid = con.conparentid AND up.conrelid = con.conrelid)
            ELSE con.conname = @NAME@::text END
UNION ALL
SELECT 'index', pg_catalog.json_build_object(
           'name', ic.relname, 'unique', i.indisunique, 'exclusion', con.conexclop IS NOT NULL,
           'nulls_equal', i.indnullsnotdistinct, -- since 15
           -- in its last column no range may be empty
           'without_overlaps', con.conperiod, -- since 18
           'predicate', pg_catalog.pg_get_expr(i.indpred, i.indrelid),
           -- behind the table's name: how a plain index for the same conditions is made
           'definition', pg_catalog.substr(pg_catalog.pg_get_indexdef(i.indexrelid), pg_catalog.length(
                pg_catalog.format('CREATE %sINDEX %I ON %s%I.%I', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END,
                    ic.relname, CASE tc.relkind WHEN 'p' THEN 'ONLY ' ELSE '' END, tn.nspname, tc.relname)) + 1),
           'columns', (SELECT pg_catalog.string_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, true), ', ' ORDER BY k)
                         FROM pg_catalog.generate_series(1, i.indnkeyatts) AS k),
           'keys', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                             'sql', pg_catalog.pg_get_indexdef(i.indexrelid, k, false),
                             'nullable', CASE WHEN NOT col.attnotnull AND NOT col.is_new AND i.indkey[k - 1] > 0
                                              THEN pg_catalog.quote_ident(col.attname) END,
                             -- of text: the column itself, or the only one that the expression reads
                             'text', (SELECT pg_catalog.quote_ident(a.attname) FROM pg_catalog.pg_attribute AS a
                                        JOIN pg_catalog.pg_type AS at ON at.oid = a.atttypid
                                        LEFT JOIN new_column AS nc ON nc.attnum = a.attnum
                                       WHERE a.attrelid = i.indrelid AND at.typcategory = 'S' AND at.oid NOT IN (18, 19) -- "char", name
                                         AND a.attgenerated = '' AND NOT coalesce(nc.is_new, false)
                                         AND CASE WHEN i.indkey[k - 1] > 0 THEN a.attnum = i.indkey[k - 1]
                                             ELSE i.indnatts = 1 AND ARRAY[a.attnum::integer] = ARRAY(
                                                  SELECT DISTINCT d.refobjsubid FROM pg_catalog.pg_depend AS d
                                                   WHERE d.classid = 1259 AND d.objid = i.indexrelid AND d.refclassid = 1259
                                                     AND d.refobjid = i.indrelid AND d.refobjsubid > 0) END),
                             'composite', ity.typtype = 'c' OR (ity.typtype = 'd' AND ity.typcategory = 'C'),
                             'type', pg_catalog.format_type(ia.atttypid, NULL), 'is_expression', i.indkey[k - 1] = 0,
                             'collate', CASE WHEN co.oid IS NULL THEN NULL
                                  WHEN co.collisdeterministic AND opc.opcintype IN (25, 1042) THEN 'pg_catalog."C"'
                                  ELSE pg_catalog.format('%s.%I', co.collnamespace::pg_catalog.regnamespace, co.collname) END,
                             'operator', CASE WHEN con.conexclop IS NOT NULL
                                  THEN (SELECT pg_catalog.format('OPERATOR(%s.%s)', o.oprnamespace::pg_catalog.regnamespace, o.oprname)
                                          FROM pg_catalog.pg_operator AS o WHERE o.oid = con.conexclop[k])
                                  WHEN NOT opc.opcdefault
                                  THEN (SELECT pg_catalog.format('OPERATOR(%s.%s)', o.oprnamespace::pg_catalog.regnamespace, o.oprname)
                                          FROM pg_catalog.pg_amop AS ao JOIN pg_catalog.pg_operator AS o ON o.oid = ao.amopopr
                                         WHERE ao.amopfamily = opc.opcfamily AND ao.amopstrategy = 3
                                           AND ao.amoplefttype = opc.opcintype AND ao.amoprighttype = opc.opcintype
                                           AND NOT EXISTS (SELECT FROM pg_catalog.pg_opclass AS usual JOIN pg_catalog.pg_amop AS ua
                                                   ON ua.amopfamily = usual.opcfamily AND ua.amopstrategy = 3
                                                WHERE usual.opcdefault AND usual.opcmethod = opc.opcmethod
                                                  AND usual.opcintype = opc.opcintype AND ua.amopopr = ao.amopopr)) END
                             ) ORDER BY k)
                       FROM pg_catalog.generate_series(1, i.indnkeyatts) AS k
                       JOIN pg_catalog.pg_attribute AS ia ON ia.attrelid = i.indexrelid AND ia.attnum = k
                       JOIN pg_catalog.pg_type AS ity ON ity.oid = ia.atttypid
                       JOIN pg_catalog.pg_opclass AS opc ON opc.oid = i.indclass[k - 1]
                       LEFT JOIN new_column AS col ON col.attnum = i.indkey[k - 1]
                       LEFT JOIN pg_catalog.pg_collation AS co ON co.oid = i.indcollation[k - 1]))
  FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
       JOIN pg_catalog.pg_class AS tc ON tc.oid = i.indrelid
       JOIN pg_catalog.pg_namespace AS tn ON tn.oid = tc.relnamespace
       LEFT JOIN pg_catalog.pg_constraint AS con ON con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x')
 WHERE i.indrelid = @SUBJECT@ AND (@NAME@::text IS NULL OR ic.relname = @NAME@::text)
