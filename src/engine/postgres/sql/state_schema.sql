-- The schema state of a database: one row per object that users made, in a fixed order.
--   kind, identity: as pg_identify_object() says them, so that they are those of event triggers
--   parent: identity of the table (or type, schema) it is a part of, NULL for none
--   id, sub_id: the object whatever its name, within one cluster and its physical copies
--   attributes: JSON object, name -> text; what is absent or the server's default is left out
-- Left out: the system's objects (but schema public), members of extensions (what they are follows
-- from the extension's version), temporary objects, our schema "rehearse" and its event triggers.
-- Values that may be secret (options of servers and user mappings, a subscription's connection) too.
-- The session has search_path = pg_catalog, so that every name in a definition is qualified.
-- Privileges are said as they differ from those an object is born with ("privileges of app": "SELECT"),
-- so that a GRANT that is taken back leaves nothing behind.
WITH object (class, oid, sub, root_class, root, kind, identity, parent, acl, acl_type, owner, attributes) AS (
-- schemas
SELECT 'pg_namespace'::regclass, n.oid, 0, 'pg_namespace'::regclass, n.oid, 'schema',
       quote_ident(n.nspname), NULL::text, n.nspacl, 'n'::"char", n.nspowner, '{}'::jsonb
  FROM pg_namespace AS n
 WHERE (n.oid >= 16384 OR n.nspname = 'public') AND n.nspname !~ '^pg_' AND n.nspname <> 'rehearse'
UNION ALL
-- tables, views, sequences
SELECT 'pg_class'::regclass, c.oid, 0, 'pg_class'::regclass, c.oid,
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view'
           WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' ELSE 'foreign table' END,
       c.oid::regclass::text,
       CASE WHEN c.relkind = 'S' THEN o.owned_by::regclass::text
           WHEN c.relispartition THEN h.first END,
       c.relacl, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner,
       jsonb_build_object(
           'persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' END,
           'access method', (SELECT a.amname FROM pg_am AS a WHERE a.oid = c.relam),
           'tablespace', (SELECT t.spcname FROM pg_tablespace AS t WHERE t.oid = c.reltablespace),
           'options', array_to_string(c.reloptions, ', '),
           'replica identity', CASE c.relreplident WHEN 'n' THEN CASE WHEN c.relkind IN ('r', 'p') THEN 'nothing' END
               WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' END,
           'row security', CASE WHEN c.relrowsecurity AND c.relforcerowsecurity THEN 'enabled, forced'
               WHEN c.relrowsecurity THEN 'enabled' WHEN c.relforcerowsecurity THEN 'forced' END,
           'partition key', CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END,
           'partition bound', pg_get_expr(c.relpartbound, c.oid),
           'inherits', h.parents,
           'detach pending', h.detach_pending, -- since 14
           'of type', CASE WHEN c.reloftype <> 0 THEN c.reloftype::regtype::text END,
           'definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
           'populated', CASE WHEN NOT c.relispopulated THEN 'no' END,
           'data type', s.seqtypid::regtype::text, 'start', s.seqstart::text,
           'increment', s.seqincrement::text, 'minimum', s.seqmin::text, 'maximum', s.seqmax::text,
           'cache', s.seqcache::text, 'cycle', CASE WHEN s.seqcycle THEN 'yes' END,
           'owned by', o.column_name,
           'server', (SELECT quote_ident(v.srvname) FROM pg_foreign_server AS v WHERE v.oid = f.ftserver),
           'foreign options', (SELECT string_agg(p.option_name || '=' || p.option_value, ', ' ORDER BY p.option_name)
                                 FROM pg_options_to_table(f.ftoptions) AS p))
  FROM pg_class AS c
  LEFT JOIN pg_sequence AS s ON s.seqrelid = c.oid
  LEFT JOIN pg_foreign_table AS f ON f.ftrelid = c.oid
  LEFT JOIN LATERAL (
      SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) AS parents,
             min(i.inhparent::regclass::text) AS first
             , CASE WHEN bool_or(i.inhdetachpending) THEN 'yes' END AS detach_pending -- since 14
        FROM pg_inherits AS i WHERE i.inhrelid = c.oid) AS h ON c.relkind IN ('r', 'p', 'f')
  LEFT JOIN LATERAL (
      SELECT d.refobjid AS owned_by, d.refobjid::regclass::text || '.' || quote_ident(a.attname) AS column_name
        FROM pg_depend AS d
        JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
       WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
         AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
       LIMIT 1) AS o ON c.relkind = 'S'
 WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
UNION ALL
-- columns, and the attributes of composite types. pg_attver: since 15.20 the server itself stamps a
-- column's options whenever its type is set; pg_dump leaves it out too.
SELECT 'pg_class'::regclass, c.oid, a.attnum, 'pg_class'::regclass, c.oid,
       CASE c.relkind WHEN 'c' THEN 'attribute' ELSE 'table column' END,
       c.oid::regclass::text || '.' || quote_ident(a.attname), c.oid::regclass::text,
       a.attacl, 'c', c.relowner,
       jsonb_build_object(
           'type', format_type(a.atttypid, a.atttypmod),
           'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
           'not null', CASE WHEN a.attnotnull THEN 'yes' END,
           'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
           'generated', CASE a.attgenerated WHEN 's' THEN 'stored: ' WHEN 'v' THEN 'virtual: ' END
               || pg_get_expr(d.adbin, d.adrelid),
           'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
           'storage', CASE WHEN a.attstorage <> t.typstorage THEN
               CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main'
                   ELSE 'extended' END END,
           'compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END, -- since 14
           'statistics target', CASE WHEN a.attstattarget >= 0 THEN a.attstattarget::text END,
           'options', nullif(array_to_string(ARRAY(SELECT o FROM unnest(a.attoptions) AS o
                                                    WHERE o NOT LIKE 'pg\_attver=%'), ', '), ''),
           'foreign options', array_to_string(a.attfdwoptions, ', '),
           'inherited', CASE WHEN a.attinhcount > 0 AND NOT a.attislocal THEN 'yes' END)
  FROM pg_attribute AS a
  JOIN pg_class AS c ON c.oid = a.attrelid
  JOIN pg_type AS t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attnum > 0 AND NOT a.attisdropped AND c.oid >= 16384
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
UNION ALL
-- constraints, with the index of those that have one. NOT NULL (18) is said with its column.
SELECT 'pg_constraint'::regclass, k.oid, 0,
       CASE WHEN k.conrelid <> 0 THEN 'pg_class'::regclass ELSE 'pg_type'::regclass END,
       CASE WHEN k.conrelid <> 0 THEN k.conrelid ELSE k.contypid END,
       CASE WHEN k.conrelid <> 0 THEN 'table constraint' ELSE 'domain constraint' END,
       quote_ident(k.conname) || ' on '
           || CASE WHEN k.conrelid <> 0 THEN k.conrelid::regclass::text ELSE k.contypid::regtype::text END,
       CASE WHEN k.conrelid <> 0 THEN k.conrelid::regclass::text ELSE k.contypid::regtype::text END,
       NULL, NULL, 0,
       jsonb_build_object(
           'definition', regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', ''),
           'validated', CASE WHEN NOT k.convalidated
               AND k.conenforced -- since 18
               THEN 'no' END,
           'inherited', CASE WHEN k.coninhcount > 0 AND NOT k.conislocal THEN 'yes' END,
           'index valid', CASE WHEN NOT i.indisvalid THEN 'no' END,
           'index clustered', CASE WHEN i.indisclustered THEN 'yes' END,
           'index is replica identity', CASE WHEN i.indisreplident THEN 'yes' END,
           'index options', array_to_string(c.reloptions, ', '),
           'index tablespace', (SELECT t.spcname FROM pg_tablespace AS t WHERE t.oid = c.reltablespace),
           'triggers', CASE WHEN EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgconstraint = k.oid
                                            AND g.tgisinternal AND g.tgenabled = 'D') THEN 'disabled' END)
  FROM pg_constraint AS k
  LEFT JOIN pg_index AS i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
  LEFT JOIN pg_class AS c ON c.oid = i.indexrelid
 WHERE k.oid >= 16384 AND k.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
