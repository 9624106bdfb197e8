#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/random.h"

static void test_random_same_seed_same_numbers(void **state)
{
    (void)state;
    struct random a, b, c;
    rh_random_seed(&a, 42);
    rh_random_seed(&b, 42);
    rh_random_seed(&c, 43);
    for (int i = 0; i < 100; i++)
        assert_true(rh_random_next(&a) == rh_random_next(&b));
    assert_true(rh_random_next(&a) != rh_random_next(&c));
}

/* The first outputs of xoshiro256** filled by splitmix64 from 0, as the authors' code gives them.
 */
static void test_random_is_xoshiro(void **state)
{
    (void)state;
    struct random random;
    rh_random_seed(&random, 0);
    assert_true(random.state[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(random.state[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(rh_random_next(&random) == UINT64_C(0x99ec5f36cb75f2b4));
}

static void test_random_below_is_even(void **state)
{
    (void)state;
    struct random random;
    size_t counts[7] = {0};
    rh_random_seed(&random, 7);
    for (int i = 0; i < 70000; i++)
        counts[rh_random_below(&random, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9600, 10400);
    assert_int_equal(rh_random_below(&random, 0), 0);
}

static void test_random_unit_stays_below_one(void **state)
{
    (void)state;
    struct random random;
    double sum = 0;
    rh_random_seed(&random, 9);
    for (int i = 0; i < 100000; i++) {
        double unit = rh_random_unit(&random);
        assert_true(unit >= 0 && unit < 1);
        sum += unit;
    }
    assert_true(sum > 49500 && sum < 50500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_same_seed_same_numbers),
        cmocka_unit_test(test_random_is_xoshiro),
        cmocka_unit_test(test_random_below_is_even),
        cmocka_unit_test(test_random_unit_stays_below_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
