/* Times of a sample, judged by what they would be on production's rows. */
#include "judge_unit.h"

static struct scaled_duration *scale(struct story *story, struct statement *statement, int64_t us,
                                     int64_t low_us, int64_t high_us)
{
    struct scaled_duration *scaled = RH_NEW(story->arena, struct scaled_duration);
    *scaled = (struct scaled_duration){.shape = "linear",
                                       .duration_us = us,
                                       .low_us = low_us,
                                       .high_us = high_us,
                                       .rows = 1000,
                                       .production_rows = 1000000};
    statement->in_production = scaled;
    story->result.scaling.was_tried = true;
    return scaled;
}

static const struct gate *gate(struct story *story, const char *name)
{
    story_judge(story);
    for (size_t i = 0; i < story->result.gates.count; i++)
        if (strcmp(story->result.gates.items[i].name, name) == 0)
            return &story->result.gates.items[i];
    fail_msg("no gate \"%s\"", name);
    return NULL;
}

static struct statement *rewrite(struct story *story, int64_t us)
{
    struct statement *statement = story_run(story, "ALTER TABLE", us);
    story_lock(story, statement, "public.events", "AccessExclusiveLock");
    story_rewrite(story, statement, "public.events", "table", "column type");
    return statement;
}

static void test_what_is_short_here_and_long_in_production_is_unsafe(void **state)
{
    struct story *story = *state;
    scale(story, rewrite(story, 20 * MS), 20 * S, 17 * S, 24 * S);
    const struct finding *finding = story_expect(story, "table-rewrite", SEVERITY_ERROR);
    assert_contains(finding->title, "20 s in production (17 s to 24 s; 20 ms here)");
    assert_true(evidence_number(finding, "blocked_here_ms") == 20);
    assert_true(evidence_number(finding, "blocked_low_ms") == 17000);
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
}

static void test_a_limit_within_the_range_is_inconclusive(void **state)
{
    struct story *story = *state;
    scale(story, rewrite(story, 20 * MS), 2 * S, 1 * S, 4 * S);
    const struct gate *blocked = gate(story, "blocked");
    assert_false(blocked->observed);
    assert_contains(blocked->reason, "public.events would be blocked for 1 s to 4 s in production");
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
    assert_contains(story->result.headline, "1 s to 4 s");
}

static void test_a_range_below_the_limit_is_safe(void **state)
{
    struct story *story = *state;
    scale(story, rewrite(story, 2 * MS), 400 * MS, 300 * MS, 900 * MS);
    assert_true(gate(story, "blocked")->ok);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
}

static void test_what_could_not_be_scaled_is_inconclusive_and_says_why(void **state)
{
    struct story *story = *state;
    scale(story, rewrite(story, 2 * MS), 0, 0, 0)->refusal = "the durations grow in no regular way";
    assert_contains(gate(story, "blocked")->reason, "grow in no regular way");
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
}

static void test_what_was_not_scaled_at_all_is_inconclusive(void **state)
{
    struct story *story = *state;
    rewrite(story, 2 * MS);
    story->result.scaling.was_tried = true;
    story->result.scaling.reason = "there was no room for another clone";
    assert_contains(gate(story, "blocked")->reason, "no room for another clone");
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
}

static void test_over_the_limit_here_needs_no_scaling(void **state)
{
    struct story *story = *state;
    scale(story, rewrite(story, 3 * S), 0, 0, 0)->refusal = "the durations grow in no regular way";
    story_expect(story, "table-rewrite", SEVERITY_ERROR);
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
}

static void test_a_lock_held_over_other_statements_is_scaled_with_them(void **state)
{
    struct story *story = *state;
    story_begin(story);
    struct statement *first = story_run(story, "ALTER TABLE", 1 * MS);
    story_lock(story, first, "public.users", "AccessExclusiveLock");
    scale(story, first, 1 * MS, 1 * MS, 1 * MS);
    scale(story, story_run(story, "UPDATE", 30 * MS), 60 * S, 50 * S, 70 * S);
    story_commit(story);
    const struct finding *finding = story_expect(story, "blocks-reads", SEVERITY_ERROR);
    assert_contains(finding->title, "in production");
    assert_true(evidence_number(finding, "blocked_low_ms") > 49000);
    assert_true(evidence_number(finding, "blocked_high_ms") < 71000);
}

static void test_the_duration_gate_is_of_production(void **state)
{
    struct story *story = *state;
    struct scaled_duration *scaled = scale(story, story_run(story, "UPDATE", 30 * MS), 60 * S,
                                           50 * S, 70 * S);
    story->trace.duration_us = 31 * MS;
    story->result.limits.duration_us = 45 * S;
    assert_true(gate(story, "duration")->observed);
    assert_false(gate(story, "duration")->ok);
    assert_contains(gate(story, "duration")->measured, "in production");
    story->result.limits.duration_us = 60 * S;
    assert_false(gate(story, "duration")->observed);
    assert_contains(gate(story, "duration")->reason, "50 s to 1m10s");
    story->result.limits.duration_us = 90 * S;
    assert_true(gate(story, "duration")->ok);
    scaled->refusal = "nobody knows";
    assert_false(gate(story, "duration")->observed);
    assert_string_equal(gate(story, "duration")->reason, "nobody knows");
}

static void test_bytes_of_a_sample_pass_no_gate(void **state)
{
    struct story *story = *state;
    struct statement *statement = rewrite(story, 1 * MS);
    scale(story, statement, 1 * MS, 1 * MS, 1 * MS);
    story->trace.wal_bytes = 1000;
    story->result.limits.wal_bytes = 100000;
    assert_false(gate(story, "wal")->observed);
    assert_contains(gate(story, "wal")->reason, "not scaled");
    story->result.limits.wal_bytes = 10;
    assert_true(gate(story, "wal")->observed);
    assert_false(gate(story, "wal")->ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_what_is_short_here_and_long_in_production_is_unsafe),
        STORY_TEST(test_a_limit_within_the_range_is_inconclusive),
        STORY_TEST(test_a_range_below_the_limit_is_safe),
        STORY_TEST(test_what_could_not_be_scaled_is_inconclusive_and_says_why),
        STORY_TEST(test_what_was_not_scaled_at_all_is_inconclusive),
        STORY_TEST(test_over_the_limit_here_needs_no_scaling),
        STORY_TEST(test_a_lock_held_over_other_statements_is_scaled_with_them),
        STORY_TEST(test_the_duration_gate_is_of_production),
        STORY_TEST(test_bytes_of_a_sample_pass_no_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
