-- intact: four event triggers enabled ALWAYS for their events, all calling the function whose source
-- we installed (its digest is put in when this file is embedded), with its row still there.
SELECT count(*) = 4
       AND coalesce(pg_catalog.current_setting('event_triggers', true), 'on') = 'on' AS intact
  FROM (VALUES ('rehearse_start', 'ddl_command_start'), ('rehearse_end', 'ddl_command_end'),
               ('rehearse_drop', 'sql_drop'), ('rehearse_rewrite', 'table_rewrite'))
       AS expected (name, event)
  JOIN pg_catalog.pg_event_trigger AS t
    ON t.evtname = expected.name AND t.evtevent = expected.event
   AND t.evtenabled = 'A' AND t.evttags IS NULL
  JOIN pg_catalog.pg_proc AS p ON p.oid = t.evtfoid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE n.nspname = 'rehearse' AND p.proname = 'report' AND p.prosecdef
   AND p.proconfig = '{"search_path=pg_catalog, pg_temp",log_min_messages=warning,plan_cache_mode=force_generic_plan}'
   AND pg_catalog.md5(p.prosrc) = '@REPORT_DIGEST@'
   AND pg_catalog.to_regclass('rehearse.evidence') IS NOT NULL
