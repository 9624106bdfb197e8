/*
 * Connections on a real server: blocking and on the loop, deadlines, loss, what never comes from
 * the environment.
 */
#include "server_fixture.h"

static struct test_server server;
static const struct engine *const engine = &rh_engine_postgres;

/* --- blocking --------------------------------------------------------------------------------- */

static void test_pg_connection_answers_with_rows_and_nulls(void **state)
{
    (void)state;
    struct connection *connection = test_connect(&server, "t");
    const char *const parameters[] = {"7", NULL};
    struct rows *rows = NULL;

    ASSERT_OK(engine->query(connection, "SELECT $1::int + 1, $2::text, true, 'x'", parameters, 2,
                            in_seconds(10), &rows, err));
    assert_int_equal(rh_rows_count(rows), 1);
    assert_int_equal(rh_rows_int(rows, 0, 0, -1), 8);
    assert_null(rh_rows_value(rows, 0, 1));
    assert_int_equal(rh_rows_int(rows, 0, 1, -5), -5);
    assert_true(rh_rows_bool(rows, 0, 2));
    assert_false(rh_rows_bool(rows, 0, 3));
    rh_rows_free(rows);
    /* Several statements: the last one's rows; none of a command. */
    ASSERT_OK(engine->query(connection, "SELECT 1; SELECT 2 UNION ALL SELECT 3", NULL, 0,
                            in_seconds(10), &rows, err));
    assert_int_equal(rh_rows_count(rows), 2);
    rh_rows_free(rows);
    ASSERT_OK(
        engine->query(connection, "SET work_mem = '1MB'", NULL, 0, in_seconds(10), &rows, err));
    assert_int_equal(rh_rows_count(rows), 0);
    rh_rows_free(rows);
    assert_true(engine->server_version(connection) >= 130000);
    assert_int_equal(test_int(connection, "SELECT pg_backend_pid()"),
                     engine->backend_pid(connection));
    engine->close(connection);
    engine->close(NULL);
}

static void test_pg_connection_error_has_sqlstate_and_no_values(void **state)
{
    (void)state;
    struct connection *connection = test_connect(&server, "t");
    struct err err = RH_ERR_INIT;

    assert_int_equal(
        engine->query(connection, "SELECT * FROM nope", NULL, 0, in_seconds(10), NULL, &err),
        RH_ERR_SERVER);
    assert_string_equal(err.sqlstate, "42P01");
    assert_string_equal(err.message, "relation \"nope\" does not exist");
    assert_int_equal(engine->query(connection,
                                   "CREATE TEMP TABLE t (a text UNIQUE); INSERT INTO t VALUES "
                                   "('s3cret'), ('s3cret')",
                                   NULL, 0, in_seconds(10), NULL, &err),
                     RH_ERR_SERVER);
    assert_string_equal(err.sqlstate, "23505");
    assert_null(strstr(err.detail, "s3cret"));
    /* It goes on. */
    assert_int_equal(test_int(connection, "SELECT 1"), 1);
    engine->close(connection);
}

static void test_pg_connection_cancels_what_it_gives_up(void **state)
{
    (void)state;
    struct connection *connection = test_connect(&server, "t"), *other = test_connect(&server, "t");
    struct mono deadline = in_seconds(10);
    struct err err = RH_ERR_INIT;

    assert_int_equal(
        engine->query(connection, "SELECT pg_sleep(30)", NULL, 0, in_seconds(0.2), NULL, &err),
        RH_ERR_TIMEOUT);
    while (test_int(other, "SELECT count(*) FROM pg_stat_activity WHERE query = "
                           "'SELECT pg_sleep(30)' AND state = 'active'") > 0)
        if (rh_clock_passed(deadline))
            fail_msg("it is not cancelled");
    engine->close(connection);
    engine->close(other);
}

static void test_pg_connection_deadline_gives_up_for_good(void **state)
{
    (void)state;
    struct connection *connection = test_connect(&server, "t");
    struct err err = RH_ERR_INIT;
    struct mono start = rh_clock_mono();

    assert_int_equal(
        engine->query(connection, "SELECT pg_sleep(30)", NULL, 0, in_seconds(0.2), NULL, &err),
        RH_ERR_TIMEOUT);
    assert_true(rh_clock_mono().us - start.us < 5000000);
    assert_int_equal(engine->server_version(connection), 0);
    assert_int_not_equal(engine->query(connection, "SELECT 1", NULL, 0, in_seconds(1), NULL, &err),
                         RH_OK);
    engine->close(connection);
}

