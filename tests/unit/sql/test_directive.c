#include "sql_unit.h"

#include "sql/directive.h"

static void test_directive_splits_keys_and_values(void **state)
{
    (void)state;
    struct text key, value;
    assert_true(rh_sql_directive_split(rh_text("--  Name :  of it: all \r"), &key, &value));
    assert_true(rh_sql_directive_is(key, "name"));
    assert_true(rh_text_is(value, "of it: all"));
    assert_true(rh_sql_directive_split(rh_text("--limit:"), &key, &value));
    assert_true(rh_sql_directive_is(key, "limit") && value.len == 0);
    assert_false(rh_sql_directive_is(key, "lim"));
    assert_false(rh_sql_directive_split(rh_text("-- no key"), &key, &value));
    assert_false(rh_sql_directive_split(rh_text("/* name: x */"), &key, &value));
    assert_false(rh_sql_directive_split(rh_text("--"), &key, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_directive_splits_keys_and_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
