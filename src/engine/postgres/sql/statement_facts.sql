SELECT current_database(),
       current_setting('server_version'),
       (SELECT quote_ident(n.nspname)
          FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'pg_stat_statements'),
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
       -- Names differ between versions of the extension, which may be older than the server.
       (SELECT string_agg(a.attname, ' ')
          FROM pg_extension e
          JOIN pg_class c ON c.relnamespace = e.extnamespace AND c.relname = 'pg_stat_statements'
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
         WHERE e.extname = 'pg_stat_statements'),
       EXISTS (SELECT FROM pg_extension e
                 JOIN pg_class c ON c.relnamespace = e.extnamespace
                                AND c.relname = 'pg_stat_statements_info'
                WHERE e.extname = 'pg_stat_statements')
