/*
 * Tracing on a real server: a sandbox, migrations written by the test, and what the trace says of
 * them. Every test has a sandbox of its own: a migration changes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "sandbox/sandbox.h"
#include "trace/trace.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct engine *const engine = &rh_engine_postgres;

static const char schema[] =
    "CREATE TABLE users (id int PRIMARY KEY, email text, age int);"
    "INSERT INTO users SELECT g, 'u' || g, g % 90 FROM generate_series(1, 50000) AS g;"
    "CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users (id));"
    "INSERT INTO orders SELECT g, g FROM generate_series(1, 1000) AS g;"
    "CREATE TABLE dup (k int); INSERT INTO dup VALUES (1), (1), (2);"
    "CREATE VIEW names AS SELECT email FROM users;";

struct fixture {
    struct arena *arena;
    struct sandbox *sandbox;
    char directory[64];
    struct trace trace;
    size_t events;
};

#define ASSERT_OK(call)                              \
    do {                                             \
        struct err err_ = RH_ERR_INIT, *err = &err_; \
        if (call)                                    \
            fail_msg("%s: %s", #call, err->message); \
    } while (0)

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct sandbox_options options = {.engine = engine, .role = "migrator"};
    assert_non_null(f);
    f->arena = rh_arena_new();
    strcpy(f->directory, "/tmp/rehearse-unit-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    ASSERT_OK(rh_sandbox_start(&options, &f->sandbox, err));
    char *path = rh_file_join(f->arena, f->directory, "schema.sql");
    ASSERT_OK(rh_file_write(path, TEXT_LITERAL(schema), 0600, err));
    ASSERT_OK(rh_sandbox_load_schema(f->sandbox, path, err));
    ASSERT_OK(rh_sandbox_ready(f->sandbox, err));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    rh_interrupt_set_deadline(RH_NEVER);
    rh_sandbox_destroy(f->sandbox);
    ASSERT_OK(rh_file_remove_tree(f->directory, err));
    rh_arena_free(f->arena);
    free(f);
    return 0;
}

static void on_event(void *context, json_t *event)
{
    struct fixture *f = context;
    assert_non_null(json_object_get(event, "event"));
    f->events++;
}

static void run_request(struct fixture *f, const struct migration_request *request)
{
    struct migration migration = {0};
    ASSERT_OK(rh_migration_open(request, f->arena, &migration, err));
    const struct trace_options options = {
        .sandbox = f->sandbox,
        .engine = engine,
        .migration = &migration,
        .no_isolation = true,
        .output_path = rh_file_join(f->arena, f->directory, "output.log"),
        .event = on_event,
        .event_context = f};
    ASSERT_OK(rh_trace_run(&options, f->arena, &f->trace, err));
}

static void run_sql(struct fixture *f, const char *sql)
{
    const char *path = rh_file_join(f->arena, f->directory, "migration.sql");
    const struct migration_request request = {.paths = &path, .path_count = 1};
    ASSERT_OK(rh_file_write(path, rh_text(sql), 0600, err));
    run_request(f, &request);
}

static void run_command(struct fixture *f, const char *const *argv)
{
    const struct migration_request request = {.argv = argv};
    run_request(f, &request);
}

/* The n-th statement (from 1) of the trace. */
static const struct statement *statement(const struct fixture *f, size_t n)
{
    if (n > f->trace.statements.count)
        fail_msg("statement %zu of %zu", n, f->trace.statements.count);
    return &f->trace.statements.items[n - 1];
}

static const struct lock *find_lock(const struct statement *s, const char *relation,
                                    const char *mode)
{
    for (size_t i = 0; i < s->locks.count; i++)
        if (strcmp(s->locks.items[i].relation, relation) == 0 &&
            strcmp(s->locks.items[i].mode, mode) == 0)
            return &s->locks.items[i];
    return NULL;
}

static const struct lock *lock(const struct statement *s, const char *relation, const char *mode)
{
    const struct lock *found = find_lock(s, relation, mode);
    if (!found) {
        fail_msg("no %s on %s in \"%s\"", mode, relation, s->sql);
        abort(); /* fail_msg does not return: told to the compiler */
    }
    return found;
}

/* --- tests --- */

