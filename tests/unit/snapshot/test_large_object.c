#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshot/large_object.h"

static const struct mask_master_key key = {{1, 2, 3}}, other_key = {{1, 2, 4}};

static void test_large_object_noise_is_the_same_however_it_is_cut(void **state)
{
    char whole[10000], parts[10000];

    (void)state;
    rh_large_object_noise(&key, 4711, 0, whole, sizeof(whole));
    for (size_t at = 0, step = 1; at < sizeof(parts); at += step, step = step * 3 + 1) {
        if (step > sizeof(parts) - at)
            step = sizeof(parts) - at;
        rh_large_object_noise(&key, 4711, at, parts + at, step);
    }
    assert_memory_equal(whole, parts, sizeof(whole));
}

static void test_large_object_noise_differs_by_object_key_and_place(void **state)
{
    char one[64], other[64];

    (void)state;
    rh_large_object_noise(&key, 1, 0, one, sizeof(one));
    rh_large_object_noise(&key, 2, 0, other, sizeof(other));
    assert_memory_not_equal(one, other, sizeof(one));
    rh_large_object_noise(&other_key, 1, 0, other, sizeof(other));
    assert_memory_not_equal(one, other, sizeof(one));
    rh_large_object_noise(&key, 1, 64, other, sizeof(other));
    assert_memory_not_equal(one, other, sizeof(one));
}

static void test_large_object_call_names_function_and_argument(void **state)
{
    /* As libpq's PQfn writes lo_open(4711, INV_READ). */
    static const char open_call[] = "\0\0\3\270"
                                    "\0\1\0\1"
                                    "\0\2"
                                    "\0\0\0\4\0\0\022\147"
                                    "\0\0\0\4\0\4\0\0"
                                    "\0\1";
    uint32_t function = 0, argument = 0;

    (void)state;
    assert_true(rh_large_object_call((struct text){open_call, sizeof(open_call) - 1}, &function,
                                     &argument));
    assert_int_equal(function, FUNCTION_LO_OPEN);
    assert_int_equal(argument, 4711);
}

static void test_large_object_call_that_is_cut_or_odd_is_not_understood(void **state)
{
    static const char call[] = "\0\0\3\270\0\1\0\1\0\1\0\0\0\4\0\0\022\147";
    static const char as_text[] = "\0\0\3\270\0\1\0\0\0\1\0\0\0\4\0\0\022\147";
    static const char long_argument[] = "\0\0\3\270\0\1\0\1\0\1\0\0\0\10\0\0\0\0\0\0\0\1";
    uint32_t function, argument;

    (void)state;
    for (size_t len = 0; len < sizeof(call) - 1; len++)
        assert_false(rh_large_object_call((struct text){call, len}, &function, &argument));
    assert_false(
        rh_large_object_call((struct text){as_text, sizeof(as_text) - 1}, &function, &argument));
    assert_false(rh_large_object_call((struct text){long_argument, sizeof(long_argument) - 1},
                                      &function, &argument));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_object_noise_is_the_same_however_it_is_cut),
        cmocka_unit_test(test_large_object_noise_differs_by_object_key_and_place),
        cmocka_unit_test(test_large_object_call_names_function_and_argument),
        cmocka_unit_test(test_large_object_call_that_is_cut_or_odd_is_not_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
