/* new-query-error, new-query-slow, new-query-costly, and what missing-index and statistics-lost say
   of queries that a release brings with it. */
#include "judge_unit.h"

static struct new_query *add(struct story *story, enum new_query_outcome outcome)
{
    struct new_queries *queries = &story->result.new_queries;
    queries->was_run = true;
    struct new_query *query = RH_PUSH(story->arena, &queries->list);
    *query = (struct new_query){.name = "open orders",
                                .file = "release.sql",
                                .line = 7,
                                .query = "SELECT * FROM orders WHERE state = $1",
                                .calls_per_s = -1,
                                .limit_us = -1,
                                .outcome = outcome,
                                .tried = 1,
                                .executions = 500,
                                .p50 = {.us = 12000, .low_us = 11500, .high_us = 12400},
                                .p95 = {.us = 14000, .low_us = 13500, .high_us = 15000},
                                .mean_us = 12500};
    story_run(story, "SELECT", 1 * MS);
    return query;
}

static void test_rules_new_queries_that_are_well_find_nothing(void **state)
{
    struct story *story = *state;
    struct new_query *query = add(story, NEW_QUERY_FINE);
    query->limit_us = 20 * MS;
    story_judge(story);
    assert_int_equal(story->result.findings.count, 0);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
    const struct gate *gate = &story->result.gates.items[story->result.gates.count - 1];
    assert_string_equal(gate->name, "new_query_p95");
    assert_string_equal(gate->limit, "20ms");
    assert_string_equal(gate->measured, "14 ms (open orders)");
    assert_true(gate->ok && gate->observed);
}

static void test_rules_new_queries_that_fail_are_errors(void **state)
{
    struct story *story = *state;
    struct new_query *query = add(story, NEW_QUERY_FAILED);
    query->tried = 4;
    query->failed = 3;
    *RH_PUSH(story->arena, &query->errors) = (struct new_query_error){
        .sqlstate = "42703", .message = "column \"status\" does not exist", .failed = 3};
    story_judge(story);
    const struct finding *finding = story_expect(story, "new-query-error", SEVERITY_ERROR);
    assert_string_equal(finding->title, "new query \"open orders\" fails: SQLSTATE 42703, 3 of 4 "
                                        "sets of parameters");
    assert_contains(finding->why, "column \"status\" does not exist");
    assert_contains(finding->why, "release.sql:7");
    assert_int_equal(story->result.exit_code, 5);
}

static void test_rules_new_queries_over_their_limit_are_errors(void **state)
{
    struct story *story = *state;
    struct new_query *query = add(story, NEW_QUERY_SLOW);
    query->limit_us = 10 * MS;
    query->calls_per_s = 40;
    query->proposal = (struct index_proposal){
        .retry = {.was_tried = true, .is_repaired = true, .p50_us = 90, .ratio = 0.0075},
        .table = "public.orders",
        .sql = "CREATE INDEX CONCURRENTLY orders_state_idx ON public.orders (state);",
        .build_us = 40 * MS,
        .bytes = 1 << 20};
    story_judge(story);
    const struct finding *finding = story_expect(story, "new-query-slow", SEVERITY_ERROR);
    assert_string_equal(finding->title, "new query \"open orders\" takes 14 ms (p95, limit 10ms)");
    assert_contains(finding->why, "40 calls a second it keeps 0.5 backends busy");
    assert_string_equal(finding->advice_sql, query->proposal.sql);
    const struct finding *index = story_expect(story, "missing-index", SEVERITY_WARNING);
    assert_contains(index->title, "brings new query \"open orders\" to 90 us from 12 ms");
    const struct gate *gate = &story->result.gates.items[story->result.gates.count - 1];
    assert_true(gate->observed && !gate->ok);
    assert_int_equal(story->result.exit_code, 5);
}

static void test_rules_new_queries_slow_without_a_limit_warn(void **state)
{
    struct story *story = *state;
    struct new_query *query = add(story, NEW_QUERY_SLOW);
    query->reason = "it did not end within 10.0 s";
    story_judge(story);
    assert_contains(story_expect(story, "new-query-slow", SEVERITY_WARNING)->title,
                    "it did not end within 10.0 s");
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
}

static void test_rules_new_queries_tell_what_analyze_does(void **state)
{
    struct story *story = *state;
    struct new_query *query = add(story, NEW_QUERY_FINE);
    query->after_analyze = (struct query_retry){
        .was_tried = true, .is_repaired = true, .p50_us = 300, .ratio = 0.025};
    story_judge(story);
    assert_contains(story_expect(story, "statistics-lost", SEVERITY_WARNING)->title,
                    "is slow until ANALYZE: then 300 us, right after the migration 12 ms");
}

static void test_rules_new_queries_tell_what_costs(void **state)
{
    struct story *story = *state;
    struct new_query *query = add(story, NEW_QUERY_FINE);
    *RH_PUSH(story->arena, &query->costs.list) = (struct query_cost){
        .kind = QUERY_COST_SCAN, .subject = "orders", .scanned = 200000, .kept = 12};
    *RH_PUSH(story->arena, &query->costs.list) = (struct query_cost){
        .kind = QUERY_COST_SPILL, .subject = "Sort", .bytes = 1 << 20};
    story_judge(story);
    const struct finding *finding = story_expect(story, "new-query-costly", SEVERITY_INFO);
    assert_contains(finding->title, "orders is read whole, 12 of 200,000 rows kept; Sort goes");
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
}

static void test_rules_new_queries_undecided_leave_the_verdict_open(void **state)
{
    struct story *story = *state;
    struct new_query *query = add(story, NEW_QUERY_UNDECIDED);
    query->limit_us = 14 * MS;
    query->reason = "its limit lies within the interval of its p95";
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
    assert_contains(story->result.headline, "\"open orders\" was not decided: its limit lies");

    query->outcome = NEW_QUERY_NOT_RUN;
    query->limit_us = -1;
    query->reason = "there is no role \"app\" here";
    story_judge(story);
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
    assert_contains(story->result.headline, "was not run: there is no role \"app\" here");

    story->result.new_queries.was_run = false;
    story->result.new_queries.why_not = "the clone did not start";
    story_judge(story);
    assert_contains(story->result.headline,
                    "the new queries were not run: the clone did not start");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_new_queries_that_are_well_find_nothing),
        STORY_TEST(test_rules_new_queries_that_fail_are_errors),
        STORY_TEST(test_rules_new_queries_over_their_limit_are_errors),
        STORY_TEST(test_rules_new_queries_slow_without_a_limit_warn),
        STORY_TEST(test_rules_new_queries_tell_what_analyze_does),
        STORY_TEST(test_rules_new_queries_tell_what_costs),
        STORY_TEST(test_rules_new_queries_undecided_leave_the_verdict_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
