-- What the current role may not read of all that pg_dump reads: kind, what, remedy.
-- pg_dump locks every table of every schema but the system's, those of extensions included, and
-- LOCK TABLE wants the right on the table: rights on its columns are not enough.
WITH me AS (
    SELECT quote_ident(current_user) AS name
), spaces AS (
    SELECT n.oid, n.nspname, has_schema_privilege(n.oid, 'USAGE') AS may_use
    FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), relations AS (
    SELECT c.oid, c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relowner, s.nspname,
           format('%I.%I', s.nspname, c.relname) AS identity
    FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'
)
SELECT 'schema' AS kind, format('schema %I', s.nspname) AS what,
       format('GRANT USAGE ON SCHEMA %I TO %s;', s.nspname, me.name) AS remedy
FROM spaces s, me
WHERE NOT s.may_use AND EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = s.oid)
UNION ALL
SELECT 'table', format('%s of schema %I: %s', CASE count(*) WHEN 1 THEN 'table' ELSE count(*) || ' tables' END,
                       r.nspname, string_agg(quote_ident(r.relname), ', ' ORDER BY r.relname)),
       format('GRANT SELECT ON TABLE %s TO %s;', string_agg(r.identity, ', ' ORDER BY r.identity), min(me.name))
FROM relations r, me
WHERE r.relkind <> 'S' AND NOT has_table_privilege(r.oid, 'SELECT')
GROUP BY r.nspname
UNION ALL
SELECT 'sequence', format('%s of schema %I: %s', CASE count(*) WHEN 1 THEN 'sequence' ELSE count(*) || ' sequences' END,
                          r.nspname, string_agg(quote_ident(r.relname), ', ' ORDER BY r.relname)),
       format('GRANT SELECT ON SEQUENCE %s TO %s;', string_agg(r.identity, ', ' ORDER BY r.identity), min(me.name))
FROM relations r, me
-- it raises an error for what is no sequence, and AND has no order
WHERE CASE WHEN r.relkind = 'S' THEN NOT has_sequence_privilege(r.oid, 'SELECT') END
GROUP BY r.nspname
UNION ALL
SELECT 'row security',
       format('table %s: row security hides rows from this role (%s)', r.identity,
              coalesce('policies ' || (SELECT string_agg(quote_ident(p.polname), ', ' ORDER BY p.polname)
                                       FROM pg_policy p WHERE p.polrelid = r.oid AND p.polcmd IN ('r', '*')),
                       'no policy lets it see any')),
       format('ALTER ROLE %s BYPASSRLS;', me.name)
FROM relations r, me
WHERE r.relrowsecurity AND row_security_active(r.oid)
UNION ALL
SELECT 'large object',
       format('%s large objects', count(*)),
       format('DO $$ DECLARE o oid; BEGIN FOR o IN SELECT oid FROM pg_largeobject_metadata LOOP '
              'EXECUTE format(''GRANT SELECT ON LARGE OBJECT %%s TO %%s'', o, %L); END LOOP; END $$;', min(me.name))
FROM pg_largeobject_metadata m, me
WHERE NOT pg_has_role(m.lomowner, 'USAGE')
  AND NOT current_setting('lo_compat_privileges')::boolean
  AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
  AND NOT EXISTS (SELECT FROM aclexplode(m.lomacl) a
                  WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
HAVING count(*) > 0
