#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare/query_plans.h"

#include <string.h>

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    if (!json)
        fail_msg("%s", error.text);
    return json;
}

#define INDEX_PLAN                                                                                 \
    "[{\"Plan\":{\"Node Type\":\"Sort\",\"Actual Rows\":412,\"Actual Loops\":1,\"Plan Rows\":400," \
    "\"Shared Hit Blocks\":20,\"Shared Read Blocks\":3,\"Plans\":[{\"Node Type\":\"Index Scan\","  \
    "\"Relation Name\":\"orders\",\"Index Name\":\"orders_customer_idx\",\"Actual Rows\":412,"     \
    "\"Actual Loops\":1,\"Plan Rows\":400,\"Total Cost\":9.5}]}}]"
#define SEQ_PLAN                                                                                   \
    "[{\"Plan\":{\"Node Type\":\"Sort\",\"Actual Rows\":412,\"Actual Loops\":1,\"Plan Rows\":400," \
    "\"Shared Hit Blocks\":2000,\"Shared Read Blocks\":0,\"Plans\":[{\"Node Type\":\"Seq Scan\","  \
    "\"Relation Name\":\"orders\",\"Actual Rows\":412,\"Rows Removed by Filter\":999588,"          \
    "\"Actual Loops\":1,\"Plan Rows\":4,\"Filter\":\"(customer_id = 42)\"}]}}]"

static struct query_plans compare(struct arena *arena, const char *before, const char *after)
{
    struct query_plans plans = {0};
    json_t *a = parse(before), *b = parse(after);
    assert_true(rh_query_plan_read(a, arena, &plans.baseline));
    assert_true(rh_query_plan_read(b, arena, &plans.candidate));
    rh_query_plans_compare(&plans, arena);
    json_decref(a);
    json_decref(b);
    return plans;
}

static void test_plans_same_whatever_they_cost(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    char dearer[sizeof(INDEX_PLAN)];
    memcpy(dearer, INDEX_PLAN, sizeof(dearer));
    memcpy(strstr(dearer, "9.5"), "8.1", 3);
    struct query_plans plans = compare(arena, INDEX_PLAN, dearer);
    assert_true(plans.is_compared);
    assert_false(plans.is_changed);
    assert_null(plans.difference);
}

static void test_plans_index_to_sequential_scan_is_said(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_plans plans = compare(arena, INDEX_PLAN, SEQ_PLAN);
    assert_true(plans.is_changed);
    assert_string_equal(plans.difference, "Index Scan using orders_customer_idx -> Seq Scan on "
                                          "orders, 412 of 1,000,000 rows");
    assert_false(plans.candidate.lines.items[0].is_different);
    assert_true(plans.candidate.lines.items[1].is_different);
    assert_int_equal(plans.candidate.lines.items[1].scanned, 1000000);
}

static void test_plans_bitmap_scan_names_its_index(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_plans plans = compare(
        arena,
        "{\"Plan\":{\"Node Type\":\"Bitmap Heap Scan\",\"Relation Name\":\"t\",\"Plans\":["
        "{\"Node Type\":\"Bitmap Index Scan\",\"Index Name\":\"t_a\"}]}}",
        "{\"Plan\":{\"Node Type\":\"Seq Scan\",\"Relation Name\":\"t\"}}");
    assert_string_equal(plans.difference, "Bitmap Heap Scan (t_a) -> Seq Scan on t");
}

