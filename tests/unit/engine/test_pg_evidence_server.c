/*
 * Evidence from inside, on a real server: what a client's notices carry, command by command. The
 * lock, rewrite and scan facts asserted here hold on PostgreSQL 13 to 18.
 */
#include "server_fixture.h"

#include <libpq-fe.h>

static struct test_server server;
static const struct engine *const engine = &rh_engine_postgres;

struct fixture {
    struct arena *arena;
    PGconn *conn;
    VEC(struct evidence) reports;
    size_t other_notices, refused;
    bool is_damaged;                     /* reports are to be refused */
    VEC(struct evidence_relation) known; /* before the run, and as reports told since */
    struct mono first_at;
};

static void on_notice(void *context, const PGresult *result)
{
    struct fixture *f = context;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    struct err err = RH_ERR_INIT;
    struct evidence evidence = {0};

    if (!sqlstate || strcmp(sqlstate, engine->evidence_sqlstate)) {
        f->other_notices++;
        return;
    }
    if (engine->decode_evidence(detail, "secret", f->arena, &evidence, &err)) {
        f->refused++;
        if (f->is_damaged)
            return;
        fail_msg("%s: %s", err.message, detail);
    }
    assert_null(evidence.problem);
    for (size_t i = 0; i < evidence.relations.count; i++)
        *RH_PUSH(f->arena, &f->known) = evidence.relations.items[i];
    if (!f->reports.count)
        f->first_at = rh_clock_mono();
    *RH_PUSH(f->arena, &f->reports) = evidence;
}

