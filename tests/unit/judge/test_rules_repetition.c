/* not-repeatable and half-applied. */
#include "judge_unit.h"

static struct server_message already_exists = {
    .sqlstate = "42701", .message = "column \"a\" of relation \"users\" already exists"};

static struct repeated_run *again(struct story *story, enum rerun_kind kind, bool claims)
{
    struct repetition *repetition = &story->result.repetition;
    repetition->was_wanted = true;
    repetition->rerun = (struct rerun){.kind = kind,
                                       .claims_repeatable = claims,
                                       .run = {.was_run = true, .ok = true, .exit_status = -1}};
    return &repetition->rerun.run;
}

static void fail_with(struct repeated_run *run, const char *sql)
{
    run->ok = false;
    run->error = &already_exists;
    run->error_sql = sql;
}

static void differ(struct story *story, struct repeated_run *run, const char *sentence)
{
    run->difference.was_compared = true;
    run->difference.count++;
    *RH_PUSH(story->arena, &run->difference.sentences) = sentence;
}

static struct cut *cut(struct story *story, enum cut_how how, int after, bool in_the_middle,
                       enum cut_outcome outcome)
{
    struct cut *cut = RH_PUSH(story->arena, &story->result.repetition.cuts);
    story->result.repetition.was_wanted = true;
    *cut = (struct cut){.how = how,
                        .after = after,
                        .in_the_middle = in_the_middle,
                        .outcome = outcome,
                        .again = {.was_run = true, .ok = true, .exit_status = -1}};
    if (!in_the_middle) {
        *RH_PUSH(story->arena, &cut->committed) = after;
        cut->committed_count = 1;
    }
    if (outcome == CUT_FAILS)
        fail_with(&cut->again, "ALTER TABLE users ADD COLUMN a int");
    return cut;
}

static void test_rules_repetition_is_silent_where_nothing_was_run_again(void **state)
{
    struct story *story = *state;
    (void)story_say(story, "ALTER TABLE", "ALTER TABLE users ADD COLUMN a int");
    story_expect_none(story, "not-repeatable");
    story_expect_none(story, "half-applied");
}

static void test_rules_repetition_a_no_op_is_no_finding(void **state)
{
    struct story *story = *state;
    story_wrap(story, "alembic upgrade head", 0);
    (void)again(story, RERUN_LEDGER, false);
    (void)cut(story, CUT_DISCONNECT, 1, false, CUT_SAME);
    (void)cut(story, CUT_KILL, 1, false, CUT_NOT_REACHED);
    story_expect_none(story, "not-repeatable");
    story_expect_none(story, "half-applied");
}

static void test_rules_repetition_a_command_that_fails_again_is_not_repeatable(void **state)
{
    struct story *story = *state;
    story_wrap(story, "python migrate.py", 0);
    (void)story_say(story, "SET", "SET lock_timeout = '2s'");
    (void)story_say(story, "ALTER TABLE", "ALTER TABLE users\n  ADD COLUMN a int");
    fail_with(again(story, RERUN_LEDGER, false), "ALTER TABLE users ADD COLUMN a int");
    const struct finding *finding = story_expect(story, "not-repeatable", SEVERITY_WARNING);
    assert_contains(finding->title, "run again, it fails: column \"a\"");
    assert_contains(finding->title, "(42701)");
    assert_int_equal(finding->statement, 2);
    assert_string_equal(evidence_text(finding, "sqlstate"), "42701");
    assert_int_equal(story->result.verdict, VERDICT_SAFE); /* a warning */
}

static void test_rules_repetition_a_command_that_changes_again_is_not_repeatable(void **state)
{
    struct story *story = *state;
    story_wrap(story, "python seed.py", 0);
    differ(story, again(story, RERUN_LEDGER, false), "public.plans has 6 rows, not 3");
    const struct finding *finding = story_expect(story, "not-repeatable", SEVERITY_WARNING);
    assert_contains(finding->title, "public.plans has 6 rows, not 3");
    assert_true(evidence_number(finding, "difference_count") == 1);
}

static void test_rules_repetition_a_plain_script_may_fail_the_second_time(void **state)
{
    struct story *story = *state;
    (void)story_say(story, "ALTER TABLE", "ALTER TABLE users ADD COLUMN a int");
    fail_with(again(story, RERUN_SCRIPT, false), "ALTER TABLE users ADD COLUMN a int");
    story_expect_none(story, "not-repeatable");
    struct repeated_run *second = again(story, RERUN_SCRIPT, false);
    differ(story, second, "public.plans has 6 rows, not 3");
    story_expect_none(story, "not-repeatable");
}

static void test_rules_repetition_a_script_that_claims_it_must_hold_it(void **state)
{
    struct story *story = *state;
    differ(story, again(story, RERUN_SCRIPT, true), "public.plans has 6 rows, not 3");
    const struct finding *finding = story_expect(story, "not-repeatable", SEVERITY_WARNING);
    assert_contains(finding->why, "IF [NOT] EXISTS");
    assert_contains(finding->advice, "ON CONFLICT");
}

static void test_rules_repetition_files_of_a_tool_are_never_blamed(void **state)
{
    struct story *story = *state;
    fail_with(again(story, RERUN_TOOL_FILES, true), "ALTER TABLE users ADD COLUMN a int");
    story_expect_none(story, "not-repeatable");
}