static void test_pg_connection_copy_sends_to_nobody_and_gets_nothing(void **state)
{
    (void)state;
    struct connection *connection = test_connect(&server, "t");
    struct err why = RH_ERR_INIT;

    ASSERT_OK(engine->query(connection, "COPY (SELECT generate_series(1, 300000)) TO STDOUT", NULL,
                            0, in_seconds(10), NULL, err));
    assert_int_equal(test_int(connection, "SELECT 6"), 6);
    /* It fails in the middle of its data. */
    assert_int_equal(engine->query(connection,
                                   "COPY (SELECT 1 / (200000 - generate_series(1, 300000))) "
                                   "TO STDOUT",
                                   NULL, 0, in_seconds(10), NULL, &why),
                     RH_ERR_SERVER);
    assert_string_equal(why.sqlstate, "22012");
    assert_int_equal(test_int(connection, "SELECT 7"), 7);
    test_run(connection, "CREATE TEMP TABLE t (a int)");
    assert_int_equal(
        engine->query(connection, "COPY t FROM STDIN", NULL, 0, in_seconds(10), NULL, &why),
        RH_ERR_SERVER);
    assert_non_null(strstr(why.message, "no data came with the statement"));
    assert_int_equal(test_int(connection, "SELECT count(*) FROM t"), 0);
    engine->close(connection);
}

static void test_pg_connection_counts_what_it_cost(void **state)
{
    (void)state;
    struct connection *connection = test_connect(&server, "t");
    struct connection_traffic before = engine->traffic(connection), after;
    struct err why = RH_ERR_INIT;
    struct rows *rows = NULL;

    ASSERT_OK(engine->query(connection, "SET work_mem = '1MB'; SELECT 'four', NULL, 'six666'", NULL,
                            0, in_seconds(10), &rows, err));
    rh_rows_free(rows);
    after = engine->traffic(connection);
    assert_int_equal(after.statements - before.statements, 2);
    assert_int_equal(after.bytes_received - before.bytes_received, 10);
    /* Preparing is no statement of its own, a refused one is; COPY is one, with its data. */
    before = after;
    ASSERT_OK(engine->ask(connection, ENGINE_QUERY_POSITION, NULL, 0, in_seconds(10), NULL, err));
    ASSERT_OK(engine->ask(connection, ENGINE_QUERY_POSITION, NULL, 0, in_seconds(10), NULL, err));
    assert_int_equal(engine->query(connection, "SELECT 1 / 0", NULL, 0, in_seconds(10), NULL, &why),
                     RH_ERR_SERVER);
    ASSERT_OK(engine->query(connection, "COPY (SELECT 12345) TO STDOUT", NULL, 0, in_seconds(10),
                            NULL, err));
    after = engine->traffic(connection);
    assert_int_equal(after.statements - before.statements, 4);
    assert_int_equal(after.bytes_received - before.bytes_received, 6);
    engine->close(connection);
}

static void test_pg_connection_failure_says_what_failed(void **state)
{
    (void)state;
    struct connection_parameters parameters = server.superuser;
    struct connection *connection;
    struct err err = RH_ERR_INIT;

    parameters.user = "nobody_here";
    assert_int_equal(engine->connect(&parameters, in_seconds(5), &connection, &err),
                     RH_ERR_CONNECTION);
    assert_non_null(strstr(err.message, "nobody_here"));
    parameters.socket_directory = "/nonexistent";
    assert_int_equal(engine->connect(&parameters, in_seconds(5), &connection, &err),
                     RH_ERR_CONNECTION);
    assert_non_null(strstr(err.message, "No such file"));
}

