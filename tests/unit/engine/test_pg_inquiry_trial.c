/*
 * The trial of repairs: what is sent when, and what each answer means. On servers:
 * tests/e2e/test_questions.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/postgres/pg_inquiry_int.h"

#include <stdio.h>
#include <string.h>

#define STEPS_MAX 50

struct stage {
    struct arena *arena;
    struct inquiry inquiry;
    struct pg_subject subject;
    struct pg_question question;
    const char *refused[4]; /* texts that begin what the server refuses; NULL: no more */
    const char *found;      /* a text that begins what gives a row; NULL: none does */
    char log[1000];         /* what was sent, without what is set and put away */
};

static int set_up(void **state)
{
    struct arena *arena = rh_arena_new();
    struct stage *stage = RH_NEW(arena, struct stage);
    stage->arena = stage->inquiry.arena = arena;
    stage->inquiry.trial = "ALTER TABLE t";
    stage->inquiry.statement.kind = VALIDATION_ALTER_TABLE;
    stage->inquiry.phase = PG_PHASE_REPAIRING;
    stage->question = (struct pg_question){.form = PG_FORM_PREDICATE,
                                           .offence = OFFENCE_NULL_VALUES,
                                           .subject = &stage->subject,
                                           .from = "t",
                                           .where = "v IS NULL"};
    *RH_PUSH(arena, &stage->question.found) = (struct offenders){.rows = 5};
    *RH_PUSH(arena, &stage->inquiry.questions) = &stage->question;
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    rh_arena_free(((struct stage *)*state)->arena);
    return 0;
}

static void add_repair(struct stage *stage, const struct pg_repair *repair)
{
    *RH_PUSH(stage->arena, &stage->question.repairs) = *repair;
}

static bool begins(const char *sql, const char *with)
{
    return with && strncmp(sql, with, strlen(with)) == 0;
}

static bool is_refused(const struct stage *stage, const char *sql)
{
    for (size_t i = 0; i < sizeof(stage->refused) / sizeof(stage->refused[0]); i++)
        if (begins(sql, stage->refused[i]))
            return true;
    return false;
}

static void answer(struct stage *stage, const struct pg_ask *ask)
{
    static const char *const values[] = {"1"};
    struct server_message error = {.sqlstate = "23503", .message = "refused"};
    struct inquiry_answer answer = {.columns = 1, .values = values};
    size_t len = strlen(stage->log);
    snprintf(stage->log + len, sizeof(stage->log) - len, "%s|", ask->sql);
    answer.rows = begins(ask->sql, stage->found);
    if (is_refused(stage, ask->sql))
        answer.error = &error;
    ask->take(&stage->inquiry, ask->data, &answer);
}

/* One round, to its end. */
static void play(struct stage *stage)
{
    struct inquiry *inquiry = &stage->inquiry;
    stage->log[0] = '\0';
    for (int step = 0; inquiry->phase != PG_PHASE_DONE; step++) {
        assert_in_range(step, 0, STEPS_MAX);
        while (inquiry->next < inquiry->asks.count) {
            struct pg_ask ask = inquiry->asks.items[inquiry->next++];
            if (ask.take)
                answer(stage, &ask);
        }
        if (inquiry->phase == PG_PHASE_TRYING)
            inquiry->phase = PG_PHASE_DONE;
        else
            rh_pg_trial_go_on(inquiry);
    }
}

static void test_pg_inquiry_trial_takes_the_first_repair_that_works(void **state)
{
    struct stage *stage = *state;
    add_repair(stage, &(struct pg_repair){.sql = "ONE"});
    add_repair(stage, &(struct pg_repair){.sql = "TWO", .unless = "SELECT taken"});
    add_repair(stage, &(struct pg_repair){.sql = "THREE", .unless = "SELECT free"});
    stage->refused[0] = "ONE";
    stage->found = "SELECT taken";
    play(stage);
    assert_string_equal(stage->log, "ONE|SELECT taken|SELECT free|THREE|ALTER TABLE t|");
    assert_string_equal(stage->question.chosen[PG_ROUND_GENTLEST]->sql, "THREE");
    assert_true(stage->inquiry.outcomes[PG_ROUND_GENTLEST].worked);
    assert_null(stage->inquiry.outcomes[PG_ROUND_GENTLEST].error);
    assert_false(rh_pg_trial_again(&stage->inquiry));
}

/* What it leaves over is the next one's, and a question that cannot be asked is no yes. */
static void test_pg_inquiry_trial_looks_for_what_is_left(void **state)
{
    struct stage *stage = *state;
    add_repair(stage, &(struct pg_repair){.sql = "ONE"});
    add_repair(stage, &(struct pg_repair){.sql = "TWO", .unless = "SELECT fails"});
    add_repair(stage, &(struct pg_repair){.sql = "THREE"});
    stage->refused[0] = "SELECT fails";
    stage->found = "SELECT 1 FROM t WHERE v IS NULL";
    play(stage);
    assert_string_equal(stage->log, "ONE|SELECT 1 FROM t WHERE v IS NULL LIMIT 1|SELECT "
                                    "fails|THREE|ALTER TABLE t|");
}

static void test_pg_inquiry_trial_settles_what_waits_behind_the_repair(void **state)
{
    struct stage *stage = *state;
    stage->subject.may_defer = true;
    add_repair(stage, &(struct pg_repair){.sql = "ONE"});
    play(stage);
    assert_string_equal(stage->log, "ONE;\nSET CONSTRAINTS ALL IMMEDIATE|ALTER TABLE t|");
    assert_string_equal(stage->question.chosen[PG_ROUND_GENTLEST]->sql, "ONE");
}