-- indexes that are no constraint's own
SELECT 'pg_class'::regclass, c.oid, 0, 'pg_class'::regclass, i.indrelid, 'index',
       c.oid::regclass::text, i.indrelid::regclass::text, NULL, NULL, 0,
       jsonb_build_object(
           'definition', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END
               || substr(y.definition, strpos(y.definition, i.indrelid::regclass::text || ' USING ')
                                       + length(i.indrelid::regclass::text) + 1),
           'valid', CASE WHEN NOT i.indisvalid THEN 'no' END,
           'clustered', CASE WHEN i.indisclustered THEN 'yes' END,
           'is replica identity', CASE WHEN i.indisreplident THEN 'yes' END,
           'tablespace', (SELECT t.spcname FROM pg_tablespace AS t WHERE t.oid = c.reltablespace),
           'statistics targets', (SELECT string_agg(a.attnum || '=' || a.attstattarget, ', ' ORDER BY a.attnum)
                                    FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attstattarget >= 0),
           'part of', (SELECT h.inhparent::regclass::text FROM pg_inherits AS h WHERE h.inhrelid = c.oid))
  FROM pg_index AS i
  JOIN pg_class AS c ON c.oid = i.indexrelid
  CROSS JOIN LATERAL (SELECT pg_get_indexdef(c.oid) AS definition OFFSET 0) AS y
 WHERE c.oid >= 16384 AND c.relnamespace <> 'pg_toast'::regnamespace
   AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x'))
