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

static const struct leaf_plan all_masked = {0}, json = {.numbers_may_stay = true},
                              paths = {.numbers_may_stay = true, .any_may_stay = true},
                              xml = {.is_xml = true};

static void add(void **state, uint64_t column, const struct leaf_plan *plan, const char *original,
                const char *masked)
{
    rh_leak_add_leaves(*state, column, plan, rh_text(original), rh_text(masked));
}

static void test_leaves_are_kept_and_keys_are_not(void **state)
{
    add(state, 11, &json,
        "{\"shipping_address\" : {\"to\": \"5 Long Lane, York YO1 7HH\"}, "
        "\"phone_number\":491701234568}",
        "{\"shipping_address\" : {\"to\": \"7 Qzpf Lrsx, Wewr TT4 9AA\"}, "
        "\"phone_number\":823355716624}");
    add(state, 12, &all_masked, "{\"Bob Walker, jr.\",bob.walker@corp.example}", "{x,y}");
    add(state, 13, &all_masked, "\"home_address_line\"=>\"77 Sunset Boulevard\"", "a=>b");
    assert_int_equal(find(state, "shipping_address").looked_up, 1);
    assert_int_equal(find(state, "shipping_address").certain, 0);
    assert_int_equal(find(state, "phone_number").certain, 0);
    assert_int_equal(find(state, "home_address_line").certain, 0);
    assert_int_equal(find(state, "491701234568").possible, 1);
    assert_int_equal(find(state, "bob.walker@corp.example").column, 12);
    assert_int_equal(find(state, "77 sunset boulevard").column, 13);
}

static void test_leaves_of_xml_are_its_texts_and_values_of_attributes(void **state)
{
    add(state, 14, &xml,
        "<?xml version=\"1.0\"?><postal_address kind='12 Old Mill Road'>34 New Mill Road"
        "<empty_element/><!-- 56 Wind Mill Road --><![CDATA[78 Saw Mill Road]]></postal_address>",
        "");
    assert_int_equal(find(state, "12 old mill road").column, 14);
    assert_int_equal(find(state, "34 new mill road").column, 14);
    assert_int_equal(find(state, "56 wind mill road").column, 14);
    assert_int_equal(find(state, "78 saw mill road").column, 14);
    assert_int_equal(find(state, "postal_address").possible, 0);
    assert_int_equal(find(state, "empty_element").possible, 0);
}

static void test_leaves_that_the_plan_lets_stay_are_no_survivors(void **state)
{
    static const char before[] = "{\"at\": 1763701131963, \"to\": \"4 Short Lane\"}";

    add(state, 15, &json, before, "{\"at\": 1763701131963, \"to\": \"9 Xyzzy Qwop\"}");
    assert_int_equal(find(state, "1763701131963").possible, 0);
    assert_int_equal(find(state, "4 short lane").possible, 1);
    /* A string that stayed without leave is looked for all the same. */
    add(state, 16, &json, "[\"6 Short Lane\", 20263701131963]", "[\"6 Short Lane\", 1]");
    assert_int_equal(find(state, "6 short lane").column, 16);
    assert_int_equal(find(state, "20263701131963").column, 16);
    add(state, 17, &paths, "[\"8 Short Lane\", \"3 Short Lane\"]", "[\"8 Short Lane\", \"x\"]");
    assert_int_equal(find(state, "8 short lane").possible, 0);
    assert_int_equal(find(state, "3 short lane").possible, 1);
}

static void test_what_tells_in_a_structure_is_what_has_to_be_masked(void **state)
{
    (void)state;
    assert_false(rh_leak_has_telling_leaf(&json, rh_text("{\"customer_id\": 12345678}")));
    assert_false(rh_leak_has_telling_leaf(&json, rh_text("{\"is_confirmed\": true}")));
    assert_true(rh_leak_has_telling_leaf(&json, rh_text("{\"p\": \"+4917012345\"}")));
    assert_true(rh_leak_has_telling_leaf(&all_masked, rh_text("{4917012345}")));
    assert_false(rh_leak_has_telling_leaf(&all_masked, rh_text("{NULL,NULL,NULL}")));
    assert_false(rh_leak_has_telling_leaf(&paths, rh_text("[\"8 Short Lane\"]")));
    assert_false(rh_leak_has_telling_leaf(&xml, rh_text("<settings_of_user/>")));
    assert_true(rh_leak_has_telling_leaf(&xml, rh_text("<a b=\"8 Short Lane\"/>")));
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
        rh_leak_add_leaves(*state, 1, seed % 2 ? &json : &xml, (struct text){bytes, 100},
                           (struct text){bytes + 100, 100});
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
        T(test_leaves_of_xml_are_its_texts_and_values_of_attributes),
        T(test_leaves_that_the_plan_lets_stay_are_no_survivors),
        T(test_what_tells_in_a_structure_is_what_has_to_be_masked),
        T(test_bytes_of_any_kind_are_looked_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