static void test_plans_joins_aggregates_and_writes_have_names(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_plan plan;
    json_t *json = parse(
        "{\"Plan\":{\"Node Type\":\"ModifyTable\",\"Operation\":\"Update\",\"Relation Name\":\"t\","
        "\"Plans\":[{\"Node Type\":\"Aggregate\",\"Strategy\":\"Hashed\",\"Partial Mode\":"
        "\"Finalize\",\"Plans\":[{\"Node Type\":\"Hash Join\",\"Join Type\":\"Left\",\"Plans\":["
        "{\"Node Type\":\"Seq Scan\",\"Parallel Aware\":true,\"Relation Name\":\"a\"},"
        "{\"Node Type\":\"Index Only Scan\",\"Scan Direction\":\"Backward\",\"Index Name\":\"i\","
        "\"Relation Name\":\"b\"}]}]}]}}");
    assert_true(rh_query_plan_read(json, arena, &plan));
    static const char *const expected[] = {"Update on t", "Finalize HashAggregate",
                                           "Hash Left Join", "Parallel Seq Scan on a",
                                           "Index Only Scan Backward using i on b"};
    assert_int_equal(plan.lines.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(plan.lines.items[i].text, expected[i]);
    assert_int_equal(plan.lines.items[0].rows, -1);
    json_decref(json);
}

static void test_plans_added_and_gone_nodes(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const char *bare = "{\"Plan\":{\"Node Type\":\"Result\"}}";
    const char
        *sorted = "{\"Plan\":{\"Node Type\":\"Sort\",\"Plans\":[{\"Node Type\":\"Result\"}]}}";
    assert_string_equal(compare(arena, bare, sorted).difference, "now also Sort");
    assert_string_equal(compare(arena, sorted, bare).difference, "no longer Sort");
}

static void test_plans_effort_counts_blocks_rows_and_estimates(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_effort effort;
    json_t *json = parse(SEQ_PLAN);
    assert_true(rh_query_plan_effort(json, arena, &effort));
    assert_true(effort.blocks == 2000 && effort.rows == 412 && effort.rows_scanned == 1000000);
    assert_true(effort.estimate_ratio == 103);
    assert_string_equal(effort.estimate_node, "Seq Scan on orders");
    json_decref(json);
    json = parse("{\"Plan\":{\"Node Type\":\"Result\"}}");
    assert_false(rh_query_plan_effort(json, arena, &effort));
    json_decref(json);
}

static void test_plans_that_are_none(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_plan plan;
    static const char *const texts[] = {"[]", "{}", "[{\"Plan\":7}]", "[[]]"};
    for (size_t i = 0; i < 4; i++) {
        json_t *json = parse(texts[i]);
        assert_false(rh_query_plan_read(json, arena, &plan));
        json_decref(json);
    }
    assert_false(rh_query_plan_read(NULL, arena, &plan));
}

static struct query_plans compare_renamed(struct arena *arena, const char *after)
{
    struct query_plans plans = {0};
    struct renames renames = {0};
    json_t *a = parse(INDEX_PLAN), *b = parse(after);
    rh_renames_add(&renames, arena, "orders", "purchases");
    rh_renames_add(&renames, arena, "orders_customer_idx", "purchases_customer_idx");
    assert_true(rh_query_plan_read(a, arena, &plans.baseline));
    assert_true(rh_query_plan_read_renamed(b, &renames, arena, &plans.candidate));
    rh_query_plans_compare(&plans, arena);
    json_decref(a);
    json_decref(b);
    return plans;
}

#define RENAMED(node)                                      \
    "[{\"Plan\":{\"Node Type\":\"Sort\",\"Plans\":[{" node \
    "\"Relation Name\":\"purchases\",\"Actual Rows\":412,\"Actual Loops\":1}]}}]"

static void test_plans_under_new_names_are_the_same_plan(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_plans plans = compare_renamed(
        arena, RENAMED("\"Node Type\":\"Index Scan\",\"Index Name\":\"purchases_customer_idx\","));
    assert_true(plans.is_compared);
    assert_false(plans.is_changed);
    /* What is shown has the names of its side. */
    assert_string_equal(plans.candidate.lines.items[1].text,
                        "Index Scan using purchases_customer_idx on purchases");
    plans = compare_renamed(arena,
                            RENAMED("\"Node Type\":\"Index Scan\",\"Index Name\":\"other\","));
    assert_true(plans.is_changed);
}

static void test_plans_under_new_names_differ_by_their_nodes(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_plans plans = compare_renamed(arena, RENAMED("\"Node Type\":\"Seq Scan\","));
    assert_true(plans.is_changed);
    assert_false(plans.candidate.lines.items[0].is_different);
    assert_string_equal(plans.difference, "Index Scan using orders_customer_idx -> Seq Scan on "
                                          "purchases, 412 of 412 rows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans_same_whatever_they_cost),
        cmocka_unit_test(test_plans_index_to_sequential_scan_is_said),
        cmocka_unit_test(test_plans_bitmap_scan_names_its_index),
        cmocka_unit_test(test_plans_joins_aggregates_and_writes_have_names),
        cmocka_unit_test(test_plans_added_and_gone_nodes),
        cmocka_unit_test(test_plans_effort_counts_blocks_rows_and_estimates),
        cmocka_unit_test(test_plans_that_are_none),
        cmocka_unit_test(test_plans_under_new_names_are_the_same_plan),
        cmocka_unit_test(test_plans_under_new_names_differ_by_their_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