static void test_pg_connection_takes_nothing_from_the_environment(void **state)
{
    (void)state;
    setenv("PGDATABASE", "elsewhere", 1);
    setenv("PGOPTIONS", "-c work_mem=3MB", 1);
    setenv("PGSERVICE", "no_such_service", 1);
    setenv("PGTZ", "Asia/Tokyo", 1);
    struct connection *connection = test_connect(&server, "t");
    assert_int_equal(test_int(connection, "SELECT count(*) FROM pg_settings WHERE (name, setting) "
                                          "IN (('work_mem', '3072'), ('TimeZone', 'Asia/Tokyo'))"),
                     0);
    engine->close(connection);
    assert_string_equal(getenv("PGSERVICE"), "no_such_service");
    assert_string_equal(getenv("PGOPTIONS"), "-c work_mem=3MB");
    unsetenv("PGDATABASE");
    unsetenv("PGOPTIONS");
    unsetenv("PGSERVICE");
    unsetenv("PGTZ");
}

/* --- on the loop ------------------------------------------------------------------------------ */

struct talk {
    struct loop *loop;
    struct connection *connection;
    char order[64];
    size_t answered, failed, expected;
    enum err_code last_code;
    int64_t last_value;
};

struct question {
    struct talk *talk;
    char letter;
};

static void on_answer(void *context, struct rows **rows, const struct err *err)
{
    struct question *question = context;
    struct talk *talk = question->talk;

    talk->order[talk->answered++] = question->letter;
    if (err) {
        talk->failed++;
        talk->last_code = err->code;
    } else if (rh_rows_count(*rows)) {
        talk->last_value = rh_rows_int(*rows, 0, 0, -1);
    }
    if (talk->answered == talk->expected)
        rh_loop_stop(talk->loop);
}

static void talk_begin(struct talk *talk, size_t expected)
{
    *talk = (struct talk){.expected = expected};
    ASSERT_OK(rh_loop_new(&talk->loop, err));
    talk->connection = test_connect(&server, "talk");
    ASSERT_OK(engine->attach(talk->connection, talk->loop, err));
}

static void talk_end(struct talk *talk)
{
    engine->close(talk->connection);
    rh_loop_free(talk->loop);
}

static void test_pg_connection_answers_come_in_order(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, 5);
    struct question q[] = {{&talk, 'a'}, {&talk, 'b'}, {&talk, 'c'}, {&talk, 'd'}, {&talk, 'e'}};
    const char *const eleven[] = {"11"};

    engine->send(talk.connection, "SELECT pg_sleep(0.05)", NULL, 0, on_answer, &q[0]);
    engine->send(talk.connection, "SELECT 1/0", NULL, 0, on_answer, &q[1]);
    engine->send_query(talk.connection, ENGINE_QUERY_DATABASE_SIZE, NULL, 0, on_answer, &q[2]);
    engine->send_query(talk.connection, ENGINE_QUERY_DATABASE_SIZE, NULL, 0, on_answer, &q[3]);
    engine->send(talk.connection, "SELECT $1::int", eleven, 1, on_answer, &q[4]);
    ASSERT_OK(rh_loop_run(talk.loop, in_seconds(10), err));
    assert_string_equal(talk.order, "abcde");
    assert_int_equal(talk.failed, 1);
    assert_int_equal(talk.last_code, RH_ERR_SERVER);
    assert_int_equal(talk.last_value, 11);
    talk_end(&talk);
}

static void test_pg_connection_copy_between_other_questions(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, 4);
    struct question q[] = {{&talk, 'a'}, {&talk, 'b'}, {&talk, 'c'}, {&talk, 'd'}};

    engine->send(talk.connection, "COPY (SELECT generate_series(1, 300000)) TO STDOUT", NULL, 0,
                 on_answer, &q[0]);
    engine->send(talk.connection, "CREATE TEMP TABLE t (a int)", NULL, 0, on_answer, &q[1]);
    engine->send(talk.connection, "COPY t FROM STDIN", NULL, 0, on_answer, &q[2]);
    engine->send(talk.connection, "SELECT 11", NULL, 0, on_answer, &q[3]);
    ASSERT_OK(rh_loop_run(talk.loop, in_seconds(10), err));
    assert_string_equal(talk.order, "abcd");
    assert_int_equal(talk.failed, 1);
    assert_int_equal(talk.last_code, RH_ERR_SERVER);
    assert_int_equal(talk.last_value, 11);
    talk_end(&talk);
}

