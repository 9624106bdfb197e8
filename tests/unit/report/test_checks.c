/* The user's own checks, in a few lines. */
#include "report_unit.h"

static const char *text_of(struct arena *arena, const struct result *result,
                           enum report_detail detail)
{
    return section_text(arena, rh_report_checks, result, detail);
}

static void add(struct arena *arena, struct result *result, const char *name,
                enum check_outcome outcome, const char *reason)
{
    *RH_PUSH(arena, &result->checks.list) = (struct check){
        .name = name, .outcome = outcome, .reason = reason};
}

static void test_checks_say_nothing_where_there_are_none(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(text_of(arena, result_new(arena), REPORT_VERBOSE), "");
}

static void test_checks_show_what_did_not_pass(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    add(arena, result, "revenue", CHECK_PASSED, NULL);
    add(arena, result, "orphans", CHECK_FAILED, "3, expected zero; was 0");
    add(arena, result, "emails", CHECK_FAILED_BEFORE, "2 rows, expected zero");
    add(arena, result, "slow", CHECK_UNDECIDED, "not run before the migration: canceled");
    assert_string_equal(text_of(arena, result, REPORT_NORMAL),
                        "checks    1 of 4 passed\n"
                        "          ✗ orphans: 3, expected zero; was 0\n"
                        "          ? emails: failed before, too: 2 rows, expected zero\n"
                        "          ? slow: not run before the migration: canceled\n\n");
    assert_contains(text_of(arena, result, REPORT_VERBOSE), "✓ revenue\n");
}

static void test_checks_count_the_rest(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    for (int i = 0; i < 20; i++)
        add(arena, result, rh_arena_printf(arena, "check %d", i), CHECK_FAILED, "1, expected zero");
    const char *text = text_of(arena, result, REPORT_NORMAL);
    assert_contains(text, "check 7:");
    assert_lacks(text, "check 8:");
    assert_contains(text, "and 12 more in result.json");
    assert_contains(text_of(arena, result, REPORT_VERBOSE), "check 19:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks_say_nothing_where_there_are_none),
        cmocka_unit_test(test_checks_show_what_did_not_pass),
        cmocka_unit_test(test_checks_count_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
