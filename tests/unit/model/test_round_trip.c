#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/round_trip.h"

static void test_round_trip_names_are_those_of_the_result(void **state)
{
    (void)state;
    assert_string_equal(rh_round_trip_verdict_name(ROUND_TRIP_NOT_REHEARSED), "not-rehearsed");
    assert_string_equal(rh_round_trip_verdict_name(ROUND_TRIP_FAILS_AFTER_WRITES),
                        "fails-after-writes");
    assert_string_equal(rh_round_trip_subject_name(ROUND_TRIP_ORDER), "column order");
    assert_string_equal(rh_freedom_name(FREEDOM_LABEL), "new enum label");
    assert_string_equal(rh_plan_item_name(PLAN_BACKUP), "restore from backup");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_names_are_those_of_the_result)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
