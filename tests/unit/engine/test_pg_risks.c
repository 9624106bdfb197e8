/* Questions about risks, to a real server: against a count of the rows one by one, and what is left
   unanswered. */
#include "server_fixture.h"

#include "model/risk.h"

static struct test_server server;
static struct connection *session;

#define LARGE (INT64_C(1) << 40)
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static int set_up(void **state)
{
    (void)state;
    session = test_connect(&server, "psql");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_run(session, "RESET ALL; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    rh_engine_postgres.close(session);
    return 0;
}

static struct cast_risk ask_cast(struct arena *arena, const char *before, const char *after,
                                 const char *expression, int64_t sample_over_bytes)
{
    struct cast_risk cast = {.table_before = "public.t",
                             .column_before = "v",
                             .type_before = before,
                             .type_after = after,
                             .expression = expression};
    struct connection *connection = test_connect(&server, "risks");
    ASSERT_OK(rh_engine_postgres.ask_casts(connection, &cast, 1, sample_over_bytes, arena,
                                           in_seconds(30), err));
    rh_engine_postgres.close(connection);
    return cast;
}

/* Pure, and decides whether a clone is needed at all. */
static void test_pg_risks_casts_that_cannot_lose(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
        bool can_lose;
    } cases[] = {
        {"integer", "bigint", false},
        {"smallint", "numeric", false},
        {"bigint", "integer", true},
        {"integer", "real", true},
        {"real", "double precision", false},
        {"numeric(10,2)", "numeric(12,2)", false},
        {"numeric(10,2)", "numeric(12,4)", false},
        {"numeric(10,2)", "numeric(11,4)", true},
        {"numeric(10,2)", "numeric", false},
        {"numeric", "numeric(10,2)", true},
        {"character varying(10)", "character varying(20)", false},
        {"character varying(20)", "character varying(10)", true},
        {"character varying(20)", "text", false},
        {"character varying", "text", false},
        {"text", "character varying(20)", true},
        {"character(20)", "text", true},
        {"date", "timestamp without time zone", false},
        {"timestamp without time zone", "date", true},
        {"json", "jsonb", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (rh_engine_postgres.cast_can_lose(cases[i].before, cases[i].after, false) !=
            cases[i].can_lose)
            fail_msg("%s to %s", cases[i].before, cases[i].after);
        assert_true(rh_engine_postgres.cast_can_lose(cases[i].before, cases[i].after, true));
    }
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* The values are made here, so that it is known without the server which of them a cast changes. */
static void test_pg_risks_casts_count_what_a_count_row_by_row_says(void **state)
{
    (void)state;
    uint64_t seed = 20261120;
    for (int round = 0; round < 12; round++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        int64_t rounded = 0, cut = 0, values = 0, near = 0;
        int longest = 5 + (int)(next_random(&seed) % 20);
        RH_CLEANUP_BUF struct buf numbers, texts;
        rh_buf_init(&numbers, 1024 * 1024);
        rh_buf_init(&texts, 1024 * 1024);
        rh_buf_add_str(&numbers, "INSERT INTO t (v) VALUES (NULL)");
        rh_buf_add_str(&texts, "INSERT INTO t (v) VALUES (NULL)");
        for (int i = 0; i < 300; i++) {
            int64_t ten_thousandths = (int64_t)(next_random(&seed) % 100000) *
                                      (next_random(&seed) % 2 ? 100 : 1);
            int len = 1 + (int)(next_random(&seed) % 30);
            values++;
            rounded += ten_thousandths % 100 != 0;
            cut += len > longest;
            near += (len < longest ? len : longest) * 100 >= longest * RISK_NEAR_PERCENT;
            rh_buf_printf(&numbers, ", (%lld / 10000.0)", (long long)ten_thousandths);
            rh_buf_printf(&texts, ", (repeat('x', %d))", len);
        }
        test_run(session, "DROP TABLE IF EXISTS t; CREATE TABLE t (v numeric(12,4))");
        test_run(session, numbers.data);
        struct cast_risk cast = ask_cast(arena, "numeric(12,4)", "numeric(10,2)", NULL, LARGE);
        assert_null(cast.not_asked);
        assert_int_equal(cast.values, values);
        assert_int_equal(cast.changed, rounded);
        assert_int_equal(cast.sample_percent, 100);
        test_run(session, "DROP TABLE t; CREATE TABLE t (v text)");
        test_run(session, texts.data);
        cast = ask_cast(arena, "text", rh_arena_printf(arena, "character varying(%d)", longest),
                        rh_arena_printf(arena, "left(v, %d)", longest), LARGE);
        assert_int_equal(cast.changed, cut);
        assert_int_equal(cast.near, near);
        assert_int_equal(cast.test, CAST_ROUND_TRIP);
    }
}

static void test_pg_risks_casts_of_large_tables_are_sampled(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE t (v numeric(12,4)); INSERT INTO t SELECT n + 0.5001 FROM "
                      "generate_series(1, 20000) AS n");
    int64_t bytes = test_int(session, "SELECT pg_relation_size('t')");
    struct cast_risk cast = ask_cast(arena, "numeric(12,4)", "numeric(10,2)", NULL, bytes / 4);
    assert_int_equal(cast.sample_percent, 25);
    assert_true(cast.values > 1000 && cast.values < 12000);
    assert_int_equal(cast.changed, cast.values);
}

static void test_pg_risks_casts_without_an_answer_say_why(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE t (v text); INSERT INTO t VALUES ('one'), ('2')");
    struct cast_risk cast = ask_cast(arena, "text", "integer", "v::integer", LARGE);
    assert_non_null(strstr(cast.not_asked, "22P02"));
    assert_int_equal(cast.values, NOT_OBSERVED);
    assert_null(strstr(cast.not_asked, "one")); /* no values in what is said */
    cast = ask_cast(arena, "text", "public.mood", NULL, LARGE);
    assert_non_null(strstr(cast.not_asked, "was not there"));
}

static struct risks compare(struct arena *arena, const struct risk_marks *before)
{
    struct risks risks = {0};
    struct connection *connection = test_connect(&server, "risks");
    ASSERT_OK(rh_engine_postgres.compare_risk_marks(connection, before, arena, in_seconds(30),
                                                    &risks, err));
    rh_engine_postgres.close(connection);
    return risks;
}

static struct risk_marks mark(struct arena *arena)
{
    struct risk_marks marks = {0};
    struct connection *connection = test_connect(&server, "risks");
    ASSERT_OK(rh_engine_postgres.read_risk_marks(connection, arena, in_seconds(30), &marks, err));
    rh_engine_postgres.close(connection);
    return marks;
}

static void test_pg_risks_marks_tell_rows_and_statistics(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE a (id int PRIMARY KEY, \"B\" varchar(5), c int); INSERT INTO a "
                      "SELECT n, n % 5, n % 3 FROM generate_series(1, 100) AS n; CREATE STATISTICS "
                      "both_of ON \"B\", c FROM a; ANALYZE a");
    rh_engine_postgres.close(session);
    (void)compare(arena, &(struct risk_marks){0}); /* its counters are told by then */
    struct risk_marks before = mark(arena);
    assert_int_equal(before.statistics.count, 4);
    session = test_connect(&server, "psql");
    test_run(session, "UPDATE a SET c = 1 WHERE id <= 30; DELETE FROM a WHERE id > 90");
    test_run(session, "ALTER TABLE a ALTER \"B\" TYPE varchar(6); ALTER TABLE a DROP COLUMN c");
    rh_engine_postgres.close(session);
    struct risks risks = compare(arena, &before);
    assert_true(risks.has_activity);
    assert_int_equal(risks.activity.count, 1);
    assert_string_equal(risks.activity.items[0].table, "public.a");
    assert_int_equal(risks.activity.items[0].updated, 30);
    assert_int_equal(risks.activity.items[0].deleted, 10);
    /* A column that is gone needs none. */
    assert_int_equal(risks.statistics.count, 1);
    assert_string_equal(risks.statistics.items[0].name, "\"B\"");
    assert_int_equal(risks.statistics.items[0].rows, 100);
    session = test_connect(&server, "psql");
}

/* Whoever is still connected may have rows that it has not told of. */
static void test_pg_risks_activity_is_not_observed_while_others_are_there(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct risk_marks before = mark(arena);
    assert_false(compare(arena, &before).has_activity);
}

static void test_pg_risks_questions_leave_nothing_behind(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE t (id int, v int); CREATE INDEX i ON t (v); INSERT INTO t "
                      "VALUES (1, 1), (2, 1)");
    struct skipped_risk steps[] = {
        {.skip = SKIPPED_EXISTS,
         .kind = "index",
         .name = "i",
         .relation = "t",
         .before_relation = "CREATE INDEX ON",
         .after_relation = "(v, id)"},
        {.skip = SKIPPED_EXISTS,
         .kind = "table",
         .name = "t",
         .relation = "t",
         .before_relation = "CREATE TABLE",
         .after_relation = "(id int, v nonsense)"},
        {.skip = SKIPPED_SWALLOWED, .sql = "CREATE UNIQUE INDEX j ON t (v)"},
        {.skip = SKIPPED_SWALLOWED, .sql = "DROP TABLE t"},
    };
    struct connection *connection = test_connect(&server, "risks");
    ASSERT_OK(rh_engine_postgres.ask_skipped(connection, "tester", steps, COUNT(steps), arena,
                                             in_seconds(30), err));
    rh_engine_postgres.close(connection);
    assert_int_equal(steps[0].differences.count, 1);
    assert_string_equal(steps[0].differences.items[0],
                        "it is USING btree (v), not USING btree (v, id)");
    assert_string_equal(steps[0].relation, "public.t");
    assert_non_null(strstr(steps[1].not_asked, "42704"));
    assert_string_equal(steps[2].sqlstate, "23505");
    assert_string_equal(steps[3].not_asked, "it does not fail any more");
    assert_int_equal(test_int(session, "SELECT count(*) FROM t"), 2);
    assert_int_equal(test_int(session, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE "
                                       "'rehearse%'"),
                     0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_risks_casts_that_cannot_lose),
        TEST(test_pg_risks_casts_count_what_a_count_row_by_row_says),
        TEST(test_pg_risks_casts_of_large_tables_are_sampled),
        TEST(test_pg_risks_casts_without_an_answer_say_why),
        TEST(test_pg_risks_marks_tell_rows_and_statistics),
        TEST(test_pg_risks_activity_is_not_observed_while_others_are_there),
        TEST(test_pg_risks_questions_leave_nothing_behind),
    };
    return RUN_ON_SERVER(&server, NULL, tests, NULL);
}
