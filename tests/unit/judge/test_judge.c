/* Verdict, headline, order. */
#include "judge_unit.h"

static void add_warning(struct story *story)
{
    struct statement *statement = story_run(story, "ALTER TABLE", 1 * MS);
    story_drop(story, statement, "table column", "public.users.nick", true);
}

static void add_error(struct story *story)
{
    story_fail(story, story_run(story, NULL, 1 * MS), "42703", "column \"x\" does not exist");
}

/* One row per line of the verdict's definition. */
static void test_judge_verdict_table(void **state)
{
    enum { SAFE = VERDICT_SAFE, UNSAFE = VERDICT_UNSAFE, OPEN = VERDICT_INCONCLUSIVE };
    static const struct {
        const char *what;
        bool warning, error, over_gate, observer_lost, tampered, timed_out, interrupted, nothing;
        bool unobserved, empty, structure_only;
        enum severity fail_on;
        int verdict;
    } cases[] = {
        {"clean", .fail_on = SEVERITY_ERROR, .verdict = SAFE},
        {"warning", .warning = true, .fail_on = SEVERITY_ERROR, .verdict = SAFE},
        {"warning counts", .warning = true, .fail_on = SEVERITY_WARNING, .verdict = UNSAFE},
        {"error", .error = true, .fail_on = SEVERITY_ERROR, .verdict = UNSAFE},
        {"gate", .over_gate = true, .fail_on = SEVERITY_ERROR, .verdict = UNSAFE},
        {"observer", .observer_lost = true, .fail_on = SEVERITY_ERROR, .verdict = OPEN},
        {"tampered", .tampered = true, .fail_on = SEVERITY_ERROR, .verdict = OPEN},
        {"timeout", .timed_out = true, .fail_on = SEVERITY_ERROR, .verdict = OPEN},
        {"interrupt", .interrupted = true, .fail_on = SEVERITY_ERROR, .verdict = OPEN},
        {"nothing ran", .nothing = true, .fail_on = SEVERITY_ERROR, .verdict = OPEN},
        {"unobserved", .unobserved = true, .fail_on = SEVERITY_ERROR, .verdict = OPEN},
        {"empty", .empty = true, .fail_on = SEVERITY_ERROR, .verdict = OPEN},
        {"empty, accepted", .empty = true, .structure_only = true, .fail_on = SEVERITY_ERROR,
         .verdict = SAFE},
        {"error beats doubt", .error = true, .observer_lost = true, .fail_on = SEVERITY_ERROR,
         .verdict = UNSAFE},
        {"gate beats doubt", .over_gate = true, .timed_out = true, .fail_on = SEVERITY_ERROR,
         .verdict = UNSAFE},
        {"warning does not beat doubt", .warning = true, .tampered = true,
         .fail_on = SEVERITY_ERROR, .verdict = OPEN},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        void *fresh;
        story_setup(&fresh);
        struct story *story = fresh;
        if (!cases[i].nothing)
            story_run(story, "CREATE TABLE", 1 * MS);
        if (cases[i].warning)
            add_warning(story);
        if (cases[i].error)
            add_error(story);
        if (cases[i].over_gate)
            story_lock(story, story_run(story, "LOCK TABLE", 9 * S), "public.orders",
                       "AccessExclusiveLock");
        if (cases[i].unobserved)
            story_run(story, "ALTER TABLE", 1 * MS)->observation = OBSERVED_NOT;
        if (cases[i].empty)
            story_table(story, "public.orders", 0);
        story->trace.observer_lost = cases[i].observer_lost;
        story->trace.evidence_intact = !cases[i].tampered;
        story->trace.timed_out = cases[i].timed_out;
        story->trace.interrupted = cases[i].interrupted;
        story->result.limits.fail_on = cases[i].fail_on;
        story->result.limits.structure_only = cases[i].structure_only;
        story_judge(story);
        if ((int)story->result.verdict != cases[i].verdict)
            fail_msg("%s: %s (%s)", cases[i].what, rh_verdict_name(story->result.verdict),
                     story->result.headline);
        assert_int_equal(story->result.exit_code, rh_verdict_exit_status(story->result.verdict));
        assert_true(strlen(story->result.headline) > 5);
        story_teardown(&fresh);
    }
    (void)state;
}

static void test_judge_safe_headline_has_the_longest_wait(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 3 * MS);
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    story_run(story, "CREATE TABLE", 9 * MS);
    story_judge(story);
    assert_string_equal(story->result.headline,
                        "2 statements, 12 ms; nothing waited longer than 3 ms");
}

static void test_judge_safe_headline_without_locks(void **state)
{
    struct story *story = *state;
    story_run(story, "CREATE TABLE", 9 * MS);
    story_judge(story);
    assert_string_equal(story->result.headline, "1 statement, 9 ms; nothing had to wait");
}

static void test_judge_safe_headline_knows_the_sampling_gap(void **state)
{
    struct story *story = *state;
    story_run(story, "UPDATE", 90 * MS)->observation = OBSERVED_SAMPLED;
    story->trace.longest_sampling_gap_us = 14 * MS;
    story_judge(story);
    assert_contains(story->result.headline, "nothing waited longer than 14 ms");
}

static void test_judge_safe_headline_counts_warnings(void **state)
{
    struct story *story = *state;
    add_warning(story);
    story_judge(story);
    assert_contains(story->result.headline, "; 1 warning");
}

