/*
 * An inquiry without a server: which statements have questions, what is asked first, and that no
 * answer, however odd, makes it claim anything. What it finds on servers:
 * tests/e2e/test_questions.py
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/engine.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Far above what any inquiry asks when nothing is found: it ends by itself. */
#define QUESTIONS_MAX 200

static struct server_message failure(const char *sqlstate)
{
    struct server_message message = {.message = "it failed", .table = "t", .column = "a"};
    snprintf(message.sqlstate, sizeof(message.sqlstate), "%s", sqlstate);
    return message;
}

static void test_pg_inquiry_is_made_of_failures_that_rows_may_cause(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *sqlstate;
        bool expected;
    } cases[] = {
        {"CREATE UNIQUE INDEX ON t (a)", "23505", true},
        {"CREATE INDEX ON t ((1 / a))", "22012", true},
        {"ALTER TABLE t ALTER a SET NOT NULL", "23502", true},
        {"ALTER TABLE t ADD EXCLUDE USING gist (a WITH &&)", "23P01", true},
        {"ALTER TABLE t ALTER a TYPE int USING f(a)", "P0001", true},
        {"ALTER DOMAIN d SET NOT NULL", "23502", true},
        {"UPDATE t SET a = 1", "23505", true},
        {"REFRESH MATERIALIZED VIEW CONCURRENTLY v", "21000", true},
        {"UPDATE t SET a = 1 / b", "22012", false},
        {"CREATE UNIQUE INDEX ON t (nosuch)", "42703", false},
        {"CREATE UNIQUE INDEX ON t (a)", "55P03", false},
        {"CREATE UNIQUE INDEX ON t (a)", "57014", false},
        {"ALTER TABLE t ADD CHECK (a > 0); SELECT 1", "23514", false},
        {"DO $$ BEGIN RAISE unique_violation; END $$", "23505", false},
        {"SELECT f()", "23505", false},
        {"COMMIT", "23505", false},
        {"INSERT INTO t VALUES ($1)", "23505", false},
        {"", "23505", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct server_message message = failure(cases[i].sqlstate);
        bool made = rh_engine_postgres.inquiry_new(cases[i].sql, &message, false, arena) != NULL;
        if (made != cases[i].expected)
            fail_msg("%s, %s: %d", cases[i].sql, cases[i].sqlstate, made);
    }
}

