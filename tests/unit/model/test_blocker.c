#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/blocker.h"

static void test_offences_are_told_by_rules(void **state)
{
    (void)state;
    assert_null(rh_offence_rule(OFFENCE_NONE));
    assert_string_equal(rh_offence_rule(OFFENCE_DUPLICATE_KEYS), "duplicate-keys");
    assert_string_equal(rh_offence_rule(OFFENCE_OUT_OF_RANGE), "out-of-range");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_offences_are_told_by_rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
