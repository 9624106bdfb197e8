/*
 * The observer on a real server. Sessions of the "migration" are engine connections of the test;
 * what they do is seen through the observer alone.
 */
#include "../engine/server_fixture.h"

#include "observe/observer.h"

static struct test_server server;
static const struct engine *const engine = &rh_engine_postgres;

struct fixture {
    struct loop *loop;
    struct observer *observer;
    struct connection *migration, *user;
    int64_t migration_pid, table_id, index_id;

    int losses;
    size_t samples;
    /* of the sample that first showed the migration waiting */
    char waits_for[256], wait_mode[64];
    int64_t wait_start_us, waited_relation;
    bool saw_user_wait, saw_probe_wait;

    bool boundary_came, boundary_known, storage_came, storage_known;
    char held_modes[512];
    int64_t wal_position;
    size_t change_count;
    struct storage_change change;
    char change_name[128];
    bool answered, answer_failed;
};

static void on_sample(void *context, const struct sample *sample)
{
    struct fixture *f = context;

    f->samples++;
    for (size_t i = 0; i < sample->lock_count; i++) {
        const struct observed_lock *lock = &sample->locks[i];
        if (lock->is_ours && !lock->granted && !f->waits_for[0]) {
            snprintf(f->waits_for, sizeof(f->waits_for), "%s", lock->waits_for);
            snprintf(f->wait_mode, sizeof(f->wait_mode), "%s", lock->mode);
            f->wait_start_us = lock->wait_start_us;
            f->waited_relation = lock->relation_id;
        }
        if (!lock->is_ours && !lock->granted) {
            if (lock->pid == engine->backend_pid(f->user))
                f->saw_user_wait = true;
            else
                f->saw_probe_wait = true;
        }
    }
}

static void on_lost(void *context, const struct err *err)
{
    struct fixture *f = context;

    assert_int_not_equal(err->code, RH_OK);
    f->losses++;
}

static int start_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct connection *setup = test_connect(&server, "setup");

    *state = f;
    test_run(setup, "DROP TABLE IF EXISTS t, other, empty CASCADE;"
                    "CREATE TABLE t (id int PRIMARY KEY, v text);"
                    "INSERT INTO t SELECT g, 'x' FROM generate_series(1, 5000) AS g;"
                    "CREATE INDEX t_v ON t (v);"
                    "CREATE TABLE other (id int); INSERT INTO other VALUES (1);"
                    "CREATE TABLE empty (id int);"
                    "ANALYZE t, other, empty");
    f->table_id = test_int(setup, "SELECT 't'::regclass::oid");
    f->index_id = test_int(setup, "SELECT 't_v'::regclass::oid");
    engine->close(setup);

    ASSERT_OK(rh_loop_new(&f->loop, err));
    struct observer_options options = {.engine = engine,
                                       .superuser = server.superuser,
                                       .loop = f->loop,
                                       .evidence_secret = "secret",
                                       .handler = {f, on_sample, on_lost}};
    ASSERT_OK(rh_observer_new(&options, in_seconds(20), &f->observer, err));
    f->migration = test_connect(&server, "migrator");
    f->user = test_connect(&server, "app");
    ASSERT_OK(engine->attach(f->migration, f->loop, err));
    ASSERT_OK(engine->attach(f->user, f->loop, err));
    f->migration_pid = engine->backend_pid(f->migration);
    rh_observer_watch(f->observer, f->migration_pid);
    return 0;
}

static int stop_fixture(void **state)
{
    struct fixture *f = *state;

    rh_observer_free(f->observer);
    engine->detach(f->migration);
    engine->detach(f->user);
    engine->close(f->migration);
    engine->close(f->user);
    rh_loop_free(f->loop);
    free(f);
    return 0;
}

/* Runs the loop until the condition holds; false at the deadline. */
#define RUN_UNTIL(f, condition)                          \
    do {                                                 \
        struct mono until_ = in_seconds(20);             \
        while (!(condition)) {                           \
            if (rh_clock_passed(until_))                 \
                fail_msg("not in 20 s: %s", #condition); \
            run_for((f), 0.005);                         \
        }                                                \
    } while (0)

static void run_for(struct fixture *f, double seconds)
{
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_loop_run(f->loop, in_seconds(seconds), &err), RH_ERR_TIMEOUT);
}