/* What the server says of where it came from; the outermost that looks at rows is asked about. */
static void test_pg_inquiry_looks_inside_of_blocks(void **state)
{
    (void)state;
    static const struct {
        const char *context, *inside; /* NULL: nothing is asked */
    } cases[] = {
        {"SQL statement \"ALTER TABLE t\n  ADD CHECK (a <> '\"x\"')\"\nPL/pgSQL function "
         "inline_code_block line 3 at SQL statement",
         "ALTER TABLE t\n  ADD CHECK (a <> '\"x\"')"},
        {"PL/pgSQL function f(text) line 1 at RAISE\nSQL statement \"ALTER TABLE t ALTER a TYPE "
         "int USING f(a)\"\nPL/pgSQL function g() line 1 at EXECUTE\nSQL statement \"SELECT "
         "g()\"\nPL/pgSQL function inline_code_block line 1 at PERFORM",
         "ALTER TABLE t ALTER a TYPE int USING f(a)"},
        {"SQL statement \"INSERT INTO log VALUES (1)\"\nPL/pgSQL function tr() line 1 at SQL "
         "statement\nSQL statement \"UPDATE t SET a = 1\"\nPL/pgSQL function f() line 1 at SQL "
         "statement",
         "UPDATE t SET a = 1"},
        {"SQL statement \"CREATE UNIQUE INDEX ON t (a)\"", "CREATE UNIQUE INDEX ON t (a)"},
        {"SQL statement \"UPDATE t SET a = $1\"\nPL/pgSQL function f() line 1 at EXECUTE", NULL},
        {"SQL statement \"SELECT 1\"\nPL/pgSQL function f() line 1 at PERFORM", NULL},
        {"SQL statement \"", NULL},
        {"SQL statement \"ALTER TABLE t ADD UNIQUE (a)", NULL},
        {"it is no SQL statement \"ALTER TABLE t ADD UNIQUE (a)\"", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct server_message message = failure("23505");
        struct blocker blocker = {0};
        message.context = cases[i].context;
        struct inquiry *inquiry = rh_engine_postgres.inquiry_new("SELECT g()", &message, false,
                                                                 arena);
        assert_int_equal(inquiry != NULL, cases[i].inside != NULL);
        if (!inquiry)
            continue;
        rh_engine_postgres.inquiry_result(inquiry, &blocker);
        assert_string_equal(blocker.inside, cases[i].inside);
    }
}

static void test_pg_inquiry_asks_about_the_key_that_a_commit_breaks(void **state)
{
    (void)state;
    static const char *const ends[] = {"COMMIT", "end;", "SET CONSTRAINTS ALL IMMEDIATE"};
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct server_message message = failure("23505");
    message.schema = "public";
    for (size_t i = 0; i < COUNT(ends); i++) {
        message.constraint = NULL;
        assert_null(rh_engine_postgres.inquiry_new(ends[i], &message, false, arena));
        message.constraint = "t_key";
        assert_non_null(rh_engine_postgres.inquiry_new(ends[i], &message, false, arena));
    }
    assert_null(rh_engine_postgres.inquiry_new("SET x = 1", &message, false, arena));
}

static const char *const statements[] = {
    "CREATE UNIQUE INDEX i ON t (a)",
    "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a), ALTER a SET NOT NULL, ALTER b TYPE int USING "
    "b::int",
    "ALTER TABLE t ADD CONSTRAINT c PRIMARY KEY USING INDEX i, VALIDATE CONSTRAINT d",
    "ALTER TABLE t ATTACH PARTITION p FOR VALUES FROM (1) TO (2)",
    "ALTER TABLE t ATTACH PARTITION p DEFAULT",
    "CREATE TABLE p PARTITION OF t FOR VALUES IN (1)",
    "ALTER DOMAIN d ADD CHECK (VALUE > 0)",
    "ALTER DOMAIN d VALIDATE CONSTRAINT c",
    "INSERT INTO t SELECT 1",
    "UPDATE t SET a = 1",
    "REFRESH MATERIALIZED VIEW t",
};

/* Plays an inquiry whose questions from `first_odd` on are answered by `odd`; the first is always
   told version 15. Returns the number of questions. */
static size_t play(const char *sql, const struct inquiry_answer *odd, struct blocker *blocker,
                   struct arena *arena)
{
    static const char *const settings[] = {"15"};
    struct server_message message = failure("23505");
    struct inquiry *inquiry = rh_engine_postgres.inquiry_new(sql, &message, false, arena);
    struct inquiry_answer first = {.rows = 1, .columns = 1, .values = settings};
    const struct inquiry_answer *answer = NULL;
    size_t asked = 0;
    assert_non_null(inquiry);
    while (rh_engine_postgres.inquiry_next(inquiry, answer) && asked < QUESTIONS_MAX)
        answer = asked++ == 0 ? &first : odd;
    assert_null(rh_engine_postgres.inquiry_next(inquiry, NULL));
    *blocker = (struct blocker){0};
    rh_engine_postgres.inquiry_result(inquiry, blocker);
    return asked;
}

static void assert_no_claim(const char *sql, const struct blocker *blocker)
{
    if (blocker->offenders.count || blocker->repair_tried || blocker->repair_worked ||
        !blocker->not_asked)
        fail_msg("%s: %zu offenders, %s", sql, blocker->offenders.count,
                 blocker->not_asked ? blocker->not_asked : "(none)");
}

static void test_pg_inquiry_ends_when_every_question_fails(void **state)
{
    (void)state;
    struct server_message error = {.sqlstate = "42501", .message = "permission denied"};
    struct inquiry_answer refused = {.error = &error};
    for (size_t i = 0; i < COUNT(statements); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct blocker blocker;
        size_t asked = play(statements[i], &refused, &blocker, arena);
        assert_in_range(asked, 2, QUESTIONS_MAX - 1);
        assert_no_claim(statements[i], &blocker);
        assert_string_equal(blocker.not_asked, "the catalogue: permission denied (42501)");
    }
}

static void test_pg_inquiry_ends_when_nothing_is_there(void **state)
{
    (void)state;
    struct inquiry_answer nothing = {.rows = 0, .columns = 1};
    for (size_t i = 0; i < COUNT(statements); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct blocker blocker;
        play(statements[i], &nothing, &blocker, arena);
        assert_no_claim(statements[i], &blocker);
    }
}

/* A server of another mind: what it says has not the form that was asked for. */
static void test_pg_inquiry_survives_answers_of_another_form(void **state)
{
    (void)state;
    static const char *const odd_values[] = {NULL, "", "x", "-1", "{", "[", "[null]", "t", "{}"};
    const char *values[40 * 3];
    for (size_t i = 0; i < COUNT(statements); i++) {
        for (size_t round = 0; round < 40 * 3 * COUNT(odd_values); round++) {
            RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
            struct blocker blocker;
            size_t columns = 1 + round % 40, rows = 1 + round % 3;
            for (size_t v = 0; v < columns * rows; v++)
                values[v] = odd_values[(v + i + round) % COUNT(odd_values)];
            struct inquiry_answer odd = {.rows = rows, .columns = columns, .values = values};
            play(statements[i], &odd, &blocker, arena);
            assert_no_claim(statements[i], &blocker);
        }
    }
}

static void test_pg_inquiry_stopped_early_claims_nothing(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct server_message message = failure("23505");
    struct inquiry *inquiry = rh_engine_postgres.inquiry_new(statements[0], &message, false, arena);
    struct blocker blocker = {0};
    assert_non_null(strstr(rh_engine_postgres.inquiry_next(inquiry, NULL), "statement_timeout"));
    rh_engine_postgres.inquiry_result(inquiry, &blocker);
    assert_no_claim(statements[0], &blocker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_inquiry_is_made_of_failures_that_rows_may_cause),
        cmocka_unit_test(test_pg_inquiry_looks_inside_of_blocks),
        cmocka_unit_test(test_pg_inquiry_asks_about_the_key_that_a_commit_breaks),
        cmocka_unit_test(test_pg_inquiry_ends_when_every_question_fails),
        cmocka_unit_test(test_pg_inquiry_ends_when_nothing_is_there),
        cmocka_unit_test(test_pg_inquiry_survives_answers_of_another_form),
        cmocka_unit_test(test_pg_inquiry_stopped_early_claims_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
