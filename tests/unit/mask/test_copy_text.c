#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mask/copy_text.h"

static void check_unescape(const char *raw, const char *expected, size_t expected_len)
{
    char out[64];
    size_t used, len = rh_copy_unescape(rh_text(raw), true, out, &used);
    assert_int_equal(used, strlen(raw));
    assert_int_equal(len, expected_len);
    assert_memory_equal(out, expected, len);
    /* In two parts, cut anywhere, with what the first left put before the second. */
    for (size_t cut = 0; cut <= strlen(raw); cut++) {
        char first[64];
        size_t first_len = rh_copy_unescape((struct text){raw, cut}, false, first, &used);
        assert_true(used <= cut && cut - used <= 3);
        size_t rest = rh_copy_unescape((struct text){raw + used, strlen(raw) - used}, true,
                                       first + first_len, NULL);
        assert_int_equal(first_len + rest, expected_len);
        assert_memory_equal(first, expected, expected_len);
    }
}

static void test_escapes_are_taken_out_wherever_they_are_cut(void **state)
{
    (void)state;
    check_unescape("", "", 0);
    check_unescape("plain", "plain", 5);
    check_unescape("\\b\\f\\n\\r\\t\\v\\\\", "\b\f\n\r\t\v\\", 7);
    check_unescape("a\\\\b", "a\\b", 3);
    check_unescape("\\1\\12\\123\\1234",
                   "\1\n"
                   "SS4",
                   5);
    check_unescape("\\x4\\x41\\x414\\xg\\x", "\4AA4xgx", 7);
    check_unescape("\\.\\N\\q", ".Nq", 3);
    check_unescape("\\777", "\377", 1);
    check_unescape("a\\", "a\\", 2);
}

static void test_what_must_be_is_escaped_and_nothing_else(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < 20; pad++) {
        for (int c = 1; c < 256; c++) {
            char value[40], out[80], expected[80];
            memset(value, 'x', sizeof value);
            value[pad] = (char)c;
            size_t wanted = 0;
            for (size_t i = 0; i < pad + 3; i++) {
                const char *found = strchr("\bb\tt\nn\vv\ff\rr\\\\", value[i]);
                const char *letters = "\bb\tt\nn\vv\ff\rr\\\\";
                if (found != NULL && ((found - letters) % 2 == 0)) {
                    expected[wanted++] = '\\';
                    expected[wanted++] = found[1];
                } else {
                    expected[wanted++] = value[i];
                }
            }
            size_t len = rh_copy_escape((struct text){value, pad + 3}, out);
            assert_int_equal(len, wanted);
            assert_memory_equal(out, expected, len);
        }
    }
}

static void test_special_bytes_are_found_at_every_place(void **state)
{
    (void)state;
    for (size_t len = 0; len < 40; len++)
        for (size_t at = 0; at <= len; at++)
            for (int c = 0; c < 256; c++) {
                char data[40];
                memset(data, 'x', sizeof data);
                if (at < len)
                    data[at] = (char)c;
                bool is_special = at < len && (c == '\t' || c == '\n' || c == '\\');
                assert_int_equal(rh_copy_special(data, len), is_special ? at : len);
            }
}

static void test_null_is_two_bytes(void **state)
{
    (void)state;
    assert_true(rh_copy_is_null("\\N", 2));
    assert_false(rh_copy_is_null("\\N", 1));
    assert_false(rh_copy_is_null("\\n", 2));
    assert_false(rh_copy_is_null("\\N ", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes_are_taken_out_wherever_they_are_cut),
        cmocka_unit_test(test_what_must_be_is_escaped_and_nothing_else),
        cmocka_unit_test(test_special_bytes_are_found_at_every_place),
        cmocka_unit_test(test_null_is_two_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
