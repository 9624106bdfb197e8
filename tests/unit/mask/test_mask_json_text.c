#include "structured.h"

#include "mask/mask_json_int.h"

static void check_decode(const char *inner, const char *expected)
{
    char out[64];
    size_t len = rh_json_decode(rh_text(inner), false, out);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(out, expected, len);
}

static void test_escapes_mean_characters(void **state)
{
    (void)state;
    check_decode("plain", "plain");
    check_decode("\\b\\f\\n\\r\\t\\/\\\\\\\"", "\b\f\n\r\t/\\\"");
    check_decode("\\u0041\\u00fc\\u20AC\\ud83d\\ude00", "A\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
    check_decode("\\ud83dx\\ude00", "\xef\xbf\xbdx\xef\xbf\xbd"); /* halves of a pair */
    char out[16];
    assert_int_equal(rh_json_decode(rh_text("\\u00fc\xe9"), true, out), 2);
    assert_memory_equal(out, "x\xe9", 2);
}

static const char *encoded(struct arena *arena, const char *value, const char *pattern)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1000);
    if (pattern != NULL)
        rh_json_encode_like(rh_text(value), rh_text(pattern), false, &out);
    else
        rh_json_encode(rh_text(value), &out);
    return rh_arena_strdup(arena, rh_buf_text(&out).data);
}

static void test_what_must_be_is_escaped_as_the_server_does(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(encoded(arena, "a\"b\\c\b\f\n\r\t\x01/\x7f\xc3\xbc", NULL),
                        "a\\\"b\\\\c\\b\\f\\n\\r\\t\\u0001/\x7f\xc3\xbc");
}

static void test_characters_are_written_as_those_before(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(encoded(arena, "xyz", "a\\u0062c"), "x\\u0079z");
    assert_string_equal(encoded(arena, "/x", "\\/a"), "\\/x");
    assert_string_equal(encoded(arena, "\xc3\xbc\xf0\x9f\x98\x81", "\\u00e4\\ud83d\\ude00"),
                        "\\u00fc\\ud83d\\ude01");
    /* As many characters or not at all. */
    assert_string_equal(encoded(arena, "xy", "a\\u0062c"), "xy");
    assert_string_equal(encoded(arena, "\"", "a\\n"), "\\\"");
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const good[] = {"0", "-0", "10", "1.5", "-0.50", "1e5", "1E+05", "12.5e-3"};
    static const char *const bad[] = {"",   "-",     "01",  "1.", ".5", "1e",
                                      "+1", "1.5.2", "0x1", "1 ", "NaN"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(rh_json_is_number(rh_text(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(rh_json_is_number(rh_text(bad[i])));
}

/* What is left waits for the rest; together they mean what the whole does. */
static void test_no_escape_is_cut(void **state)
{
    (void)state;
    const char *inner = "a\\\\\\\"\\u00fc\\ud83d\\ude00\\ud83dx\\ud83d\\u0041\\n";
    char whole[64];
    size_t whole_len = rh_json_decode(rh_text(inner), false, whole);
    for (size_t cut = 0; cut <= strlen(inner); cut++) {
        size_t first = rh_json_whole_bytes((struct text){inner, cut});
        assert_true(first <= cut && cut - first < 12);
        char out[64];
        size_t len = rh_json_decode((struct text){inner, first}, false, out);
        len += rh_json_decode(rh_text(inner + first), false, out + len);
        assert_int_equal(len, whole_len);
        assert_memory_equal(out, whole, len);
    }
}

static void check_settle(struct arena *arena, const char *made, const char *expected)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1000);
    rh_buf_add_str(&out, "before");
    rh_json_settle(rh_text(made), arena, &out);
    assert_string_equal(out.data + strlen("before"), expected);
}

static void test_members_are_put_in_order(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    check_settle(arena, "{\"b\": 1, \"a\": 2}", "{\"a\": 2, \"b\": 1}");
    check_settle(arena, "{\"aa\": 1, \"b\": [\"}\", {\"d\": \", \\\"\", \"c\": {}}], \"a\": []}",
                 "{\"a\": [], \"b\": [\"}\", {\"c\": {}, \"d\": \", \\\"\"}], \"aa\": 1}");
    /* By what names mean: an escape is one character. */
    check_settle(arena, "{\"aaa\": 1, \"\\\"\\\"\": 2}", "{\"\\\"\\\"\": 2, \"aaa\": 1}");
    check_settle(arena, "[1, \"a\", {}]", "[1, \"a\", {}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes_mean_characters),
        cmocka_unit_test(test_what_must_be_is_escaped_as_the_server_does),
        cmocka_unit_test(test_characters_are_written_as_those_before),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_no_escape_is_cut),
        cmocka_unit_test(test_members_are_put_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
