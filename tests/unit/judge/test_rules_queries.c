/* query-error, query-slower, result-changed, plan-changed, estimate-off, missing-index, ... */
#include "judge_unit.h"

static struct query_comparison *add(struct story *story, enum query_verdict verdict)
{
    struct workload_comparison *comparison = &story->result.workload;
    if (!comparison->was_made)
        comparison->limits = rh_query_limits_default();
    comparison->was_made = true;
    struct query_comparison *query = RH_PUSH(story->arena, &comparison->queries);
    *query = (struct query_comparison){.query = "SELECT total FROM orders WHERE id = $1",
                                       .calls = 500,
                                       .calls_per_s = 20,
                                       .share = 0.5,
                                       .verdict = verdict,
                                       .rounds = 200,
                                       .ratio = 1,
                                       .ratio_low = 0.99,
                                       .ratio_high = 1.02,
                                       .noise = 1.01,
                                       .results = {.compared = 10}};
    for (size_t side = 0; side < COMPARED_SIDES; side++) {
        query->sides[side] = (struct query_times){.p50_us = 110, .p95_us = 200, .mean_us = 120};
        query->effort[side] = (struct query_effort){.blocks = 4, .estimate_ratio = 1};
    }
    return query;
}

static struct query_comparison *add_slower(struct story *story)
{
    struct query_comparison *query = add(story, QUERY_WORSE);
    query->is_slower = true;
    query->ratio = 94;
    query->ratio_low = 88;
    query->ratio_high = 99;
    query->sides[SIDE_CANDIDATE].p50_us = 10340;
    query->added_ms_per_s = 204;
    query->custom = (struct query_plans){
        .is_compared = true,
        .is_changed = true,
        .difference = "Index Scan using orders_pkey -> Seq Scan on orders, 1 of 9,000 rows"};
    return query;
}

static const struct finding *judged(struct story *story, const char *rule, enum severity severity)
{
    rh_result_deinit(&story->result);
    story->result.findings.count = story->result.gates.count = 0;
    rh_judge_comparison(&story->result);
    for (size_t i = 0; i < story->result.findings.count; i++)
        if (strcmp(story->result.findings.items[i].rule, rule) == 0) {
            assert_int_equal(story->result.findings.items[i].severity, severity);
            return &story->result.findings.items[i];
        }
    return NULL;
}

static const struct gate *gate_of(const struct story *story, const char *name)
{
    for (size_t i = 0; i < story->result.gates.count; i++)
        if (strcmp(story->result.gates.items[i].name, name) == 0)
            return &story->result.gates.items[i];
    fail_msg("no gate %s", name);
    return NULL;
}

static void test_rules_queries_the_same_is_safe(void **state)
{
    struct story *story = *state;
    add(story, QUERY_SAME);
    add(story, QUERY_BETTER);
    assert_null(judged(story, "query-slower", SEVERITY_ERROR));
    assert_int_equal(story->result.findings.count, 0);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
    assert_string_equal(story->result.headline,
                        "2 query patterns compared, none slower or failing; 1 faster");
}

static void test_rules_queries_slower_names_numbers_and_plan(void **state)
{
    struct story *story = *state;
    add_slower(story);
    const struct finding *finding = judged(story, "query-slower", SEVERITY_ERROR);
    assert_non_null(finding);
    assert_string_equal(finding->title, "SELECT total FROM orders WHERE id = $1 takes 94 times as "
                                        "long: p50 10.3 ms, was 110 us");
    assert_non_null(strstr(finding->why, "Seq Scan on orders, 1 of 9,000 rows"));
    assert_non_null(strstr(finding->why, "0.2 more backends busy"));
    assert_int_equal(story->result.exit_code, 5);
}

static void test_rules_queries_slower_within_the_limits_is_a_warning(void **state)
{
    struct story *story = *state;
    add_slower(story);
    story->result.workload.limits.p50_max_multiplier = 200;
    assert_non_null(judged(story, "query-slower", SEVERITY_WARNING));
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
    assert_true(gate_of(story, "p50_max_multiplier")->ok);
    story->result.workload.limits.p50_max_multiplier = 1.5;
    const struct finding *finding = judged(story, "query-slower", SEVERITY_ERROR);
    assert_non_null(strstr(finding->title, "(limit 1.5)"));
    assert_false(gate_of(story, "p50_max_multiplier")->ok);
    assert_non_null(strstr(gate_of(story, "p50_max_multiplier")->measured, "SELECT total"));
}

static void test_rules_queries_gates_do_not_mind_chance(void **state)
{
    struct story *story = *state;
    struct query_comparison *query = add(story, QUERY_SAME);
    query->p99_ratio = 1.9;
    story->result.workload.limits.p99_max_multiplier = 1.2;
    assert_null(judged(story, "query-slower", SEVERITY_ERROR));
    assert_true(gate_of(story, "p99_max_multiplier")->ok);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
}

