/* Budgets, how the run ended, what could not be seen. */
#include "judge_unit.h"

static void test_rules_run_duration_gate(void **state)
{
    struct story *story = *state;
    story->result.limits.duration_us = 120 * S;
    story_run(story, "UPDATE", 100 * S);
    story_run(story, "UPDATE", 20 * S);
    story_expect_none(story, "duration-gate");
    story_run(story, "UPDATE", 1 * S);
    const struct finding *finding = story_expect(story, "duration-gate", SEVERITY_ERROR);
    assert_string_equal(finding->title, "the migration took 2m01s (limit 120s)");
    assert_contains(finding->why, "statement 1: 1m40s");
    assert_string_equal(story->result.headline, "0042_change.sql took 2m01s (limit 120s)");
}

static void test_rules_run_byte_gates(void **state)
{
    struct story *story = *state;
    story_run(story, "UPDATE", 1 * S)->wal_bytes = 900 << 20;
    story->trace.wal_bytes = 1 << 30;
    story->trace.peak_disk_bytes = INT64_C(5) << 30;
    const char *const rules[] = {"wal-gate", "disk-gate", "lag-gate"};
    for (size_t i = 0; i < COUNT(rules); i++)
        story_expect_none(story, rules[i]); /* no limits set */
    story->result.limits.wal_bytes = 1 << 30;
    story->result.limits.disk_bytes = INT64_C(5) << 30;
    story->result.limits.lag_us = 21 * S;
    story->result.limits.replica_apply_bytes_per_s = 50 << 20;
    for (size_t i = 0; i < COUNT(rules); i++)
        story_expect_none(story, rules[i]); /* at the limit is within it */
    story->result.limits.wal_bytes -= 1;
    story->result.limits.disk_bytes -= 1;
    story->result.limits.lag_us = 20 * S; /* 1 GB at 50 MB/s: 20.48 s */
    const struct finding *finding = story_expect(story, "wal-gate", SEVERITY_ERROR);
    assert_contains(finding->why, "Statement 1 alone wrote 900 MB");
    story_expect(story, "disk-gate", SEVERITY_ERROR);
    finding = story_expect(story, "lag-gate", SEVERITY_ERROR);
    assert_true(evidence_number(finding, "lag_ms") == 20480.0);
}

static void test_rules_run_server_crash(void **state)
{
    struct story *story = *state;
    story_run(story, "CREATE TABLE", 1 * MS);
    struct statement *statement = story_run(story, NULL, 1 * S);
    statement->ok = false;
    statement->finished = false;
    story_expect_none(story, "server-crash");
    story->trace.server_crashed = true;
    story->trace.crash_reason = "terminated by signal 9";
    *RH_PUSH(story->arena, &story->trace.log_tail) = "LOG:  server process was terminated";
    const struct finding *finding = story_expect(story, "server-crash", SEVERITY_ERROR);
    assert_contains(finding->title, "in the middle of statement 2: terminated by signal 9");
    assert_contains(finding->why, "LOG: server process was terminated");
    assert_int_equal(json_array_size(json_object_get(finding->evidence, "log")), 1);
    assert_string_equal(story->result.findings.items[0].rule, "server-crash");
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
}

static void test_rules_run_no_connection(void **state)
{
    struct story *story = *state;
    story_wrap(story, "true", 0);
    story->trace.connected = false;
    const struct finding *finding = story_expect(story, "no-connection", SEVERITY_ERROR);
    assert_contains(finding->why, "ended with status 0");
    assert_contains(finding->advice_sql, "{url}");
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
    story_wrap(story, "false", 1);
    story_expect(story, "no-connection", SEVERITY_ERROR);
    assert_int_equal(story_count(story, "command-failed"), 0);
    story->trace.connected = true;
    story_expect_none(story, "no-connection");
}

static void test_rules_run_open_transaction(void **state)
{
    struct story *story = *state;
    story_begin(story);
    story_run(story, "ALTER TABLE", 1 * MS);
    const struct finding *finding = story_expect(story, "open-transaction", SEVERITY_ERROR);
    assert_contains(finding->title, "(by \"BEGIN\")");
    assert_int_equal(finding->statement, 1);
    story_commit(story);
    story_expect_none(story, "open-transaction");
    story->trace.sessions.items[0].left_transaction_open = true;
    story_expect(story, "open-transaction", SEVERITY_ERROR);
    story->trace.timed_out = true; /* we cut it: not its fault */
    story_expect_none(story, "open-transaction");
}

/* It was said to have been rolled back. */
static void test_rules_run_open_transaction_when_prepared(void **state)
{
    struct story *story = *state;
    story_begin(story);
    story_run(story, "ALTER TABLE", 1 * MS);
    story->trace.transactions.items[0].left_prepared = true;
    const struct finding *finding = story_expect(story, "open-transaction", SEVERITY_ERROR);
    assert_contains(finding->title, "prepared transaction");
    assert_contains(story->result.headline, "still holds its locks");
}

static void test_rules_run_command_failed(void **state)
{
    struct story *story = *state;
    story_run(story, "CREATE TABLE", 1 * MS);
    story_wrap(story, "flyway migrate", 1);
    const struct finding *finding = story_expect(story, "command-failed", SEVERITY_ERROR);
    assert_contains(finding->title, "status 1");
    story_wrap(story, "flyway migrate", 0);
    story_expect_none(story, "command-failed");
    story_wrap(story, "flyway migrate", 1);
    story_fail(story, &story->trace.statements.items[0], "42601", "syntax error");
    story_expect_none(story, "command-failed"); /* the statement's error tells why */
}

static void test_rules_run_not_observed(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "CREATE INDEX", 1 * MS);
    story_expect_none(story, "not-observed");
    statement->observation = OBSERVED_NOT;
    statement->not_observed_reason = "event triggers were disabled";
    const struct finding *finding = story_expect(story, "not-observed", SEVERITY_INFO);
    assert_contains(finding->title, "statement 1 (CREATE INDEX) was not observed: event triggers");
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
}

static void test_rules_run_command_without_a_statement_is_told_of_its_login(void **state)
{
    struct story *story = *state;
    story_wrap(story, "./up.sh", 2);
    const struct finding *finding = story_expect(story, "command-failed", SEVERITY_ERROR);
    assert_contains(finding->title, "before it sent a statement");
    assert_contains(finding->why, "its login was refused");
    assert_contains(finding->advice, "PGUSER");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_run_command_without_a_statement_is_told_of_its_login),
        STORY_TEST(test_rules_run_duration_gate),
        STORY_TEST(test_rules_run_byte_gates),
        STORY_TEST(test_rules_run_server_crash),
        STORY_TEST(test_rules_run_no_connection),
        STORY_TEST(test_rules_run_open_transaction),
        STORY_TEST(test_rules_run_open_transaction_when_prepared),
        STORY_TEST(test_rules_run_command_failed),
        STORY_TEST(test_rules_run_not_observed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
