-- Evidence from inside: installed in a sandbox's database by its superuser, before the migration runs.
-- Four event triggers call one function, which reports what the migration's own session holds and did
-- as a private INFO (SQLSTATE RH001, JSON in the detail). INFO reaches the client at once whatever
-- client_min_messages says (elog.c, should_output_to_client). Proven on 13, 15 and 18 by
-- tests/unit/observe/test_observer.c and by hand.

DO $check$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace AS n
                WHERE n.nspname = 'rehearse'
                  AND pg_catalog.obj_description(n.oid, 'pg_namespace')
                      IS DISTINCT FROM 'evidence of rehearse') THEN
        RAISE EXCEPTION 'the database has a schema "rehearse" of its own'
            USING ERRCODE = 'duplicate_schema';
    END IF;
END
$check$;
DROP EVENT TRIGGER IF EXISTS rehearse_start;
DROP EVENT TRIGGER IF EXISTS rehearse_end;
DROP EVENT TRIGGER IF EXISTS rehearse_drop;
DROP EVENT TRIGGER IF EXISTS rehearse_rewrite;
DROP SCHEMA IF EXISTS rehearse CASCADE;

CREATE SCHEMA rehearse;
COMMENT ON SCHEMA rehearse IS 'evidence of rehearse';
REVOKE ALL ON SCHEMA rehearse FROM PUBLIC;

-- One row. secret: what genuine reports carry (readable by the superuser alone). newest: the highest
-- relation id at the time; younger ones are described in reports, older ones the observer knows.
-- tables: the existing tables whose scans are reported.
CREATE TABLE rehearse.evidence (secret text NOT NULL, newest oid NOT NULL, tables oid[] NOT NULL);
REVOKE ALL ON rehearse.evidence FROM PUBLIC;

-- Cheap (CPU on 15: 22 us at the start of a command, 60 us at its end, 20 of them pg_lock_status() going
-- through all lock tables; then 0.5 us per lock held) and harmless: it reads catalogues only, takes no transaction id,
-- writes nothing, and an error inside is reported instead of raised. Statement timeouts and cancels pass
-- through (WHEN OTHERS does not catch them), as they would anyway. search_path is pinned, so that names
-- are qualified and cached plans stay valid; log_min_messages keeps the reports out of the server's log;
-- generic plans save planning the same question again. Locks are ids and modes: a transaction of 200
-- commands holds a thousand, and each command tells all of them.
CREATE FUNCTION rehearse.report() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET log_min_messages = warning
SET plan_cache_mode = force_generic_plan
AS $rehearse$
DECLARE
    clock_us constant int8 := (date_part('epoch', clock_timestamp()) * 1000000)::int8;
    is_start constant bool := TG_EVENT = 'ddl_command_start';
    context text;
    secret text;
    tables oid[];
    ours oid;
    newest oid;
    known_to oid;
    held int8;
    locks text;
    locks_omitted int8 := 0;
    fresh oid[];
    relations text;
    has_scanned bool;
    scans text;
    commands text;
    wal_position int8;
    commands_omitted int8 := 0;
    drops text;
    drops_omitted int8 := 0;
    rewrite text;
    problem text;
    report text;
    ignored text;
    encoding text;
