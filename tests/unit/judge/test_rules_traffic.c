/* What the running application met. */
#include "judge_unit.h"

static struct traffic *traffic_of(struct story *story)
{
    struct traffic *traffic = &story->result.traffic;
    story_run(story, "CREATE TABLE", 5 * MS);
    traffic->was_run = true;
    traffic->pool_exhausted_at_us = traffic->pool_exhausted_us = -1;
    return traffic;
}

static struct traffic_pattern *pattern(struct story *story, const char *query, int64_t calls)
{
    struct traffic_pattern *made = RH_PUSH(story->arena, &story->result.traffic.patterns);
    *made = (struct traffic_pattern){.query = query, .calls = calls, .baseline_calls = calls};
    return made;
}

static void fails(struct story *story, struct traffic_pattern *failing, const char *sqlstate,
                  int64_t here, int64_t baseline)
{
    struct traffic_error *error = RH_PUSH(story->arena, &failing->errors);
    *error = (struct traffic_error){.here = here, .baseline = baseline};
    memcpy(error->sqlstate, sqlstate, sizeof(error->sqlstate));
}

/* A query that waits for a lock between these times, in a run of its own. */
static void wait_for_a_lock(struct story *story, int64_t from_us, int64_t until_us)
{
    struct traffic *traffic = &story->result.traffic;
    struct trace *trace = RH_NEW(story->arena, struct trace);
    *trace = story->trace;
    trace->statements.items = NULL;
    trace->statements.count = trace->statements.capacity = 0;
    struct statement *statement = RH_PUSH(story->arena, &trace->statements);
    *statement = story->trace.statements.items[0];
    statement->duration_us = until_us;
    *RH_PUSH(story->arena, &statement->locks) = (struct lock){.relation = "public.orders",
                                                              .kind = "table",
                                                              .mode = "AccessExclusiveLock",
                                                              .acquired_us = 0,
                                                              .held_us = until_us,
                                                              .preexisting = true,
                                                              .blocks_reads = true,
                                                              .blocks_writes = true};
    traffic->trace = trace;
    struct traffic_pattern *waiting = RH_PUSH(story->arena, &traffic->patterns);
    *waiting = (struct traffic_pattern){.query = "SELECT 1 FROM orders", .is_parsed = true};
    *RH_PUSH(story->arena, &waiting->reads_from) = "orders";
    *RH_PUSH(story->arena, &traffic->queries) = (struct traffic_query){
        .intended_us = from_us, .sent_us = from_us, .complete_us = until_us};
}

static void test_rules_traffic_a_pool_runs_dry(void **state)
{
    struct story *story = *state;
    struct traffic *traffic = traffic_of(story);
    traffic->pool = 20;
    traffic->depth_before = 2;
    traffic->depth_peak = 140;
    story_judge(story);
    story_expect_none(story, "pool-exhaustion");
    traffic->pool_exhausted_at_us = 200 * MS;
    traffic->pool_exhausted_us = 3 * S;
    traffic->depth_peak_at_us = 2 * S;
    story_judge(story);
    /* Nobody waited for the migration: the machine was slow. */
    story_expect_none(story, "pool-exhaustion");
    wait_for_a_lock(story, 100 * MS, 3 * S);
    story_judge(story);
    const struct finding *finding = story_expect(story, "pool-exhaustion", SEVERITY_ERROR);
    assert_string_equal(finding->title,
                        "a pool of 20 connections has none left for 3 s: up to 140 queries at "
                        "once");
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
    /* One that is too small without any migration proves nothing of it. */
    traffic->depth_before = 25;
    story_judge(story);
    story_expect_none(story, "pool-exhaustion");
}

static void test_rules_traffic_new_failures_are_found(void **state)
{
    struct story *story = *state;
    traffic_of(story);
    fails(story, pattern(story, "SELECT name FROM users", 1000), "42703", 400, 0);
    fails(story, pattern(story, "SELECT name, id FROM users", 10), "42703", 4, 0);
    story_judge(story);
    const struct finding *finding = story_expect(story, "query-error", SEVERITY_ERROR);
    assert_non_null(strstr(finding->title, "404 executions failed with 42703 (a column that is no "
                                           "longer there)"));
    assert_non_null(strstr(finding->title, "SELECT name FROM users"));
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
}

static void test_rules_traffic_failures_of_the_baseline_are_not(void **state)
{
    struct story *story = *state;
    traffic_of(story);
    struct traffic_pattern *inserting = pattern(story, "INSERT INTO users VALUES ($1)", 1000);
    fails(story, inserting, "23505", 57, 50);
    story_judge(story);
    story_expect_none(story, "query-error");
    inserting->errors.items[0].here = 101;
    story_judge(story);
    story_expect(story, "query-error", SEVERITY_ERROR);
}