UNION ALL
-- functions, procedures, aggregates
SELECT 'pg_proc'::regclass, p.oid, 0, 'pg_proc'::regclass, p.oid, y.type, y.identity, NULL, p.proacl, 'f', p.proowner,
       CASE WHEN p.prokind <> 'a' THEN jsonb_build_object('definition', pg_get_functiondef(p.oid))
           ELSE jsonb_build_object(
               'returns', format_type(p.prorettype, NULL), 'parallel', p.proparallel::text,
               'state function', g.aggtransfn::text, 'state type', format_type(g.aggtranstype, NULL),
               'state space', g.aggtransspace::text, 'initial state', g.agginitval,
               'final function', nullif(g.aggfinalfn::text, '-'), 'combine function', nullif(g.aggcombinefn::text, '-'),
               'serial function', nullif(g.aggserialfn::text, '-'), 'deserial function', nullif(g.aggdeserialfn::text, '-'),
               'final extra', CASE WHEN g.aggfinalextra THEN 'yes' END, 'final modify', g.aggfinalmodify::text,
               'moving state function', nullif(g.aggmtransfn::text, '-'),
               'moving inverse function', nullif(g.aggminvtransfn::text, '-'),
               'moving initial state', g.aggminitval,
               'sort operator', CASE WHEN g.aggsortop <> 0 THEN g.aggsortop::regoperator::text END) END
  FROM pg_proc AS p
  LEFT JOIN pg_aggregate AS g ON g.aggfnoid = p.oid
 CROSS JOIN LATERAL pg_identify_object('pg_proc'::regclass, p.oid, 0) AS y
 WHERE p.oid >= 16384
UNION ALL
-- types and domains; not the row types of tables, arrays and multiranges, which come with others
SELECT 'pg_type'::regclass, t.oid, 0, 'pg_type'::regclass, t.oid, CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END,
       t.oid::regtype::text, NULL, t.typacl, 'T', t.typowner,
       jsonb_build_object(
           'form', CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'r' THEN 'range' WHEN 'c' THEN 'composite'
               WHEN 'd' THEN NULL WHEN 'p' THEN 'shell' ELSE 'base' END,
           'labels', (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                        FROM pg_enum AS e WHERE e.enumtypid = t.oid),
           'base type', CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
           'not null', CASE WHEN t.typnotnull THEN 'yes' END, 'default', t.typdefault,
           'collation', CASE WHEN t.typtype = 'd' AND t.typcollation <> b.typcollation
               THEN t.typcollation::regcollation::text END,
           'subtype', format_type(r.rngsubtype, NULL),
           'subtype operator class', (SELECT quote_ident(o.opcname) FROM pg_opclass AS o WHERE o.oid = r.rngsubopc),
           'subtype collation', CASE WHEN r.rngcollation <> 0 THEN r.rngcollation::regcollation::text END,
           'canonical function', nullif(r.rngcanonical::text, '-'), 'difference function', nullif(r.rngsubdiff::text, '-'))
       || CASE WHEN t.typtype <> 'b' THEN '{}' ELSE jsonb_build_object(
           'input', t.typinput::text, 'output', t.typoutput::text, 'receive', nullif(t.typreceive::text, '-'),
           'send', nullif(t.typsend::text, '-'), 'modifier input', nullif(t.typmodin::text, '-'),
           'modifier output', nullif(t.typmodout::text, '-'), 'analyze', nullif(t.typanalyze::text, '-'),
           'length', t.typlen::text, 'by value', t.typbyval::text, 'alignment', t.typalign::text,
           'storage', t.typstorage::text, 'category', t.typcategory::text, 'preferred', t.typispreferred::text,
           'delimiter', t.typdelim::text) END
  FROM pg_type AS t
  LEFT JOIN pg_range AS r ON r.rngtypid = t.oid
  LEFT JOIN pg_type AS b ON b.oid = t.typbasetype
 WHERE t.oid >= 16384 AND t.typtype <> 'm'
   AND NOT EXISTS (SELECT FROM pg_type AS e WHERE e.typarray = t.oid)
   AND (t.typrelid = 0 OR (SELECT c.relkind = 'c' FROM pg_class AS c WHERE c.oid = t.typrelid))
