#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/comparison.h"

#include <math.h>
#include <string.h>

static void test_comparison_json_has_the_contract(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct workload_comparison comparison = {.was_made = true, .workload = "app.workload"};
    struct query_comparison *query = RH_PUSH(arena, &comparison.queries);
    comparison.limits = rh_query_limits_default();
    *query = (struct query_comparison){.fingerprint = 0xabc,
                                       .query = "SELECT $1",
                                       .calls = 7,
                                       .verdict = QUERY_WORSE,
                                       .rounds = 20,
                                       .ratio = 2.0004,
                                       .added_ms_per_s = -3};
    query->sides[SIDE_BASELINE] = (struct query_times){.p50_us = 10.5, .errors = 1};
    query->effort[SIDE_TWIN].blocks = -1;
    json_t *json = rh_comparison_to_json(&comparison);
    const json_t *pattern = json_array_get(json_object_get(json, "patterns"), 0);
    assert_string_equal(json_string_value(json_object_get(pattern, "fingerprint")),
                        "0000000000000abc");
    assert_string_equal(json_string_value(json_object_get(pattern, "verdict")), "worse");
    const json_t *baseline = json_object_get(pattern, "baseline");
    assert_true(json_real_value(json_object_get(baseline, "p50_us")) == 10.5);
    assert_int_equal(json_integer_value(json_object_get(baseline, "errors")), 1);
    assert_true(json_is_null(json_object_get(json_object_get(pattern, "twin"), "blocks")));
    assert_true(json_real_value(json_object_get(pattern, "added_ms_per_s")) == -3);
    assert_true(json_real_value(json_object_get(pattern, "ratio")) == 2.0);
    assert_true(json_is_null(json_object_get(pattern, "plan")));
    assert_true(json_is_null(json_object_get(pattern, "index_proposal")));
    assert_true(
        json_is_null(json_object_get(json_object_get(json, "limits"), "p50_max_multiplier")));
    json_decref(json);
}

static void test_comparison_json_of_what_was_not_timed_is_null(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct workload_comparison comparison = {0};
    struct query_comparison *query = RH_PUSH(arena, &comparison.queries);
    query->verdict = QUERY_NOT_COMPARABLE;
    query->reason = "COPY is not compared";
    json_t *json = rh_comparison_to_json(&comparison);
    const json_t *pattern = json_array_get(json_object_get(json, "patterns"), 0);
    static const char *const keys[] = {"ratio", "noise", "p_value", "added_ms_per_s"};
    for (size_t i = 0; i < 4; i++)
        assert_true(json_is_null(json_object_get(pattern, keys[i])));
    assert_true(json_is_null(json_object_get(json_object_get(pattern, "candidate"), "p50_us")));
    json_decref(json);
}

static void test_comparison_names(void **state)
{
    (void)state;
    assert_string_equal(rh_query_verdict_name(QUERY_REPLAYER_BOUND), "replayer-bound");
    assert_string_equal(rh_compared_side_name(SIDE_TWIN), "twin");
    assert_string_equal(rh_error_change_name(ERROR_RESOLVED), "resolved");
    assert_string_equal(rh_result_change_name(RESULT_ROWS_CHANGED), "rows-changed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparison_json_has_the_contract),
        cmocka_unit_test(test_comparison_json_of_what_was_not_timed_is_null),
        cmocka_unit_test(test_comparison_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
