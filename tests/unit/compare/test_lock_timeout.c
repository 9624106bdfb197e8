/* How likely a lock request gets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare/lock_timeout.h"

#include <math.h>

#define SECOND INT64_C(1000000)

static bool is_near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static void test_lock_timeout_nobody_is_there(void **state)
{
    (void)state;
    struct traffic_timeout timeout = {0};
    assert_true(is_near(rh_lock_chance(NULL, 0, 10 * SECOND, 50000), 1));
    assert_true(is_near(rh_lock_chance(NULL, 0, 0, 50000), 1));
    rh_lock_timeout_recommend(NULL, 0, 10 * SECOND, 2 * SECOND, &timeout);
    assert_int_equal(timeout.lock_timeout_us, 50000);
    assert_int_equal(timeout.retries, 1);
    assert_true(is_near(timeout.chance, 1));
    assert_int_equal(timeout.longest_transaction_us, 0);
}

static void test_lock_timeout_a_moment_is_lost_to_who_does_not_end_in_time(void **state)
{
    (void)state;
    /* Of ten seconds the request must not come in [1, 2.9): with 100 ms it would wait in vain. */
    struct transaction_span spans[] = {{5 * SECOND, 5 * SECOND + 50000}, {SECOND, 3 * SECOND}};
    assert_true(is_near(rh_lock_chance(spans, 2, 10 * SECOND, 100000), 1 - 0.19));
    /* Two at a time cost no more than one; what lies inside another nothing. */
    struct transaction_span both[] = {
        {SECOND, 3 * SECOND}, {2 * SECOND, 4 * SECOND}, {SECOND + 1, 2 * SECOND}};
    assert_true(is_near(rh_lock_chance(both, 3, 10 * SECOND, SECOND), 1 - 0.2));
    /* One that outlives the recording. */
    struct transaction_span last[] = {{9 * SECOND, 20 * SECOND}};
    assert_true(is_near(rh_lock_chance(last, 1, 10 * SECOND, SECOND), 0.9));
}

static void test_lock_timeout_is_as_short_as_ten_tries_allow(void **state)
{
    (void)state;
    /* Every second one of 300 ms: with 50 ms three in four get through, with 500 ms all. */
    struct transaction_span spans[100];
    for (int i = 0; i < 100; i++)
        spans[i] = (struct transaction_span){i * SECOND, i * SECOND + 300000};
    struct traffic_timeout timeout = {0};
    rh_lock_timeout_recommend(spans, 100, 100 * SECOND, 2 * SECOND, &timeout);
    assert_int_equal(timeout.lock_timeout_us, 50000);
    assert_true(is_near(timeout.chance, 0.75));
    assert_int_equal(timeout.retries, 5);
    assert_true(timeout.chance_of_all >= 0.999);
    assert_int_equal(timeout.longest_transaction_us, 300000);
}

static void test_lock_timeout_never_is_above_the_limit(void **state)
{
    (void)state;
    /* A report that never ends: nothing helps, and that is said. */
    struct transaction_span spans[] = {{0, 100 * SECOND}};
    struct traffic_timeout timeout = {0};
    rh_lock_timeout_recommend(spans, 1, 100 * SECOND, 2 * SECOND, &timeout);
    assert_int_equal(timeout.lock_timeout_us, 2 * SECOND);
    assert_int_equal(timeout.retries, LOCK_TRIES_MAX);
    assert_true(timeout.chance < 0.03);
    assert_true(timeout.chance_of_all < 0.999);
    rh_lock_timeout_recommend(spans, 1, 100 * SECOND, 10000, &timeout);
    assert_int_equal(timeout.lock_timeout_us, 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lock_timeout_nobody_is_there),
        cmocka_unit_test(test_lock_timeout_a_moment_is_lost_to_who_does_not_end_in_time),
        cmocka_unit_test(test_lock_timeout_is_as_short_as_ten_tries_allow),
        cmocka_unit_test(test_lock_timeout_never_is_above_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
