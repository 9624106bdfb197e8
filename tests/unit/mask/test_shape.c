#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mask/shape.h"

#include <stdio.h>
#include <string.h>

static const struct text none = {NULL, 0};

/* A pseudonym of the same length, one for each value. */
static struct text mask(struct text value, char *out)
{
    for (size_t i = 0; i < value.len; i++)
        out[i] = (char)(value.data[i] + 1);
    return (struct text){out, value.len};
}

struct column {
    struct arena *arena;
    struct shape shape;
};

static int set_up(void **state)
{
    static struct column column;
    column.arena = rh_arena_new();
    rh_shape_init(&column.shape, 5000, 42);
    *state = &column;
    return 0;
}

static int tear_down(void **state)
{
    struct column *column = *state;
    rh_shape_deinit(&column->shape);
    rh_arena_free(column->arena);
    return 0;
}

static void pass(struct column *column, int from, int until, int each)
{
    char value[32], out[32];
    for (int i = from; i < until; i++)
        for (int k = 0; k < each; k++) {
            struct text text = {value, (size_t)snprintf(value, sizeof(value), "v%d", i)};
            rh_shape_pass(&column->shape, text, mask(text, out));
        }
}

static void find(struct column *column, int from, int until, int each)
{
    char value[32], out[32];
    for (int i = until; i > from; i--)
        for (int k = 0; k < each; k++) {
            struct text text = {value, (size_t)snprintf(value, sizeof(value), "v%d", i - 1)};
            rh_shape_find(&column->shape, mask(text, out));
        }
}

static void test_the_same_shape_in_any_order(void **state)
{
    struct column *column = *state;
    pass(column, 0, 300, 2);
    rh_shape_pass(&column->shape, none, none);
    find(column, 0, 300, 2);
    rh_shape_find(&column->shape, none);
    struct shape_verdict verdict = rh_shape_judge(&column->shape, true, column->arena);
    assert_null(verdict.sentence);
    assert_true(verdict.is_exact);
    assert_int_equal(verdict.distinct, 300);
    assert_true(verdict.nulls_same && verdict.lengths_same && verdict.frequencies_same);
}

static void test_large_columns_are_compared_by_a_sample(void **state)
{
    struct column *column = *state;
    pass(column, 0, 60000, 1);
    find(column, 0, 60000, 1);
    struct shape_verdict verdict = rh_shape_judge(&column->shape, true, column->arena);
    assert_null(verdict.sentence);
    assert_false(verdict.is_exact);
    assert_true(verdict.distinct > 54000 && verdict.distinct < 66000);
}

static void test_a_lost_null_is_seen(void **state)
{
    struct column *column = *state;
    rh_shape_pass(&column->shape, none, none);
    rh_shape_find(&column->shape, (struct text){"", 0});
    struct shape_verdict verdict = rh_shape_judge(&column->shape, true, column->arena);
    assert_string_equal(verdict.sentence, "1 NULL became 0");
}

static void test_a_row_that_is_missing_is_seen(void **state)
{
    struct column *column = *state;
    pass(column, 0, 300, 2);
    find(column, 0, 300, 2);
    pass(column, 7, 8, 1);
    struct shape_verdict verdict = rh_shape_judge(&column->shape, true, column->arena);
    assert_false(verdict.frequencies_same);
    assert_non_null(verdict.sentence);
}

static void test_values_that_fall_together_are_seen(void **state)
{
    struct column *column = *state;
    const struct text masked = {"xxxx", 4};
    rh_shape_pass(&column->shape, (struct text){"anna", 4}, masked);
    rh_shape_pass(&column->shape, (struct text){"emma", 4}, masked);
    rh_shape_find(&column->shape, masked);
    rh_shape_find(&column->shape, masked);
    struct shape_verdict verdict = rh_shape_judge(&column->shape, true, column->arena);
    assert_int_equal(verdict.merged, 1);
    assert_string_equal(verdict.sentence, "standing for more than one value each: 1 pseudonym");
}

static void test_a_value_with_two_pseudonyms_is_seen(void **state)
{
    struct column *column = *state;
    for (int i = 0; i < 2; i++) {
        struct text masked = {i ? "xxxx" : "yyyy", 4};
        rh_shape_pass(&column->shape, (struct text){"anna", 4}, masked);
        rh_shape_find(&column->shape, masked);
    }
    struct shape_verdict verdict = rh_shape_judge(&column->shape, true, column->arena);
    assert_string_equal(verdict.sentence, "1 value did not always become the same pseudonym");
}

static void test_long_values_are_compared_by_length(void **state)
{
    struct column *column = *state;
    rh_shape_pass_long(&column->shape, INT64_C(1) << 30);
    rh_shape_find_long(&column->shape, INT64_C(1) << 30);
    struct shape_verdict verdict = rh_shape_judge(&column->shape, true, column->arena);
    assert_null(verdict.sentence);
    assert_false(verdict.is_exact);
    rh_shape_find_long(&column->shape, INT64_C(1) << 20);
    verdict = rh_shape_judge(&column->shape, true, column->arena);
    assert_string_equal(verdict.sentence, "lengths differ");
    assert_null(rh_shape_judge(&column->shape, false, column->arena).sentence);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_the_same_shape_in_any_order),
        T(test_large_columns_are_compared_by_a_sample),
        T(test_a_lost_null_is_seen),
        T(test_a_row_that_is_missing_is_seen),
        T(test_values_that_fall_together_are_seen),
        T(test_a_value_with_two_pseudonyms_is_seen),
        T(test_long_values_are_compared_by_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