static void test_rules_repetition_half_applied_says_what_was_committed(void **state)
{
    struct story *story = *state;
    (void)story_say(story, "ALTER TABLE", "ALTER TABLE users ADD COLUMN a int");
    (void)story_say(story, "ALTER TABLE", "ALTER TABLE users ADD COLUMN b int");
    (void)cut(story, CUT_DISCONNECT, 1, false, CUT_FAILS);
    (void)cut(story, CUT_KILL, 1, false, CUT_FAILS);
    const struct finding *finding = story_expect(story, "half-applied", SEVERITY_WARNING);
    assert_contains(finding->title, "cut off after statement 1 and run again, it fails: column");
    assert_contains(finding->why, "statement 1 (ALTER TABLE users ADD COLUMN a int)");
    assert_contains(finding->advice, "one transaction");
    assert_int_equal(finding->statement, 1);
    assert_string_equal(evidence_text(finding, "how"), "disconnect");
    assert_true(evidence_number(finding, "after_statement") == 1);
    assert_true(evidence_number(finding, "cuts_alike") == 2);
    assert_int_equal(story_count(story, "half-applied"), 1); /* the second tells the same */
}

static void test_rules_repetition_a_script_that_fails_aloud_is_told_not_blamed(void **state)
{
    struct story *story = *state;
    (void)story_say(story, "ALTER TABLE", "ALTER TABLE users ADD COLUMN a int");
    (void)story_say(story, "ALTER TABLE", "ALTER TABLE users ADD COLUMN b int");
    story->result.repetition.rerun.kind = RERUN_SCRIPT;
    (void)cut(story, CUT_DISCONNECT, 1, false, CUT_FAILS);
    (void)story_expect(story, "half-applied", SEVERITY_INFO);
}

static void test_rules_repetition_an_invalid_index_that_nobody_hears_of(void **state)
{
    struct story *story = *state;
    (void)story_say(story, "CREATE INDEX",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON users (a)");
    struct cut *half = cut(story, CUT_CANCEL, 0, true, CUT_DIFFERS);
    *RH_PUSH(story->arena, &half->invalid_left) = "invalid index public.i";
    *RH_PUSH(story->arena, &half->invalid_after) = "invalid index public.i";
    differ(story, &half->again, "index public.i is invalid");
    const struct finding *finding = story_expect(story, "half-applied", SEVERITY_WARNING);
    assert_contains(finding->title, "cancelled in statement 1 and run again, it succeeds but: "
                                    "index public.i is invalid");
    assert_contains(finding->why, "IF NOT EXISTS takes it for done");
    assert_string_equal(finding->advice_sql, "DROP INDEX CONCURRENTLY IF EXISTS public.i;");
    assert_int_equal(finding->statement, 1);
}

static void test_rules_repetition_an_index_that_says_itself_it_is_in_the_way(void **state)
{
    struct story *story = *state;
    static const char sql[] = "CREATE INDEX CONCURRENTLY i ON users (a)";
    (void)story_say(story, "CREATE INDEX", sql);
    struct cut *half = cut(story, CUT_CANCEL, 0, true, CUT_FAILS);
    *RH_PUSH(story->arena, &half->invalid_after) = "invalid index public.i";
    half->again.error_sql = sql;
    story_expect_none(story, "half-applied");
    /* Another statement that stumbles over it is another matter. */
    half->again.error_sql = "ALTER TABLE users ADD COLUMN a int";
    (void)story_expect(story, "half-applied", SEVERITY_WARNING);
}

static void test_rules_repetition_failing_and_ending_elsewhere_are_two_things(void **state)
{
    struct story *story = *state;
    (void)story_say(story, "INSERT", "INSERT INTO plans VALUES (1)");
    (void)story_say(story, "ALTER TABLE", "ALTER TABLE users ADD COLUMN a int");
    (void)cut(story, CUT_DISCONNECT, 2, false, CUT_FAILS);
    differ(story, &cut(story, CUT_DISCONNECT, 1, false, CUT_DIFFERS)->again,
           "public.plans has 2 rows, not 1");
    (void)story_expect(story, "half-applied", SEVERITY_WARNING);
    assert_int_equal(story_count(story, "half-applied"), 2);
}

static void test_rules_repetition_a_run_that_hangs_fails_with_its_reason(void **state)
{
    struct story *story = *state;
    struct cut *half = cut(story, CUT_DISCONNECT, 1, false, CUT_FAILS);
    half->again.error = NULL;
    half->again.error_sql = NULL;
    half->again.reason = "it did not end within 15 s";
    const struct finding *finding = story_expect(story, "half-applied", SEVERITY_WARNING);
    assert_contains(finding->title, "it fails: it did not end within 15 s");
    assert_string_equal(evidence_text(finding, "error"), "it did not end within 15 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_repetition_is_silent_where_nothing_was_run_again),
        STORY_TEST(test_rules_repetition_a_no_op_is_no_finding),
        STORY_TEST(test_rules_repetition_a_command_that_fails_again_is_not_repeatable),
        STORY_TEST(test_rules_repetition_a_command_that_changes_again_is_not_repeatable),
        STORY_TEST(test_rules_repetition_a_plain_script_may_fail_the_second_time),
        STORY_TEST(test_rules_repetition_a_script_that_claims_it_must_hold_it),
        STORY_TEST(test_rules_repetition_files_of_a_tool_are_never_blamed),
        STORY_TEST(test_rules_repetition_half_applied_says_what_was_committed),
        STORY_TEST(test_rules_repetition_a_script_that_fails_aloud_is_told_not_blamed),
        STORY_TEST(test_rules_repetition_an_invalid_index_that_nobody_hears_of),
        STORY_TEST(test_rules_repetition_an_index_that_says_itself_it_is_in_the_way),
        STORY_TEST(test_rules_repetition_failing_and_ending_elsewhere_are_two_things),
        STORY_TEST(test_rules_repetition_a_run_that_hangs_fails_with_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
