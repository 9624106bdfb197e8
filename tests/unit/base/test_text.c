#include "unit.h"

#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void test_text_compares_views(void **state)
{
    (void)state;
    assert_true(rh_text_equals(TEXT_LITERAL("abc"), rh_text("abc")));
    assert_false(rh_text_equals(TEXT_LITERAL("abc"), TEXT_LITERAL("abcd")));
    assert_true(rh_text_equals(rh_text(NULL), rh_text("")));
    assert_true(rh_text_is((struct text){"abcdef", 3}, "abc"));
    assert_true(rh_text_starts_with(rh_text("abc"), "ab"));
    assert_true(rh_text_starts_with(rh_text(NULL), ""));
    assert_false(rh_text_starts_with(rh_text("a"), "ab"));
    assert_true(rh_text_ends_with(rh_text("a.sql"), ".sql"));
    assert_false(rh_text_ends_with(rh_text("sql"), ".sql"));
}

static void test_text_trim_removes_ascii_space_at_both_ends(void **state)
{
    (void)state;
    assert_true(rh_text_is(rh_text_trim(rh_text(" \t\r\n\v\f a b \n")), "a b"));
    assert_int_equal(rh_text_trim(rh_text(" \n ")).len, 0);
    assert_int_equal(rh_text_trim(rh_text(NULL)).len, 0);
    /* U+00A0 is no ASCII space */
    assert_true(rh_text_is(rh_text_trim(rh_text("\xc2\xa0")), "\xc2\xa0"));
}

static void test_text_parse_int64_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_number;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"+7", true, 7},
        {"0042", true, 42},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x1", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t value = 0;
        assert_int_equal(rh_text_parse_int64(rh_text(cases[i].text), &value), cases[i].is_number);
        assert_int_equal(value, cases[i].value);
    }
    struct text rest = rh_text("-12ab");
    int64_t value = 5;
    assert_true(rh_text_take_int64(&rest, &value));
    assert_int_equal(value, -12);
    assert_true(rh_text_is(rest, "ab"));
    assert_false(rh_text_take_int64(&rest, &value));
    assert_int_equal(value, -12);
    assert_true(rh_text_is(rest, "ab"));
}

static void test_text_hex_and_back(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0x00, 0x0f, 0xa5, 0xff};
    unsigned char back[sizeof(bytes)];
    char digits[2 * sizeof(bytes) + 1];

    rh_text_hex(bytes, sizeof(bytes), digits);
    assert_string_equal(digits, "000fa5ff");
    assert_true(rh_text_parse_hex(rh_text(digits), back, sizeof(back)));
    assert_memory_equal(back, bytes, sizeof(bytes));
    assert_true(rh_text_parse_hex(rh_text("000FA5ff"), back, sizeof(back)));
    assert_memory_equal(back, bytes, sizeof(bytes));
    assert_false(rh_text_parse_hex(rh_text("000fa5f"), back, sizeof(back)));
    assert_false(rh_text_parse_hex(rh_text("000fa5ff0"), back, sizeof(back)));
    assert_false(rh_text_parse_hex(rh_text("000fa5fg"), back, sizeof(back)));
    rh_text_hex(bytes, 0, digits);
    assert_string_equal(digits, "");
}

static void test_text_take_char_takes_that_one_alone(void **state)
{
    (void)state;
    struct text rest = rh_text(":a");

    assert_false(rh_text_take_char(&rest, 'a'));
    assert_true(rh_text_take_char(&rest, ':'));
    assert_true(rh_text_take_char(&rest, 'a'));
    assert_false(rh_text_take_char(&rest, '\0'));
    assert_int_equal(rest.len, 0);
}