/* The ratio of what fails, or reads more, may be chance: its own findings say enough. */
static void test_rules_queries_gates_count_what_is_slower_beyond_doubt(void **state)
{
    struct story *story = *state;
    struct query_comparison *query = add(story, QUERY_WORSE);
    query->ratio = 1.7;
    query->reason = "reads 900 instead of 3 blocks, though its times do not tell";
    story->result.workload.limits.p50_max_multiplier = 1.5;
    const struct finding *finding = judged(story, "query-slower", SEVERITY_WARNING);
    assert_non_null(strstr(finding->title, "reads 900 instead of 3 blocks"));
    assert_null(strstr(finding->title, "times as long"));
    assert_true(gate_of(story, "p50_max_multiplier")->ok);
    query->is_slower = true;
    finding = judged(story, "query-slower", SEVERITY_ERROR);
    assert_non_null(strstr(finding->title, "takes 1.7 times as long"));
    assert_false(gate_of(story, "p50_max_multiplier")->ok);
}

static void test_rules_queries_slower_writes_name_their_cause(void **state)
{
    struct story *story = *state;
    struct query_comparison *query = add_slower(story);
    query->custom = (struct query_plans){.is_compared = true};
    query->cause = "public.orders has 2 more indexes: a and b";
    query->effort[SIDE_BASELINE].wal_records = 2;
    query->effort[SIDE_CANDIDATE].wal_records = 4;
    const struct finding *finding = judged(story, "query-slower", SEVERITY_ERROR);
    assert_non_null(strstr(finding->why, "public.orders has 2 more indexes: a and b. It writes 4 "
                                         "WAL records, was 2."));
    assert_non_null(strstr(finding->advice, "Every write keeps them up to date"));
}

static void test_rules_queries_prepared_with_other_columns(void **state)
{
    struct story *story = *state;
    struct query_comparison *query = add(story, QUERY_SAME);
    query->results.change = RESULT_COLUMNS_ADDED;
    *RH_PUSH(story->arena, &query->results.columns) = "note";
    assert_null(judged(story, "cached-plan-broken", SEVERITY_WARNING));
    query->is_prepared = true;
    const struct finding *finding = judged(story, "cached-plan-broken", SEVERITY_WARNING);
    assert_non_null(finding);
    assert_non_null(strstr(finding->why, "gives more columns: note"));
    query->results.change = RESULT_VALUES_CHANGED;
    assert_null(judged(story, "cached-plan-broken", SEVERITY_WARNING));
    query->results.change = RESULT_COLUMNS_CHANGED;
    story->result.traffic.was_run = true; /* it was tried, and did not fail */
    assert_null(judged(story, "cached-plan-broken", SEVERITY_WARNING));
}

static void test_rules_queries_new_errors_fail_and_old_ones_do_not(void **state)
{
    struct story *story = *state;
    struct query_comparison *query = add(story, QUERY_WORSE);
    query->rounds = 0;
    query->results.compared = 0;
    *RH_PUSH(story->arena, &query->errors) = (struct query_error){
        .sqlstate = "42703", .message = "no such column", .change = ERROR_NEW, .candidate = 10};
    const struct finding *finding = judged(story, "query-error", SEVERITY_ERROR);
    assert_non_null(strstr(finding->title, "SQLSTATE 42703, 100 % of its executions"));
    assert_null(judged(story, "query-slower", SEVERITY_ERROR));
    query->errors.items[0].change = ERROR_EXISTING;
    query->verdict = QUERY_SAME;
    assert_null(judged(story, "query-error", SEVERITY_ERROR));
    query->errors.items[0].change = ERROR_NEW;
    query->errors.items[0].is_cached_plan = true;
    assert_null(judged(story, "query-error", SEVERITY_ERROR));
    assert_non_null(judged(story, "cached-plan-broken", SEVERITY_ERROR));
}

static void test_rules_queries_error_rate_limit(void **state)
{
    struct story *story = *state;
    struct query_comparison *query = add(story, QUERY_WORSE);
    query->results.compared = 99;
    query->sides[SIDE_CANDIDATE].errors = 1;
    *RH_PUSH(story->arena, &query->errors) = (struct query_error){
        .sqlstate = "22012", .change = ERROR_NEW, .candidate = 1};
    story->result.workload.limits.error_rate_max_delta = 0.05;
    assert_non_null(judged(story, "query-error", SEVERITY_WARNING));
    assert_true(gate_of(story, "error_rate_max_delta")->ok);
    story->result.workload.limits.error_rate_max_delta = 0.001;
    assert_non_null(judged(story, "query-error", SEVERITY_ERROR));
    assert_false(gate_of(story, "error_rate_max_delta")->ok);
}