static void on_answer(void *context, struct rows **rows, const struct err *err)
{
    struct fixture *f = context;

    (void)rows;
    f->answered = true;
    f->answer_failed = err != NULL;
}

static void send(struct fixture *f, struct connection *connection, const char *sql)
{
    f->answered = f->answer_failed = false;
    engine->send(connection, sql, NULL, 0, on_answer, f);
}

static void ignore_answer(void *context, struct rows **rows, const struct err *err)
{
    (void)context;
    (void)rows;
    (void)err;
}

static void on_boundary(void *context, const struct boundary *boundary)
{
    struct fixture *f = context;

    assert_false(f->boundary_came);
    f->boundary_came = true;
    f->boundary_known = boundary != NULL;
    f->held_modes[0] = '\0';
    if (!boundary)
        return;
    f->wal_position = boundary->wal_position;
    for (size_t i = 0; i < boundary->lock_count; i++) {
        const struct observed_relation *relation = rh_observer_find(f->observer,
                                                                    boundary->locks[i].relation_id);
        size_t len = strlen(f->held_modes);
        assert_true(boundary->locks[i].granted);
        snprintf(f->held_modes + len, sizeof(f->held_modes) - len, "%s %s; ",
                 relation ? relation->name : "?", boundary->locks[i].mode);
    }
}

static void read_boundary(struct fixture *f)
{
    f->boundary_came = false;
    rh_observer_read_boundary(f->observer, f->migration_pid, on_boundary, f);
    assert_false(f->boundary_came); /* asynchronous, always */
    RUN_UNTIL(f, f->boundary_came);
}

static void on_storage(void *context, const struct storage_change *changes, size_t count,
                       bool known)
{
    struct fixture *f = context;

    f->storage_came = true;
    f->storage_known = known;
    f->change_count = count;
    for (size_t i = 0; i < count; i++) {
        if (changes[i].relation_id == f->table_id) {
            f->change = changes[i];
            snprintf(f->change_name, sizeof(f->change_name), "%s", changes[i].name);
        }
    }
}

static void read_storage(struct fixture *f)
{
    f->storage_came = false;
    f->change = (struct storage_change){0};
    rh_observer_read_storage(f->observer, on_storage, f);
    RUN_UNTIL(f, f->storage_came);
}

static struct trace *finish(struct fixture *f, struct arena *arena)
{
    struct trace *trace = RH_NEW(arena, struct trace);

    trace->arena = arena;
    ASSERT_OK(rh_observer_finish(f->observer, trace, in_seconds(20), err));
    return trace;
}

static const struct probe *find_probe(const struct trace *trace, const char *relation,
                                      bool is_write)
{
    for (size_t i = 0; i < trace->probes.count; i++)
        if (!strcmp(trace->probes.items[i].relation, relation) &&
            trace->probes.items[i].is_write == is_write)
            return &trace->probes.items[i];
    static const struct probe NONE;
    fail_msg("no probe of %s", relation);
    return &NONE;
}

/* --- what is known before
 * ------------------------------------------------------------------------- */

static void test_observer_knows_relations_before_the_run(void **state)
{
    struct fixture *f = *state;
    const struct observed_relation *table = rh_observer_find(f->observer, f->table_id);
    const struct observed_relation *index = rh_observer_find(f->observer, f->index_id);
    int64_t empty_id = test_int(f->user, "SELECT 'public.empty'::regclass::oid");

    assert_string_equal(table->name, "public.t");
    assert_string_equal(table->kind, "table");
    assert_string_equal(table->table, "public.t");
    assert_int_equal(table->rows_estimate, 5000);
    assert_true(table->bytes > 5000 * 30);
    assert_true(table->preexisting);
    assert_false(table->is_system);
    assert_false(table->is_empty);
    assert_string_equal(index->name, "public.t_v");
    assert_string_equal(index->kind, "index");
    assert_string_equal(index->table, "public.t");
    assert_int_equal(index->table_id, f->table_id);
    assert_true(rh_observer_find(f->observer, empty_id)->is_empty);
    assert_true(rh_observer_find(f->observer, 1259)->is_system);
    assert_null(rh_observer_find(f->observer, 999999999));
}

