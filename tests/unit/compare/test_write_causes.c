#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare/write_causes.h"

static const char *cause_of(struct arena *arena, const char *before, const char *after)
{
    bool ignored;
    return rh_write_cause(arena, "orders", rh_text(before), rh_text(after), &ignored);
}

static void test_write_causes_tell_indexes_apart(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    bool only_indexes;
    assert_non_null(
        rh_write_cause(arena, "t", rh_text(""), rh_text("index\ta\nindex\tb"), &only_indexes));
    assert_true(only_indexes);
    assert_non_null(
        rh_write_cause(arena, "t", rh_text(""), rh_text("index\ta\ntrigger\tb"), &only_indexes));
    assert_false(only_indexes);
    assert_null(
        rh_write_cause(arena, "t", rh_text("index\ta"), rh_text("index\tb"), &only_indexes));
    assert_false(only_indexes);
}

static void test_write_causes_name_what_is_more(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(cause_of(arena, "index\torders_pkey",
                                 "index\tc\nindex\ta\nindex\torders_pkey\ntrigger\taudit"),
                        "orders has 2 more indexes: c and a; 1 more trigger: audit");
    assert_string_equal(cause_of(arena, "", "foreign key\tf"), "orders has 1 more foreign key: f");
    assert_string_equal(cause_of(arena, "",
                                 "trigger\ta\ntrigger\tb\ntrigger\tc\ntrigger\td\n"
                                 "trigger\te\ntrigger\tf\n"),
                        "orders has 6 more triggers: a, b, c, d, e and 1 more");
}

static void test_write_causes_are_none_where_nothing_is_more(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_null(cause_of(arena, "", ""));
    assert_null(cause_of(arena, "index\ta\nindex\tb", "index\ta"));
    assert_null(cause_of(arena, "index\told", "index\tnew")); /* renamed, or rebuilt */
    assert_null(cause_of(arena, "index\ta", "nothing of ours\n\nindex\ta\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_causes_name_what_is_more),
        cmocka_unit_test(test_write_causes_tell_indexes_apart),
        cmocka_unit_test(test_write_causes_are_none_where_nothing_is_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
