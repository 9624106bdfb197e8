-- 16384: FirstNormalObjectId; those below are the catalogue's
SELECT place, text
FROM (SELECT 'the comment on ' || pg_describe_object(classoid, objoid, objsubid), description
      FROM pg_description WHERE objoid >= 16384
      UNION ALL
      SELECT 'function ' || oid::regprocedure,
             concat_ws(E'\n', prosrc, pg_get_function_arguments(oid), array_to_string(proconfig, E'\n'))
      FROM pg_proc WHERE oid >= 16384
      UNION ALL
      SELECT 'view ' || oid::regclass, pg_get_viewdef(oid)
      FROM pg_class WHERE relkind IN ('v', 'm') AND oid >= 16384
      UNION ALL
      SELECT 'a default of ' || adrelid::regclass, pg_get_expr(adbin, adrelid)
      FROM pg_attrdef WHERE adrelid >= 16384
      UNION ALL
      SELECT pg_describe_object('pg_constraint'::regclass, oid, 0), pg_get_constraintdef(oid)
      FROM pg_constraint WHERE oid >= 16384
      UNION ALL
      SELECT 'index ' || indexrelid::regclass, pg_get_indexdef(indexrelid)
      FROM pg_index WHERE indexrelid >= 16384
      UNION ALL
      SELECT 'a label of type ' || enumtypid::regtype, enumlabel::text
      FROM pg_enum WHERE enumtypid >= 16384
      UNION ALL
      SELECT 'the default of domain ' || oid::regtype, typdefault
      FROM pg_type WHERE oid >= 16384 AND typdefault IS NOT NULL
      UNION ALL
      SELECT 'the partition bound of ' || oid::regclass, pg_get_expr(relpartbound, oid)
      FROM pg_class WHERE relpartbound IS NOT NULL
      UNION ALL
      SELECT pg_describe_object('pg_policy'::regclass, oid, 0),
             concat_ws(E'\n', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
      FROM pg_policy
      UNION ALL
      SELECT pg_describe_object('pg_rewrite'::regclass, oid, 0), pg_get_ruledef(oid)
      FROM pg_rewrite WHERE oid >= 16384 AND rulename <> '_RETURN'
      UNION ALL
      SELECT pg_describe_object('pg_trigger'::regclass, oid, 0), pg_get_triggerdef(oid)
      FROM pg_trigger WHERE NOT tgisinternal
      UNION ALL
      SELECT 'a setting of a role or database', array_to_string(setconfig, E'\n')
      FROM pg_db_role_setting
      UNION ALL
      SELECT 'foreign server ' || srvname, array_to_string(srvoptions, E'\n')
      FROM pg_foreign_server
      UNION ALL
      SELECT 'foreign table ' || ftrelid::regclass, array_to_string(ftoptions, E'\n')
      FROM pg_foreign_table) AS texts (place, text)
WHERE text <> ''
