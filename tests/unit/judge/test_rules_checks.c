/* check-changed, check-failed. */
#include "judge_unit.h"

static struct check *add(struct story *story, enum check_expect expect, enum check_outcome outcome,
                         const char *reason)
{
    struct check *check = RH_PUSH(story->arena, &story->result.checks.list);
    *check = (struct check){.name = "revenue",
                            .file = "c.sql",
                            .line = 4,
                            .expect = expect,
                            .outcome = outcome,
                            .reason = reason,
                            .before = {.ran = true, .row_count = 1, .number = "10"},
                            .after = {.ran = true, .row_count = 1, .number = "12"}};
    return check;
}

static void test_rules_checks_passing_find_nothing(void **state)
{
    struct story *story = *state;
    story_run(story, "SELECT", 1 * MS);
    add(story, CHECK_SAME, CHECK_PASSED, NULL);
    add(story, CHECK_ZERO, CHECK_PASSED, NULL);
    story_expect_none(story, "check-changed");
    story_expect_none(story, "check-failed");
}

static void test_rules_checks_changed_is_an_error(void **state)
{
    struct story *story = *state;
    story_run(story, "UPDATE", 1 * MS);
    add(story, CHECK_SAME, CHECK_FAILED, "was 10, now 12");
    const struct finding *finding = story_expect(story, "check-changed", SEVERITY_ERROR);
    assert_string_equal(finding->title,
                        "check \"revenue\" gives another result than before: was 10, now 12");
    assert_string_equal(evidence_text(finding, "place"), "c.sql:4");
    assert_string_equal(evidence_text(finding, "number_after"), "12");
    story_expect_none(story, "check-failed");
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
}

static void test_rules_checks_failed_says_since_when(void **state)
{
    struct story *story = *state;
    story_run(story, "UPDATE", 1 * MS);
    struct check *check = add(story, CHECK_ZERO, CHECK_FAILED, "12, expected zero");
    assert_contains(story_expect(story, "check-failed", SEVERITY_ERROR)->title,
                    "fails after the migration: 12, expected zero");
    check->outcome = CHECK_WORSE;
    story_expect(story, "check-failed", SEVERITY_WARNING);
    check->outcome = CHECK_FAILED_BEFORE;
    const struct finding *finding = story_expect(story, "check-failed", SEVERITY_INFO);
    assert_contains(finding->why, "not to blame");
    story_expect_none(story, "check-changed");
}

static void test_rules_checks_that_cannot_be_run_any_more_failed(void **state)
{
    struct story *story = *state;
    story_run(story, "ALTER TABLE", 1 * MS);
    struct check *check = add(story, CHECK_SAME, CHECK_FAILED, "it cannot be run any more: x");
    check->after = (struct check_output){.problem = "x", .sqlstate = "42703"};
    const struct finding *finding = story_expect(story, "check-failed", SEVERITY_ERROR);
    assert_string_equal(evidence_text(finding, "problem_after"), "x");
    story_expect_none(story, "check-changed");
}

static void test_rules_checks_undecided_leave_the_verdict_open(void **state)
{
    struct story *story = *state;
    story_run(story, "SELECT", 1 * MS);
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
    add(story, CHECK_SAME, CHECK_UNDECIDED, "not run before the migration: canceled");
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
    assert_contains(story->result.headline, "check \"revenue\" proves nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_checks_passing_find_nothing),
        STORY_TEST(test_rules_checks_changed_is_an_error),
        STORY_TEST(test_rules_checks_failed_says_since_when),
        STORY_TEST(test_rules_checks_that_cannot_be_run_any_more_failed),
        STORY_TEST(test_rules_checks_undecided_leave_the_verdict_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