UNION ALL
SELECT 'pg_trigger'::regclass, g.oid, 0, 'pg_class'::regclass, g.tgrelid, 'trigger',
       quote_ident(g.tgname) || ' on ' || g.tgrelid::regclass::text, g.tgrelid::regclass::text, NULL, NULL, 0,
       jsonb_build_object('definition', pg_get_triggerdef(g.oid), 'enabled',
           CASE g.tgenabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always' END)
  FROM pg_trigger AS g WHERE NOT g.tgisinternal
UNION ALL
SELECT 'pg_event_trigger'::regclass, e.oid, 0, 'pg_event_trigger'::regclass, e.oid, 'event trigger', quote_ident(e.evtname),
       NULL, NULL, NULL, e.evtowner,
       jsonb_build_object('event', e.evtevent, 'function', e.evtfoid::regprocedure::text,
           'tags', array_to_string(e.evttags, ', '), 'enabled',
           CASE e.evtenabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always' END)
  FROM pg_event_trigger AS e
  JOIN pg_proc AS p ON p.oid = e.evtfoid
  JOIN pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname <> 'rehearse'
UNION ALL
SELECT 'pg_rewrite'::regclass, r.oid, 0, 'pg_class'::regclass, r.ev_class, 'rule',
       quote_ident(r.rulename) || ' on ' || r.ev_class::regclass::text, r.ev_class::regclass::text, NULL, NULL, 0,
       jsonb_build_object('definition', pg_get_ruledef(r.oid), 'enabled',
           CASE r.ev_enabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always' END)
  FROM pg_rewrite AS r WHERE r.oid >= 16384 AND r.rulename <> '_RETURN'
UNION ALL
SELECT 'pg_policy'::regclass, p.oid, 0, 'pg_class'::regclass, p.polrelid, 'policy',
       quote_ident(p.polname) || ' on ' || p.polrelid::regclass::text, p.polrelid::regclass::text, NULL, NULL, 0,
       jsonb_build_object(
           'command', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
               WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
           'mode', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
           'roles', (SELECT string_agg(CASE WHEN u = 0 THEN 'PUBLIC' ELSE u::regrole::text END, ', '
                                       ORDER BY u::regrole::text COLLATE "C") FROM unnest(p.polroles) AS u),
           'using', pg_get_expr(p.polqual, p.polrelid), 'with check', pg_get_expr(p.polwithcheck, p.polrelid))
  FROM pg_policy AS p
UNION ALL
SELECT 'pg_statistic_ext'::regclass, s.oid, 0, 'pg_class'::regclass, s.stxrelid, 'statistics object',
       s.stxnamespace::regnamespace::text || '.' || quote_ident(s.stxname), s.stxrelid::regclass::text,
       NULL, NULL, s.stxowner,
       jsonb_build_object('definition', pg_get_statisticsobjdef(s.oid),
           'target', CASE WHEN s.stxstattarget >= 0 THEN s.stxstattarget::text END)
  FROM pg_statistic_ext AS s
UNION ALL
SELECT 'pg_extension'::regclass, e.oid, 0, NULL, 0, 'extension', quote_ident(e.extname), NULL, NULL, NULL, e.extowner,
       jsonb_build_object('version', e.extversion, 'schema', e.extnamespace::regnamespace::text)
  FROM pg_extension AS e WHERE e.oid >= 16384
UNION ALL
SELECT 'pg_cast'::regclass, c.oid, 0, 'pg_cast'::regclass, c.oid, 'cast', y.identity, NULL, NULL, NULL, 0,
       jsonb_build_object('function', CASE WHEN c.castfunc <> 0 THEN c.castfunc::regprocedure::text END,
           'context', CASE c.castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN 'assignment' ELSE 'explicit' END,
           'method', CASE c.castmethod WHEN 'f' THEN 'function' WHEN 'i' THEN 'input/output' ELSE 'binary' END)
  FROM pg_cast AS c, LATERAL pg_identify_object('pg_cast'::regclass, c.oid, 0) AS y WHERE c.oid >= 16384
UNION ALL
SELECT 'pg_operator'::regclass, o.oid, 0, 'pg_operator'::regclass, o.oid, 'operator', y.identity, NULL, NULL, NULL, o.oprowner,
       jsonb_build_object('function', o.oprcode::text, 'result', format_type(o.oprresult, NULL),
           'commutator', CASE WHEN o.oprcom <> 0 THEN o.oprcom::regoperator::text END,
           'negator', CASE WHEN o.oprnegate <> 0 THEN o.oprnegate::regoperator::text END,
           'restriction estimator', nullif(o.oprrest::text, '-'), 'join estimator', nullif(o.oprjoin::text, '-'),
           'hashes', CASE WHEN o.oprcanhash THEN 'yes' END, 'merges', CASE WHEN o.oprcanmerge THEN 'yes' END)
  FROM pg_operator AS o, LATERAL pg_identify_object('pg_operator'::regclass, o.oid, 0) AS y WHERE o.oid >= 16384
UNION ALL
SELECT 'pg_opclass'::regclass, o.oid, 0, 'pg_opclass'::regclass, o.oid, 'operator class', y.identity, NULL, NULL, NULL, o.opcowner,
       jsonb_build_object('type', format_type(o.opcintype, NULL), 'default', CASE WHEN o.opcdefault THEN 'yes' END,
           'storage', CASE WHEN o.opckeytype <> 0 THEN format_type(o.opckeytype, NULL) END,
           'family', (SELECT f.opfnamespace::regnamespace::text || '.' || quote_ident(f.opfname)
                        FROM pg_opfamily AS f WHERE f.oid = o.opcfamily))
  FROM pg_opclass AS o, LATERAL pg_identify_object('pg_opclass'::regclass, o.oid, 0) AS y WHERE o.oid >= 16384
UNION ALL
SELECT 'pg_opfamily'::regclass, o.oid, 0, 'pg_opfamily'::regclass, o.oid, 'operator family', y.identity, NULL, NULL, NULL, o.opfowner,
       jsonb_build_object(
           'operators', (SELECT string_agg(a.amopstrategy || ' ' || a.amopopr::regoperator::text, ', '
                                           ORDER BY a.amopstrategy, a.amopopr::regoperator::text COLLATE "C")
                           FROM pg_amop AS a WHERE a.amopfamily = o.oid),
           'functions', (SELECT string_agg(a.amprocnum || ' ' || a.amproc::regprocedure::text, ', '
                                           ORDER BY a.amprocnum, a.amproc::regprocedure::text COLLATE "C")
                           FROM pg_amproc AS a WHERE a.amprocfamily = o.oid))
  FROM pg_opfamily AS o, LATERAL pg_identify_object('pg_opfamily'::regclass, o.oid, 0) AS y WHERE o.oid >= 16384
UNION ALL
SELECT 'pg_collation'::regclass, c.oid, 0, 'pg_collation'::regclass, c.oid, 'collation', c.oid::regcollation::text,
       NULL, NULL, NULL, c.collowner,
       jsonb_build_object('provider', CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'c' THEN 'libc' WHEN 'b' THEN 'builtin' ELSE 'default' END,
           'collate', c.collcollate, 'ctype', c.collctype,
           'locale', coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale'), -- 17, 15
           'rules', to_jsonb(c) ->> 'collicurules', -- 16
           'deterministic', CASE WHEN NOT c.collisdeterministic THEN 'no' END, 'version', c.collversion)
  FROM pg_collation AS c WHERE c.oid >= 16384
UNION ALL
SELECT 'pg_conversion'::regclass, c.oid, 0, 'pg_conversion'::regclass, c.oid, 'conversion',
       c.connamespace::regnamespace::text || '.' || quote_ident(c.conname), NULL, NULL, NULL, c.conowner,
       jsonb_build_object('from', pg_encoding_to_char(c.conforencoding), 'to', pg_encoding_to_char(c.contoencoding),
           'function', c.conproc::text, 'default', CASE WHEN c.condefault THEN 'yes' END)
  FROM pg_conversion AS c WHERE c.oid >= 16384
UNION ALL
-- text search
SELECT 'pg_ts_config'::regclass, t.oid, 0, 'pg_ts_config'::regclass, t.oid, 'text search configuration',
       t.cfgnamespace::regnamespace::text || '.' || quote_ident(t.cfgname), NULL, NULL, NULL, t.cfgowner,
       jsonb_build_object(
           'parser', (SELECT p.prsnamespace::regnamespace::text || '.' || quote_ident(p.prsname)
                        FROM pg_ts_parser AS p WHERE p.oid = t.cfgparser),
           'mappings', (SELECT string_agg(m.maptokentype || ' ' || m.mapdict::regdictionary::text, ', '
                                          ORDER BY m.maptokentype, m.mapseqno)
                          FROM pg_ts_config_map AS m WHERE m.mapcfg = t.oid))
  FROM pg_ts_config AS t WHERE t.oid >= 16384
UNION ALL
SELECT 'pg_ts_dict'::regclass, t.oid, 0, 'pg_ts_dict'::regclass, t.oid, 'text search dictionary',
       t.dictnamespace::regnamespace::text || '.' || quote_ident(t.dictname), NULL, NULL, NULL, t.dictowner,
       jsonb_build_object('options', t.dictinitoption,
           'template', (SELECT p.tmplnamespace::regnamespace::text || '.' || quote_ident(p.tmplname)
                          FROM pg_ts_template AS p WHERE p.oid = t.dicttemplate))
  FROM pg_ts_dict AS t WHERE t.oid >= 16384
UNION ALL
SELECT 'pg_ts_parser'::regclass, t.oid, 0, 'pg_ts_parser'::regclass, t.oid, 'text search parser',
       t.prsnamespace::regnamespace::text || '.' || quote_ident(t.prsname), NULL, NULL, NULL, 0,
       jsonb_build_object('start', t.prsstart::text, 'token', t.prstoken::text, 'end', t.prsend::text,
           'headline', nullif(t.prsheadline::text, '-'), 'types', t.prslextype::text)
  FROM pg_ts_parser AS t WHERE t.oid >= 16384
UNION ALL
SELECT 'pg_ts_template'::regclass, t.oid, 0, 'pg_ts_template'::regclass, t.oid, 'text search template',
       t.tmplnamespace::regnamespace::text || '.' || quote_ident(t.tmplname), NULL, NULL, NULL, 0,
       jsonb_build_object('init', nullif(t.tmplinit::text, '-'), 'lexize', t.tmpllexize::text)
  FROM pg_ts_template AS t WHERE t.oid >= 16384
UNION ALL
-- replication
SELECT 'pg_publication'::regclass, p.oid, 0, NULL, 0, 'publication', quote_ident(p.pubname), NULL, NULL, NULL, p.pubowner,
       jsonb_build_object('all tables', CASE WHEN p.puballtables THEN 'yes' END,
           'publishes', concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
                                  CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END),
           'generated columns', CASE p.pubgencols WHEN 's' THEN 'stored' END, -- since 18
           'via partition root', CASE WHEN p.pubviaroot THEN 'yes' END)
  FROM pg_publication AS p
UNION ALL
SELECT 'pg_publication_rel'::regclass, r.oid, 0, NULL, 0, 'publication relation',
       r.prrelid::regclass::text || ' in publication ' || quote_ident(p.pubname), r.prrelid::regclass::text, NULL, NULL, 0,
       jsonb_build_object('published', 'yes'
           , 'filter', pg_get_expr(r.prqual, r.prrelid) -- since 15
           , 'columns', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute AS a -- since 15
                          WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)) -- since 15
       )
  FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = r.prpubid
