#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare/query_verdicts.h"
#include "model/workload.h"

#include <string.h>

static struct query_comparison query_of(double blocks_before, double blocks_after)
{
    struct query_comparison query = {.query = "SELECT 1", .calls = 100, .calls_per_s = 10};
    query.effort[SIDE_BASELINE].blocks = query.effort[SIDE_TWIN].blocks = blocks_before;
    query.effort[SIDE_CANDIDATE].blocks = blocks_after;
    return query;
}

static struct latency_comparison latency_of(enum latency_outcome outcome)
{
    struct latency_comparison latency = {.rounds = 50,
                                         .outcome = outcome,
                                         .baseline_mean_us = 100,
                                         .twin_mean_us = 300,
                                         .candidate_mean_us = 1200,
                                         .p_slower = 0.001};
    latency.quantiles[LATENCY_P50] = (struct latency_quantile){.is_supported = true,
                                                               .baseline.us = 100,
                                                               .candidate.us = 900,
                                                               .ratio = 9,
                                                               .ratio_high = 10};
    return latency;
}

static enum query_verdict verdict_of(struct query_comparison *query,
                                     const struct query_timing *timing, struct arena *arena)
{
    rh_query_verdict(query, timing, arena);
    return query->verdict;
}

static void test_verdicts_follow_the_times(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    static const struct {
        enum latency_outcome outcome;
        enum query_verdict verdict;
    } cases[] = {{LATENCY_SLOWER, QUERY_WORSE},
                 {LATENCY_FASTER, QUERY_BETTER},
                 {LATENCY_SAME, QUERY_SAME},
                 {LATENCY_NOISY, QUERY_TOO_NOISY},
                 {LATENCY_TOO_FEW, QUERY_TOO_FEW}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct query_comparison query = query_of(5, 5);
        struct latency_comparison latency = latency_of(cases[i].outcome);
        assert_int_equal(verdict_of(&query, &(struct query_timing){.latency = &latency}, arena),
                         cases[i].verdict);
        assert_int_equal(query.rounds, 50);
        assert_true(query.ratio == 9);
        /* (1200 - (100 + 300) / 2) us, ten times a second */
        assert_true(query.added_ms_per_s == 10);
    }
}

static void test_verdicts_blocks_decide_where_time_cannot(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_comparison query = query_of(10, 5000);
    struct latency_comparison latency = latency_of(LATENCY_NOISY);
    assert_int_equal(verdict_of(&query, &(struct query_timing){.latency = &latency}, arena),
                     QUERY_WORSE);
    assert_non_null(strstr(query.reason, "reads 5,000 instead of 10 blocks"));
    query = query_of(10, 60); /* six times as many, and still few */
    assert_int_equal(verdict_of(&query, &(struct query_timing){.latency = &latency}, arena),
                     QUERY_TOO_NOISY);
    query = query_of(-1, -1);
    assert_false(rh_query_reads_more(&query));
    /* The clock's own answer counts more; without one, whyever, the blocks do. */
    query = query_of(10, 5000);
    latency.outcome = LATENCY_SAME;
    assert_int_equal(verdict_of(&query, &(struct query_timing){.latency = &latency}, arena),
                     QUERY_SAME);
    latency.outcome = LATENCY_SLOWER;
    const struct query_timing none[] = {
        {.latency = &latency, .is_refuted = true},
        {.latency = &latency, .is_replayer_bound = true},
        {.latency = NULL},
    };
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        query = query_of(10, 5000);
        assert_int_equal(verdict_of(&query, &none[i], arena), QUERY_WORSE);
        assert_false(query.is_slower);
    }
}

static void test_verdicts_name_the_blocks_that_became_more(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_comparison query = query_of(10, 10);
    struct latency_comparison latency = latency_of(LATENCY_NOISY);
    query.effort[SIDE_CANDIDATE].temp_blocks = 900;
    assert_int_equal(verdict_of(&query, &(struct query_timing){.latency = &latency}, arena),
                     QUERY_WORSE);
    assert_non_null(strstr(query.reason, "reads 900 instead of 0 temporary blocks"));
}

static void test_verdicts_of_writes_mind_dead_rows(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct latency_comparison latency = latency_of(LATENCY_SLOWER);
    struct query_timing timing = {.latency = &latency};
    struct query_comparison query = query_of(17, 17);
    query.flags = PATTERN_WRITES;
    query.custom.is_compared = true;
    latency.quantiles[LATENCY_P50].ratio = 2.4;
    assert_int_equal(verdict_of(&query, &timing, arena), QUERY_TOO_NOISY);
    query.effort[SIDE_CANDIDATE].blocks = 23; /* one more index, a trigger */
    assert_int_equal(verdict_of(&query, &timing, arena), QUERY_WORSE);
    assert_true(query.is_slower);
    query.effort[SIDE_CANDIDATE].blocks = 17;
    latency.quantiles[LATENCY_P50].ratio = 4;
    assert_int_equal(verdict_of(&query, &timing, arena), QUERY_WORSE);
}

