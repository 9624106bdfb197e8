-- Definitions of views.
SELECT c.oid::regclass::text AS identity, pg_get_viewdef(c.oid) AS definition
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.oid >= 16384 AND c.relkind IN ('v', 'm') AND c.relpersistence <> 't' AND n.nspname <> 'rehearse'
   AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid
                      AND e.deptype = 'e' AND e.refclassid = 'pg_extension'::regclass)
 ORDER BY c.oid::regclass::text COLLATE "C"