static void test_text_utf8_valid_prefix_table(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t valid;
    } cases[] = {
        {"", 0},
        {"abc", 3},
        {"a\xc3\xa9z", 4},
        {"\xe2\x82\xac", 3},
        {"\xf0\x9f\x98\x80", 4},
        {"a\x80", 1},                    /* continuation alone */
        {"a\xc0\xaf", 1},                /* overlong "/" */
        {"a\xc1\xbf", 1},                /* overlong */
        {"a\xe0\x80\xaf", 1},            /* overlong */
        {"a\xed\xa0\x80", 1},            /* surrogate */
        {"a\xf4\x90\x80\x80", 1},        /* above U+10FFFF */
        {"a\xf5\x80\x80\x80", 1},        /* no such lead */
        {"a\xe2\x82", 1},                /* cut */
        {"\xf0\x8f\xbf\xbf", 0},         /* overlong */
        {"\xed\x9f\xbf\xee\x80\x80", 6}, /* either side of the surrogates */
        {"\xf4\x8f\xbf\xbf", 4},         /* U+10FFFF */
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(rh_text_utf8_valid_prefix(rh_text(cases[i].bytes)), cases[i].valid);
}

static void test_text_columns_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
    } cases[] = {
        {"", 0},
        {"abc", 3},
        {"\xc3\xa9", 1},                 /* e acute */
        {"e\xcc\x81", 1},                /* e, combining acute */
        {"\xe6\xbc\xa2\xe5\xad\x97", 4}, /* two ideographs */
        {"\xf0\x9f\x98\x80", 2},         /* an emoji */
        {"\xe2\x80\x8b", 0},             /* zero width space */
        {"\xff\xfe", 2},                 /* no UTF-8: one each */
        {"\t", 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(rh_text_columns(rh_text(cases[i].text)), cases[i].columns);
}

static void test_text_one_line_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
        const char *line;
    } cases[] = {
        {"", 5, ""},
        {"  a \n\t b  ", 10, "a b"},
        {"abcde", 5, "abcde"},
        {"abcdef", 5, "abcd\xe2\x80\xa6"},
        {"abcdef", 1, "\xe2\x80\xa6"},
        {"abcdef", 0, ""},
        {"\xe6\xbc\xa2\xe5\xad\x97", 4, "\xe6\xbc\xa2\xe5\xad\x97"},
        {"\xe6\xbc\xa2\xe5\xad\x97", 3, "\xe6\xbc\xa2\xe2\x80\xa6"},
        {"\xe6\xbc\xa2\xe5\xad\x97", 2, "\xe2\x80\xa6"},
        {"e\xcc\x81"
         "e\xcc\x81",
         2,
         "e\xcc\x81"
         "e\xcc\x81"},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *line = rh_text_one_line(arena, rh_text(cases[i].text), cases[i].columns);
        assert_string_equal(line, cases[i].line);
        assert_true(rh_text_columns(rh_text(line)) <= cases[i].columns);
    }
}

static void test_text_natural_compare_orders_numbers(void **state)
{
    (void)state;
    /* each is less than the next */
    static const char *const sorted[] = {"",
                                         "1_a",
                                         "2_x",
                                         "02_x.2",
                                         "10_x",
                                         "0042_b",
                                         "20240101_a",
                                         "20240102_a",
                                         "99999999999999999999999",
                                         "100000000000000000000000",
                                         "V1.1__a",
                                         "V1__a",
                                         "V2__a",
                                         "V10__a",
                                         "a",
                                         "a1",
                                         "a01b",
                                         "a2",
                                         "b",
                                         "\xc3\xa9"};
    for (size_t i = 0; i < COUNT(sorted); i++) {
        for (size_t j = 0; j < COUNT(sorted); j++) {
            int order = rh_text_natural_compare(sorted[i], sorted[j]);
            int expected = i < j ? -1 : i > j;
            if (order != expected)
                fail_msg("\"%s\" against \"%s\": %d, not %d", sorted[i], sorted[j], order,
                         expected);
        }
    }
}

static void test_text_natural_compare_is_total_when_zeros_differ(void **state)
{
    (void)state;
    assert_int_equal(rh_text_natural_compare("01", "1"), -1);
    assert_int_equal(rh_text_natural_compare("1", "01"), 1);
    assert_int_equal(rh_text_natural_compare("01", "01"), 0);
}

