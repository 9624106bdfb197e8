/* Which portals are binary, as messages of a client say. */
#include "replay/portals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define BODY(literal) ((struct text){literal, sizeof(literal) - 1})
/* Portal, statement; formats of parameters, parameters (5 bytes and NULL), formats of the result.
 */
#define BIND(portal, formats) BODY(portal "\0s\0\0\0\0\2\0\0\0\5abcde\xff\xff\xff\xff" formats)
#define EXECUTE(portal) BODY(portal "\0\0\0\0\0")
#define ALL_BINARY "\0\1\0\1"
#define ALL_TEXT "\0\1\0\0"
#define SECOND_BINARY "\0\2\0\0\0\1"
#define NO_FORMATS "\0\0"

static void test_portals_are_as_the_last_bind_says(void **state)
{
    struct portals portals = {0};
    (void)state;
    assert_false(rh_portals_is_binary(&portals, EXECUTE("")));
    rh_portals_take(&portals, 'B', BIND("", ALL_BINARY));
    rh_portals_take(&portals, 'B', BIND("a", SECOND_BINARY));
    rh_portals_take(&portals, 'B', BIND("b", NO_FORMATS));
    assert_true(rh_portals_is_binary(&portals, EXECUTE("")));
    assert_true(rh_portals_is_binary(&portals, EXECUTE("a")));
    assert_false(rh_portals_is_binary(&portals, EXECUTE("b")));
    assert_false(rh_portals_is_binary(&portals, EXECUTE("c")));
    rh_portals_take(&portals, 'B', BIND("", ALL_TEXT));
    rh_portals_take(&portals, 'B', BIND("b", ALL_BINARY));
    rh_portals_take(&portals, 'C', BODY("Sa\0")); /* a statement of that name */
    assert_false(rh_portals_is_binary(&portals, EXECUTE("")));
    assert_true(rh_portals_is_binary(&portals, EXECUTE("a")));
    rh_portals_take(&portals, 'C', BODY("Pa\0"));
    assert_false(rh_portals_is_binary(&portals, EXECUTE("a")));
    assert_true(rh_portals_is_binary(&portals, EXECUTE("b")));
    rh_portals_deinit(&portals);
}

static void test_portals_malformed_messages_say_nothing(void **state)
{
    struct portals portals = {0};
    (void)state;
    struct text bind = BIND("", ALL_BINARY);
    for (size_t length = 0; length < bind.len; length++) {
        rh_portals_take(&portals, 'B', (struct text){bind.data, length});
        assert_false(rh_portals_is_binary(&portals, EXECUTE("")));
    }
    assert_false(rh_portals_is_binary(&portals, BODY("a")));
    rh_portals_deinit(&portals);
}

static void test_portals_are_bounded(void **state)
{
    struct portals portals = {0};
    char bind[64];
    (void)state;
    for (int i = 0; i < PORTALS_BINARY_MAX + 10; i++) {
        int length = snprintf(bind, sizeof(bind), "C_%d", i) + 1;
        memcpy(bind + length, "s\0\0\0\0\0\0\1\0\1", 10);
        rh_portals_take(&portals, 'B', (struct text){bind, (size_t)length + 10});
    }
    assert_int_equal(portals.count, PORTALS_BINARY_MAX);
    assert_true(rh_portals_is_binary(&portals, EXECUTE("C_999")));
    assert_false(rh_portals_is_binary(&portals, EXECUTE("C_1000")));
    rh_portals_deinit(&portals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_portals_are_as_the_last_bind_says),
        cmocka_unit_test(test_portals_malformed_messages_say_nothing),
        cmocka_unit_test(test_portals_are_bounded),
    };
    return cmocka_run_group_tests_name("portals", tests, NULL, NULL);
}