static void test_rules_traffic_one_finding_for_each_kind_of_failure(void **state)
{
    struct story *story = *state;
    traffic_of(story);
    fails(story, pattern(story, "UPDATE a SET x = $1", 100), "40P01", 3, 0);
    fails(story, pattern(story, "UPDATE b SET x = $1", 100), "40P01", 2, 0);
    fails(story, pattern(story, "SELECT y FROM b", 100), "42703", 2, 0);
    story_judge(story);
    size_t found = 0;
    for (size_t i = 0; i < story->result.findings.count; i++)
        found += strcmp(story->result.findings.items[i].rule, "query-error") == 0;
    assert_int_equal(found, 2);
}

/* What is executed under a name whose Parse failed fails as well: nothing to tell twice, and
   nothing at all where the old application is stopped by then. */
static void test_rules_traffic_the_aftermath_of_a_failure_is_none(void **state)
{
    struct story *story = *state;
    traffic_of(story);
    struct traffic_pattern *renamed = pattern(story, "SELECT name FROM users WHERE id = $1", 1000);
    fails(story, renamed, "42703", 674, 0);
    fails(story, renamed, "26000", 132, 0);
    story_judge(story);
    const struct finding *finding = story_expect(story, "query-error", SEVERITY_ERROR);
    assert_non_null(strstr(finding->title, "674 executions failed with 42703"));
    assert_int_equal(story->result.findings.count, 1);
    renamed->is_transformed = true;
    story->result.transformation.is_old_stopped = true;
    story_judge(story);
    story_expect_none(story, "query-error");
    /* Without that cause it is a failure as any other. */
    fails(story, pattern(story, "SELECT 1", 100), "26000", 3, 0);
    story_judge(story);
    finding = story_expect(story, "query-error", SEVERITY_ERROR);
    assert_non_null(strstr(finding->title, "(a statement that could not be prepared)"));
}

/* A Parse by itself is no execution: only what is executed under its name is seen to fail. */
static void test_rules_traffic_statements_that_nobody_prepares_any_more_are_none(void **state)
{
    struct story *story = *state;
    traffic_of(story);
    struct traffic_pattern *renamed = pattern(story, "SELECT name FROM users WHERE id = $1", 200);
    fails(story, renamed, "26000", 200, 0);
    renamed->is_transformed = true;
    story_judge(story);
    story_expect(story, "query-error", SEVERITY_ERROR);
    story->result.transformation.is_old_stopped = true;
    story_judge(story);
    story_expect_none(story, "query-error");
}

/* What comes behind a failure in its transaction is told with that one, if at all. */
static void test_rules_traffic_the_rest_of_a_failed_transaction_is_none(void **state)
{
    struct story *story = *state;
    traffic_of(story);
    fails(story, pattern(story, "UPDATE visits SET n = n + $1", 200), "25P02", 200, 0);
    story_judge(story);
    story_expect(story, "query-error", SEVERITY_ERROR);
    struct traffic_pattern *renamed = pattern(story, "SELECT name FROM users WHERE id = $1", 200);
    fails(story, renamed, "42703", 200, 0);
    story_judge(story);
    const struct finding *finding = story_expect(story, "query-error", SEVERITY_ERROR);
    assert_non_null(strstr(finding->title, "200 executions failed with 42703"));
    assert_int_equal(story->result.findings.count, 1);
    renamed->is_transformed = true;
    story->result.transformation.is_old_stopped = true;
    story_judge(story);
    story_expect_none(story, "query-error");
}

static void test_rules_traffic_prepared_statements_break(void **state)
{
    struct story *story = *state;
    traffic_of(story);
    fails(story, pattern(story, "SELECT * FROM users WHERE id = $1", 100), "0A000", 30, 0);
    story_judge(story);
    story_expect_none(story, "query-error");
    const struct finding *finding = story_expect(story, "cached-plan-broken", SEVERITY_ERROR);
    assert_non_null(strstr(finding->title, "30 executions failed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_traffic_a_pool_runs_dry),
        STORY_TEST(test_rules_traffic_new_failures_are_found),
        STORY_TEST(test_rules_traffic_failures_of_the_baseline_are_not),
        STORY_TEST(test_rules_traffic_one_finding_for_each_kind_of_failure),
        STORY_TEST(test_rules_traffic_the_aftermath_of_a_failure_is_none),
        STORY_TEST(test_rules_traffic_statements_that_nobody_prepares_any_more_are_none),
        STORY_TEST(test_rules_traffic_the_rest_of_a_failed_transaction_is_none),
        STORY_TEST(test_rules_traffic_prepared_statements_break),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
