/* Names in queries and names of relations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/traffic.h"

static void test_traffic_names_mean_tables(void **state)
{
    (void)state;
    assert_true(rh_traffic_is_table("users", "public.users"));
    assert_true(rh_traffic_is_table("public.users", "public.users"));
    assert_true(rh_traffic_is_table("Users", "public.\"Users\""));
    assert_true(rh_traffic_is_table("USERS", "users"));
    assert_true(rh_traffic_is_table("c.d", "\"a.b\".d"));
    assert_false(rh_traffic_is_table("users", "public.users_old"));
    assert_false(rh_traffic_is_table("users_old", "public.users"));
    assert_false(rh_traffic_is_table("", "public.users"));
    assert_false(rh_traffic_is_table("public", "public.users"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_traffic_names_mean_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
