#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mask/leak.h"

#define MAIL 7

static int set_up(void **state)
{
    static struct leak_filter filter;
    rh_leak_init(&filter, 99);
    rh_leak_add(&filter, MAIL, rh_text("Ann.Smith@Example.com"));
    rh_leak_add(&filter, 8, rh_text("12 Rue de la Paix"));
    rh_leak_add(&filter, 9, rh_text("+49 170 1234567"));
    rh_leak_add(&filter, 9, rh_text("jordan"));
    rh_leak_add(&filter, 9, rh_text("4711"));
    *state = &filter;
    return 0;
}

static int tear_down(void **state)
{
    rh_leak_deinit(*state);
    return 0;
}

static int64_t find(void **state, const char *text, uint64_t *ret_column)
{
    *ret_column = 0;
    return rh_leak_find(*state, rh_text(text), ret_column);
}

static void test_survivors_are_found_wherever_they_stand(void **state)
{
    static const char *const texts[] = {
        "ann.smith@example.com",
        "  ANN.SMITH@EXAMPLE.COM\n",
        "mail to ann.smith@example.com please",
        "{\"a\": [1, {\"to\": \"ann.smith@example.com\"}]}",
        "CREATE FUNCTION f() ... WHERE mail = 'ann.smith@example.com';",
        "{x,ann.smith@example.com,y}",
        "mailto:ann.smith@example.com",
        "<to>ann.smith@example.com</to>",
    };
    uint64_t column;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(find(state, texts[i], &column), 1);
        assert_int_equal(column, MAIL);
    }
    assert_int_equal(find(state, "\"12 Rue de la Paix\", \"Paris\"", &column), 1);
    assert_int_equal(column, 8);
    assert_int_equal(find(state, "call;+49 170 1234567;now", &column), 1);
}

static void test_what_is_no_survivor_is_not_found(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "bnn.smith@example.com",
        "jordan",
        "Jordan",
        "4711",
        "order 4711 of jordan",
        "ann.smith",
        "example.com",
        "ann.smith@example.com.org",
    };
    uint64_t column;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(find(state, texts[i], &column), 0);
}

static void test_bytes_of_any_kind_are_looked_through(void **state)
{
    char bytes[4096];
    uint64_t column;
    for (unsigned seed = 1; seed < 50; seed++) {
        unsigned next = seed;
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char)((next = next * 1103515245u + 12345u) >> 16);
        assert_int_equal(rh_leak_find(*state, (struct text){bytes, sizeof(bytes)}, &column), 0);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_survivors_are_found_wherever_they_stand),
        T(test_what_is_no_survivor_is_not_found),
        T(test_bytes_of_any_kind_are_looked_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