/* What can be counted, or named, says that it is no matter of dead rows. */
static void test_verdicts_of_writes_that_cost_more(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct latency_comparison latency = latency_of(LATENCY_SLOWER);
    struct query_timing timing = {.latency = &latency};
    struct query_comparison query = query_of(17, 17);
    latency.quantiles[LATENCY_P50].ratio = 1.6;
    query.flags = PATTERN_WRITES;
    query.custom.is_compared = true;
    query.effort[SIDE_BASELINE].wal_records = 2;
    query.effort[SIDE_TWIN].wal_records = query.effort[SIDE_CANDIDATE].wal_records = 2.3;
    assert_int_equal(verdict_of(&query, &timing, arena), QUERY_TOO_NOISY);
    query.effort[SIDE_CANDIDATE].wal_records = 3;
    assert_int_equal(verdict_of(&query, &timing, arena), QUERY_WORSE);
    query.effort[SIDE_CANDIDATE].wal_records = 2;
    query.cause = "orders has 1 more trigger: audit";
    assert_int_equal(verdict_of(&query, &timing, arena), QUERY_WORSE);
    /* An index that a write keeps up to date costs blocks and records: one that did not is none. */
    query.cause = "orders has 1 more index: a";
    query.cause_is_indexes = true;
    assert_int_equal(verdict_of(&query, &timing, arena), QUERY_TOO_NOISY);
    assert_null(query.cause);
}

static void test_verdicts_refuted_and_bound_and_not_comparable(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct latency_comparison latency = latency_of(LATENCY_SLOWER);
    struct query_comparison query = query_of(5, 5);
    struct query_timing timing = {.latency = &latency, .is_refuted = true};
    assert_int_equal(verdict_of(&query, &timing, arena), QUERY_TOO_NOISY);
    timing = (struct query_timing){.latency = &latency, .is_replayer_bound = true};
    assert_int_equal(verdict_of(&query, &timing, arena), QUERY_REPLAYER_BOUND);
    timing = (struct query_timing){.not_comparable = "COPY is not compared"};
    assert_int_equal(verdict_of(&query, &timing, arena), QUERY_NOT_COMPARABLE);
    assert_string_equal(query.reason, "COPY is not compared");
    query.reason = NULL;
    assert_int_equal(verdict_of(&query, &(struct query_timing){0}, arena), QUERY_TOO_FEW);
}

static void test_verdicts_a_new_error_is_worse_than_any_time(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_comparison query = query_of(5, 5);
    struct latency_comparison latency = latency_of(LATENCY_FASTER);
    *RH_PUSH(arena, &query.errors) = (struct query_error){.sqlstate = "42703", .change = ERROR_NEW};
    assert_int_equal(verdict_of(&query, &(struct query_timing){.latency = &latency}, arena),
                     QUERY_WORSE);
    assert_string_equal(query.reason, "fails with SQLSTATE 42703");
}

static void test_verdicts_finer_limits_make_finer_rules(void **state)
{
    (void)state;
    struct query_limits limits = rh_query_limits_default();
    assert_true(rh_query_latency_rules(&limits).least_ratio == 1.2);
    limits.p95_max_multiplier = 1.1;
    limits.p50_max_multiplier = 3;
    limits.min_query_count = 40;
    assert_true(rh_query_latency_rules(&limits).least_ratio == 1.1);
    assert_int_equal(rh_query_latency_rules(&limits).least_rounds, 40);
}

static void test_verdicts_worst_come_first(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct workload_comparison comparison = {0};
    static const struct {
        const char *query;
        enum query_verdict verdict;
        double added;
    } items[] = {{"d", QUERY_SAME, 0},
                 {"b", QUERY_WORSE, 5},
                 {"c", QUERY_TOO_FEW, 500},
                 {"a", QUERY_WORSE, 70}};
    for (size_t i = 0; i < 4; i++)
        *RH_PUSH(arena,
                 &comparison.queries) = (struct query_comparison){.query = items[i].query,
                                                                  .verdict = items[i].verdict,
                                                                  .added_ms_per_s = items[i].added,
                                                                  .fingerprint = i};
    rh_query_comparisons_finish(&comparison);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(comparison.queries.items[i].query[0], "abcd"[i]);
    assert_true(comparison.added_ms_per_s == 75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts_follow_the_times),
        cmocka_unit_test(test_verdicts_blocks_decide_where_time_cannot),
        cmocka_unit_test(test_verdicts_of_writes_mind_dead_rows),
        cmocka_unit_test(test_verdicts_of_writes_that_cost_more),
        cmocka_unit_test(test_verdicts_name_the_blocks_that_became_more),
        cmocka_unit_test(test_verdicts_refuted_and_bound_and_not_comparable),
        cmocka_unit_test(test_verdicts_a_new_error_is_worse_than_any_time),
        cmocka_unit_test(test_verdicts_finer_limits_make_finer_rules),
        cmocka_unit_test(test_verdicts_worst_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
