#include "engine/rows_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_rows_give_values_and_defaults(void **state)
{
    (void)state;
    const char **values;
    RH_CLEANUP_ROWS struct rows *rows = rh_rows_new(2, 2, NULL, NULL, &values);

    values[0] = "-12";
    values[2] = "t";
    values[3] = "1";
    assert_int_equal(rh_rows_count(rows), 2);
    assert_int_equal(rh_rows_int(rows, 0, 0, 3), -12);
    assert_null(rh_rows_value(rows, 0, 1));
    assert_int_equal(rh_rows_int(rows, 0, 1, 3), 3);
    assert_false(rh_rows_bool(rows, 0, 1));
    assert_false(rh_rows_bool(rows, 0, 0));
    assert_true(rh_rows_bool(rows, 1, 0));
    assert_true(rh_rows_bool(rows, 1, 1));
}

static void test_rows_name_their_columns_when_told(void **state)
{
    (void)state;
    const char **values;
    RH_CLEANUP_ROWS struct rows *rows = rh_rows_new(1, 2, NULL, NULL, &values);

    assert_int_equal(rh_rows_columns(rows), 2);
    assert_string_equal(rh_rows_column_name(rows, 1), "");
    assert_string_equal(rh_rows_command_tag(rows), "");
    rh_rows_describe(rows, "SELECT 1", (const char *const[]){"a", "b"});
    values[0] = "x";
    assert_string_equal(rh_rows_value(rows, 0, 0), "x");
    assert_null(rh_rows_value(rows, 0, 1));
    assert_string_equal(rh_rows_column_name(rows, 1), "b");
    assert_string_equal(rh_rows_command_tag(rows), "SELECT 1");
    assert_int_equal(rh_rows_columns(NULL), 0);
    assert_string_equal(rh_rows_command_tag(NULL), "");
}

static void count_free(void *owner)
{
    ++*(int *)owner;
}

static void test_rows_free_their_owner_once(void **state)
{
    (void)state;
    const char **values;
    int freed = 0;
    struct rows *rows = rh_rows_new(0, 5, &freed, count_free, &values);

    assert_int_equal(rh_rows_count(rows), 0);
    rh_rows_freep(&rows);
    assert_null(rows);
    rh_rows_freep(&rows);
    assert_int_equal(freed, 1);
    assert_int_equal(rh_rows_count(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_give_values_and_defaults),
        cmocka_unit_test(test_rows_name_their_columns_when_told),
        cmocka_unit_test(test_rows_free_their_owner_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
