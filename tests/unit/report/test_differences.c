/* How the states differ, in a few lines. */
#include "report_unit.h"

static const char *text_of(struct arena *arena, const struct result *result,
                           enum report_detail detail)
{
    return section_text(arena, rh_report_differences, result, detail);
}

static void test_differences_say_nothing_where_nothing_was_compared(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(text_of(arena, result_new(arena), REPORT_NORMAL), "");
}

static void test_differences_say_why_nothing_was_compared(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    result->schema_differences.reason = result->data_differences.reason = "the run was cut short";
    assert_string_equal(text_of(arena, result, REPORT_NORMAL),
                        "schema    not compared: the run was cut short\n"
                        "data      not compared: the run was cut short\n\n");
}

static void test_differences_say_that_nothing_changed(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    result->schema_differences.was_compared = result->data_differences.was_compared = true;
    result->data_differences.tables = 3;
    result->data_differences.rows = 4460;
    result->data_differences.sampled_tables = 1;
    result->data_differences.skipped_tables = 2;
    assert_string_equal(text_of(arena, result, REPORT_NORMAL),
                        "schema    unchanged\n"
                        "data      unchanged in 3 tables, 4,460 rows (values of 1 by sample); 2 "
                        "not compared\n\n");
}

static void test_differences_show_the_first_few_and_who_did_it(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    result->schema_differences.was_compared = true;
    for (int i = 0; i < 7; i++)
        *RH_PUSH(arena, &result->schema_differences.list) = (struct schema_difference){
            .sentence = rh_arena_printf(arena, "table public.t%d added", i),
            .explanation = i == 0   ? EXPLAINED_NAMED
                           : i == 1 ? EXPLAINED_ALONG
                                    : EXPLAINED_NOT,
            .statement = i < 2 ? 3 : 0};
    const char *text = text_of(arena, result, REPORT_NORMAL);
    assert_contains(text, "7 differences");
    assert_contains(text, "public.t0 added (statement 3)");
    assert_contains(text, "public.t1 added (statement 3, which does not name it)");
    assert_contains(text, "public.t3 added (by no statement that was seen)");
    assert_lacks(text, "public.t4");
    assert_contains(text, "and 3 more in result.json");
    assert_contains(text_of(arena, result, REPORT_VERBOSE), "public.t6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences_say_nothing_where_nothing_was_compared),
        cmocka_unit_test(test_differences_say_why_nothing_was_compared),
        cmocka_unit_test(test_differences_say_that_nothing_changed),
        cmocka_unit_test(test_differences_show_the_first_few_and_who_did_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
