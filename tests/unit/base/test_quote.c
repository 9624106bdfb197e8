#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/quote.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void test_quote_names(void **state)
{
    static const struct {
        const char *name, *quoted, *where_needed;
    } cases[] = {
        {"users", "\"users\"", "users"},
        {"_a1", "\"_a1\"", "_a1"},
        {"1a", "\"1a\"", "\"1a\""},
        {"Users", "\"Users\"", "\"Users\""},
        {"a b", "\"a b\"", "\"a b\""},
        {"", "\"\"", "\"\""},
        {"odd\"name", "\"odd\"\"name\"", "\"odd\"\"name\""},
        {"it's \\", "\"it's \\\"", "\"it's \\\""},
        {"\xc3\xbc", "\"\xc3\xbc\"", "\"\xc3\xbc\""},
    };
    struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *quoted = rh_quote_name(arena, cases[i].name);

        assert_string_equal(quoted, cases[i].quoted);
        assert_string_equal(rh_quote_name_where_needed(arena, cases[i].name),
                            cases[i].where_needed);
        assert_string_equal(rh_quote_read_name(arena, rh_text(quoted)), cases[i].name);
    }
    rh_arena_free(arena);
}

static void test_quote_literals_mean_the_same_whatever_backslashes_do(void **state)
{
    struct arena *arena = rh_arena_new();
    (void)state;

    assert_string_equal(rh_quote_literal(arena, NULL), "NULL");
    assert_string_equal(rh_quote_literal(arena, ""), "''");
    assert_string_equal(rh_quote_literal(arena, "it's \"x\""), "'it''s \"x\"'");
    assert_string_equal(rh_quote_literal(arena, "it's \\ \"x\""), "E'it''s \\\\ \"x\"'");
    assert_string_equal(rh_quote_literal(arena, "'"), "''''");
    rh_arena_free(arena);
}

static void test_quote_reads_names_as_they_are_written(void **state)
{
    struct arena *arena = rh_arena_new();
    (void)state;

    assert_string_equal(rh_quote_read_name(arena, rh_text("Users")), "users");
    assert_string_equal(rh_quote_read_name(arena, (struct text){"AB.c", 2}), "ab");
    assert_string_equal(rh_quote_read_name(arena, rh_text("\"U\"\"s\"")), "U\"s");
    assert_string_equal(rh_quote_read_name(arena, rh_text("\"a\"b")), "a");
    assert_string_equal(rh_quote_read_name(arena, rh_text("\"open")), "open");
    assert_string_equal(rh_quote_read_name(arena, rh_text("")), "");
    rh_arena_free(arena);
}

static void test_quote_first_of_a_message(void **state)
{
    (void)state;

    assert_true(rh_text_is(rh_quote_first("relation \"public.a b\" of \"c\""), "public.a b"));
    assert_true(rh_text_is(rh_quote_first("\"\""), ""));
    assert_null(rh_quote_first("column \"a does not exist").data);
    assert_null(rh_quote_first("nothing").data);
    assert_null(rh_quote_first(NULL).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote_names),
        cmocka_unit_test(test_quote_literals_mean_the_same_whatever_backslashes_do),
        cmocka_unit_test(test_quote_reads_names_as_they_are_written),
        cmocka_unit_test(test_quote_first_of_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
