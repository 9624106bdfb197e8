/* What was measured against which limit, and what could not be. */
#include "judge_unit.h"

static const struct gate *gate(struct story *story, const char *name)
{
    story_judge(story);
    for (size_t i = 0; i < story->result.gates.count; i++)
        if (strcmp(story->result.gates.items[i].name, name) == 0)
            return &story->result.gates.items[i];
    fail_msg("no gate \"%s\"", name);
    return NULL;
}

static void test_gates_blocked_is_the_longest(void **state)
{
    struct story *story = *state;
    struct statement *first = story_run(story, "ALTER TABLE", 3 * MS);
    story_lock(story, first, "public.a", "AccessExclusiveLock");
    struct statement *second = story_run(story, "ALTER TABLE", 12 * MS);
    story_lock(story, second, "public.b", "AccessExclusiveLock");
    const struct gate *blocked = gate(story, "blocked");
    assert_string_equal(blocked->limit, "2s");
    assert_string_equal(blocked->measured, "12 ms");
    assert_true(blocked->ok);
    assert_true(blocked->observed);
}

static void test_gates_say_limits_as_users_write_them(void **state)
{
    static const struct {
        int64_t us;
        const char *limit;
    } cases[] = {{0, "0s"},           {340, "340us"},        {250 * MS, "250ms"}, {2 * S, "2s"},
                 {1500 * MS, "1.5s"}, {1520 * MS, "1520ms"}, {90 * S, "90s"},     {120 * S, "120s"},
                 {1200 * S, "20m"},   {3600 * S, "1h"},      {3601 * S, "3601s"}};
    struct story *story = *state;
    story_run(story, "SELECT", 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        story->result.limits.duration_us = cases[i].us;
        assert_string_equal(gate(story, "duration")->limit, cases[i].limit);
    }
}

static void test_gates_unset_are_not_there(void **state)
{
    struct story *story = *state;
    story_run(story, "SELECT", 1);
    story->result.limits.blocked_us = LIMIT_UNSET;
    story_judge(story);
    assert_int_equal(story->result.gates.count, 0);
}

static void test_gates_not_measured_are_not_passed(void **state)
{
    struct story *story = *state;
    story_run(story, "SELECT", 1);
    story->result.limits.wal_bytes = 1000;
    story->result.limits.lag_us = 1 * S;
    const struct gate *wal = gate(story, "wal");
    assert_false(wal->observed);
    assert_false(wal->ok);
    assert_null(wal->measured);
    assert_false(gate(story, "lag")->observed);
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
}

static void test_gates_without_statements_are_not_passed(void **state)
{
    struct story *story = *state;
    assert_false(gate(story, "blocked")->observed);
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
    assert_contains(story->result.headline, "no statement was run");
}

static void test_gates_cut_short_count_what_they_saw(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 1 * S);
    story_lock(story, statement, "public.a", "AccessExclusiveLock");
    story->trace.timed_out = true;
    assert_false(gate(story, "blocked")->observed); /* it may have gone on */
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
    statement->duration_us = 30 * S;
    statement->locks.items[0].held_us = 30 * S;
    const struct gate *blocked = gate(story, "blocked");
    assert_true(blocked->observed);
    assert_false(blocked->ok);
    assert_string_equal(blocked->measured, "at least 30 s");
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
}

static void test_gates_blind_spots(void **state)
{
    static const struct {
        const char *tag;
        bool is_blind;
    } cases[] = {{"ALTER TABLE", true},
                 {"CREATE INDEX", true},
                 {"DO", true},
                 {"TRUNCATE TABLE", true},
                 {"VACUUM", true},
                 {"CREATE ROLE", false},
                 {"ALTER DATABASE", false},
                 {"SELECT", false},
                 {"UPDATE", false},
                 {"SET", false},
                 {NULL, false}};
    struct story *story = *state;
    struct statement *statement = story_run(story, "SELECT", 1);
    statement->observation = OBSERVED_NOT;
    statement->in_transaction = true;
    for (size_t i = 0; i < COUNT(cases); i++) {
        statement->tag = cases[i].tag;
        if (gate(story, "blocked")->observed == cases[i].is_blind)
            fail_msg("%s: blind %d", cases[i].tag ? cases[i].tag : "(none)", !cases[i].is_blind);
    }
}

/* Alone, a statement locks no longer than it runs. */
static void test_gates_short_statement_alone_is_bounded(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "VACUUM", 7 * MS);
    statement->observation = OBSERVED_NOT;
    assert_true(gate(story, "blocked")->observed);
    assert_string_equal(gate(story, "blocked")->measured, "7 ms");
    statement->in_transaction = true;
    assert_false(gate(story, "blocked")->observed);
    statement->in_transaction = false;
    statement->duration_us = story->result.limits.blocked_us + 1;
    assert_false(gate(story, "blocked")->observed);
}

static void test_gates_bounded_needs_to_know_what_it_did(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "CREATE INDEX", 1 * MS);
    statement->observation = OBSERVED_NOT;
    assert_false(gate(story, "blocked")->observed); /* it should have been reported */
    RH_PUSH(story->arena, &statement->indexes)->concurrently = true;
    assert_true(gate(story, "blocked")->observed);
    statement->tag = "DO";
    assert_false(gate(story, "blocked")->observed);
    statement->wal_bytes = 0; /* it changed nothing */
    assert_true(gate(story, "blocked")->observed);
    statement->wal_bytes = NOT_OBSERVED;
    assert_false(gate(story, "blocked")->observed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_gates_blocked_is_the_longest),
        STORY_TEST(test_gates_say_limits_as_users_write_them),
        STORY_TEST(test_gates_unset_are_not_there),
        STORY_TEST(test_gates_not_measured_are_not_passed),
        STORY_TEST(test_gates_without_statements_are_not_passed),
        STORY_TEST(test_gates_cut_short_count_what_they_saw),
        STORY_TEST(test_gates_blind_spots),
        STORY_TEST(test_gates_short_statement_alone_is_bounded),
        STORY_TEST(test_gates_bounded_needs_to_know_what_it_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