/* Forgets earlier reports. */
static void run(struct fixture *f, const char *sql)
{
    PGresult *result;

    f->reports.count = f->other_notices = 0;
    result = PQexec(f->conn, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    PQclear(result);
}

/* What the observer would know. */
static void know_relations(struct fixture *f, struct connection *connection)
{
    struct rows *rows RH_CLEANUP_ROWS = NULL;

    ASSERT_OK(engine->ask(connection, ENGINE_QUERY_RELATIONS, NULL, 0, in_seconds(20), &rows, err));
    for (size_t i = 0; i < rh_rows_count(rows); i++)
        *RH_PUSH(f->arena, &f->known) = (struct evidence_relation){
            .id = rh_rows_int(rows, i, 0, 0),
            .name = rh_arena_strdup(f->arena, rh_rows_value(rows, i, 1))};
}

static const struct evidence_relation *find_relation(const struct fixture *f, int64_t id)
{
    for (size_t i = 0; i < f->known.count; i++)
        if (f->known.items[i].id == id)
            return &f->known.items[i];
    return NULL;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct connection *connection = test_connect(&server, "setup");
    char parameters[128];

    test_run(connection, "DROP SCHEMA IF EXISTS rehearse CASCADE;"
                         "DROP TABLE IF EXISTS parent, child CASCADE;"
                         "CREATE TABLE parent (id int PRIMARY KEY, n int, v text);"
                         "INSERT INTO parent SELECT g, g, 'x' FROM generate_series(1, 2000) AS g;"
                         "CREATE INDEX parent_n ON parent (n);"
                         "CREATE TABLE child (id int PRIMARY KEY, parent_id int);"
                         "INSERT INTO child SELECT g, g FROM generate_series(1, 1000) AS g");
    f->arena = rh_arena_new();
    know_relations(f, connection);
    ASSERT_OK(engine->install_evidence(connection, "secret", in_seconds(20), err));
    engine->close(connection);
    snprintf(parameters, sizeof(parameters), "host=%s user=tester dbname=postgres",
             server.directory);
    f->conn = PQconnectdb(parameters);
    assert_int_equal(PQstatus(f->conn), CONNECTION_OK);
    PQsetNoticeReceiver(f->conn, on_notice, f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    PQfinish(f->conn);
    rh_arena_free(f->arena);
    free(f);
    return 0;
}

static const struct evidence *find_event(const struct fixture *f, enum evidence_event event)
{
    for (size_t i = 0; i < f->reports.count; i++)
        if (f->reports.items[i].event == event)
            return &f->reports.items[i];
    static const struct evidence NONE;
    fail_msg("no report of event %d", (int)event);
    return &NONE;
}

static bool holds(const struct fixture *f, const struct evidence *evidence, const char *name,
                  const char *mode)
{
    for (size_t i = 0; i < evidence->locks.count; i++) {
        const struct evidence_lock *lock = &evidence->locks.items[i];
        const struct evidence_relation *relation = find_relation(f, lock->relation_id);
        if (relation && relation->name && !strcmp(relation->name, name) &&
            !strcmp(lock->mode, mode))
            return true;
    }
    return false;
}

static int64_t rows_in(const struct evidence *evidence, const char *relation)
{
    for (size_t i = 0; i < evidence->scans.count; i++)
        if (!strcmp(evidence->scans.items[i].relation, relation))
            return evidence->scans.items[i].rows;
    return 0;
}

/* Rows that the one command of the last run() read of a table. */
static int64_t rows_read(const struct fixture *f, const char *relation)
{
    return rows_in(find_event(f, EVIDENCE_COMMAND_END), relation) -
           rows_in(find_event(f, EVIDENCE_COMMAND_START), relation);
}

static void check(struct fixture *f, const char *sql, const char *relation, const char *mode,
                  int64_t rows)
{
    run(f, sql);
    if (!holds(f, find_event(f, EVIDENCE_COMMAND_END), relation, mode))
        fail_msg("%s: no %s on %s", sql, mode, relation);
    if (rows_read(f, relation) != rows)
        fail_msg("%s: read %lld rows of %s, not %lld", sql, (long long)rows_read(f, relation),
                 relation, (long long)rows);
}

static void test_evidence_reaches_the_client_whatever_client_min_messages(void **state)
{
    struct fixture *f = *state;

    run(f, "SET client_min_messages = error");
    run(f, "COMMENT ON TABLE parent IS 'x'");
    assert_int_equal(f->reports.count, 2);
    run(f, "SET client_min_messages = debug1; SET session_replication_role = replica");
    run(f, "COMMENT ON TABLE parent IS 'y'");
    assert_int_equal(f->reports.count, 2);
}

static void test_evidence_reaches_the_client_while_the_string_goes_on(void **state)
{
    struct fixture *f = *state;
    struct mono end;

    run(f, "COMMENT ON TABLE parent IS 'x'; SELECT pg_sleep(0.4)");
    end = rh_clock_mono();
    /* libpq hands notices over as it reads them; the second statement slept behind them */
    assert_true(end.us - f->first_at.us > 350000);
}

static void test_evidence_of_checks_and_their_scans(void **state)
{
    struct fixture *f = *state;

    check(f, "ALTER TABLE parent ADD CHECK (n > 0)", "public.parent", "AccessExclusiveLock", 2000);
    check(f, "ALTER TABLE parent ADD CONSTRAINT c CHECK (n > -1) NOT VALID", "public.parent",
          "AccessExclusiveLock", 0);
    check(f, "ALTER TABLE parent VALIDATE CONSTRAINT c", "public.parent",
          "ShareUpdateExclusiveLock", 2000);
    assert_false(
        holds(f, find_event(f, EVIDENCE_COMMAND_END), "public.parent", "AccessExclusiveLock"));
    check(f, "ALTER TABLE parent ALTER n SET NOT NULL", "public.parent", "AccessExclusiveLock",
          2000);
    check(f, "ALTER TABLE parent ADD CONSTRAINT nn CHECK (v IS NOT NULL)", "public.parent",
          "AccessExclusiveLock", 2000);
    check(f, "ALTER TABLE parent ALTER v SET NOT NULL", "public.parent", "AccessExclusiveLock", 0);
}

static void test_evidence_of_a_foreign_key_names_both_tables(void **state)
{
    struct fixture *f = *state;

    check(f, "ALTER TABLE child ADD FOREIGN KEY (parent_id) REFERENCES parent (id)", "public.child",
          "ShareRowExclusiveLock", 1000);
    assert_true(
        holds(f, find_event(f, EVIDENCE_COMMAND_END), "public.parent", "ShareRowExclusiveLock"));
    assert_false(
        holds(f, find_event(f, EVIDENCE_COMMAND_END), "public.parent", "AccessExclusiveLock"));
}

static void test_evidence_of_indexes(void **state)
{
    struct fixture *f = *state;
    const struct evidence *end;

    check(f, "CREATE INDEX parent_v ON parent (v)", "public.parent", "ShareLock", 2000);
    end = find_event(f, EVIDENCE_COMMAND_END);
    assert_int_equal(end->relations.count, 1);
    assert_string_equal(end->relations.items[0].name, "public.parent_v");
    assert_string_equal(end->relations.items[0].kind, "index");
    assert_string_equal(end->relations.items[0].table, "public.parent");
    const struct evidence_relation *table = find_relation(f, end->relations.items[0].table_id);
    assert_true(table && !strcmp(table->name, "public.parent"));
    /* The locks are gone when the trigger runs, the two scans are not. */
    run(f, "CREATE INDEX CONCURRENTLY parent_v2 ON parent (v)");
    assert_int_equal(rows_read(f, "public.parent"), 4000);
    assert_false(holds(f, find_event(f, EVIDENCE_COMMAND_END), "public.parent", "ShareLock"));
    run(f, "DROP INDEX parent_v");
    assert_int_equal(find_event(f, EVIDENCE_DROP)->drops.count, 1);
    assert_string_equal(find_event(f, EVIDENCE_DROP)->drops.items[0].identity, "public.parent_v");
    assert_true(find_event(f, EVIDENCE_DROP)->drops.items[0].original);
    assert_true(
        holds(f, find_event(f, EVIDENCE_COMMAND_END), "public.parent", "AccessExclusiveLock"));
}

static void check_rewrite(struct fixture *f, const char *sql, const char *reason)
{
    run(f, sql);
    if (!reason) {
        for (size_t i = 0; i < f->reports.count; i++)
            assert_int_not_equal(f->reports.items[i].event, EVIDENCE_REWRITE);
        return;
    }
    assert_string_equal(find_event(f, EVIDENCE_REWRITE)->rewrite_relation, "public.parent");
    assert_string_equal(find_event(f, EVIDENCE_REWRITE)->rewrite_reason, reason);
}

static void test_evidence_of_rewrites_and_what_spares_them(void **state)
{
    struct fixture *f = *state;

    check_rewrite(f, "ALTER TABLE parent ADD a timestamptz DEFAULT now()", NULL);
    check_rewrite(f, "ALTER TABLE parent ADD b timestamptz DEFAULT clock_timestamp()",
                  "column default");
    check_rewrite(f, "ALTER TABLE parent ALTER n TYPE bigint", "column type");
    check_rewrite(f, "ALTER TABLE parent ADD w varchar(10)", NULL);
    check_rewrite(f, "ALTER TABLE parent ALTER w TYPE varchar(20)", NULL);
    check_rewrite(f, "ALTER TABLE parent SET UNLOGGED", "persistence");
}

static void test_evidence_of_a_dropped_column_tells_what_went_along(void **state)
{
    struct fixture *f = *state;
    const struct evidence *drop;
    bool saw_column = false, saw_index = false;

    run(f, "ALTER TABLE parent DROP COLUMN n");
    drop = find_event(f, EVIDENCE_DROP);
    for (size_t i = 0; i < drop->drops.count; i++) {
        const struct evidence_drop *item = &drop->drops.items[i];
        if (!strcmp(item->type, "table column")) {
            saw_column = item->original && !strcmp(item->identity, "public.parent.n");
            assert_true(item->relation_id > 0);
        } else if (!strcmp(item->type, "index")) {
            saw_index = !item->original && !strcmp(item->identity, "public.parent_n");
        }
    }
    assert_true(saw_column && saw_index);
    assert_int_equal(drop->drops.count, 2);
}

/* The triggers behind a foreign key and the row type of a table are no news. */
static void test_evidence_of_a_dropped_table_leaves_out_its_inner_parts(void **state)
{
    struct fixture *f = *state;
    const struct evidence *drop;

    run(f, "ALTER TABLE child ADD CONSTRAINT fk FOREIGN KEY (parent_id) REFERENCES parent (id)");
    run(f, "DROP TABLE child");
    drop = find_event(f, EVIDENCE_DROP);
    for (size_t i = 0; i < drop->drops.count; i++) {
        assert_string_not_equal(drop->drops.items[i].type, "trigger");
        assert_string_not_equal(drop->drops.items[i].type, "type");
    }
    assert_string_equal(drop->drops.items[0].type, "table");
    assert_true(drop->drops.items[0].original);
    /* the other table of the foreign key is locked as well */
    assert_true(
        holds(f, find_event(f, EVIDENCE_COMMAND_END), "public.parent", "AccessExclusiveLock"));
}

static void test_evidence_inside_a_do_block_tells_inner_commands(void **state)
{
    struct fixture *f = *state;

    run(f, "DO $$ BEGIN UPDATE child SET id = id WHERE id = 1; CREATE TABLE made_in_do (a int);"
           " EXECUTE 'DROP TABLE made_in_do'; END $$");
    assert_int_equal(f->reports.count, 5);
    assert_int_equal(f->reports.items[0].event, EVIDENCE_COMMAND_START);
    assert_int_equal(f->reports.items[0].depth, 1);
    assert_string_equal(f->reports.items[0].statement, "CREATE TABLE made_in_do (a int)");
    assert_non_null(strstr(f->reports.items[0].frame, "inline_code_block"));
    /* what the block held already, before its first DDL */
    assert_true(holds(f, &f->reports.items[0], "public.child", "RowExclusiveLock"));
    assert_string_equal(f->reports.items[4].statement, "DROP TABLE made_in_do");
    assert_string_equal(f->reports.items[4].tag, "DROP TABLE");
}

static void test_evidence_of_several_statements_in_one_string_adds_up(void **state)
{
    struct fixture *f = *state;

    run(f, "LOCK TABLE child IN SHARE MODE; COMMENT ON TABLE parent IS 'x'");
    assert_true(holds(f, find_event(f, EVIDENCE_COMMAND_START), "public.child", "ShareLock"));
    run(f, "BEGIN");
    run(f, "LOCK TABLE child IN SHARE MODE");
    run(f, "COMMENT ON TABLE parent IS 'x'");
    assert_int_equal(find_event(f, EVIDENCE_COMMAND_START)->locks.count, 0); /* spared */
    assert_true(holds(f, find_event(f, EVIDENCE_COMMAND_END), "public.child", "ShareLock"));
    run(f, "ROLLBACK");
}

static size_t count_relations(const struct fixture *f)
{
    size_t count = 0;

    for (size_t i = 0; i < f->reports.count; i++)
        count += f->reports.items[i].relations.count;
    return count;
}

/* All locks every time, what they are on once; whatever happened to a setting of ours meanwhile. */
static void test_evidence_of_a_transaction_describes_what_it_made_once(void **state)
{
    struct fixture *f = *state;

    run(f, "BEGIN");
    run(f, "CREATE TABLE made_a (id int)");
    assert_int_equal(count_relations(f), 1);
    run(f, "CREATE TABLE made_b (id int PRIMARY KEY)");
    assert_int_equal(count_relations(f), 2);
    assert_true(find_event(f, EVIDENCE_COMMAND_END)->wal_position > 0);
    assert_int_equal(find_event(f, EVIDENCE_COMMAND_START)->wal_position, 0);
    assert_true(
        holds(f, find_event(f, EVIDENCE_COMMAND_END), "public.made_a", "AccessExclusiveLock"));
    assert_true(
        holds(f, find_event(f, EVIDENCE_COMMAND_END), "public.made_b", "AccessExclusiveLock"));
    run(f, "SAVEPOINT s");
    run(f, "CREATE TABLE made_c (id int)");
    assert_int_equal(count_relations(f), 1);
    run(f, "ROLLBACK TO s");
    run(f, "COMMENT ON TABLE parent IS 'x'");
    assert_int_equal(count_relations(f), 0);
    run(f, "RESET ALL");
    run(f, "COMMENT ON TABLE parent IS 'y'");
    assert_int_equal(count_relations(f), 3);
    run(f, "COMMIT");
    /* Another transaction: all again. */
    run(f, "ALTER TABLE made_a ADD v int");
    assert_int_equal(count_relations(f), 1);
    assert_true(
        holds(f, find_event(f, EVIDENCE_COMMAND_END), "public.made_a", "AccessExclusiveLock"));
    run(f, "DROP TABLE made_a, made_b");
}

static void test_evidence_of_temporary_tables_and_grants(void **state)
{
    struct fixture *f = *state;

    run(f, "CREATE TEMP TABLE scratch (a int)");
    assert_string_equal(find_event(f, EVIDENCE_COMMAND_END)->commands.items[0].identity,
                        "pg_temp.scratch");
    run(f, "DROP TABLE scratch");
    assert_int_equal(find_event(f, EVIDENCE_DROP)->drops.count, 1);
    run(f, "GRANT SELECT ON parent TO PUBLIC");
    assert_null(find_event(f, EVIDENCE_COMMAND_END)->commands.items[0].identity);
}

static void test_evidence_tells_the_session_timeouts(void **state)
{
    struct fixture *f = *state;

    run(f, "SET lock_timeout = '1500ms'; SET statement_timeout = '2h'");
    run(f, "COMMENT ON TABLE parent IS 'x'");
    assert_int_equal(f->reports.items[0].lock_timeout_ms, 1500);
    assert_int_equal(f->reports.items[0].statement_timeout_ms, 7200000);
    assert_true(llabs(f->reports.items[0].server_clock_us - rh_clock_wall().us) < 10000000);
}

static void test_evidence_of_a_role_without_rights_is_the_same(void **state)
{
    struct fixture *f = *state;

    run(f, "DROP ROLE IF EXISTS app; CREATE ROLE app; GRANT CREATE ON SCHEMA public TO app");
    run(f, "ALTER TABLE child OWNER TO app");
    run(f, "SET ROLE app; SET search_path = ''");
    run(f, "ALTER TABLE public.child ADD x int");
    assert_true(
        holds(f, find_event(f, EVIDENCE_COMMAND_END), "public.child", "AccessExclusiveLock"));
    f->reports.count = 0;
    PGresult *result = PQexec(f->conn, "SELECT secret FROM rehearse.evidence");
    assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "42501");
    PQclear(result);
    run(f, "RESET ROLE; DROP TABLE public.child; DROP OWNED BY app; DROP ROLE app");
}

/* Once an unconvertible letter made the notice, and so the migration, fail. */
static void test_evidence_never_fails_over_the_clients_encoding(void **state)
{
    struct fixture *f = *state;

    run(f, "DROP TABLE IF EXISTS \"\xd1\x82\"; CREATE TABLE \"\xd1\x82\" (a int)");
    run(f, "CREATE OR REPLACE FUNCTION cyrillic() RETURNS void LANGUAGE plpgsql AS "
           "$$ BEGIN COMMENT ON TABLE \"\xd1\x82\" IS 'x'; END $$");
    run(f, "SET client_encoding = 'LATIN1'");
    run(f, "SELECT cyrillic()");
    assert_int_equal(f->reports.count, 2);
    assert_string_equal(PQparameterStatus(f->conn, "client_encoding"), "LATIN1");
    run(f, "RESET client_encoding; DROP FUNCTION cyrillic()");
}

/* Without its table the function has no secret: the report is refused, the migration goes on. */
static void test_evidence_that_was_damaged_lets_the_migration_go_on(void **state)
{
    struct fixture *f = *state;

    run(f, "SET client_min_messages = error; ALTER EVENT TRIGGER rehearse_drop DISABLE");
    f->is_damaged = true;
    run(f, "DROP TABLE rehearse.evidence; COMMENT ON TABLE parent IS 'x'");
    assert_int_equal(f->refused, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_evidence_reaches_the_client_whatever_client_min_messages),
        TEST(test_evidence_reaches_the_client_while_the_string_goes_on),
        TEST(test_evidence_of_checks_and_their_scans),
        TEST(test_evidence_of_a_foreign_key_names_both_tables),
        TEST(test_evidence_of_indexes),
        TEST(test_evidence_of_rewrites_and_what_spares_them),
        TEST(test_evidence_of_a_dropped_column_tells_what_went_along),
        TEST(test_evidence_of_a_dropped_table_leaves_out_its_inner_parts),
        TEST(test_evidence_inside_a_do_block_tells_inner_commands),
        TEST(test_evidence_of_several_statements_in_one_string_adds_up),
        TEST(test_evidence_of_a_transaction_describes_what_it_made_once),
        TEST(test_evidence_of_temporary_tables_and_grants),
        TEST(test_evidence_tells_the_session_timeouts),
        TEST(test_evidence_of_a_role_without_rights_is_the_same),
        TEST(test_evidence_never_fails_over_the_clients_encoding),
        TEST(test_evidence_that_was_damaged_lets_the_migration_go_on),
    };
    return RUN_ON_SERVER(&server, NULL, tests, NULL);
}
