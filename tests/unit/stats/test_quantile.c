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

/* Ranks by the binomial distribution: of 59 values the largest is not above the p95 with a chance
   of 0.95^59 = 4.8 %, of 72 with 2.5 %; of six the median's interval is all of them (2 * 0.5^6). */
static void test_quantile_interval_is_of_order_statistics(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        double level;
        bool has_low, has_high;
        size_t low, high;
    } cases[] = {
        {5, 0.5, false, false, 0, 0},      {6, 0.5, true, true, 0, 5},
        {71, 0.95, true, false, 62, 0},    {72, 0.95, true, true, 63, 71},
        {100, 0.5, true, true, 39, 60},    {24, 0.95, true, false, 19, 0},
        {368, 0.99, true, true, 359, 367}, {1, 0.99, true, false, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool has_low, has_high;
        size_t low = 0, high = 0;
        rh_quantile_interval(cases[i].count, cases[i].level, 0.95, &has_low, &low, &has_high,
                             &high);
        print_message("%zu at %g: %d %zu, %d %zu\n", cases[i].count, cases[i].level, has_low, low,
                      has_high, high);
        assert_int_equal(has_low, cases[i].has_low);
        assert_int_equal(low, cases[i].low);
        assert_int_equal(has_high, cases[i].has_high);
        assert_int_equal(high, cases[i].high);
    }
}

/* Of many samples of a known distribution at most one in twenty misses its quantile. */
static void test_quantile_interval_holds_the_quantile(void **state)
{
    (void)state;
    struct random random;
    int missed = 0;
    rh_random_seed(&random, 11);
    for (int trial = 0; trial < 2000; trial++) {
        double values[200];
        bool has_low, has_high;
        size_t low, high;
        for (size_t i = 0; i < 200; i++)
            values[i] = (double)rh_random_below(&random, 1000000);
        qsort(values, 200, sizeof(double), compare);
        rh_quantile_interval(200, 0.95, 0.95, &has_low, &low, &has_high, &high);
        assert_true(has_low && has_high && low < high);
        missed += values[low] > 950000 || values[high] < 950000;
    }
    print_message("missed %d of 2000\n", missed);
    assert_true(missed <= 100 && missed >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantile_interval_is_of_order_statistics),
        cmocka_unit_test(test_quantile_interval_holds_the_quantile),
        cmocka_unit_test(test_quantile_is_the_nearest_rank),
        cmocka_unit_test(test_quantile_agrees_with_sorting),
        cmocka_unit_test(test_quantile_of_sorted_and_of_equal_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