UNION ALL
SELECT 'pg_publication_namespace'::regclass, r.oid, 0, NULL, 0, 'publication namespace', -- since 15
       r.pnnspid::regnamespace::text || ' in publication ' || quote_ident(p.pubname), r.pnnspid::regnamespace::text, -- since 15
       NULL, NULL, 0, '{"published": "yes"}' -- since 15
  FROM pg_publication_namespace AS r JOIN pg_publication AS p ON p.oid = r.pnpubid -- since 15
UNION ALL -- since 15
-- subscriptions: before 14 all but superusers are refused even their ids
SELECT 'pg_subscription'::regclass, s.oid, 0, NULL, 0, 'subscription', quote_ident(s.subname), NULL, NULL, NULL, s.subowner, -- as superuser
       jsonb_build_object('enabled', s.subenabled::text, 'slot', s.subslotname, 'synchronous commit', s.subsynccommit, -- as superuser
           'publications', array_to_string(s.subpublications, ', ')) -- as superuser
  FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid AND d.datname = current_database() -- as superuser
UNION ALL -- as superuser
SELECT 'pg_subscription'::regclass, s.oid, 0, NULL, 0, 'subscription', quote_ident(s.subname), NULL, NULL, NULL, s.subowner, -- since 14 -- as another
       jsonb_build_object('enabled', s.subenabled::text, 'slot', s.subslotname, 'synchronous commit', s.subsynccommit, -- since 14 -- as another
           'publications', array_to_string(s.subpublications, ', ')) -- since 14 -- as another
  FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid AND d.datname = current_database() -- since 14 -- as another