static void test_pg_connection_blocking_waits_for_what_is_queued(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, 99);
    struct question q[] = {{&talk, 'a'}, {&talk, 'b'}};

    engine->send(talk.connection, "SELECT pg_sleep(0.05)", NULL, 0, on_answer, &q[0]);
    engine->send(talk.connection, "SELECT 5", NULL, 0, on_answer, &q[1]);
    assert_int_equal(test_int(talk.connection, "SELECT 6"), 6);
    assert_string_equal(talk.order, "ab");
    /* Dropped ones are not answered, and do not disturb what follows. */
    engine->send(talk.connection, "SELECT pg_sleep(0.05), 1", NULL, 0, on_answer, &q[0]);
    engine->detach(talk.connection);
    assert_int_equal(test_int(talk.connection, "SELECT 7"), 7);
    assert_int_equal(talk.answered, 2);
    talk_end(&talk);
}

static void test_pg_connection_large_parameter_is_sent_in_pieces(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, 1);
    struct question q = {&talk, 'a'};
    size_t size = 20 << 20;
    char *large = malloc(size + 1);
    assert_non_null(large);
    memset(large, 'x', size);
    large[size] = 0;
    const char *const parameters[] = {large};

    engine->send(talk.connection, "SELECT length($1)", parameters, 1, on_answer, &q);
    ASSERT_OK(rh_loop_run(talk.loop, in_seconds(20), err));
    assert_int_equal(talk.last_value, size);
    free(large);
    talk_end(&talk);
}

static void test_pg_connection_lost_answers_all_and_later_ones(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, 3);
    struct question q[] = {{&talk, 'a'}, {&talk, 'b'}, {&talk, 'c'}, {&talk, 'd'}};
    struct connection *killer = test_connect(&server, "killer");
    char sql[80];

    for (int i = 0; i < 3; i++)
        engine->send(talk.connection, "SELECT pg_sleep(30)", NULL, 0, on_answer, &q[i]);
    snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%lld)",
             (long long)engine->backend_pid(talk.connection));
    test_run(killer, sql);
    ASSERT_OK(rh_loop_run(talk.loop, in_seconds(10), err));
    assert_string_equal(talk.order, "abc");
    assert_int_equal(talk.failed, 3);
    assert_int_equal(talk.last_code, RH_ERR_CONNECTION);
    /* Not from inside send, but from the loop. */
    talk.expected = 4;
    engine->send(talk.connection, "SELECT 1", NULL, 0, on_answer, &q[3]);
    assert_int_equal(talk.answered, 3);
    ASSERT_OK(rh_loop_run(talk.loop, in_seconds(10), err));
    assert_int_equal(talk.failed, 4);
    engine->close(killer);
    talk_end(&talk);
}

static void on_answer_close(void *context, struct rows **rows, const struct err *err)
{
    struct talk *talk = context;

    (void)rows;
    (void)err;
    engine->close(talk->connection);
    talk->connection = NULL;
    rh_loop_stop(talk->loop);
}

static void test_pg_connection_closed_by_its_callback(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, 99);
    struct question q = {&talk, 'a'};

    engine->send(talk.connection, "SELECT 1", NULL, 0, on_answer_close, &talk);
    engine->send(talk.connection, "SELECT 2", NULL, 0, on_answer, &q);
    ASSERT_OK(rh_loop_run(talk.loop, in_seconds(10), err));
    assert_int_equal(talk.answered, 0);
    talk_end(&talk);
}

static void on_answer_ask(void *context, struct rows **rows, const struct err *err)
{
    struct talk *talk = context;

    (void)rows;
    assert_null(err);
    talk->last_value = test_int(talk->connection, "SELECT 12");
    rh_loop_stop(talk->loop);
}

static void test_pg_connection_blocking_inside_a_callback(void **state)
{
    (void)state;
    struct talk talk;
    talk_begin(&talk, 99);
    struct question q = {&talk, 'z'};

    engine->send(talk.connection, "SELECT 1", NULL, 0, on_answer_ask, &talk);
    engine->send(talk.connection, "SELECT 3", NULL, 0, on_answer, &q);
    ASSERT_OK(rh_loop_run(talk.loop, in_seconds(10), err));
    assert_int_equal(talk.last_value, 12);
    assert_string_equal(talk.order, "z"); /* it was before the blocking one */
    talk_end(&talk);
}

/* --- statements that are only tried ---------------------------------------------------------- */

