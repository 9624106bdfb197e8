/* What stands behind the blockers. */
#include "report_unit.h"

static const char *text_of(struct arena *arena, const struct result *result,
                           enum report_detail detail)
{
    return section_text(arena, rh_report_blockers, result, detail);
}

static void add(struct arena *arena, struct result *result, int line, const char *sql, int needs)
{
    *RH_PUSH(arena, &result->blockers.items) = (struct blocker){
        .step = line > 0 ? 0 : -1, .line = line, .sql = sql, .tag = "X", .needs = needs};
}

static void test_blockers_say_nothing_where_no_second_pass_was(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(text_of(arena, result_new(arena), REPORT_NORMAL), "");
}

static void test_blockers_name_what_was_not_reached_and_why(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    const char *step = result->trace->steps.items[0].name;
    result->blockers.looked = true;
    add(arena, result, 3, "CREATE UNIQUE INDEX i ON t (a)", -1);
    add(arena, result, 7, "ALTER TABLE t ADD UNIQUE USING INDEX i", 0);
    add(arena, result, 0, "-- note\nDROP INDEX i", 0);
    assert_string_equal(text_of(arena, result, REPORT_NORMAL),
                        rh_arena_printf(arena,
                                        "behind    %s:7 not reached: it needs %s:3\n"
                                        "          DROP INDEX i not reached: it needs %s:3\n\n",
                                        step, step, step));
}

static void test_blockers_count_the_rest(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    result->blockers.looked = true;
    add(arena, result, 1, "A", -1);
    for (int i = 0; i < 12; i++)
        add(arena, result, 2 + i, "B", 0);
    assert_contains(text_of(arena, result, REPORT_NORMAL), "and 4 more in result.json");
    assert_lacks(text_of(arena, result, REPORT_VERBOSE), "more in result.json");
}

static void test_blockers_say_that_there_may_be_more(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    result->blockers.looked = true;
    result->blockers.incomplete = "the server died";
    assert_string_equal(text_of(arena, result, REPORT_NORMAL),
                        "blockers  there may be more: the second pass did not come to the end "
                        "(the server died)\n\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blockers_say_nothing_where_no_second_pass_was),
        cmocka_unit_test(test_blockers_name_what_was_not_reached_and_why),
        cmocka_unit_test(test_blockers_count_the_rest),
        cmocka_unit_test(test_blockers_say_that_there_may_be_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
