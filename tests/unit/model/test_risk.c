#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/risk.h"

static void test_risk_tests_and_skips_have_names(void **state)
{
    (void)state;
    assert_string_equal(rh_cast_test_name(CAST_ROUND_TRIP), "round-trip");
    assert_string_equal(rh_cast_test_name(CAST_DISTINCT), "distinct");
    assert_string_equal(rh_cast_test_name(CAST_KEYS), "object-keys");
    assert_string_equal(rh_skip_name(SKIPPED_EXISTS), "exists");
    assert_string_equal(rh_skip_name(SKIPPED_MISSING), "missing");
    assert_string_equal(rh_skip_name(SKIPPED_SWALLOWED), "swallowed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_risk_tests_and_skips_have_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