BEGIN
    GET DIAGNOSTICS context = PG_CONTEXT;
    IF length(context) > 70000 THEN
        context := left(context, 66000) || E'"\n' || right(context, 2000);
    END IF;
    BEGIN
        -- What the client's own single command finds held is known already: from the read after its
        -- statement before, or nothing in a transaction of its own.
        IF is_start AND position(E'\n' IN context) = 0
           AND octet_length(current_query()) <= 10000
           AND position(';' IN rtrim(current_query(), E'; \t\r\n')) = 0 THEN
            SELECT e.secret, e.tables INTO secret, tables FROM rehearse.evidence AS e;
        ELSE
            -- Relations of the run up to `known_to` were described in this transaction already.
            SELECT e.secret, e.tables, e.tableoid, e.newest,
                   greatest(e.newest, nullif(current_setting('rehearse.known_to', true), '')::oid)
              INTO secret, tables, ours, newest, known_to
              FROM rehearse.evidence AS e;
            SELECT count(*), string_agg(k.relation::text || ' ' || k.mode, ','),
                   array_agg(k.relation) FILTER (WHERE k.relation > known_to),
                   bool_or(k.relation <= newest AND pg_stat_get_xact_numscans(k.relation) > 0)
              INTO held, locks, fresh, has_scanned
              FROM pg_lock_status() AS k
             WHERE k.pid = pg_backend_pid() AND k.locktype = 'relation' AND k.granted
               AND k.relation <> ours
               AND (k.relation >= 16384
                    OR k.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'));
            IF held > 10000 THEN
                SELECT string_agg(l.relation::text || ' ' || l.mode, ','), held - 10000
                  INTO locks, locks_omitted
                  FROM (SELECT k.relation, k.mode
                          FROM pg_lock_status() AS k
                         WHERE k.pid = pg_backend_pid() AND k.locktype = 'relation' AND k.granted
                           AND k.relation <> ours AND k.relation >= 16384
                         ORDER BY k.mode <> 'AccessExclusiveLock', k.relation
                         LIMIT 10000) AS l;
            END IF;
            IF fresh IS NOT NULL THEN
                -- One look-up each: joins would read the catalogues as a whole.
                SELECT json_agg(json_build_array(r.id::int8, r.kind, r.id::regclass::text,
                                    r.table_id::int8, r.table_id::regclass::text))
                           FILTER (WHERE r.kind IS NOT NULL),
                       set_config('rehearse.known_to', max(r.id)::text, true)
                  INTO relations, ignored
                  FROM (SELECT k.id, k.kind,
                               CASE WHEN k.kind IN ('i', 'I') THEN
                                   (SELECT i.indrelid FROM pg_index AS i WHERE i.indexrelid = k.id)
                               END AS table_id
                          FROM (SELECT d.id,
                                       (SELECT c.relkind FROM pg_class AS c WHERE c.oid = d.id) AS kind
                                  FROM (SELECT DISTINCT unnest(fresh) AS id ORDER BY 1 LIMIT 5000) AS d
                                OFFSET 0) AS k
                        OFFSET 0) AS r;
            END IF;
        END IF;

        -- Counters not yet sent to the statistics system: of this transaction, and of earlier ones of
        -- the last second. So reports at the start and at the end of a command are compared. What the
        -- command scanned it still holds, unless it ran in transactions of its own (CONCURRENTLY).
        IF is_start OR held = 0 OR has_scanned THEN
            SELECT json_agg(json_build_array(t::int8, t::regclass::text, pg_stat_get_xact_numscans(t),
                                             pg_stat_get_xact_tuples_returned(t)))
              INTO scans
              FROM unnest(tables) AS t
             WHERE pg_stat_get_xact_numscans(t) > 0;
        END IF;

        IF TG_EVENT = 'ddl_command_end' THEN
            SELECT json_agg(json_build_array(d.command_tag, d.object_type, d.object_identity,
                                CASE WHEN d.classid = 1259 THEN d.objid::int8 ELSE 0 END,
                                d.in_extension))
                       FILTER (WHERE d.ordinality <= 1000),
                   count(*) - 1000
              INTO commands, commands_omitted
              FROM pg_event_trigger_ddl_commands() WITH ORDINALITY AS d;
            wal_position := (pg_current_wal_insert_lsn() - pg_lsn '0/0')::int8;
        ELSIF TG_EVENT = 'sql_drop' THEN
            -- What the command named comes first, so that the cap never hides it. Parts that have no
            -- life of their own are left out: row types, TOAST, defaults, the triggers behind a foreign
            -- key, the rule behind a view.
            SELECT json_agg(json_build_array(d.object_type, d.object_identity, d.original, d.normal,
                                CASE WHEN d.classid = 1259 THEN d.objid::int8 ELSE 0 END))
                       FILTER (WHERE d.number <= 1000),
                   count(*) - 1000
              INTO drops, drops_omitted
              FROM (SELECT o.*, row_number() OVER (ORDER BY o.original DESC) AS number
                      FROM pg_event_trigger_dropped_objects() AS o
                     WHERE o.original
                        OR (o.object_type NOT IN ('type', 'toast table', 'default value')
                            AND NOT starts_with(o.object_identity, '"RI_ConstraintTrigger_')
                            AND NOT starts_with(o.object_identity, '"_RETURN" on '))) AS d;
        ELSIF TG_EVENT = 'table_rewrite' THEN
            rewrite := json_build_array(pg_event_trigger_table_rewrite_oid()::int8,
                                        pg_event_trigger_table_rewrite_oid()::regclass::text,
                                        pg_event_trigger_table_rewrite_reason());
        END IF;
    EXCEPTION WHEN OTHERS THEN
        problem := SQLSTATE || ' ' || SQLERRM;
    END;
    FOR attempt IN 1 .. 2 LOOP
        -- By hand, 1 us where json_build_object() takes 4: what is not JSON already needs no escaping,
        -- but for the context and an error's words.
        report := '{"secret":"' || coalesce(secret, '') || '","event":"' || TG_EVENT
            || '","tag":"' || TG_TAG || '","clock_us":' || clock_us || ',"transaction_start_us":'
            || (date_part('epoch', transaction_timestamp()) * 1000000)::int8
            || ',"lock_timeout":"' || current_setting('lock_timeout')
            || '","statement_timeout":"' || current_setting('statement_timeout')
            || '","context":' || to_json(context)
            || ',"locks_omitted":' || greatest(locks_omitted, 0)
            || coalesce(',"relations":' || relations, '')
            || coalesce(',"scans":' || scans, '')
            || coalesce(',"commands":' || commands, '')
            || coalesce(',"wal_position":' || wal_position, '')
            || ',"commands_omitted":' || greatest(commands_omitted, 0)
            || coalesce(',"drops":' || drops, '')
            || ',"drops_omitted":' || greatest(drops_omitted, 0)
            || coalesce(',"rewrite":' || rewrite, '')
            || coalesce(',"problem":' || to_json(problem), '') || '}'
            || coalesce(locks, ''); -- behind the object: whoever reads JSON need not go through them
        EXIT WHEN octet_length(report) <= 1048576; -- EVIDENCE_BYTES_MAX of engine/evidence.h
        problem := 'the report was longer than 1 MB: its lists were left out';
        context := left(context, 66000);
        locks := NULL; relations := NULL; scans := NULL; commands := NULL; drops := NULL;
    END LOOP;
    -- A character that the client's encoding lacks would turn the notice into an error, and other bytes
    -- than UTF-8 could not be read. In the report such letters go (ids still tell relations); the
    -- notice's own context, which cannot be changed, is sent as UTF-8.
    encoding := current_setting('client_encoding');
    IF encoding <> 'UTF8' OR getdatabaseencoding() = 'SQL_ASCII' THEN
        report := regexp_replace(report, E'[^\\x01-\\x7f]', '?', 'g');
        IF octet_length(context) <> length(context) THEN
            PERFORM set_config('client_encoding', 'UTF8', true);
        END IF;
    END IF;
    RAISE INFO USING ERRCODE = 'RH001', MESSAGE = 'rehearse', DETAIL = report;
    IF current_setting('client_encoding') <> encoding THEN
        PERFORM set_config('client_encoding', encoding, true);
    END IF;
END
$rehearse$;
REVOKE ALL ON FUNCTION rehearse.report() FROM PUBLIC;

CREATE EVENT TRIGGER rehearse_start ON ddl_command_start EXECUTE FUNCTION rehearse.report();
CREATE EVENT TRIGGER rehearse_end ON ddl_command_end EXECUTE FUNCTION rehearse.report();
CREATE EVENT TRIGGER rehearse_drop ON sql_drop EXECUTE FUNCTION rehearse.report();
CREATE EVENT TRIGGER rehearse_rewrite ON table_rewrite EXECUTE FUNCTION rehearse.report();
-- ALWAYS: session_replication_role = replica silences ordinary ones.
ALTER EVENT TRIGGER rehearse_start ENABLE ALWAYS;
ALTER EVENT TRIGGER rehearse_end ENABLE ALWAYS;
ALTER EVENT TRIGGER rehearse_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER rehearse_rewrite ENABLE ALWAYS;
