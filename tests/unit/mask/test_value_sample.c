#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mask/value_sample.h"

/* Values as hashes would be: spread over all 64 bits (splitmix64). */
static uint64_t spread(uint64_t n)
{
    n += 0x9e3779b97f4a7c15u;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
    return n ^ (n >> 31);
}

static void test_a_small_stream_is_counted_exactly(void **state)
{
    (void)state;
    struct value_sample sample;
    rh_value_sample_init(&sample, 1000);
    for (uint64_t round = 0; round < 3; round++)
        for (uint64_t i = 0; i < 900; i++)
            rh_value_sample_count(&sample, spread(i));
    assert_true(rh_value_sample_is_whole(&sample));
    assert_int_equal(sample.count, 900);
    assert_true(rh_value_sample_share(&sample) == 1);
    for (uint64_t i = 0; i < 900; i++)
        assert_int_equal(rh_value_sample_find(&sample, spread(i))->count, 3);
    assert_null(rh_value_sample_find(&sample, spread(900)));
    rh_value_sample_deinit(&sample);
}

static void test_a_large_stream_is_sampled_by_value(void **state)
{
    (void)state;
    struct value_sample sample;
    rh_value_sample_init(&sample, 1000);
    for (uint64_t i = 0; i < 100000; i++)
        rh_value_sample_count(&sample, spread(i));
    for (uint64_t i = 100000; i > 0; i--)
        rh_value_sample_count(&sample, spread(i - 1));
    assert_false(rh_value_sample_is_whole(&sample));
    assert_true(sample.count > 200 && sample.count <= 2048);
    double distinct = (double)sample.count / rh_value_sample_share(&sample);
    assert_true(distinct > 85000 && distinct < 115000);
    /* Whoever is in it was there from his first occurrence to his last. */
    size_t found = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        const struct sampled_value *value = rh_value_sample_find(&sample, spread(i));
        if (!value)
            continue;
        found++;
        assert_int_equal(value->count, 2);
    }
    assert_int_equal(found, sample.count);
    rh_value_sample_deinit(&sample);
}

static void test_zero_is_a_value(void **state)
{
    (void)state;
    struct value_sample sample;
    rh_value_sample_init(&sample, 10);
    assert_null(rh_value_sample_find(&sample, 0));
    assert_non_null(rh_value_sample_count(&sample, 0));
    assert_int_equal(rh_value_sample_find(&sample, 0)->count, 1);
    rh_value_sample_deinit(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_small_stream_is_counted_exactly),
        cmocka_unit_test(test_a_large_stream_is_sampled_by_value),
        cmocka_unit_test(test_zero_is_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
