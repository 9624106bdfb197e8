#include "unit.h"

#include "base/wrap.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void test_wrap_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
        const char *lines; /* joined by '|' */
    } cases[] = {
        {"", 10, ""},
        {"one two three", 7, "one two|three"},
        {"one two three", 100, "one two three"},
        {"one two  three", 9, "one two|three"},
        {"a\nb\n\nc", 10, "a|b||c"},
        {"a\n", 10, "a"},
        {"abcdefgh ij", 3, "abc|def|gh|ij"},
        {"ab cdefgh", 4, "ab|cdef|gh"},
        {"\xe6\xbc\xa2\xe5\xad\x97", 3, "\xe6\xbc\xa2|\xe5\xad\x97"},
        {"\xe6\xbc\xa2", 1, "\xe6\xbc\xa2"}, /* wider than a line: a line of its own */
        {"\xff\xff\xff", 2, "\xff\xff|\xff"},
        {"one   ", 3, "one"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_BUF struct buf lines;
        rh_buf_init(&lines, 1000);
        bool is_first = true;
        for (struct text rest = rh_text(cases[i].text), line;
             rh_text_wrap(&rest, cases[i].columns, &line);) {
            if (!is_first)
                rh_buf_add_char(&lines, '|');
            is_first = false;
            rh_buf_add_text(&lines, line);
        }
        assert_string_equal(rh_buf_text(&lines).data, cases[i].lines);
    }
}

static void test_wrap_ends_for_every_input(void **state)
{
    (void)state;
    /* Every text of five characters out of these: each call takes something off the front. */
    static const char alphabet[] = "a \n\xc3\xa9";
    size_t letters = sizeof alphabet - 1;
    for (size_t n = 0; n < letters * letters * letters * letters * letters; n++) {
        char text[5];
        size_t code = n;
        for (size_t i = 0; i < sizeof text; i++, code /= letters)
            text[i] = alphabet[code % letters];
        for (size_t columns = 1; columns < 4; columns++) {
            struct text rest = {text, sizeof text}, line;
            size_t before = rest.len;
            while (rh_text_wrap(&rest, columns, &line)) {
                assert_true(rest.len < before);
                assert_true(rh_text_columns(line) <= columns);
                before = rest.len;
            }
            assert_int_equal(rest.len, 0);
        }
    }
}

static void test_character_bytes_table(void **state)
{
    (void)state;
    assert_int_equal(rh_text_character_bytes(rh_text("")), 0);
    assert_int_equal(rh_text_character_bytes(rh_text("ab")), 1);
    assert_int_equal(rh_text_character_bytes(rh_text("\xc3\xa9x")), 2);
    assert_int_equal(rh_text_character_bytes(rh_text("\xe2\x82\xac")), 3);
    assert_int_equal(rh_text_character_bytes(rh_text("\xf0\x9f\x98\x80")), 4);
    assert_int_equal(rh_text_character_bytes(rh_text("\xf0\x9f")), 1); /* cut */
    assert_int_equal(rh_text_character_bytes(rh_text("\x80")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrap_table),
        cmocka_unit_test(test_wrap_ends_for_every_input),
        cmocka_unit_test(test_character_bytes_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