UNION ALL -- since 14 -- as another
-- foreign data: option values may be secrets, so names alone
SELECT 'pg_foreign_data_wrapper'::regclass, f.oid, 0, 'pg_foreign_data_wrapper'::regclass, f.oid, 'foreign-data wrapper',
       quote_ident(f.fdwname), NULL, f.fdwacl, 'F', f.fdwowner,
       jsonb_build_object('handler', CASE WHEN f.fdwhandler <> 0 THEN f.fdwhandler::regproc::text END,
           'validator', CASE WHEN f.fdwvalidator <> 0 THEN f.fdwvalidator::regproc::text END,
           'options', (SELECT string_agg(o.option_name, ', ' ORDER BY o.option_name) FROM pg_options_to_table(f.fdwoptions) AS o))
  FROM pg_foreign_data_wrapper AS f
UNION ALL
SELECT 'pg_foreign_server'::regclass, s.oid, 0, 'pg_foreign_server'::regclass, s.oid, 'server', quote_ident(s.srvname),
       NULL, s.srvacl, 'S', s.srvowner,
       jsonb_build_object('type', s.srvtype, 'version', s.srvversion,
           'wrapper', (SELECT quote_ident(f.fdwname) FROM pg_foreign_data_wrapper AS f WHERE f.oid = s.srvfdw),
           'options', (SELECT string_agg(o.option_name, ', ' ORDER BY o.option_name) FROM pg_options_to_table(s.srvoptions) AS o))
  FROM pg_foreign_server AS s
