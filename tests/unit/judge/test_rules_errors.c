/* What the server refused: 25001, 40P01, 55P03, 57014, and everything else. */
#include "judge_unit.h"

static void test_rules_errors_concurrently_names_who_opened_the_transaction(void **state)
{
    struct story *story = *state;
    story_begin(story);
    struct statement *statement = story_run(story, NULL, 1 * MS);
    story_fail(story, statement, "25001",
               "CREATE INDEX CONCURRENTLY cannot run inside a transaction block");
    story_rollback(story);
    const struct finding *finding = story_expect(story, "concurrently-in-transaction",
                                                 SEVERITY_ERROR);
    assert_contains(finding->title, "CREATE INDEX CONCURRENTLY cannot run");
    assert_contains(finding->why, "\"BEGIN\" (statement 1)");
    assert_string_equal(evidence_text(finding, "opened_by"), "BEGIN");
    assert_contains(finding->advice, "disable_ddl_transaction!");
    assert_int_equal(story_count(story, "statement-error"), 0);
}

static void test_rules_errors_concurrently_in_a_string_has_no_opener(void **state)
{
    struct story *story = *state;
    story_fail(story, story_run(story, NULL, 1 * MS), "25001", "VACUUM cannot run inside");
    const struct finding *finding = story_expect(story, "concurrently-in-transaction",
                                                 SEVERITY_ERROR);
    assert_contains(finding->why, "multi-statement string");
}

static void test_rules_errors_special_states_have_their_rules(void **state)
{
    static const struct {
        const char *sqlstate, *rule;
    } cases[] = {{"25001", "concurrently-in-transaction"},
                 {"40P01", "deadlock"},
                 {"55P03", "lock-timeout"},
                 {"57014", "statement-timeout"},
                 {"23505", "statement-error"},
                 {"XX000", "statement-error"}};
    struct story *story = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        story->trace.statements.count = 0;
        story_fail(story, story_run(story, NULL, 5 * MS), cases[i].sqlstate, "no");
        for (size_t j = 0; j < COUNT(cases); j++) {
            story_judge(story);
            bool expected = strcmp(cases[i].rule, cases[j].rule) == 0;
            if ((story_count(story, cases[j].rule) > 0) != expected)
                fail_msg("%s: %s %s", cases[i].sqlstate, cases[j].rule,
                         expected ? "did not fire" : "fired");
        }
        assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
    }
}

static void test_rules_errors_no_error_no_finding(void **state)
{
    struct story *story = *state;
    story_run(story, "ALTER TABLE", 1 * MS);
    const char *const rules[] = {"concurrently-in-transaction", "deadlock", "lock-timeout",
                                 "statement-timeout", "statement-error"};
    for (size_t i = 0; i < COUNT(rules); i++)
        story_expect_none(story, rules[i]);
}

static void test_rules_errors_lock_timeout_tells_who_held_it(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, NULL, 2 * S);
    struct lock *lock = story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    lock->acquired_us = -1;
    lock->waited_us = 1900 * MS;
    lock->waited_for = "session 12 \"pg_dump\" (active)";
    story_fail(story, statement, "55P03", "canceling statement due to lock timeout");
    const struct finding *finding = story_expect(story, "lock-timeout", SEVERITY_ERROR);
    assert_contains(finding->title, "lock_timeout (2s)");
    assert_contains(finding->why, "waited 1.9 s for AccessExclusiveLock on public.orders");
    assert_contains(finding->why, "pg_dump");
    assert_string_equal(finding->relation, "public.orders");
}

static void test_rules_errors_statement_timeout_tells_the_limit(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, NULL, 5 * S);
    statement->statement_timeout_ms = 5000;
    story_fail(story, statement, "57014", "canceling statement due to statement timeout");
    const struct finding *finding = story_expect(story, "statement-timeout", SEVERITY_ERROR);
    assert_string_equal(finding->title, "cancelled after 5 s by statement_timeout (5s)");
}

/* It was said to have been cancelled by statement_timeout. */
static void test_rules_errors_copy_without_rows_is_no_timeout(void **state)
{
    struct story *story = *state;
    story_fail(story, story_run(story, NULL, 5 * MS), "57014",
               "COPY from stdin failed: no rows are at hand");
    story_expect(story, "statement-error", SEVERITY_ERROR);
    assert_int_equal(story_count(story, "statement-timeout"), 0);
}

static void test_rules_errors_our_own_cancel_is_no_finding(void **state)
{
    struct story *story = *state;
    story_fail(story, story_run(story, NULL, 5 * S), "57014", "canceling statement");
    story->trace.timed_out = true;
    story_expect_none(story, "statement-timeout");
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
}