static enum err_code try_out(struct connection *connection, enum engine_trial trial,
                             const char *first, const char *second, const char **ret_tag,
                             struct err *err)
{
    const char *const statements[] = {first, second};
    return engine->try_statements(connection, trial, statements, second ? 2 : 1, server.arena,
                                  in_seconds(10), ret_tag, err);
}

static void test_pg_trial_leaves_all_as_it_was_and_says_what_the_last_did(void **state)
{
    (void)state;
    struct connection *connection = test_connect(&server, "t");
    const char *tag = NULL;
    struct err refused = RH_ERR_INIT;

    test_run(connection, "CREATE TABLE tried (a int UNIQUE DEFERRABLE INITIALLY DEFERRED, b int); "
                         "INSERT INTO tried SELECT i, i FROM generate_series(1, 3) AS i");
    ASSERT_OK(try_out(connection, ENGINE_TRIAL_CHECKS, "INSERT INTO tried VALUES (4, 4)",
                      "UPDATE tried SET b = 0", &tag, err));
    assert_string_equal(tag, "UPDATE 4");
    assert_int_equal(test_int(connection, "SELECT count(*) FROM tried WHERE b > 0"), 3);
    /* What is checked at the end only is checked; what fails is undone as well. */
    assert_int_equal(
        try_out(connection, ENGINE_TRIAL_CHECKS, "UPDATE tried SET a = 1", NULL, &tag, &refused),
        RH_ERR_SERVER);
    assert_string_equal(refused.sqlstate, "23505");
    assert_string_equal(tag, "UPDATE 4");
    assert_int_equal(test_int(connection, "SELECT count(DISTINCT a) FROM tried"), 3);
    test_run(connection, "DROP TABLE tried");
    engine->close(connection);
}

static void test_pg_trial_that_counts_fires_no_trigger(void **state)
{
    (void)state;
    struct connection *connection = test_connect(&server, "t");
    const char *tag = NULL;
    struct err refused = RH_ERR_INIT;

    test_run(connection,
             "CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents VALUES (1), (2); "
             "CREATE TABLE children (id int REFERENCES parents); INSERT INTO children VALUES (1)");
    assert_int_equal(
        try_out(connection, ENGINE_TRIAL_CHECKS, "DELETE FROM parents", NULL, &tag, &refused),
        RH_ERR_SERVER);
    assert_string_equal(refused.sqlstate, "23503");
    ASSERT_OK(try_out(connection, ENGINE_TRIAL_COUNTS, "DELETE FROM parents", NULL, &tag, err));
    assert_string_equal(tag, "DELETE 2");
    assert_int_equal(test_int(connection, "SELECT count(*) FROM parents"), 2);
    /* The session is as before. */
    assert_int_equal(
        test_int(connection,
                 "SELECT (current_setting('session_replication_role') = 'origin')::int"),
        1);
    test_run(connection, "DROP TABLE children, parents");
    engine->close(connection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_connection_answers_with_rows_and_nulls),
        cmocka_unit_test(test_pg_connection_error_has_sqlstate_and_no_values),
        cmocka_unit_test(test_pg_connection_cancels_what_it_gives_up),
        cmocka_unit_test(test_pg_connection_deadline_gives_up_for_good),
        cmocka_unit_test(test_pg_connection_copy_sends_to_nobody_and_gets_nothing),
        cmocka_unit_test(test_pg_connection_counts_what_it_cost),
        cmocka_unit_test(test_pg_connection_failure_says_what_failed),
        cmocka_unit_test(test_pg_connection_takes_nothing_from_the_environment),
        cmocka_unit_test(test_pg_connection_answers_come_in_order),
        cmocka_unit_test(test_pg_connection_copy_between_other_questions),
        cmocka_unit_test(test_pg_connection_blocking_waits_for_what_is_queued),
        cmocka_unit_test(test_pg_connection_large_parameter_is_sent_in_pieces),
        cmocka_unit_test(test_pg_connection_lost_answers_all_and_later_ones),
        cmocka_unit_test(test_pg_connection_closed_by_its_callback),
        cmocka_unit_test(test_pg_connection_blocking_inside_a_callback),
        cmocka_unit_test(test_pg_trial_leaves_all_as_it_was_and_says_what_the_last_did),
        cmocka_unit_test(test_pg_trial_that_counts_fires_no_trigger),
    };
    return RUN_ON_SERVER(&server, NULL, tests, NULL);
}
