/* Quantiles of a histogram are near those of the values that went in, and its sums exact. */
#include "stats/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_histogram_empty_says_zero(void **state)
{
    struct histogram histogram = {{0}};
    (void)state;
    assert_int_equal(rh_histogram_quantile(&histogram, 0.5), 0);
    assert_int_equal(histogram.count, 0);
}

static void test_histogram_one_value_is_every_quantile(void **state)
{
    struct histogram histogram = {{0}};
    (void)state;
    rh_histogram_add(&histogram, 123456789);
    assert_int_equal(rh_histogram_quantile(&histogram, 0), 123456789);
    assert_int_equal(rh_histogram_quantile(&histogram, 0.5), 123456789);
    assert_int_equal(rh_histogram_quantile(&histogram, 1), 123456789);
}

static void test_histogram_quantiles_are_within_a_step(void **state)
{
    (void)state;
    for (int64_t scale = 1; scale <= INT64_C(10000000); scale *= 10) {
        struct histogram histogram = {{0}};
        for (int64_t i = 1; i <= 1000; i++)
            rh_histogram_add(&histogram, i * scale);
        for (int percent = 1; percent <= 100; percent++) {
            int64_t exact = percent * 10 * scale;
            int64_t said = rh_histogram_quantile(&histogram, percent / 100.0);
            int64_t off = said > exact ? said - exact : exact - said;
            /* Half of a bucket, whose width is at most a 32nd of its values. */
            assert_true(off * 64 <= exact + 64);
        }
        assert_int_equal(histogram.sum, 500500 * scale);
        assert_int_equal(histogram.min, scale);
        assert_int_equal(histogram.max, 1000 * scale);
    }
}

static void test_histogram_takes_values_of_any_size(void **state)
{
    struct histogram histogram = {{0}};
    (void)state;
    rh_histogram_add(&histogram, -5);
    rh_histogram_add(&histogram, INT64_MAX);
    rh_histogram_add(&histogram, HISTOGRAM_VALUE_MAX);
    assert_int_equal(histogram.min, 0);
    assert_int_equal(histogram.max, HISTOGRAM_VALUE_MAX);
    assert_int_equal(rh_histogram_quantile(&histogram, 1), HISTOGRAM_VALUE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram_empty_says_zero),
        cmocka_unit_test(test_histogram_one_value_is_every_quantile),
        cmocka_unit_test(test_histogram_quantiles_are_within_a_step),
        cmocka_unit_test(test_histogram_takes_values_of_any_size),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