UNION ALL
SELECT 'pg_user_mapping'::regclass, u.umid, 0, NULL, 0, 'user mapping',
       CASE WHEN u.umuser = 0 THEN 'public' ELSE u.umuser::regrole::text END || ' on server ' || quote_ident(s.srvname),
       quote_ident(s.srvname), NULL, NULL, 0,
       jsonb_build_object(
           'options', (SELECT string_agg(o.option_name, ', ' ORDER BY o.option_name) FROM pg_options_to_table(u.umoptions) AS o))
  FROM pg_user_mappings AS u JOIN pg_foreign_server AS s ON s.oid = u.srvid
UNION ALL
SELECT 'pg_language'::regclass, l.oid, 0, 'pg_language'::regclass, l.oid, 'language', quote_ident(l.lanname), NULL, l.lanacl, 'l',
       l.lanowner,
       jsonb_build_object('trusted', CASE WHEN l.lanpltrusted THEN 'yes' END,
           'handler', CASE WHEN l.lanplcallfoid <> 0 THEN l.lanplcallfoid::regproc::text END,
           'inline', CASE WHEN l.laninline <> 0 THEN l.laninline::regproc::text END,
           'validator', CASE WHEN l.lanvalidator <> 0 THEN l.lanvalidator::regproc::text END)
  FROM pg_language AS l WHERE l.oid >= 16384
UNION ALL
SELECT 'pg_transform'::regclass, t.oid, 0, 'pg_transform'::regclass, t.oid, 'transform', y.identity, NULL, NULL, NULL, 0,
       jsonb_build_object('from sql', nullif(t.trffromsql::text, '-'), 'to sql', nullif(t.trftosql::text, '-'))
  FROM pg_transform AS t, LATERAL pg_identify_object('pg_transform'::regclass, t.oid, 0) AS y WHERE t.oid >= 16384
UNION ALL
SELECT 'pg_am'::regclass, a.oid, 0, 'pg_am'::regclass, a.oid, 'access method', quote_ident(a.amname), NULL, NULL, NULL, 0,
       jsonb_build_object('handler', a.amhandler::text, 'type', CASE a.amtype WHEN 'i' THEN 'index' ELSE 'table' END)
  FROM pg_am AS a WHERE a.oid >= 16384
UNION ALL
-- what new objects will be given
SELECT 'pg_default_acl'::regclass, d.oid, 0, NULL, 0, 'default acl', y.identity, NULL,
       d.defaclacl, 'c', d.defaclrole, '{}'
  FROM pg_default_acl AS d, LATERAL pg_identify_object('pg_default_acl'::regclass, d.oid, 0) AS y
UNION ALL
-- settings of this database and of roles
SELECT 'pg_db_role_setting'::regclass, coalesce(d.oid, 0::oid), s.setrole::int4, NULL, 0, 'setting',
       CASE WHEN s.setrole = 0 THEN 'database ' || quote_ident(d.datname)
           WHEN s.setdatabase = 0 THEN 'role ' || s.setrole::regrole::text
           ELSE 'role ' || s.setrole::regrole::text || ' in database ' || quote_ident(d.datname) END,
       NULL, NULL, NULL, 0,
       (SELECT jsonb_object_agg(split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)) FROM unnest(s.setconfig) AS c)
  FROM pg_db_role_setting AS s LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
 WHERE s.setdatabase = 0 OR d.datname = current_database()
UNION ALL
SELECT 'pg_database'::regclass, d.oid, 0, NULL, 0, 'database', quote_ident(d.datname), NULL, d.datacl, 'd', d.datdba,
       jsonb_build_object('encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
           'connection limit', CASE WHEN d.datconnlimit >= 0 THEN d.datconnlimit::text END,
           'allows connections', CASE WHEN NOT d.datallowconn THEN 'no' END,
           'tablespace', (SELECT t.spcname FROM pg_tablespace AS t WHERE t.oid = d.dattablespace AND t.spcname <> 'pg_default'))
  FROM pg_database AS d WHERE d.datname = current_database()