static void test_trace_type_change_rewrites_under_access_exclusive(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "SET lock_timeout = '3s';\n\nALTER TABLE users ALTER COLUMN age TYPE bigint;\n");
    assert_int_equal(f->trace.statements.count, 2);
    assert_true(f->trace.connected && f->trace.evidence_intact && f->trace.steps.items[0].ok);
    const struct statement *s = statement(f, 2);
    assert_string_equal(s->tag, "ALTER TABLE");
    assert_int_equal(s->line, 3);
    assert_true(s->ok && s->finished && !s->in_transaction);
    assert_int_equal(s->observation, OBSERVED_EXACT);
    assert_int_equal(s->lock_timeout_ms, 3000);
    assert_true(s->wal_bytes > 1000000);
    const struct lock *exclusive = lock(s, "public.users", "AccessExclusiveLock");
    assert_int_equal(exclusive->observation, OBSERVED_EXACT);
    assert_true(exclusive->preexisting && exclusive->blocks_reads && exclusive->blocks_writes);
    assert_true(exclusive->held_us > 0 && exclusive->held_us <= s->duration_us);
    assert_true(s->rewrites.count >= 2); /* the table and its primary key */
    assert_string_equal(s->rewrites.items[0].relation, "public.users");
    assert_string_equal(s->rewrites.items[0].reason, "column type");
    assert_true(s->rewrites.items[0].preexisting && s->rewrites.items[0].bytes > 1000000);
    assert_true(s->scans.count > 0);
    assert_true(f->events > 0);
    assert_true(f->trace.relations.count >= 1);
}

static void test_trace_locks_are_held_to_the_end_of_the_transaction(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "BEGIN;\n"
               "ALTER TABLE orders ADD COLUMN a int;\n"
               "SELECT pg_sleep(0.2);\n"
               "UPDATE orders SET a = 1 WHERE id < 10;\n"
               "COMMIT;\n"
               "BEGIN;\nSAVEPOINT s;\nLOCK TABLE users;\nROLLBACK TO s;\nSELECT pg_sleep(0.2);\n"
               "COMMIT;\n");
    const struct statement *alter = statement(f, 2), *update = statement(f, 4);
    assert_true(lock(alter, "public.orders", "AccessExclusiveLock")->held_us >= 200000);
    assert_true(lock(update, "public.orders", "RowExclusiveLock")->held_us < 200000);
    assert_int_equal(update->rows, 9);
    assert_int_equal(update->observation, OBSERVED_EXACT);
    assert_true(lock(statement(f, 8), "public.users", "AccessExclusiveLock")->held_us < 200000);
    const struct transaction *t = &f->trace.transactions.items[alter->transaction];
    assert_true(t->committed);
    assert_string_equal(t->opened_by, "BEGIN");
    assert_int_equal(t->opened_by_statement, 1);
    assert_false(f->trace.sessions.items[0].left_transaction_open);
}

static void test_trace_do_block_shows_its_commands(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "DO $$ BEGIN\n  ALTER TABLE users ADD COLUMN a int;\n"
               "  CREATE INDEX users_age ON users (age);\nEND $$;\n");
    const struct statement *s = statement(f, 1);
    assert_string_equal(s->tag, "DO");
    assert_int_equal(s->children.count, 2);
    const struct statement *alter = &s->children.items[0], *create = &s->children.items[1];
    assert_string_equal(alter->tag, "ALTER TABLE");
    (void)lock(alter, "public.users", "AccessExclusiveLock");
    assert_string_equal(create->tag, "CREATE INDEX");
    (void)lock(create, "public.users", "ShareLock");
    assert_int_equal(create->indexes.count, 1);
    assert_string_equal(create->indexes.items[0].table, "public.users");
    assert_true(create->indexes.items[0].preexisting_table);
    assert_false(create->indexes.items[0].concurrently);
}

static void test_trace_concurrent_index_takes_no_blocking_lock(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "CREATE INDEX CONCURRENTLY users_email ON users (email);\n");
    const struct statement *s = statement(f, 1);
    assert_true(s->ok);
    assert_int_equal(s->observation, OBSERVED_SAMPLED);
    const struct lock *held = lock(s, "public.users", "ShareUpdateExclusiveLock");
    assert_int_equal(held->observation, OBSERVED_SAMPLED);
    assert_null(find_lock(s, "public.users", "ShareLock"));
    assert_int_equal(s->indexes.count, 1);
    assert_true(s->indexes.items[0].concurrently && s->indexes.items[0].preexisting_table);
    assert_string_equal(s->indexes.items[0].table, "public.users");
}

