/* blocks-reads, blocks-writes, lock-queue, lock-held-across-statements, no-lock-timeout. */
#include "judge_unit.h"

static void test_rules_locks_reads_blocked_by_later_statements(void **state)
{
    struct story *story = *state;
    story_begin(story);
    struct statement *alter = story_run(story, "ALTER TABLE", 1 * MS);
    story_lock(story, alter, "public.orders", "AccessExclusiveLock");
    story_run(story, "UPDATE", 9 * S);
    story_commit(story);
    const struct finding *finding = story_expect(story, "blocks-reads", SEVERITY_ERROR);
    assert_contains(finding->title, "reads and writes blocked for 9");
    assert_contains(finding->title, "(limit 2s)");
    assert_contains(finding->why, "1 further statement");
    assert_contains(finding->why, "line 3 (UPDATE)");
    assert_int_equal(finding->statement, 2);
    assert_int_equal(story_count(story, "blocks-writes"), 0);
    /* the advice stands there too, as what to change */
    assert_int_equal(story_count(story, "lock-held-across-statements"), 1);
}

static void test_rules_locks_writes_blocked_alone(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "LOCK TABLE", 9 * S);
    story_lock(story, statement, "public.orders", "ExclusiveLock");
    const struct finding *finding = story_expect(story, "blocks-writes", SEVERITY_ERROR);
    assert_contains(finding->title, "writes blocked for 9 s (limit 2s)");
    assert_int_equal(story_count(story, "blocks-reads"), 0);
}

static void test_rules_locks_short_block_is_fine(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 2 * S);
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    story_expect_none(story, "blocks-reads");
    story_expect_none(story, "blocks-writes");
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
}

static void test_rules_locks_no_limit_no_block(void **state)
{
    struct story *story = *state;
    story->result.limits.blocked_us = LIMIT_UNSET;
    struct statement *statement = story_run(story, "ALTER TABLE", 900 * S);
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    story_expect_none(story, "blocks-reads");
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
    assert_int_equal(story->result.gates.count, 0);
}

static void test_rules_locks_measured_wait_fires_without_a_lock(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "CALL", 5 * S);
    story_probe(story, statement, "public.orders", false, 4 * S);
    const struct finding *finding = story_expect(story, "blocks-reads", SEVERITY_ERROR);
    assert_contains(finding->title, "blocked for 4 s");
    assert_true(evidence_number(finding, "probe_read_wait_ms") == 4000.0);
}

static void test_rules_locks_index_builds_are_advised_concurrently(void **state)
{
    struct story *story = *state;
    story_table(story, "public.a", 10);
    story_begin(story);
    struct statement *build = story_run(story, "CREATE INDEX", 500 * MS);
    story_lock(story, build, "public.a", "ShareLock");
    story_index(story, build, "public.a_x", "public.a");
    story_clause(story, build, CLAUSE_CREATE_INDEX, "a")
        ->safe_form = "CREATE INDEX CONCURRENTLY a_x ON a (x)";
    story_run(story, "CREATE INDEX", 3 * S);
    story_commit(story);
    const struct finding *finding = story_expect(story, "blocks-writes", SEVERITY_ERROR);
    assert_contains(finding->advice, "CONCURRENTLY");
    assert_string_equal(finding->advice_sql, "CREATE INDEX CONCURRENTLY a_x ON a (x);");
}

static void test_rules_locks_one_finding_for_each_table(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "LOCK TABLE", 9 * S);
    story_lock(story, statement, "public.a", "AccessExclusiveLock");
    story_lock(story, statement, "public.a", "ShareLock");
    story_index_lock(story, statement, "public.a_pkey", "public.a", "AccessExclusiveLock");
    story_lock(story, statement, "public.b", "AccessExclusiveLock");
    story_expect(story, "blocks-reads", SEVERITY_ERROR);
    assert_int_equal(story_count(story, "blocks-reads"), 2);
}

static void test_rules_locks_queue_behind_a_long_wait(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 6 * S);
    struct lock *lock = story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    lock->acquired_us = 5 * S;
    lock->held_us = 1 * S;
    lock->waited_us = 5 * S;
    lock->waited_for = "session 4712 \"report\" (idle in transaction)";
    const struct finding *finding = story_expect(story, "lock-queue", SEVERITY_ERROR);
    assert_contains(finding->title, "waited 5 s for its lock");
    assert_contains(finding->why, "session 4712 \"report\"");
    assert_contains(finding->advice_sql, "SET lock_timeout = '2s'");
    assert_string_equal(story->result.gates.items[0].name, "blocked");
    assert_false(story->result.gates.items[0].ok);
}

static void test_rules_locks_queue_measured_by_probes(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 2 * S);
    struct lock *lock = story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    lock->acquired_us = 1500 * MS;
    lock->held_us = 500 * MS;
    lock->waited_us = 1500 * MS;
    story_expect_none(story, "lock-queue");
    story_probe(story, statement, "public.orders", false, 2100 * MS);
    const struct finding *finding = story_expect(story, "lock-queue", SEVERITY_ERROR);
    assert_contains(finding->why, "canary session waited 2.1 s");
}