static void test_pg_inquiry_trial_fails_a_repair_that_breaks_what_waits(void **state)
{
    struct stage *stage = *state;
    stage->subject.may_defer = true;
    add_repair(stage, &(struct pg_repair){.sql = "ONE"});
    stage->refused[0] = "ONE;\nSET CONSTRAINTS";
    play(stage);
    assert_null(stage->question.chosen[PG_ROUND_GENTLEST]);
    assert_true(stage->inquiry.outcomes[PG_ROUND_GENTLEST].tried);
    assert_false(stage->inquiry.outcomes[PG_ROUND_GENTLEST].worked);
    assert_string_equal(stage->inquiry.outcomes[PG_ROUND_GENTLEST].error, "refused (23503)");
}

/* It was broken before the repair: nothing can be said of that by settling. */
static void test_pg_inquiry_trial_settles_nothing_that_was_broken_before(void **state)
{
    struct stage *stage = *state;
    stage->subject.may_defer = true;
    add_repair(stage, &(struct pg_repair){.sql = "ONE"});
    assert_true(rh_pg_trial_settles(&stage->inquiry, &stage->question));
    rh_pg_trial_begin(&stage->inquiry);
    stage->refused[0] = "DO $rehearse$ BEGIN SET CONSTRAINTS ALL IMMEDIATE";
    play(stage);
    assert_true(begins(stage->log, stage->refused[0]));
    assert_non_null(strstr(stage->log, "|ONE|ALTER TABLE t|"));
    assert_false(rh_pg_trial_settles(&stage->inquiry, &stage->question));
}

/* A statement that changes rows may count on what waits, and the settling itself comes anyway. */
static void test_pg_inquiry_trial_leaves_waiting_what_the_statement_needs(void **state)
{
    struct stage *stage = *state;
    stage->subject.may_defer = true;
    stage->inquiry.statement.kind = VALIDATION_UPDATE;
    stage->inquiry.trial = "UPDATE t";
    add_repair(stage, &(struct pg_repair){.sql = "ONE"});
    play(stage);
    assert_true(begins(stage->log, "ONE;\nDO $rehearse$ BEGIN SET CONSTRAINTS ALL IMMEDIATE; RAISE "
                                   "EXCEPTION"));
    stage->question.repaired = false;
    stage->inquiry.statement.kind = VALIDATION_ALTER_TABLE;
    stage->inquiry.trial = "SET CONSTRAINTS ALL IMMEDIATE";
    stage->inquiry.phase = PG_PHASE_REPAIRING;
    play(stage);
    assert_string_equal(stage->log, "ONE|SET CONSTRAINTS ALL IMMEDIATE|");
}

static void add_filling(struct stage *stage)
{
    add_repair(stage, &(struct pg_repair){.sql = "ONE", .fills = "v"});
    *RH_PUSH(stage->arena, &stage->question.own_values) = (struct pg_repair){.sql = "OWN",
                                                                             .per_row = true};
}

static void test_pg_inquiry_trial_tries_values_of_their_own_in_a_second_round(void **state)
{
    struct stage *stage = *state;
    add_filling(stage);
    play(stage);
    assert_string_equal(stage->log, "ONE|ALTER TABLE t|");
    assert_true(rh_pg_trial_again(&stage->inquiry));
    play(stage);
    assert_string_equal(stage->log, "OWN|ALTER TABLE t|");
    assert_string_equal(stage->question.chosen[PG_ROUND_GENTLEST]->sql, "ONE");
    assert_string_equal(stage->question.chosen[PG_ROUND_OWN_VALUES]->sql, "OWN");
    assert_true(stage->inquiry.outcomes[PG_ROUND_OWN_VALUES].worked);
    assert_false(rh_pg_trial_again(&stage->inquiry));
}

/* Then the first round's is what is known. */
static void test_pg_inquiry_trial_of_a_second_round_may_fail(void **state)
{
    struct stage *stage = *state;
    add_filling(stage);
    play(stage);
    assert_true(rh_pg_trial_again(&stage->inquiry));
    stage->refused[0] = "ALTER TABLE t";
    play(stage);
    assert_false(stage->inquiry.outcomes[PG_ROUND_OWN_VALUES].worked);
    assert_true(stage->inquiry.outcomes[PG_ROUND_GENTLEST].worked);
    assert_false(rh_pg_trial_again(&stage->inquiry));
}

static void test_pg_inquiry_trial_has_no_second_round_without_a_reason(void **state)
{
    struct stage *stage = *state;
    add_filling(stage);
    stage->refused[0] = "ALTER TABLE t";
    play(stage);
    assert_false(rh_pg_trial_again(&stage->inquiry));
    stage->question.own_values.count = 0;
    stage->inquiry.outcomes[PG_ROUND_GENTLEST].worked = true;
    assert_false(rh_pg_trial_again(&stage->inquiry));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pg_inquiry_trial_takes_the_first_repair_that_works),
        TEST(test_pg_inquiry_trial_looks_for_what_is_left),
        TEST(test_pg_inquiry_trial_settles_what_waits_behind_the_repair),
        TEST(test_pg_inquiry_trial_fails_a_repair_that_breaks_what_waits),
        TEST(test_pg_inquiry_trial_settles_nothing_that_was_broken_before),
        TEST(test_pg_inquiry_trial_leaves_waiting_what_the_statement_needs),
        TEST(test_pg_inquiry_trial_tries_values_of_their_own_in_a_second_round),
        TEST(test_pg_inquiry_trial_of_a_second_round_may_fail),
        TEST(test_pg_inquiry_trial_has_no_second_round_without_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
