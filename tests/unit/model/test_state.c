#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/state.h"

static void test_state_differences_have_names(void **state)
{
    (void)state;
    assert_string_equal(rh_difference_change_name(DIFFERENCE_RECREATED), "re-created");
    assert_string_equal(rh_explanation_name(EXPLAINED_NOT), "unexplained");
    assert_string_equal(rh_data_subject_name(DATA_LARGE_OBJECTS), "large objects");
    assert_string_equal(rh_data_values_name(VALUES_UNKNOWN), "not-compared");
}

static void test_state_digests_differ_in_either_half(void **state)
{
    (void)state;
    assert_true(rh_digest_equals((struct digest){1, 2}, (struct digest){1, 2}));
    assert_false(rh_digest_equals((struct digest){1, 2}, (struct digest){1, 3}));
    assert_false(rh_digest_equals((struct digest){1, 2}, (struct digest){0, 2}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_differences_have_names),
        cmocka_unit_test(test_state_digests_differ_in_either_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
