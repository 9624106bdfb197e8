/* What a dry run left behind, in a few lines. */
#include "report_unit.h"

static const char *text_of(struct arena *arena, const struct result *result)
{
    return section_text(arena, rh_report_dry_run, result, REPORT_NORMAL);
}

static struct result *dry_run(struct arena *arena, enum rollback_proof proof, const char *reason)
{
    struct result *result = result_new(arena);
    result->rollback = (struct rollback_facts){
        .is_dry_run = true, .proof = proof, .reason = reason, .tables = 2, .rows = 4000};
    return result;
}

static void test_rollback_says_nothing_of_a_sandbox(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(text_of(arena, result_new(arena)), "");
}

static void test_rollback_says_that_nothing_stayed(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = dry_run(arena, ROLLBACK_PROVEN, NULL);
    assert_string_equal(
        text_of(arena, result),
        "rollback  ✓ nothing stayed: schema and 2 tables, 4,000 rows as before\n\n");
    result->rollback.sampled_tables = result->rollback.skipped_tables = 1;
    *RH_PUSH(arena, &result->rollback.sequences) = "sequence public.s: 1, now 7";
    assert_string_equal(text_of(arena, result),
                        "rollback  ✓ nothing stayed: schema and 2 tables, 4,000 rows as before "
                        "(values of 1 by sample); 1\n"
                        "          table could not be read\n"
                        "          sequences advanced, which no rollback undoes:\n"
                        "          sequence public.s: 1, now 7\n\n");
}

static void test_rollback_says_why_it_is_not_proven(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(
        text_of(arena, dry_run(arena, ROLLBACK_NOT_PROVEN, "the run was cut short")),
        "rollback  ? that nothing stayed is not proven: the run was cut short\n\n");
    struct result *result = dry_run(arena, ROLLBACK_DIFFERS, NULL);
    *RH_PUSH(arena, &result->rollback.differences) = "public.users: 1 more row";
    assert_string_equal(text_of(arena, result), "rollback  ✗ the database differs from before\n"
                                                "          public.users: 1 more row\n\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rollback_says_nothing_of_a_sandbox),
        cmocka_unit_test(test_rollback_says_that_nothing_stayed),
        cmocka_unit_test(test_rollback_says_why_it_is_not_proven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
