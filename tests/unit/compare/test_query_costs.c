#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare/query_costs.h"

static struct query_costs costs_of(struct arena *arena, const char *plan)
{
    struct query_costs costs;
    json_t *json = json_loads(rh_arena_printf(arena, "[{\"Plan\": %s}]", plan), 0, NULL);
    assert_non_null(json);
    rh_query_costs(json, arena, &costs);
    json_decref(json);
    return costs;
}

#define SCAN(relation, rows, removed, loops)                                                     \
    "{\"Node Type\": \"Seq Scan\", \"Relation Name\": \"" relation "\", \"Actual Rows\": " #rows \
    ", \"Rows Removed by Filter\": " #removed ", \"Actual Loops\": " #loops "}"

static void test_query_costs_name_large_scans(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_costs costs = costs_of(
        arena, "{\"Node Type\": \"Hash Join\", \"Actual Loops\": 1, \"Plans\": [" SCAN(
                   "orders", 40, 9970, 2) ", " SCAN("small", 5, 10, 1) ", " SCAN("lines", 90000, 0,
                                                                                 1) "]}");
    assert_int_equal(costs.list.count, 2);
    assert_string_equal(costs.list.items[0].subject, "lines");
    assert_string_equal(costs.list.items[1].subject, "orders");
    assert_int_equal(costs.list.items[1].scanned, 20020);
    assert_int_equal(costs.list.items[1].kept, 80);
    assert_true(rh_query_costs_want_index(&costs));

    /* All of it is needed: no index helps. */
    costs = costs_of(arena, SCAN("lines", 90000, 0, 1));
    assert_int_equal(costs.list.count, 1);
    assert_false(rh_query_costs_want_index(&costs));
}

static void test_query_costs_name_what_goes_through_the_disk(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_costs costs = costs_of(
        arena, "{\"Node Type\": \"Sort\", \"Sort Method\": \"external merge\", "
               "\"Sort Space Type\": \"Disk\", \"Sort Space Used\": 2048, \"Plans\": [{\"Node "
               "Type\": \"Hash\", \"Hash Batches\": 4, \"Peak Memory Usage\": 100}, {\"Node "
               "Type\": \"Aggregate\", \"Disk Usage\": 10}, {\"Node Type\": \"Sort\", \"Sort "
               "Space Type\": \"Memory\", \"Sort Space Used\": 99}]}");
    assert_int_equal(costs.list.count, 3);
    assert_string_equal(costs.list.items[0].subject, "Sort");
    assert_int_equal(costs.list.items[0].bytes, 2048 * 1024);
    assert_int_equal(costs.list.items[0].kind, QUERY_COST_SPILL);
    assert_string_equal(costs.list.items[1].subject, "Hash");
    assert_int_equal(costs.list.items[1].bytes, 300 * 1024);
    assert_string_equal(costs.list.items[2].subject, "Aggregate");
    assert_false(rh_query_costs_want_index(&costs));
}

static void test_query_costs_of_what_is_no_plan(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_costs costs;
    rh_query_costs(NULL, arena, &costs);
    assert_int_equal(costs.list.count, 0);
    costs = costs_of(arena, "{\"Plans\": [1, {\"Node Type\": 7, \"Relation Name\": \"x\"}]}");
    assert_int_equal(costs.list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_costs_name_large_scans),
        cmocka_unit_test(test_query_costs_name_what_goes_through_the_disk),
        cmocka_unit_test(test_query_costs_of_what_is_no_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