static void test_trace_storage_of_unreported_commands_is_seen(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "TRUNCATE orders;\nREINDEX TABLE users;\nVACUUM FULL dup;\n");
    static const char *const expected[][2] = {{"public.orders", "truncate"},
                                              {"public.users_pkey", "reindex"},
                                              {"public.dup", "vacuum full"}};
    for (size_t i = 0; i < 3; i++) {
        const struct statement *s = statement(f, i + 1);
        const struct rewrite *found = NULL;
        for (size_t k = 0; k < s->rewrites.count; k++)
            if (strcmp(s->rewrites.items[k].relation, expected[i][0]) == 0)
                found = &s->rewrites.items[k];
        if (!found) {
            fail_msg("no rewrite of %s", expected[i][0]);
            abort();
        }
        assert_string_equal(found->reason, expected[i][1]);
        (void)lock(s, expected[i][0], "AccessExclusiveLock");
    }
    assert_int_equal(statement(f, 2)->indexes.count, 1);
}

static void test_trace_drop_tells_what_went_along(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "DROP TABLE users CASCADE;\n");
    const struct statement *s = statement(f, 1);
    assert_int_equal(s->dropped.count, 3);
    bool saw_table = false, saw_view = false, saw_key = false;
    for (size_t i = 0; i < s->dropped.count; i++) {
        const struct dropped_object *d = &s->dropped.items[i];
        saw_table |= strcmp(d->identity, "public.users") == 0 && d->named && d->rows == 50000;
        saw_view |= strcmp(d->identity, "public.names") == 0 && !d->named;
        saw_key |= strcmp(d->type, "table constraint") == 0 && !d->named;
    }
    assert_true(saw_table && saw_view && saw_key);
}

static void test_trace_error_has_all_fields_and_no_values(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "CREATE UNIQUE INDEX dup_k ON dup (k);\nSELECT 1;\n");
    assert_int_equal(f->trace.statements.count, 1); /* stops there */
    const struct statement *s = statement(f, 1);
    assert_false(s->ok || f->trace.steps.items[0].ok);
    assert_non_null(s->error);
    assert_string_equal(s->error->sqlstate, "23505");
    assert_string_equal(s->error->severity, "ERROR");
    assert_string_equal(s->error->schema, "public");
    assert_string_equal(s->error->table, "dup");
    assert_string_equal(s->error->constraint, "dup_k");
    assert_string_equal(s->error->detail, "Key (k)=(***) is duplicated.");
    assert_string_equal(s->tag, "CREATE INDEX");
}

static void test_trace_transaction_left_open_is_told(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "BEGIN;\nALTER TABLE users ADD COLUMN a int;\n");
    assert_true(f->trace.sessions.items[0].left_transaction_open);
    assert_false(f->trace.transactions.items[0].committed);
}

static void test_trace_removed_evidence_is_not_observed(void **state)
{
    struct fixture *f = *state;
    struct connection_parameters superuser = rh_sandbox_superuser(f->sandbox);
    struct connection *connection = NULL;
    ASSERT_OK(engine->connect(&superuser, RH_NEVER, &connection, err));
    ASSERT_OK(
        engine->query(connection, "ALTER ROLE migrator SUPERUSER", NULL, 0, RH_NEVER, NULL, err));
    engine->close(connection);
    run_sql(f, "DROP SCHEMA rehearse CASCADE;\nALTER TABLE users ADD COLUMN a int;\n");
    assert_false(f->trace.evidence_intact);
    const struct statement *s = statement(f, 2);
    assert_true(s->ok);
    assert_int_equal(s->observation, OBSERVED_NOT);
    assert_string_equal(s->not_observed_reason, "the event triggers were disabled or gone");
    assert_true(f->trace.not_observed.count > 0);
}

static void test_trace_psql_runs_strings_of_several_statements(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "\\set n 5\n"
               "ALTER TABLE dup ADD COLUMN a int \\; UPDATE dup SET a = :n \\; SELECT 1;\n"
               "COPY dup FROM stdin;\n7\t7\n8\t8\n\\.\n"
               "SELECT 2;\n");
    assert_true(f->trace.steps.items[0].ok);
    assert_int_equal(f->trace.steps.items[0].exit_status, 0);
    const struct statement *string = statement(f, 1);
    assert_int_equal(string->children.count, 3);
    assert_string_equal(string->children.items[0].tag, "ALTER TABLE");
    assert_string_equal(string->children.items[1].tag, "UPDATE");
    assert_int_equal(string->children.items[1].rows, 3);
    (void)lock(&string->children.items[0], "public.dup", "AccessExclusiveLock");
    assert_int_equal(statement(f, 2)->rows, 2); /* COPY */
    assert_int_equal(statement(f, 2)->line, 3);
    assert_int_equal(statement(f, 3)->line, 7);
}

