#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/trace.h"

static void test_trace_observations_have_names(void **state)
{
    (void)state;
    assert_string_equal(rh_observation_name(OBSERVED_NOT), "not-observed");
    assert_string_equal(rh_observation_name(OBSERVED_SAMPLED), "sampled");
    assert_string_equal(rh_observation_name(OBSERVED_EXACT), "exact");
    assert_true(OBSERVED_NOT < OBSERVED_SAMPLED && OBSERVED_SAMPLED < OBSERVED_EXACT);
}

static void test_trace_bare_names_keep_their_quotes(void **state)
{
    (void)state;
    assert_string_equal(rh_bare_name("public.users"), "users");
    assert_string_equal(rh_bare_name("\"a.b\".\"c.d\""), "\"c.d\"");
    assert_string_equal(rh_bare_name("users"), "users");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_trace_observations_have_names),
                                       cmocka_unit_test(test_trace_bare_names_keep_their_quotes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
