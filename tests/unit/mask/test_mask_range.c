#include "structured.h"

#define LEAVES(...) ((const char *const[]){__VA_ARGS__})

static void test_bounds_are_masked_and_keep_their_order(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench range = bench_new(MASK_NUMBER, "int4range");
    CLEANUP_BENCH struct bench number = bench_new(MASK_NUMBER, "int4");
    check_leaves(&range, &number, "[10,20)", "[\1,\2)", LEAVES("10", "20"));
    check_leaves(&range, &number, "(,20)", "(,\1)", LEAVES("20"));
    check_leaves(&range, &number, "[7,)", "[\1,)", LEAVES("7"));
    check_leaves(&range, &number, "(,)", "(,)", NULL);
    check_leaves(&range, &number, "empty", "empty", NULL);
}

static void test_multiranges(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench range = bench_new(MASK_NUMBER, "int8multirange");
    CLEANUP_BENCH struct bench number = bench_new(MASK_NUMBER, "int8");
    check_leaves(&range, &number, "{[1,3),[5,9)}", "{[\1,\2),[\3,\4)}", LEAVES("1", "3", "5", "9"));
    check_leaves(&range, &number, "{}", "{}", NULL);
}

static void test_bounds_of_times_are_quoted(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench range = bench_new(MASK_DATE, "tsrange");
    CLEANUP_BENCH struct bench time = bench_new(MASK_DATE, "timestamp");
    check_leaves(&range, &time, "[\"2024-01-02 03:04:05\",\"2024-02-03 00:00:00\")",
                 "[\"\1\",\"\2\")", LEAVES("2024-01-02 03:04:05", "2024-02-03 00:00:00"));
    CLEANUP_BENCH struct bench dates = bench_new(MASK_DATE, "daterange");
    CLEANUP_BENCH struct bench date = bench_new(MASK_DATE, "date");
    check_leaves(&dates, &date, "[2024-01-02,2024-02-03)", "[\1,\2)",
                 LEAVES("2024-01-02", "2024-02-03"));
}

static void test_a_rule_that_loses_the_order_is_refused(void **state)
{
    (void)state;
    struct mask_map_options options = {
        .key = &test_key, .domain = "d", .rule = MASK_TEXT, .type = "int4range"};
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct mask_map *map;
    assert_int_equal(rh_mask_map_new(&options, arena, &map, &err), RH_ERR_USAGE);
    assert_non_null(strstr(err.hint, "number"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_are_masked_and_keep_their_order),
        cmocka_unit_test(test_multiranges),
        cmocka_unit_test(test_bounds_of_times_are_quoted),
        cmocka_unit_test(test_a_rule_that_loses_the_order_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