static void test_rules_locks_held_across_statements(void **state)
{
    struct story *story = *state;
    story_begin(story);
    struct statement *alter = story_run(story, "ALTER TABLE", 1 * MS);
    story_lock(story, alter, "public.orders", "AccessExclusiveLock");
    story_run(story, "SET", 1 * MS);
    story_run(story, "UPDATE", 10 * MS);
    story_run(story, "UPDATE", 20 * MS);
    story_commit(story);
    const struct finding *finding = story_expect(story, "lock-held-across-statements",
                                                 SEVERITY_WARNING);
    assert_true(evidence_number(finding, "further_statements") == 2);
    assert_true(evidence_number(finding, "further_ms") == 30.0);
    assert_contains(finding->why, "line 5 (UPDATE)");
}

static void test_rules_locks_taken_last_is_fine(void **state)
{
    struct story *story = *state;
    story_begin(story);
    story_run(story, "UPDATE", 10 * MS);
    struct statement *alter = story_run(story, "ALTER TABLE", 1 * MS);
    story_lock(story, alter, "public.orders", "AccessExclusiveLock");
    story_commit(story);
    story_expect_none(story, "lock-held-across-statements");
}

static void test_rules_locks_held_across_commands_of_one_string(void **state)
{
    struct story *story = *state;
    struct statement *text = story_run(story, "UPDATE", 50 * MS);
    struct statement *alter = story_child(story, text, "ALTER TABLE", 1 * MS);
    story_lock(story, alter, "public.orders", "AccessExclusiveLock");
    story_child(story, text, "UPDATE", 40 * MS);
    const struct finding *finding = story_expect(story, "lock-held-across-statements",
                                                 SEVERITY_WARNING);
    assert_true(evidence_number(finding, "further_statements") == 1);
    assert_int_equal(finding->statement, 1);
}

static void test_rules_locks_of_a_block_as_a_whole_are_not_across(void **state)
{
    struct story *story = *state;
    struct statement *block = story_run(story, "DO", 50 * MS);
    story_lock(story, block, "public.orders", "AccessExclusiveLock");
    story_child(story, block, "ALTER TABLE", 40 * MS);
    story_expect_none(story, "lock-held-across-statements");
}

static void test_rules_locks_without_timeout_are_one_finding(void **state)
{
    struct story *story = *state;
    for (int i = 0; i < 3; i++) {
        struct statement *statement = story_run(story, "ALTER TABLE", 1 * MS);
        story_lock(story, statement, "public.orders", "AccessExclusiveLock");
        statement->lock_timeout_ms = i == 1 ? 1000 : 0;
    }
    const struct finding *finding = story_expect(story, "no-lock-timeout", SEVERITY_WARNING);
    assert_int_equal(story_count(story, "no-lock-timeout"), 1);
    assert_contains(finding->title, "2 statements");
    assert_contains(finding->why, "Asked for by 0042_change.sql:1 and 0042_change.sql:3.");
    assert_int_equal(json_array_size(json_object_get(finding->evidence, "statements")), 2);
    assert_contains(finding->advice_sql, "SET lock_timeout");
    story_wrap(story, "alembic upgrade head", 0);
    finding = story_expect(story, "no-lock-timeout", SEVERITY_WARNING);
    assert_contains(finding->advice_sql, "ALTER ROLE");
}

static void test_rules_locks_timeout_unknown_or_harmless_lock_is_fine(void **state)
{
    struct story *story = *state;
    struct statement *unknown = story_run(story, "ALTER TABLE", 1 * MS);
    story_lock(story, unknown, "public.orders", "AccessExclusiveLock");
    unknown->lock_timeout_ms = NOT_OBSERVED;
    struct statement *mild = story_run(story, "CREATE INDEX", 1 * MS);
    story_lock(story, mild, "public.orders", "ShareUpdateExclusiveLock");
    mild->lock_timeout_ms = 0;
    struct statement *fresh = story_run(story, "CREATE TABLE", 1 * MS);
    story_lock(story, fresh, "public.fresh", "AccessExclusiveLock")->preexisting = false;
    fresh->lock_timeout_ms = 0;
    story_expect_none(story, "no-lock-timeout");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_locks_reads_blocked_by_later_statements),
        STORY_TEST(test_rules_locks_writes_blocked_alone),
        STORY_TEST(test_rules_locks_short_block_is_fine),
        STORY_TEST(test_rules_locks_no_limit_no_block),
        STORY_TEST(test_rules_locks_measured_wait_fires_without_a_lock),
        STORY_TEST(test_rules_locks_index_builds_are_advised_concurrently),
        STORY_TEST(test_rules_locks_one_finding_for_each_table),
        STORY_TEST(test_rules_locks_queue_behind_a_long_wait),
        STORY_TEST(test_rules_locks_queue_measured_by_probes),
        STORY_TEST(test_rules_locks_held_across_statements),
        STORY_TEST(test_rules_locks_taken_last_is_fine),
        STORY_TEST(test_rules_locks_held_across_commands_of_one_string),
        STORY_TEST(test_rules_locks_of_a_block_as_a_whole_are_not_across),
        STORY_TEST(test_rules_locks_without_timeout_are_one_finding),
        STORY_TEST(test_rules_locks_timeout_unknown_or_harmless_lock_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