static void test_rules_errors_headline_says_which_statement(void **state)
{
    struct story *story = *state;
    story_run(story, "CREATE TABLE", 1 * MS);
    story_fail(story, story_run(story, NULL, 41 * S), "23505",
               "could not create unique index \"users_email_key\"");
    story_judge(story);
    assert_string_equal(story->result.headline,
                        "0042_change.sql would fail in production at statement 2: could not "
                        "create unique index \"users_email_key\" (23505)");
    for (int i = 0; i < 3; i++) /* a tool that goes on after an error */
        story_run(story, "SELECT", 1 * MS);
    story_judge(story);
    assert_contains(story->result.headline, "at statement 2 of 5:");
}

static void test_rules_errors_what_remains_is_told(void **state)
{
    struct story *story = *state;
    story_run(story, "CREATE TABLE", 1 * MS);
    struct statement *statement = story_run(story, NULL, 1 * MS);
    story_fail(story, statement, "42703", "column \"x\" does not exist");
    const struct finding *finding = story_expect(story, "statement-error", SEVERITY_ERROR);
    assert_contains(finding->why, "1 statement before it had already been committed");
    story->trace.statements.count = 0;
    story_begin(story);
    story_fail(story, story_run(story, NULL, 1 * MS), "42703", "column \"x\" does not exist");
    story_rollback(story);
    finding = story_expect(story, "statement-error", SEVERITY_ERROR);
    assert_contains(finding->why, "rolled back: nothing of it remains");
}

/* It said of one transaction, rolled back, that statements of it had been committed. */
static void test_rules_errors_what_would_remain_of_a_dry_run(void **state)
{
    struct story *story = *state;
    story->trace.outside_only = true;
    story_run(story, "CREATE TABLE", 1 * MS);
    story_fail(story, story_run(story, NULL, 1 * MS), "42703", "column \"x\" does not exist");
    const struct finding *finding = story_expect(story, "statement-error", SEVERITY_ERROR);
    assert_contains(finding->why, "run as the file says, 1 statement before it would be committed");
    assert_lacks(finding->why, "had already been committed");
    story->trace.statements.count = 0;
    story_begin(story);
    story_fail(story, story_run(story, NULL, 1 * MS), "42703", "column \"x\" does not exist");
    finding = story_expect(story, "statement-error", SEVERITY_ERROR);
    assert_contains(finding->why, "would be rolled back: nothing of it would remain");
}

static void test_rules_errors_consequences_are_not_repeated(void **state)
{
    struct story *story = *state;
    story_begin(story);
    story_fail(story, story_run(story, NULL, 1 * MS), "42703", "column \"x\" does not exist");
    story_fail(story, story_run(story, NULL, 1 * MS), "25P02",
               "current transaction is aborted, commands ignored until end of transaction block");
    story_rollback(story);
    story_expect(story, "statement-error", SEVERITY_ERROR);
    assert_int_equal(story_count(story, "statement-error"), 1);
}

static void test_rules_errors_question_of_a_tool_is_a_note(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "SELECT", 1 * MS);
    story_fail(story, statement, "42P01", "relation \"sqitch.releases\" does not exist");
    story_run(story, "CREATE TABLE", 1 * MS);
    story_wrap(story, "sqitch deploy", 0);
    story_expect(story, "statement-error", SEVERITY_INFO);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
    /* the same from a command that failed, a file, or a statement that wanted to change something
     */
    story_wrap(story, "sqitch deploy", 1);
    story_expect(story, "statement-error", SEVERITY_ERROR);
    story_wrap(story, "sqitch deploy", 0);
    statement->tag = "ALTER TABLE";
    story_expect(story, "statement-error", SEVERITY_ERROR);
}

static void test_rules_errors_failure_without_message_is_told(void **state)
{
    struct story *story = *state;
    story_run(story, NULL, 1 * MS)->ok = false;
    story_expect(story, "statement-error", SEVERITY_ERROR);
    story->trace.server_crashed = true;
    story_expect_none(story, "statement-error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_errors_concurrently_names_who_opened_the_transaction),
        STORY_TEST(test_rules_errors_concurrently_in_a_string_has_no_opener),
        STORY_TEST(test_rules_errors_special_states_have_their_rules),
        STORY_TEST(test_rules_errors_no_error_no_finding),
        STORY_TEST(test_rules_errors_lock_timeout_tells_who_held_it),
        STORY_TEST(test_rules_errors_statement_timeout_tells_the_limit),
        STORY_TEST(test_rules_errors_copy_without_rows_is_no_timeout),
        STORY_TEST(test_rules_errors_our_own_cancel_is_no_finding),
        STORY_TEST(test_rules_errors_headline_says_which_statement),
        STORY_TEST(test_rules_errors_what_remains_is_told),
        STORY_TEST(test_rules_errors_what_would_remain_of_a_dry_run),
        STORY_TEST(test_rules_errors_consequences_are_not_repeated),
        STORY_TEST(test_rules_errors_question_of_a_tool_is_a_note),
        STORY_TEST(test_rules_errors_failure_without_message_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