UNION ALL
SELECT 'pg_authid'::regclass, r.oid, 0, NULL, 0, 'role', quote_ident(r.rolname), NULL, NULL, NULL, 0,
       jsonb_build_object(
           'may', nullif(concat_ws(', ', CASE WHEN r.rolcanlogin THEN 'login' END, CASE WHEN r.rolsuper THEN 'superuser' END,
                                   CASE WHEN r.rolcreatedb THEN 'createdb' END, CASE WHEN r.rolcreaterole THEN 'createrole' END,
                                   CASE WHEN r.rolreplication THEN 'replication' END,
                                   CASE WHEN r.rolbypassrls THEN 'bypassrls' END), ''),
           'inherit', CASE WHEN NOT r.rolinherit THEN 'no' END,
           'connection limit', CASE WHEN r.rolconnlimit >= 0 THEN r.rolconnlimit::text END,
           'valid until', r.rolvaliduntil::text,
           'member of', (SELECT string_agg(m.roleid::regrole::text || CASE WHEN m.admin_option THEN ' (admin)' ELSE '' END, ', '
                                           ORDER BY m.roleid::regrole::text COLLATE "C")
                           FROM pg_auth_members AS m WHERE m.member = r.oid))
  FROM pg_roles AS r WHERE r.oid >= 16384
)
SELECT o.kind, o.identity, o.parent, o.oid::int8 AS id, o.sub AS sub_id,
       jsonb_strip_nulls(
           o.attributes
           || CASE WHEN o.owner = 0 OR (o.class = 'pg_class'::regclass AND o.sub > 0) THEN '{}'
                  ELSE jsonb_build_object('owner', o.owner::regrole::text) END
           || CASE WHEN o.class IN ('pg_database'::regclass, 'pg_authid'::regclass)
                  THEN jsonb_build_object('comment', shobj_description(o.oid, o.class::text))
                  ELSE jsonb_build_object('comment', (SELECT d.description FROM pg_description AS d
                                                       WHERE d.classoid = o.class AND d.objoid = o.oid AND d.objsubid = o.sub)) END
           || CASE WHEN o.acl IS NULL THEN '{}' ELSE coalesce((
                  SELECT jsonb_object_agg('privileges of ' || g.grantee, g.list)
                    FROM (SELECT CASE WHEN e.grantee = 0 THEN 'PUBLIC' ELSE e.grantee::regrole::text END AS grantee,
                                 string_agg(e.privilege, ', ' ORDER BY e.privilege COLLATE "C") AS list
                            FROM (SELECT coalesce(x.grantee, y.grantee) AS grantee,
                                         CASE WHEN x.grantee IS NULL THEN 'no ' || y.privilege_type
                                              WHEN x.is_grantable THEN x.privilege_type || ' with grant option'
                                              ELSE x.privilege_type END AS privilege
                                    FROM (SELECT a.grantee, a.privilege_type, bool_or(a.is_grantable) AS is_grantable
                                            FROM aclexplode(o.acl) AS a GROUP BY 1, 2) AS x
                                    FULL JOIN aclexplode(acldefault(o.acl_type, o.owner)) AS y
                                      ON y.grantee = x.grantee AND y.privilege_type = x.privilege_type
                                   WHERE x.grantee IS NULL OR y.grantee IS NULL
                                      OR (x.is_grantable AND x.grantee <> o.owner)) AS e
                           GROUP BY 1) AS g), '{}') END
           || coalesce((SELECT jsonb_object_agg('security label of ' || l.provider, l.label)
                          FROM (SELECT s.provider, s.label, s.classoid, s.objoid, s.objsubid FROM pg_seclabel AS s
                                UNION ALL
                                SELECT s.provider, s.label, s.classoid, s.objoid, 0 FROM pg_shseclabel AS s) AS l
                         WHERE l.classoid = o.class AND l.objoid = o.oid AND l.objsubid = o.sub), '{}')
       ) AS attributes
  FROM object AS o
 WHERE o.identity IS NOT NULL
   AND o.identity !~ '(^|on )(rehearse|pg_temp_\d+|pg_toast|pg_toast_temp_\d+)\.'
   AND NOT EXISTS (SELECT FROM pg_depend AS d
                    WHERE d.classid = o.root_class AND d.objid = o.root
                      AND (d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
                           -- what a range type brings along
                           OR d.deptype = 'i' AND o.class IN ('pg_proc'::regclass, 'pg_cast'::regclass)))
 ORDER BY o.kind COLLATE "C", o.identity COLLATE "C"