static void test_text_position_counts_characters(void **state)
{
    (void)state;
    struct text text = rh_text("ab\n\xc3\xa9x\n");
    static const struct {
        size_t offset, line, column;
    } cases[] = {{0, 1, 1}, {2, 1, 3}, {3, 2, 1}, {4, 2, 1},
                 {5, 2, 2}, {6, 2, 3}, {7, 3, 1}, {99, 3, 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct text_position position = rh_text_position(text, cases[i].offset);
        assert_int_equal(position.line, cases[i].line);
        assert_int_equal(position.column, cases[i].column);
    }
}

static void test_buf_collects_what_was_added(void **state)
{
    (void)state;
    RH_CLEANUP_BUF struct buf buf;
    rh_buf_init(&buf, 100000);
    assert_int_equal(rh_buf_text(&buf).len, 0);
    for (int i = 0; i < 5000; i++)
        rh_buf_printf(&buf, "%d,", i % 10);
    assert_int_equal(buf.len, 10000);
    assert_false(buf.failed);
    assert_int_equal(buf.data[buf.len], '\0');
    rh_buf_clear(&buf);
    rh_buf_add_str(&buf, "ab");
    rh_buf_add_char(&buf, 'c');
    rh_buf_add_text(&buf, TEXT_LITERAL("d\0e"));
    assert_memory_equal(buf.data, "abcd\0e", 7);
}

static void test_buf_fails_sticky_when_the_cap_is_reached(void **state)
{
    (void)state;
    RH_CLEANUP_BUF struct buf buf;
    rh_buf_init(&buf, 5);
    rh_buf_add_str(&buf, "abc");
    assert_false(buf.failed);
    rh_buf_add_str(&buf, "def");
    assert_true(buf.failed);
    assert_string_equal(buf.data, "abcde");
    rh_buf_printf(&buf, "%s", "more");
    rh_buf_add_char(&buf, 'x');
    assert_string_equal(buf.data, "abcde");
    rh_buf_consume(&buf, 2);
    assert_string_equal(buf.data, "cde");
    assert_true(buf.failed);
    rh_buf_clear(&buf);
    assert_false(buf.failed);
    rh_buf_printf(&buf, "%s", "12345678");
    assert_string_equal(buf.data, "12345");
    assert_true(buf.failed);
}

static void test_buf_consume_drops_from_the_front(void **state)
{
    (void)state;
    RH_CLEANUP_BUF struct buf buf;
    rh_buf_init(&buf, 100);
    rh_buf_consume(&buf, 0);
    rh_buf_add_str(&buf, "abcdef");
    rh_buf_consume(&buf, 4);
    assert_string_equal(buf.data, "ef");
    rh_buf_consume(&buf, 2);
    assert_int_equal(buf.len, 0);
    assert_string_equal(buf.data, "");
}

static void test_hexadecimal_digits(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char *digits = "0123456789abcdef";
        const char *found = c != 0 ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;
        assert_int_equal(rh_hex_value((char)c), found != NULL ? found - digits : -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hexadecimal_digits),
        cmocka_unit_test(test_text_compares_views),
        cmocka_unit_test(test_text_trim_removes_ascii_space_at_both_ends),
        cmocka_unit_test(test_text_parse_int64_table),
        cmocka_unit_test(test_text_hex_and_back),
        cmocka_unit_test(test_text_take_char_takes_that_one_alone),
        cmocka_unit_test(test_text_utf8_valid_prefix_table),
        cmocka_unit_test(test_text_columns_table),
        cmocka_unit_test(test_text_one_line_table),
        cmocka_unit_test(test_text_natural_compare_orders_numbers),
        cmocka_unit_test(test_text_natural_compare_is_total_when_zeros_differ),
        cmocka_unit_test(test_text_position_counts_characters),
        cmocka_unit_test(test_buf_collects_what_was_added),
        cmocka_unit_test(test_buf_fails_sticky_when_the_cap_is_reached),
        cmocka_unit_test(test_buf_consume_drops_from_the_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
