#include "report_unit.h"

#include "report/layout.h"

static struct layout layout_of(struct arena *arena, struct buf *out, size_t columns, bool utf8)
{
    const struct terminal terminal = {.has_utf8 = utf8, .columns = columns};
    rh_buf_init(out, 1 << 16);
    return rh_layout(arena, &terminal, out);
}

static void test_layout_width_is_kept_between_40_and_100(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_BUF struct buf out;
    static const size_t cases[][2] = {{0, 40},  {39, 40},   {40, 40},
                                      {77, 77}, {100, 100}, {500, 100}};
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(layout_of(arena, &out, cases[i][0], true).columns, cases[i][1]);
}

static void test_layout_clean(void **state)
{
    (void)state;
    static const struct {
        const char *text, *utf8, *ascii;
    } cases[] = {
        {"plain", "plain", "plain"},
        {"a\tb\r\nc", "a b  c", "a b  c"},
        {"\033[31m", "\xef\xbf\xbd[31m", "?[31m"},
        {"na\xc3\xafve", "na\xc3\xafve", "na?ve"},
        {"…–“x”→", "…–“x”→", "...-\"x\"->"},
        {"\xe2\x80\xae", "\xef\xbf\xbd", "?"},
        {"\xc2\x85", "\xef\xbf\xbd", "?"},
        {"\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd", "??"},
        {"漢", "漢", "?"},
        {"", "", ""},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_BUF struct buf out;
    struct layout utf8 = layout_of(arena, &out, 80, true);
    struct layout ascii = layout_of(arena, &out, 80, false);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(rh_layout_clean(&utf8, cases[i].text, false), cases[i].utf8);
        assert_string_equal(rh_layout_clean(&ascii, cases[i].text, false), cases[i].ascii);
    }
    assert_string_equal(rh_layout_clean(&utf8, "a\nb", true), "a\nb");
    assert_string_equal(rh_layout_clean(&utf8, NULL, false), "");
}

static void test_layout_one_line(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_BUF struct buf out;
    struct layout utf8 = layout_of(arena, &out, 80, true);
    struct layout ascii = layout_of(arena, &out, 80, false);
    assert_string_equal(rh_layout_one_line(&utf8, "  a \n  b  ", 10), "a b");
    assert_string_equal(rh_layout_one_line(&utf8, "abcdef", 6), "abcdef");
    assert_string_equal(rh_layout_one_line(&utf8, "abcdefg", 6), "abcde…");
    assert_string_equal(rh_layout_one_line(&ascii, "abcdefg", 6), "abc...");
    assert_string_equal(rh_layout_one_line(&utf8, "ab cdefg", 4), "ab…");
    assert_string_equal(rh_layout_one_line(&utf8, "漢字漢字", 6), "漢字…");
    assert_string_equal(rh_layout_one_line(&utf8, "abc", 1), ".");
    assert_string_equal(rh_layout_one_line(&utf8, "abc", 0), "");
}

static void test_layout_labelled_wraps_under_the_text(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_BUF struct buf out;
    struct layout layout = layout_of(arena, &out, 40, true);
    rh_layout_labelled(&layout, "note", "one two three four five six seven eight nine");
    assert_string_equal(out.data, "note      one two three four five six\n"
                                  "          seven eight nine\n");
}

static void test_layout_sql_keeps_its_lines(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_BUF struct buf out;
    struct layout layout = layout_of(arena, &out, 40, true);
    struct layout_lines lines = {0};
    rh_layout_wrap_sql(&layout, &lines, "  ",
                       "A;\n\nSELECT one, two, three FROM somewhere WHERE x;");
    assert_int_equal(lines.count, 3);
    assert_string_equal(lines.items[0].text, "  A;");
    assert_string_equal(lines.items[1].text, "  SELECT one, two, three FROM somewhere");
    assert_string_equal(lines.items[2].text, "    WHERE x;");
}

static void test_layout_count(void **state)
{
    (void)state;
    static const struct {
        int64_t count;
        const char *text;
    } cases[] = {{0, "0"},
                 {842, "842"},
                 {12345, "12,345"},
                 {99999, "99,999"},
                 {100000, "100 k"},
                 {999499, "999 k"},
                 {999500, "1.0 M"},
                 {1095597, "1.1 M"},
                 {999949999, "999.9 M"},
                 {999950000, "1.0 bn"},
                 {1000000, "1.0 M"},
                 {98100000, "98.1 M"},
                 {2340000000, "2.3 bn"}};
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(rh_layout_count(arena, cases[i].count), cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout_width_is_kept_between_40_and_100),
        cmocka_unit_test(test_layout_clean),
        cmocka_unit_test(test_layout_one_line),
        cmocka_unit_test(test_layout_labelled_wraps_under_the_text),
        cmocka_unit_test(test_layout_sql_keeps_its_lines),
        cmocka_unit_test(test_layout_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