/* --- boundaries
 * ------------------------------------------------------------------------------------ */

static void test_boundary_names_locks_of_an_open_transaction(void **state)
{
    struct fixture *f = *state;
    int64_t before;

    test_run(f->migration, "BEGIN; LOCK TABLE t IN SHARE MODE; SELECT FROM other");
    read_boundary(f);
    assert_non_null(strstr(f->held_modes, "public.t ShareLock; "));
    assert_non_null(strstr(f->held_modes, "public.other AccessShareLock; "));
    before = f->wal_position;
    test_run(f->migration, "INSERT INTO other VALUES (2); COMMIT");
    read_boundary(f);
    assert_string_equal(f->held_modes, "");
    assert_true(f->wal_position > before);
}

static void test_boundary_leaves_out_what_evidence_reads(void **state)
{
    struct fixture *f = *state;

    test_run(f->migration, "BEGIN; COMMENT ON TABLE t IS 'x'");
    read_boundary(f);
    assert_string_equal(f->held_modes, "public.t ShareUpdateExclusiveLock; ");
    test_run(f->migration, "ROLLBACK");
}

/* --- samples
 * --------------------------------------------------------------------------------------- */

static void test_sampler_sees_a_wait_and_names_the_blocker(void **state)
{
    struct fixture *f = *state;
    struct connection *other = test_connect(&server, "report job");
    char expected[128];

    test_run(other, "BEGIN; SELECT FROM t LIMIT 1");
    rh_observer_statement_started(f->observer);
    send(f, f->migration, "ALTER TABLE t ADD COLUMN extra int");
    RUN_UNTIL(f, f->waits_for[0]);
    /* a user's read queues behind the waiting migration */
    engine->send(f->user, "SELECT FROM t LIMIT 1", NULL, 0, ignore_answer, NULL);
    RUN_UNTIL(f, f->saw_user_wait);
    test_run(other, "COMMIT");
    RUN_UNTIL(f, f->answered);
    rh_observer_statement_ended(f->observer);
    assert_false(f->answer_failed);

    snprintf(expected, sizeof(expected), "session %lld \"report job\" (idle in transaction)",
             (long long)engine->backend_pid(other));
    assert_string_equal(f->waits_for, expected);
    assert_string_equal(f->wait_mode, "AccessExclusiveLock");
    assert_int_equal(f->waited_relation, f->table_id);
    if (engine->server_version(f->user) >= 140000)
        assert_true(f->wait_start_us > 0 && f->wait_start_us <= rh_clock_wall().us);
    engine->close(other);
}

static void test_sampler_measures_its_longest_gap(void **state)
{
    struct fixture *f = *state;
    struct observer_statistics statistics;

    rh_observer_statement_started(f->observer);
    run_for(f, 0.1);
    statistics = rh_observer_statistics(f->observer);
    assert_true(statistics.sample_count >= 5);
    usleep(120000); /* the loop is held up: nothing is sampled */
    run_for(f, 0.05);
    rh_observer_statement_ended(f->observer);
    statistics = rh_observer_statistics(f->observer);
    assert_true(statistics.longest_gap_us >= 120000);
    assert_int_equal(statistics.interval_us, 2000);
    size_t count = f->samples;
    run_for(f, 0.05); /* nothing runs: nothing is sampled */
    assert_true(f->samples <= count + 1);
}

/* --- probes
 * ---------------------------------------------------------------------------------------- */

