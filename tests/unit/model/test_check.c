#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/check.h"

static void test_check_expectations_read_as_they_are_written(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(rh_check_expect_text(arena, CHECK_SAME, NULL), "same");
    assert_string_equal(rh_check_expect_text(arena, CHECK_AT_MOST, "10"), "<= 10");
    assert_true(rh_check_expect_is_relative(CHECK_CHANGED));
    assert_false(rh_check_expect_is_relative(CHECK_ZERO));
    assert_string_equal(rh_check_outcome_name(CHECK_FAILED_BEFORE), "failed-before");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_expectations_read_as_they_are_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
