#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/scaling.h"

#include <math.h>
#include <string.h>

static bool near(double a, double b, double relative)
{
    return fabs(a - b) <= relative * fabs(b);
}

static void test_a_linear_cost_is_scaled_with_a_range(void **state)
{
    (void)state;
    /* 2 ms and a microsecond a row, a few per cent off */
    const struct scaling_point points[] = {{25000, 27.5}, {50000, 51.0}, {100000, 103.0}};
    struct scaling scaling = rh_scaling_fit(points, 3, false, 2000000);
    assert_int_equal(scaling.refusal, SCALING_FITS);
    assert_true(near(scaling.duration, 2002, 0.15));
    assert_true(scaling.low < 2002 && 2002 < scaling.high);
    assert_true(scaling.low > 1400 && scaling.high < 3200);
}

static void test_a_sort_is_scaled_as_n_log_n(void **state)
{
    (void)state;
    struct scaling_point points[3];
    for (int i = 0; i < 3; i++) {
        double size = 1000 * pow(30, i);
        points[i] = (struct scaling_point){size, 1 + size * log2(size) / 1000};
    }
    struct scaling scaling = rh_scaling_fit(points, 3, false, 1e8);
    assert_int_equal(scaling.refusal, SCALING_FITS);
    assert_int_equal(scaling.shape, SCALING_LINEARITHMIC);
    assert_true(near(scaling.duration, 1 + 1e8 * log2(1e8) / 1000, 0.01));
}

static void test_the_range_holds_the_truth_whatever_the_noise(void **state)
{
    (void)state;
    unsigned seed = 7;
    int inside = 0, told = 0;
    for (int round = 0; round < 2000; round++) {
        struct scaling_point points[3];
        for (int i = 0; i < 3; i++) {
            double size = 50000 << i;
            seed = seed * 1103515245u + 12345u;
            double noise = 1 + 0.05 * ((double)(seed >> 8 & 0xffff) / 32768 - 1);
            points[i] = (struct scaling_point){size, (5 + size / 1000) * noise};
        }
        struct scaling scaling = rh_scaling_fit(points, 3, false, 2e7);
        if (scaling.refusal)
            continue;
        told++;
        inside += scaling.low <= 20005 && 20005 <= scaling.high;
    }
    assert_true(told > 1900);
    assert_true(inside >= told * 98 / 100);
}

static void test_what_reads_nothing_stays_as_it_is(void **state)
{
    (void)state;
    const struct scaling_point points[] = {{1000, 0.4}, {2000, 0.5}, {4000, 0.3}};
    struct scaling scaling = rh_scaling_fit(points, 3, true, 1e9);
    assert_int_equal(scaling.refusal, SCALING_FITS);
    assert_int_equal(scaling.shape, SCALING_CONSTANT);
    assert_true(scaling.low == 0.3 && scaling.high == 0.5);
    assert_true(scaling.duration >= 0.3 && scaling.duration <= 0.5);
}

static void test_what_the_noise_may_hide_is_in_the_range(void **state)
{
    (void)state;
    /* Half a millisecond at every size: a row may cost nothing, or as much as the noise hides. */
    const struct scaling_point points[] = {{1000, 0.5}, {2000, 0.51}, {4000, 0.49}};
    struct scaling scaling = rh_scaling_fit(points, 3, false, 2e6);
    assert_int_equal(scaling.refusal, SCALING_FITS);
    assert_int_equal(scaling.shape, SCALING_CONSTANT);
    assert_true(near(scaling.duration, 0.5, 0.02));
    assert_true(scaling.low < 0.5 && scaling.high > 20 && scaling.high < 200);
}

static void test_it_refuses_with_the_reason(void **state)
{
    (void)state;
    const struct scaling_point two[] = {{1, 1}, {10, 10}};
    assert_int_equal(rh_scaling_fit(two, 2, false, 100).refusal, SCALING_TOO_FEW);
    const struct scaling_point close[] = {{100, 1}, {110, 1}, {120, 1}};
    assert_int_equal(rh_scaling_fit(close, 3, false, 1000).refusal, SCALING_TOO_CLOSE);
    const struct scaling_point far[] = {{100, 10}, {200, 20}, {400, 40}};
    assert_int_equal(rh_scaling_fit(far, 3, false, 4e6).refusal, SCALING_TOO_FAR);
    const struct scaling_point wild[] = {{100, 90}, {200, 10}, {400, 70}};
    assert_int_equal(rh_scaling_fit(wild, 3, false, 1000).refusal, SCALING_NO_SHAPE);
    const struct scaling_point none[] = {{1000, 0}, {2000, 1}, {4000, 2}};
    assert_int_equal(rh_scaling_fit(none, 3, false, 8000).refusal, SCALING_NO_SHAPE);
    for (int i = 1; i < SCALING_REFUSAL_COUNT; i++)
        assert_true(strlen(rh_scaling_refusal_text((enum scaling_refusal)i)) > 20);
}

static void test_shapes_have_names(void **state)
{
    (void)state;
    assert_string_equal(rh_scaling_shape_name(SCALING_CONSTANT), "constant");
    assert_string_equal(rh_scaling_shape_name(SCALING_LINEAR), "linear");
    assert_string_equal(rh_scaling_shape_name(SCALING_LINEARITHMIC), "n log n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_linear_cost_is_scaled_with_a_range),
        cmocka_unit_test(test_a_sort_is_scaled_as_n_log_n),
        cmocka_unit_test(test_the_range_holds_the_truth_whatever_the_noise),
        cmocka_unit_test(test_what_reads_nothing_stays_as_it_is),
        cmocka_unit_test(test_what_the_noise_may_hide_is_in_the_range),
        cmocka_unit_test(test_it_refuses_with_the_reason),
        cmocka_unit_test(test_shapes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
