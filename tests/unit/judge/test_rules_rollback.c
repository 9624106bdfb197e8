/* rollback-left-changes, and what a dry run can tell of drops. */
#include "judge_unit.h"

static void dry_run(struct story *story, enum rollback_proof proof)
{
    story->trace.outside_only = true;
    story->result.rollback = (struct rollback_facts){.is_dry_run = true, .proof = proof};
    if (proof == ROLLBACK_DIFFERS)
        *RH_PUSH(story->arena, &story->result.rollback.differences) = "public.users: 1 more row";
}

static void test_rules_rollback_that_left_changes_is_an_error(void **state)
{
    struct story *story = *state;
    story_run(story, "SELECT", 1 * MS);
    dry_run(story, ROLLBACK_DIFFERS);
    assert_contains(story_expect(story, "rollback-left-changes", SEVERITY_ERROR)->title,
                    "public.users: 1 more row");
}

static void test_rules_rollback_blames_nobody_among_others(void **state)
{
    struct story *story = *state;
    story_run(story, "SELECT", 1 * MS);
    dry_run(story, ROLLBACK_DIFFERS);
    story->result.rollback.other_sessions = 1;
    story_expect_none(story, "rollback-left-changes");
    dry_run(story, ROLLBACK_PROVEN);
    story_expect_none(story, "rollback-left-changes");
    dry_run(story, ROLLBACK_NOT_PROVEN);
    story_expect_none(story, "rollback-left-changes");
}

static void test_rules_rollback_tells_drops_from_differences(void **state)
{
    struct story *story = *state;
    dry_run(story, ROLLBACK_PROVEN);
    struct statement *statement = story_run(story, "DROP TABLE", 1 * MS);
    statement->sql = "DROP TABLE orders";
    statement->sql_bytes = 17;
    story->result.schema_differences.was_compared = true;
    *RH_PUSH(story->arena, &story->result.schema_differences.list) = (struct schema_difference){
        .change = DIFFERENCE_REMOVED,
        .kind = "table",
        .identity = "public.orders",
        .sentence = "table public.orders is gone"};
    *RH_PUSH(story->arena, &story->result.data_differences.list) = (struct data_difference){
        .subject = DATA_TABLE,
        .change = DIFFERENCE_REMOVED,
        .table = "public.orders",
        .rows_before = 3000,
        .rows_after = -1,
        .sentence = "public.orders is gone"};
    const struct finding *finding = story_expect(story, "destructive", SEVERITY_WARNING);
    assert_contains(finding->title, "3,000 rows");
    assert_int_equal(finding->statement, 1);
}

/* Nothing inside the server told what made what: that no statement was seen to do it means nothing.
 */
static void test_rules_rollback_does_not_call_the_unseen_unnamed(void **state)
{
    struct story *story = *state;
    dry_run(story, ROLLBACK_PROVEN);
    story_run(story, "CREATE TABLE", 1 * MS);
    story->result.schema_differences.was_compared = true;
    *RH_PUSH(story->arena, &story->result.schema_differences.list) = (struct schema_difference){
        .change = DIFFERENCE_ADDED,
        .kind = "sequence",
        .identity = "public.t_id_seq",
        .sentence = "sequence public.t_id_seq added"};
    story_expect_none(story, "unnamed-side-effect");
    story->trace.outside_only = false;
    story_expect(story, "unnamed-side-effect", SEVERITY_WARNING);
}

/* Locks that an earlier statement of the transaction holds already: bounded by its own duration. */
static void test_rules_rollback_bounds_what_it_cannot_see(void **state)
{
    struct story *story = *state;
    dry_run(story, ROLLBACK_PROVEN);
    struct statement *statement = story_run(story, "ALTER TABLE", 5 * MS);
    statement->observation = OBSERVED_NOT;
    statement->transaction = -1;
    statement->in_transaction = false;
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
    statement->duration_us = 5 * S; /* over the gate: not known */
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_rollback_that_left_changes_is_an_error),
        STORY_TEST(test_rules_rollback_blames_nobody_among_others),
        STORY_TEST(test_rules_rollback_tells_drops_from_differences),
        STORY_TEST(test_rules_rollback_does_not_call_the_unseen_unnamed),
        STORY_TEST(test_rules_rollback_bounds_what_it_cannot_see),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
