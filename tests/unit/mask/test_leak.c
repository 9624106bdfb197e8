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

static struct leak_hits find(void **state, const char *text)
{
    struct leak_hits hits = {0};
    rh_leak_find(*state, rh_text(text), &hits);
    return hits;
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
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct leak_hits hits = find(state, texts[i]);
        assert_int_equal(hits.certain, 1);
        assert_int_equal(hits.possible, 0);
        assert_int_equal(hits.column, MAIL);
        assert_true(hits.looked_up >= 1);
    }
    struct leak_hits street = find(state, "\"12 Rue de la Paix\", \"Paris\"");
    assert_int_equal(street.certain + street.possible, 1);
    assert_int_equal(street.column, 8);
    struct leak_hits number = find(state, "call;+49 170 1234567;now");
    assert_int_equal(number.possible, 1);
    assert_int_equal(number.certain, 0);
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
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct leak_hits hits = find(state, texts[i]);
        assert_int_equal(hits.certain + hits.possible, 0);
    }
}

static void test_leaves_are_kept_and_keys_are_not(void **state)
{
    struct leak_filter *filter = *state;
    rh_leak_add_leaves(filter, 11,
                       rh_text("{\"shipping_address\" : {\"to\": \"5 Long Lane, York YO1 7HH\"}, "
                               "\"phone_number\":491701234568}"));
    rh_leak_add_leaves(filter, 12, rh_text("{\"Bob Walker, jr.\",bob.walker@corp.example}"));
    rh_leak_add_leaves(filter, 13, rh_text("\"home_address_line\"=>\"77 Sunset Boulevard\""));
    assert_int_equal(find(state, "shipping_address").looked_up, 1);
    assert_int_equal(find(state, "shipping_address").certain, 0);
    assert_int_equal(find(state, "phone_number").certain, 0);
    assert_int_equal(find(state, "home_address_line").certain, 0);
    assert_int_equal(find(state, "491701234568").possible, 1);
    assert_int_equal(find(state, "bob.walker@corp.example").column, 12);
    assert_int_equal(find(state, "77 sunset boulevard").column, 13);
}

static void test_bytes_of_any_kind_are_looked_through(void **state)
{
    char bytes[4096];
    struct leak_hits hits = {0};
    for (unsigned seed = 1; seed < 50; seed++) {
        unsigned next = seed;
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char)((next = next * 1103515245u + 12345u) >> 16);
        rh_leak_find(*state, (struct text){bytes, sizeof(bytes)}, &hits);
        rh_leak_add_leaves(*state, 1, (struct text){bytes, 100});
    }
    assert_int_equal(hits.certain + hits.possible, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_survivors_are_found_wherever_they_stand),
        T(test_what_is_no_survivor_is_not_found),
        T(test_leaves_are_kept_and_keys_are_not),
        T(test_bytes_of_any_kind_are_looked_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