static void test_probes_measure_waits_behind_access_exclusive(void **state)
{
    struct fixture *f = *state;
    struct arena *arena = rh_arena_new();

    test_run(f->migration, "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    rh_observer_statement_started(f->observer);
    rh_observer_probe(f->observer, f->table_id, true, true);
    rh_observer_probe(f->observer, f->table_id, true, true); /* goes on */
    run_for(f, 0.3);
    assert_false(f->saw_probe_wait); /* samples leave our own waits out */
    test_run(f->migration, "COMMIT");
    rh_observer_probe_end(f->observer, f->table_id);
    run_for(f, 0.2);
    rh_observer_statement_ended(f->observer);

    struct trace *trace = finish(f, arena);
    for (int is_write = 0; is_write < 2; is_write++) {
        const struct probe *probe = find_probe(trace, "public.t", is_write);
        assert_int_equal(probe->waits, 1);
        assert_int_equal(probe->attempts, 1);
        assert_in_range(probe->longest_wait_us, 290000, 2000000);
        assert_false(probe->gave_up);
    }
    assert_int_equal(trace->not_observed.count, 0);
    rh_arena_free(arena);
}

static void test_probes_of_a_share_lock_find_reads_free(void **state)
{
    struct fixture *f = *state;
    struct arena *arena = rh_arena_new();

    test_run(f->migration, "BEGIN; LOCK TABLE t IN SHARE MODE");
    rh_observer_probe(f->observer, f->table_id, true, true);
    run_for(f, 0.3);
    test_run(f->migration, "COMMIT");
    rh_observer_probe_end(f->observer, f->table_id);
    run_for(f, 0.1);

    struct trace *trace = finish(f, arena);
    const struct probe *read = find_probe(trace, "public.t", false);
    const struct probe *write = find_probe(trace, "public.t", true);
    assert_true(read->attempts > 5);
    assert_int_equal(write->waits, 1);
    assert_in_range(write->longest_wait_us, 290000, 2000000);
    assert_true(read->longest_wait_us < write->longest_wait_us);
    rh_arena_free(arena);
}

static void test_probe_still_waiting_at_the_end_gives_up(void **state)
{
    struct fixture *f = *state;
    struct arena *arena = rh_arena_new();

    test_run(f->migration, "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    rh_observer_probe(f->observer, f->table_id, false, true);
    run_for(f, 0.1);
    struct trace *trace = finish(f, arena);
    const struct probe *probe = find_probe(trace, "public.t", true);
    assert_true(probe->gave_up);
    assert_int_equal(probe->waits, 1);
    assert_in_range(probe->longest_wait_us, 95000, 2000000);
    assert_int_equal(test_int(f->user, "SELECT count(*) FROM pg_locks WHERE NOT granted"), 0);
    test_run(f->migration, "ROLLBACK");
    rh_arena_free(arena);
}

/* A reader's SELECT locks the table, then its indexes; a canary that did the same would deadlock
   with this migration, and the migration would be the victim. */
static void test_probes_never_deadlock_with_the_migration(void **state)
{
    struct fixture *f = *state;
    struct arena *arena = rh_arena_new();

    test_run(f->migration, "BEGIN; REINDEX INDEX t_v");
    rh_observer_probe(f->observer, f->table_id, true, true);
    rh_observer_probe(f->observer, f->index_id, true, true);
    run_for(f, 0.1);
    send(f, f->migration, "ALTER TABLE t ADD COLUMN other int");
    RUN_UNTIL(f, f->answered);
    assert_false(f->answer_failed);
    test_run(f->migration, "COMMIT");
    rh_observer_probe_end(f->observer, f->table_id);
    rh_observer_probe_end(f->observer, f->index_id);
    run_for(f, 0.1);
    struct trace *trace = finish(f, arena);
    /* the index counts for its table: readers waited all along */
    assert_in_range(find_probe(trace, "public.t", false)->longest_wait_us, 95000, 5000000);
    rh_arena_free(arena);
}

static void test_probes_are_capped_and_say_so(void **state)
{
    struct fixture *f = *state;
    struct arena *arena = rh_arena_new();
    int64_t ids[PROBED_RELATIONS_MAX + 1];
    char sql[128];

    for (int i = 0; i <= PROBED_RELATIONS_MAX; i++) {
        snprintf(sql, sizeof(sql), "DROP TABLE IF EXISTS c%d; CREATE TABLE c%d ()", i, i);
        test_run(f->user, sql);
        snprintf(sql, sizeof(sql), "SELECT 'c%d'::regclass::oid", i);
        ids[i] = test_int(f->user, sql);
    }
    rh_observer_free(f->observer); /* they must exist before the run */
    struct observer_options options = {.engine = engine,
                                       .superuser = server.superuser,
                                       .loop = f->loop,
                                       .evidence_secret = "secret",
                                       .handler = {f, on_sample, on_lost}};
    ASSERT_OK(rh_observer_new(&options, in_seconds(20), &f->observer, err));
    for (int i = 0; i <= PROBED_RELATIONS_MAX; i++)
        rh_observer_probe(f->observer, ids[i], true, true);
    run_for(f, 0.05);
    struct trace *trace = finish(f, arena);
    assert_int_equal(trace->probes.count, 2 * PROBED_RELATIONS_MAX);
    assert_int_equal(trace->not_observed.count, 1);
    rh_arena_free(arena);
}

/* --- storage
 * --------------------------------------------------------------------------------------- */

static void test_storage_changes_after_cluster_and_not_after_a_comment(void **state)
{
    struct fixture *f = *state;

    test_run(f->migration, "COMMENT ON TABLE t IS 'y'; ALTER TABLE t ALTER v SET STATISTICS 5");
    read_storage(f);
    assert_true(f->storage_known);
    assert_int_equal(f->change_count, 0);
    test_run(f->migration, "CLUSTER t USING t_v");
    read_storage(f);
    assert_string_equal(f->change_name, "public.t");
    assert_string_equal(f->change.kind, "table");
    assert_true(f->change.preexisting);
    assert_true(f->change.bytes >= 5000 * 30);
    assert_true(f->change_count >= 3); /* its indexes too */
    read_storage(f);
    assert_int_equal(f->change_count, 0);
}

static void test_storage_read_does_not_wait_behind_a_lock(void **state)
{
    struct fixture *f = *state;

    test_run(f->migration, "TRUNCATE t");
    test_run(f->migration, "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    read_storage(f);
    assert_string_equal(f->change_name, "public.t");
    assert_int_equal(f->change.bytes, 0);
    test_run(f->migration, "ROLLBACK");
}

static void test_storage_read_learns_new_relations(void **state)
{
    struct fixture *f = *state;
    int64_t id;

    test_run(f->migration,
             "CREATE TABLE IF NOT EXISTS made (a int); ALTER TABLE made RENAME TO fresh");
    id = test_int(f->migration, "SELECT 'fresh'::regclass::oid");
    assert_null(rh_observer_find(f->observer, id));
    read_storage(f);
    assert_int_equal(f->change_count, 0);
    assert_string_equal(rh_observer_find(f->observer, id)->name, "public.fresh");
    assert_false(rh_observer_find(f->observer, id)->preexisting);
    test_run(f->migration, "DROP TABLE fresh");
}

/* --- the end
 * --------------------------------------------------------------------------------------- */

static void test_finish_finds_evidence_intact_and_leftovers_told_apart(void **state)
{
    struct fixture *f = *state;
    struct arena *arena = rh_arena_new();
    struct trace *trace = finish(f, arena);

    assert_true(trace->evidence_intact);
    assert_false(trace->observer_lost);
    assert_int_equal(trace->leftovers.count, 0);
    test_run(f->migration, "ALTER TABLE t ADD CONSTRAINT positive CHECK (id > 0) NOT VALID");
    trace = finish(f, arena);
    assert_int_equal(trace->leftovers.count, 1);
    assert_string_equal(trace->leftovers.items[0].kind, "not-validated constraint");
    assert_string_equal(trace->leftovers.items[0].identity, "positive on public.t");
    assert_string_equal(trace->leftovers.items[0].table, "public.t");
    assert_false(trace->leftovers.items[0].preexisting);
    assert_true(trace->peak_disk_bytes > 1000000);

    rh_observer_free(f->observer);
    struct observer_options options = {.engine = engine,
                                       .superuser = server.superuser,
                                       .loop = f->loop,
                                       .evidence_secret = "secret",
                                       .handler = {f, on_sample, on_lost}};
    ASSERT_OK(rh_observer_new(&options, in_seconds(20), &f->observer, err));
    trace = finish(f, arena);
    assert_true(trace->leftovers.items[0].preexisting);
    rh_arena_free(arena);
}

static void check_tampered(struct fixture *f, const char *sql)
{
    struct arena *arena = rh_arena_new();

    test_run(f->migration, sql);
    assert_false(finish(f, arena)->evidence_intact);
    rh_arena_free(arena);
}

static void test_finish_notices_a_disabled_trigger(void **state)
{
    check_tampered(*state, "ALTER EVENT TRIGGER rehearse_drop DISABLE");
}

static void test_finish_notices_a_trigger_that_is_not_always_enabled(void **state)
{
    check_tampered(*state, "ALTER EVENT TRIGGER rehearse_end ENABLE");
}

static void test_finish_notices_another_function_body(void **state)
{
    check_tampered(*state,
                   "CREATE OR REPLACE FUNCTION rehearse.report() RETURNS event_trigger "
                   "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp "
                   "SET log_min_messages = warning AS 'BEGIN END'");
}

static void test_finish_notices_a_dropped_schema(void **state)
{
    check_tampered(*state, "DROP SCHEMA rehearse CASCADE");
}

static void test_new_refuses_a_schema_that_is_not_ours(void **state)
{
    struct fixture *f = *state;
    struct err err = RH_ERR_INIT;
    struct observer *observer = NULL;
    struct observer_options options = {.engine = engine,
                                       .superuser = server.superuser,
                                       .loop = f->loop,
                                       .evidence_secret = "secret"};

    test_run(f->user, "DROP SCHEMA rehearse CASCADE; CREATE SCHEMA rehearse");
    assert_int_equal(rh_observer_new(&options, in_seconds(20), &observer, &err), RH_ERR_SERVER);
    assert_string_equal(err.sqlstate, "42P06");
    assert_non_null(strstr(err.hint, "Rename"));
    test_run(f->user, "DROP SCHEMA rehearse");
}

static void test_lost_observer_says_so_once_and_answers_nothing(void **state)
{
    struct fixture *f = *state;
    struct arena *arena = rh_arena_new();

    rh_observer_statement_started(f->observer);
    run_for(f, 0.02);
    test_run(f->user, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                      "WHERE application_name LIKE 'rehearse/%'");
    RUN_UNTIL(f, f->losses);
    read_boundary(f);
    assert_false(f->boundary_known);
    read_storage(f);
    assert_false(f->storage_known);
    run_for(f, 0.05);
    rh_observer_statement_ended(f->observer);
    assert_int_equal(f->losses, 1);
    assert_true(finish(f, arena)->observer_lost);
    rh_arena_free(arena);
}

static void test_boundary_asked_when_the_server_dies_is_answered(void **state)
{
    struct fixture *f = *state;

    f->boundary_came = false;
    test_run(f->user, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                      "WHERE application_name = 'rehearse/observer'");
    rh_observer_read_boundary(f->observer, f->migration_pid, on_boundary, f);
    RUN_UNTIL(f, f->boundary_came);
    assert_false(f->boundary_known);
    assert_int_equal(f->losses, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_fixture, stop_fixture)
    const struct CMUnitTest tests[] = {
        TEST(test_observer_knows_relations_before_the_run),
        TEST(test_boundary_names_locks_of_an_open_transaction),
        TEST(test_boundary_leaves_out_what_evidence_reads),
        TEST(test_sampler_sees_a_wait_and_names_the_blocker),
        TEST(test_sampler_measures_its_longest_gap),
        TEST(test_probes_measure_waits_behind_access_exclusive),
        TEST(test_probes_of_a_share_lock_find_reads_free),
        TEST(test_probe_still_waiting_at_the_end_gives_up),
        TEST(test_probes_never_deadlock_with_the_migration),
        TEST(test_probes_are_capped_and_say_so),
        TEST(test_storage_changes_after_cluster_and_not_after_a_comment),
        TEST(test_storage_read_does_not_wait_behind_a_lock),
        TEST(test_storage_read_learns_new_relations),
        TEST(test_finish_finds_evidence_intact_and_leftovers_told_apart),
        TEST(test_finish_notices_a_disabled_trigger),
        TEST(test_finish_notices_a_trigger_that_is_not_always_enabled),
        TEST(test_finish_notices_another_function_body),
        TEST(test_finish_notices_a_dropped_schema),
        TEST(test_new_refuses_a_schema_that_is_not_ours),
        TEST(test_lost_observer_says_so_once_and_answers_nothing),
        TEST(test_boundary_asked_when_the_server_dies_is_answered),
    };
    return RUN_ON_SERVER(&server, NULL, tests, NULL);
}
