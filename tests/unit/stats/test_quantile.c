#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/quantile.h"
#include "stats/random.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void test_quantile_is_the_nearest_rank(void **state)
{
    (void)state;
    assert_int_equal(rh_quantile_rank(1, 0.99), 0);
    assert_int_equal(rh_quantile_rank(100, 0.5), 49);
    assert_int_equal(rh_quantile_rank(100, 0.99), 98);
    assert_int_equal(rh_quantile_rank(101, 0.99), 99);
    assert_int_equal(rh_quantile_rank(5, 1), 4);
}

static void test_quantile_agrees_with_sorting(void **state)
{
    (void)state;
    static const double levels[] = {0.005, 0.5, 0.95, 0.99};
    struct random random;
    rh_random_seed(&random, 3);
    for (int trial = 0; trial < 500; trial++) {
        double values[300], sorted[300], found[4];
        size_t count = 1 + rh_random_below(&random, 300);
        for (size_t i = 0; i < count; i++) /* many are equal */
            values[i] = sorted[i] = (double)rh_random_below(&random, trial % 2 ? 5 : 100000);
        qsort(sorted, count, sizeof(double), compare);
        rh_quantiles(values, count, levels, 4, found);
        for (size_t i = 0; i < 4; i++)
            assert_true(found[i] == sorted[rh_quantile_rank(count, levels[i])]);
    }
}

static void test_quantile_of_sorted_and_of_equal_values(void **state)
{
    (void)state;
    double up[1000], down[1000], equal[1000];
    for (size_t i = 0; i < 1000; i++) {
        up[i] = (double)i;
        down[i] = (double)(999 - i);
        equal[i] = 4;
    }
    assert_true(rh_quantile(up, 1000, 0.5) == 499);
    assert_true(rh_quantile(down, 1000, 0.95) == 949);
    assert_true(rh_quantile(equal, 1000, 0.99) == 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantile_is_the_nearest_rank),
        cmocka_unit_test(test_quantile_agrees_with_sorting),
        cmocka_unit_test(test_quantile_of_sorted_and_of_equal_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
