-- Where each sequence stands (last_value NULL: never used, or not to be read by this role), and how many
-- large objects there are.
SELECT s.seqrelid::int8 AS id, s.seqrelid::regclass::text AS identity,
       CASE WHEN has_sequence_privilege(s.seqrelid, 'USAGE, SELECT')
           THEN pg_sequence_last_value(s.seqrelid::regclass) END AS last_value,
       (SELECT count(*) FROM pg_largeobject_metadata) AS large_objects
  FROM pg_sequence AS s
  JOIN pg_class AS c ON c.oid = s.seqrelid AND c.relpersistence <> 't'
 WHERE NOT EXISTS (SELECT FROM pg_depend AS d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.deptype = 'e'
                      AND d.refclassid = 'pg_extension'::regclass)
UNION ALL
SELECT NULL, NULL, NULL, count(*) FROM pg_largeobject_metadata
 ORDER BY 1 NULLS LAST