static void test_judge_empty_tables_are_named(void **state)
{
    struct story *story = *state;
    story_run(story, "ALTER TABLE", 1 * MS);
    story_table(story, "public.a", 0);
    story_table(story, "public.b", 0);
    story_judge(story);
    assert_contains(story->result.headline, "public.a and public.b had no rows here");
    story_table(story, "public.c", 1); /* one with rows is enough to learn from */
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
}

static void test_judge_empty_views_and_sequences_do_not_count(void **state)
{
    struct story *story = *state;
    story_run(story, "CREATE VIEW", 1 * MS);
    story_table(story, "public.v", 0)->kind = "view";
    story_table(story, "public.s", 0)->kind = "sequence";
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
}

static void test_judge_worst_finding_leads(void **state)
{
    struct story *story = *state;
    add_warning(story);
    for (int i = 1; i <= 3; i++) {
        struct statement *statement = story_run(story, "LOCK TABLE", i * 5 * S);
        story_lock(story, statement, i == 2 ? "public.b" : "public.a", "AccessExclusiveLock");
    }
    story_judge(story);
    const struct finding *items = story->result.findings.items;
    assert_int_equal(items[0].severity, SEVERITY_ERROR);
    assert_true(evidence_number(&items[0], "blocked_reads_ms") >
                evidence_number(&items[1], "blocked_reads_ms"));
    assert_int_equal(items[story->result.findings.count - 1].severity, SEVERITY_WARNING);
    assert_contains(story->result.headline,
                    "would lock public.a for 15 s (limit 2s); and 2 more findings");
}

static void test_judge_failure_leads_before_a_long_lock(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 41 * S);
    story_lock(story, statement, "public.users", "AccessExclusiveLock");
    story_fail(story, statement, "23505", "could not create unique index \"u\"");
    story_judge(story);
    assert_string_equal(story->result.findings.items[0].rule, "statement-error");
    assert_contains(story->result.headline, "would fail in production at statement 1");
}

static void test_judge_gate_lost_always_has_a_finding(void **state)
{
    /* Whatever made it long: rewrite, scan, index, queue, probe, or nothing known. */
    for (int how = 0; how < 6; how++) {
        void *fresh;
        story_setup(&fresh);
        struct story *story = fresh;
        struct statement *statement = story_run(story, "ALTER TABLE", 9 * S);
        struct lock *lock = story_lock(story, statement, "public.orders", "AccessExclusiveLock");
        if (how == 0)
            story_rewrite(story, statement, "public.orders", "table", "column type");
        if (how == 1)
            story_scan(story, statement, "public.orders", 5);
        if (how == 2)
            story_index(story, statement, "public.i", "public.orders");
        if (how == 3) {
            lock->acquired_us = -1;
            lock->waited_us = 9 * S;
        }
        if (how == 4) {
            statement->locks.count = 0;
            story_probe(story, statement, "public.orders", true, 9 * S);
        }
        story_judge(story);
        assert_false(story->result.gates.items[0].ok);
        assert_int_equal(story->result.findings.items[0].severity, SEVERITY_ERROR);
        /* and says it once */
        assert_true(story->result.findings.count == 1 ||
                    story->result.findings.items[1].severity < SEVERITY_ERROR);
        story_teardown(&fresh);
    }
    (void)state;
}

static void test_judge_command_line_is_quoted_short(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "LOCK TABLE", 9 * S);
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    story_wrap(story, "alembic upgrade head", 0);
    story_judge(story);
    assert_string_equal(story->result.headline,
                        "\"alembic upgrade head\" would lock public.orders for 9 s (limit 2s)");
    assert_string_equal(story->result.findings.items[0].step, "alembic upgrade head");
}

static void test_judge_everything_is_said_in_ascii_without_line_ends(void **state)
{
    struct story *story = *state;
    add_error(story);
    add_warning(story);
    struct statement *statement = story_run(story, "ALTER TABLE", 9 * S);
    statement->lock_timeout_ms = 0;
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    story_rewrite(story, statement, "public.orders", "table", "column type");
    story_judge(story);
    for (size_t i = 0; i < story->result.findings.count; i++) {
        const struct finding *finding = &story->result.findings.items[i];
        assert_non_null(finding->title);
        assert_non_null(finding->why);
        assert_non_null(finding->advice);
        assert_lacks(finding->title, "\n");
        for (const char *c = finding->why; *c; c++)
            assert_true(*c >= ' ' && *c < 0x7f);
        for (const char *c = finding->advice; *c; c++)
            assert_true(*c >= ' ' && *c < 0x7f);
        assert_false(finding->advice_tried);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge_verdict_table),
        STORY_TEST(test_judge_safe_headline_has_the_longest_wait),
        STORY_TEST(test_judge_safe_headline_without_locks),
        STORY_TEST(test_judge_safe_headline_knows_the_sampling_gap),
        STORY_TEST(test_judge_safe_headline_counts_warnings),
        STORY_TEST(test_judge_empty_tables_are_named),
        STORY_TEST(test_judge_empty_views_and_sequences_do_not_count),
        STORY_TEST(test_judge_worst_finding_leads),
        STORY_TEST(test_judge_failure_leads_before_a_long_lock),
        cmocka_unit_test(test_judge_gate_lost_always_has_a_finding),
        STORY_TEST(test_judge_command_line_is_quoted_short),
        STORY_TEST(test_judge_everything_is_said_in_ascii_without_line_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
