#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/say.h"

static void test_say_counts_with_separators_and_their_plural(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    assert_string_equal(rh_say_number(arena, 1204000), "1,204,000");
    assert_string_equal(rh_say_count(arena, 0, "row"), "0 rows");
    assert_string_equal(rh_say_count(arena, 1, "row"), "1 row");
    assert_string_equal(rh_say_count(arena, 7655, "row"), "7,655 rows");
    assert_string_equal(rh_say_bytes(arena, 2048), "2 kB");
    assert_string_equal(rh_say_bytes(arena, 4 * 1024 * 1024), "4 MB");
}

static void test_say_lists_end_with_and(void **state)
{
    static const char *const items[] = {"a", "b", "c", "d"};
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    assert_string_equal(rh_say_list(arena, items, 0, 3), "");
    assert_string_equal(rh_say_list(arena, items, 1, 3), "a");
    assert_string_equal(rh_say_list(arena, items, 3, 3), "a, b and c");
    assert_string_equal(rh_say_list(arena, items, 4, 2), "a, b and 2 more");
    assert_true(rh_say_was_said(items, 4, "d"));
    assert_false(rh_say_was_said(items, 3, "d"));
}

static void test_say_ages_as_coarse_as_they_are_old(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    assert_string_equal(rh_say_age(arena, 0), "0 min");
    assert_string_equal(rh_say_age(arena, 7199), "119 min");
    assert_string_equal(rh_say_age(arena, 7200), "2 h");
    assert_string_equal(rh_say_age(arena, 71 * 3600), "71 h");
    assert_string_equal(rh_say_age(arena, 72 * 3600), "3 days");
    assert_string_equal(rh_say_age(arena, INT64_C(4000) * 86400), "4,000 days");
}

static void test_say_measured_times_as_finely_as_they_are_short(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    assert_string_equal(rh_say_us(arena, 9.44), "9.4 us");
    assert_string_equal(rh_say_us(arena, 250.6), "251 us");
    assert_string_equal(rh_say_us(arena, 12340), "12.3 ms");
    assert_string_equal(rh_say_us(arena, -1), "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_say_counts_with_separators_and_their_plural),
        cmocka_unit_test(test_say_lists_end_with_and),
        cmocka_unit_test(test_say_ages_as_coarse_as_they_are_old),
        cmocka_unit_test(test_say_measured_times_as_finely_as_they_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