static void test_trace_command_that_never_connects_is_told(void **state)
{
    struct fixture *f = *state;
    static const char *const argv[] = {"sh", "-c", "echo hello; exit 7", NULL};
    run_command(f, argv);
    assert_false(f->trace.connected);
    assert_false(f->trace.steps.items[0].ok);
    assert_int_equal(f->trace.steps.items[0].exit_status, 7);
    struct text output;
    ASSERT_OK(rh_file_read(rh_file_join(f->arena, f->directory, "output.log"), 1000, f->arena,
                           &output, err));
    assert_true(rh_text_is(output, "hello\n"));
}

static void test_trace_passwords_are_not_kept(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "DO $$ BEGIN EXECUTE 'ALTER ROLE migrator PASSWORD ''s3cret'''; END $$;\n");
    assert_null(strstr(statement(f, 1)->sql, "s3cret"));
}

static void test_trace_timeout_keeps_what_ran(void **state)
{
    struct fixture *f = *state;
    rh_interrupt_set_deadline(rh_clock_after(rh_clock_mono(), 1500000));
    run_sql(f, "BEGIN;\nALTER TABLE users ADD COLUMN a int;\nSELECT pg_sleep(60);\n");
    assert_true(f->trace.timed_out);
    const struct statement *s = statement(f, 3);
    assert_false(s->finished || s->ok);
    assert_true(s->duration_us > 100000);
    assert_true(lock(statement(f, 2), "public.users", "AccessExclusiveLock")->held_us > 100000);
    assert_false(f->trace.steps.items[0].ok);
}

/* --- with others about: a thread does, on connections of its own, what another session would ---
 */

struct other {
    struct connection_parameters superuser;
    const char *sql; /* runs first, in a transaction */
    volatile bool is_ready;
    bool kills;
};

static void *act(void *context)
{
    struct other *other = context;
    struct err err = RH_ERR_INIT;
    struct connection *connection = NULL;
    struct mono until = rh_clock_after(rh_clock_mono(), 20000000);
    if (engine->connect(&other->superuser, until, &connection, &err))
        return NULL;
    if (other->sql && engine->query(connection, other->sql, NULL, 0, until, NULL, &err))
        return NULL;
    other->is_ready = true;
    /* Until the migration's statement is seen: waiting for us, or sleeping. */
    int64_t pid = 0;
    while (pid == 0 && !rh_clock_passed(until)) {
        struct rows *rows = NULL;
        if (engine->query(connection,
                          "SELECT pid FROM pg_stat_activity WHERE usename = 'migrator' AND "
                          "(wait_event = 'PgSleep' OR (wait_event_type = 'Lock' AND "
                          "clock_timestamp() - query_start > '300 ms'))",
                          NULL, 0, until, &rows, &err))
            break;
        if (rh_rows_count(rows) > 0)
            pid = rh_rows_int(rows, 0, 0, 0);
        rh_rows_free(rows);
    }
    if (other->kills && pid > 0)
        kill((pid_t)pid, SIGKILL); /* a backend of our own sandbox */
    engine->close(connection);
    return NULL;
}

static void test_trace_wait_names_who_held_the_lock(void **state)
{
    struct fixture *f = *state;
    struct other other = {.superuser = rh_sandbox_superuser(f->sandbox),
                          .sql = "BEGIN; SELECT count(*) FROM users"};
    pthread_t thread;
    other.superuser.application_name = "long report";
    assert_int_equal(pthread_create(&thread, NULL, act, &other), 0);
    struct mono until = rh_clock_after(rh_clock_mono(), 20000000);
    while (!other.is_ready && !rh_clock_passed(until))
        usleep(1000);
    run_sql(f, "ALTER TABLE users ADD COLUMN a int;\n");
    pthread_join(thread, NULL);
    const struct statement *s = statement(f, 1);
    assert_true(s->ok);
    const struct lock *waited = lock(s, "public.users", "AccessExclusiveLock");
    assert_true(waited->waited_us > 250000);
    assert_true(waited->acquired_us - s->start_us > 250000);
    assert_non_null(waited->waited_for);
    assert_non_null(strstr(waited->waited_for, "long report"));
    /* Those behind it were kept waiting, and canaries felt it. */
    bool felt = false;
    for (size_t i = 0; i < f->trace.probes.count; i++)
        felt |= f->trace.probes.items[i].longest_wait_us > 100000;
    assert_true(felt);
}