static void test_rules_queries_results(void **state)
{
    struct story *story = *state;
    static const struct {
        enum result_change change;
        enum severity severity;
        const char *says;
    } cases[] = {
        {RESULT_ROWS_CHANGED, SEVERITY_ERROR, "gives 7 rows, was 5"},
        {RESULT_VALUES_CHANGED, SEVERITY_ERROR, "gives other values of total"},
        {RESULT_COLUMNS_CHANGED, SEVERITY_ERROR, "gives other columns: total"},
        {RESULT_ORDER_CHANGED, SEVERITY_WARNING, "in another order"},
        {RESULT_TYPES_CHANGED, SEVERITY_WARNING, "gives total as another type"},
        {RESULT_COLUMNS_ADDED, SEVERITY_INFO, "gives more columns: total"},
    };
    struct query_comparison *query = add(story, QUERY_SAME);
    query->results.rows_before = 5;
    query->results.rows_after = 7;
    query->results.differing = 2;
    *RH_PUSH(story->arena, &query->results.columns) = "total";
    for (size_t i = 0; i < COUNT(cases); i++) {
        query->results.change = cases[i].change;
        const struct finding *finding = judged(story, "result-changed", cases[i].severity);
        assert_non_null(finding);
        if (!strstr(finding->title, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", finding->title, cases[i].says);
        assert_non_null(strstr(finding->title, "(2 of 10 executions)"));
    }
    query->results.change = RESULT_NOT_COMPARED;
    assert_null(judged(story, "result-changed", SEVERITY_ERROR));
}

static void test_rules_queries_plans_that_cost_nothing_are_told(void **state)
{
    struct story *story = *state;
    struct query_comparison *query = add(story, QUERY_SAME);
    query->generic = (struct query_plans){
        .is_compared = true, .is_changed = true, .difference = "Index Scan -> Seq Scan on orders"};
    const struct finding *finding = judged(story, "plan-changed", SEVERITY_INFO);
    assert_non_null(strstr(finding->title, "another generic plan"));
    query->custom = query->generic;
    query->effort[SIDE_CANDIDATE].blocks = 4000;
    assert_non_null(judged(story, "plan-changed", SEVERITY_WARNING));
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
}

static void test_rules_queries_estimates(void **state)
{
    struct story *story = *state;
    struct query_comparison *query = add_slower(story);
    query->effort[SIDE_CANDIDATE] = (struct query_effort){.blocks = 4,
                                                          .estimate_ratio = 180,
                                                          .estimate_rows = 1000,
                                                          .estimate_actual = 180000,
                                                          .estimate_node = "Seq Scan on orders"};
    assert_non_null(judged(story, "estimate-off", SEVERITY_WARNING));
    query->effort[SIDE_BASELINE].estimate_ratio = 170;
    assert_null(judged(story, "estimate-off", SEVERITY_WARNING));
}

static void test_rules_queries_repairs_are_told_when_they_repaired(void **state)
{
    struct story *story = *state;
    struct query_comparison *query = add_slower(story);
    query->proposal = (struct index_proposal){
        .table = "public.orders",
        .sql = "CREATE INDEX CONCURRENTLY orders_id_idx ON public.orders (id);",
        .retry = {.was_tried = true, .p50_us = 120, .ratio = 1.1}};
    assert_null(judged(story, "missing-index", SEVERITY_WARNING));
    query->proposal.retry.is_repaired = true;
    const struct finding *finding = judged(story, "missing-index", SEVERITY_WARNING);
    assert_true(finding->advice_tried);
    assert_string_equal(finding->advice_sql, query->proposal.sql);
    query->after_analyze = (struct query_retry){
        .was_tried = true, .is_repaired = true, .p50_us = 115, .ratio = 1};
    assert_non_null(judged(story, "statistics-lost", SEVERITY_WARNING));
}

static void test_rules_queries_undecided_is_inconclusive(void **state)
{
    struct story *story = *state;
    struct query_comparison *query = add(story, QUERY_TOO_NOISY);
    query->reason = "the times vary";
    add(story, QUERY_SAME)->share = 0.1;
    assert_null(judged(story, "query-slower", SEVERITY_ERROR));
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(story->result.headline, "83 % of the workload's time (too-noisy"));
    story->result.workload.queries.items[0].verdict = QUERY_NOT_COMPARABLE;
    judged(story, "query-slower", SEVERITY_ERROR);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
    story->result.workload.queries.count = 0;
    judged(story, "query-slower", SEVERITY_ERROR);
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
}

/* In a run they stand beside the findings about the migration. */
static void test_rules_queries_are_part_of_a_run(void **state)
{
    struct story *story = *state;
    story_run(story, "DROP INDEX", 1 * MS);
    add_slower(story);
    story_expect(story, "query-slower", SEVERITY_ERROR);
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
}

/* A recorded query that the release sends otherwise fails; what it sends then is the same. */
static struct query_comparison *add_transformed(struct story *story, bool is_old_stopped)
{
    struct workload_comparison *new = &story->result.new_application;
    struct query_comparison *old = add(story, QUERY_WORSE);
    old->application = APPLICATION_OLD;
    *RH_PUSH(story->arena, &old->errors) = (struct query_error){
        .sqlstate = "42703", .change = ERROR_NEW, .candidate = 10};
    story->result.transformation = (struct transformation){.path = "t.yaml",
                                                           .is_old_stopped = is_old_stopped};
    new->was_made = true;
    struct query_comparison *query = RH_PUSH(story->arena, &new->queries);
    *query = *old;
    query->application = APPLICATION_NEW;
    query->sent = "SELECT total FROM purchases WHERE id = $1";
    query->verdict = QUERY_SAME;
    query->errors.count = 0;
    return query;
}

static void test_rules_queries_the_old_application_counts_while_it_runs(void **state)
{
    struct story *story = *state;
    add_transformed(story, false);
    const struct finding *finding = judged(story, "query-error", SEVERITY_ERROR);
    assert_non_null(finding);
    assert_non_null(strstr(finding->title, "the old application's SELECT total FROM orders"));
    assert_non_null(strstr(finding->advice, "old_application: stopped"));
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
}

static void test_rules_queries_a_stopped_application_is_told_alone(void **state)
{
    struct story *story = *state;
    add_transformed(story, true);
    story->result.workload.limits.error_rate_max_delta = 0.01;
    assert_non_null(judged(story, "query-error", SEVERITY_INFO));
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
    assert_true(gate_of(story, "error_rate_max_delta")->ok);
    assert_string_equal(story->result.headline, "1 query pattern compared, none slower or failing");
    /* What no rule concerns is the new application's as well. */
    struct query_comparison *both = add(story, QUERY_WORSE);
    *RH_PUSH(story->arena, &both->errors) = (struct query_error){
        .sqlstate = "42703", .change = ERROR_NEW, .candidate = 10};
    (void)judged(story, "query-error", SEVERITY_ERROR);
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
}

static void test_rules_queries_the_new_application_is_judged(void **state)
{
    struct story *story = *state;
    struct query_comparison *query = add_transformed(story, true);
    *RH_PUSH(story->arena, &query->errors) = (struct query_error){
        .sqlstate = "42P01", .change = ERROR_NEW, .candidate = 10};
    query->verdict = QUERY_WORSE;
    const struct finding *finding = judged(story, "query-error", SEVERITY_ERROR);
    assert_non_null(strstr(finding->title, "the new application's SELECT total FROM purchases"));
    assert_non_null(strstr(finding->why, "what the transform makes of it"));
    assert_string_equal(json_string_value(json_object_get(finding->evidence, "sent")), query->sent);
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
}

static void test_rules_queries_what_is_refused_is_undecided(void **state)
{
    struct story *story = *state;
    struct query_comparison *query = add_transformed(story, true);
    query->is_refused = true;
    query->verdict = QUERY_NOT_COMPARABLE;
    query->reason = "a dropped column is used in WHERE";
    (void)judged(story, "query-error", SEVERITY_INFO);
    assert_int_equal(story->result.verdict, VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(story->result.headline, "of the new application 1 query pattern could "
                                                   "not be decided"));
    assert_non_null(strstr(story->result.headline, "a dropped column is used in WHERE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_queries_the_same_is_safe),
        STORY_TEST(test_rules_queries_slower_names_numbers_and_plan),
        STORY_TEST(test_rules_queries_slower_within_the_limits_is_a_warning),
        STORY_TEST(test_rules_queries_gates_do_not_mind_chance),
        STORY_TEST(test_rules_queries_gates_count_what_is_slower_beyond_doubt),
        STORY_TEST(test_rules_queries_slower_writes_name_their_cause),
        STORY_TEST(test_rules_queries_prepared_with_other_columns),
        STORY_TEST(test_rules_queries_new_errors_fail_and_old_ones_do_not),
        STORY_TEST(test_rules_queries_error_rate_limit),
        STORY_TEST(test_rules_queries_results),
        STORY_TEST(test_rules_queries_plans_that_cost_nothing_are_told),
        STORY_TEST(test_rules_queries_estimates),
        STORY_TEST(test_rules_queries_repairs_are_told_when_they_repaired),
        STORY_TEST(test_rules_queries_undecided_is_inconclusive),
        STORY_TEST(test_rules_queries_are_part_of_a_run),
        STORY_TEST(test_rules_queries_the_old_application_counts_while_it_runs),
        STORY_TEST(test_rules_queries_a_stopped_application_is_told_alone),
        STORY_TEST(test_rules_queries_the_new_application_is_judged),
        STORY_TEST(test_rules_queries_what_is_refused_is_undecided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
