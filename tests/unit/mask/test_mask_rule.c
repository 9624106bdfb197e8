#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mask/mask_map.h"

static void test_every_rule_is_found_by_its_name(void **state)
{
    (void)state;
    for (int i = 0; i < MASK_RULE_COUNT; i++) {
        enum mask_rule rule;
        assert_true(rh_mask_rule_find(rh_mask_rule_name((enum mask_rule)i), &rule));
        assert_int_equal(rule, i);
    }
}

static void test_an_unknown_rule_is_not_found(void **state)
{
    (void)state;
    enum mask_rule rule;
    assert_false(rh_mask_rule_find("", &rule));
    assert_false(rh_mask_rule_find("Email", &rule));
}

static void test_rules_say_what_they_keep(void **state)
{
    (void)state;
    assert_true(rh_mask_rule_keeps_length(MASK_EMAIL));
    assert_false(rh_mask_rule_keeps_length(MASK_HASH));
    assert_true(rh_mask_rule_is_injective(MASK_NUMBER));
    assert_false(rh_mask_rule_is_injective(MASK_WORDS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rule_is_found_by_its_name),
        cmocka_unit_test(test_an_unknown_rule_is_not_found),
        cmocka_unit_test(test_rules_say_what_they_keep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