/* Freezes whoever reads the boundaries: a statement is held up, not for ever. */
static void *freeze_observer(void *context)
{
    struct other *other = context;
    struct err err = RH_ERR_INIT;
    struct connection *connection = NULL;
    struct mono until = rh_clock_after(rh_clock_mono(), 20000000);
    bool is_frozen = false;
    if (engine->connect(&other->superuser, until, &connection, &err))
        return NULL;
    while (!is_frozen && !rh_clock_passed(until)) {
        struct rows *rows = NULL;
        if (engine->query(connection,
                          "SELECT pid FROM pg_stat_activity WHERE query LIKE '%wal_position%' AND "
                          "pid <> pg_backend_pid() AND EXISTS (SELECT FROM pg_stat_activity "
                          "WHERE wait_event = 'PgSleep' AND usename = 'migrator')",
                          NULL, 0, until, &rows, &err))
            break;
        for (size_t i = 0; i < rh_rows_count(rows); i++)
            is_frozen |= kill((pid_t)rh_rows_int(rows, i, 0, 0), SIGSTOP) == 0;
        rh_rows_free(rows);
    }
    engine->close(connection);
    return NULL;
}

static void test_trace_goes_on_when_the_observer_hangs(void **state)
{
    struct fixture *f = *state;
    struct other other = {.superuser = rh_sandbox_superuser(f->sandbox)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, freeze_observer, &other), 0);
    run_sql(f, "BEGIN;\nSELECT pg_sleep(1);\nSELECT count(*) FROM users;\nCOMMIT;\n");
    pthread_join(thread, NULL);
    assert_true(f->trace.steps.items[0].ok);
    assert_int_equal(f->trace.statements.count, 4);
    assert_true(f->trace.not_observed.count > 0 || f->trace.observer_lost);
    assert_int_not_equal(statement(f, 3)->observation, OBSERVED_EXACT);
}

static void test_trace_server_crash_is_told_with_its_last_words(void **state)
{
    struct fixture *f = *state;
    struct other other = {.superuser = rh_sandbox_superuser(f->sandbox), .kills = true};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, act, &other), 0);
    run_sql(f, "ALTER TABLE users ADD COLUMN a int;\nSELECT pg_sleep(30);\nSELECT 1;\n");
    pthread_join(thread, NULL);
    assert_true(f->trace.server_crashed);
    assert_non_null(f->trace.crash_reason);
    assert_non_null(strstr(f->trace.crash_reason, "signal 9"));
    assert_true(f->trace.log_tail.count > 0);
    assert_int_equal(f->trace.statements.count, 2);
    assert_false(statement(f, 2)->ok);
    assert_false(f->trace.steps.items[0].ok);
}

int main(void)
{
    struct err err = RH_ERR_INIT;
    if (rh_interrupt_install(&err))
        return 1;
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_trace_type_change_rewrites_under_access_exclusive),
        TEST(test_trace_locks_are_held_to_the_end_of_the_transaction),
        TEST(test_trace_do_block_shows_its_commands),
        TEST(test_trace_concurrent_index_takes_no_blocking_lock),
        TEST(test_trace_storage_of_unreported_commands_is_seen),
        TEST(test_trace_drop_tells_what_went_along),
        TEST(test_trace_error_has_all_fields_and_no_values),
        TEST(test_trace_transaction_left_open_is_told),
        TEST(test_trace_removed_evidence_is_not_observed),
        TEST(test_trace_psql_runs_strings_of_several_statements),
        TEST(test_trace_command_that_never_connects_is_told),
        TEST(test_trace_passwords_are_not_kept),
        TEST(test_trace_timeout_keeps_what_ran),
        TEST(test_trace_wait_names_who_held_the_lock),
        TEST(test_trace_goes_on_when_the_observer_hangs),
        TEST(test_trace_server_crash_is_told_with_its_last_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
