#include "sql_unit.h"

#include "sql/lexer.h"

#include <stdio.h>

/* Kinds of the significant tokens as letters. */
static char letter(enum sql_token_kind kind)
{
    switch (kind) {
    case SQL_TOKEN_SPACE:
        return '_';
    case SQL_TOKEN_COMMENT:
        return 'c';
    case SQL_TOKEN_WORD:
        return 'w';
    case SQL_TOKEN_QUOTED_IDENTIFIER:
        return 'q';
    case SQL_TOKEN_STRING:
        return 's';
    case SQL_TOKEN_NUMBER:
        return 'n';
    case SQL_TOKEN_SEMICOLON:
        return ';';
    case SQL_TOKEN_OPEN:
        return '(';
    case SQL_TOKEN_CLOSE:
        return ')';
    case SQL_TOKEN_BACKSLASH:
        return '\\';
    case SQL_TOKEN_PSQL_VARIABLE:
        return 'v';
    case SQL_TOKEN_OTHER:
        return 'o';
    }
    return '?';
}

static void kinds(const char *sql, char *out)
{
    struct sql_lexer lexer = rh_sql_lexer(rh_text(sql));
    struct sql_token token;

    while (rh_sql_lexer_next(&lexer, &token)) {
        if (token.kind != SQL_TOKEN_SPACE)
            *out++ = letter(token.kind);
        if (token.is_unterminated)
            *out++ = '!';
    }
    *out = '\0';
}

static void test_lexer_tells_kinds_apart(void **state)
{
    static const struct {
        const char *sql, *kinds;
    } cases[] = {
        {"select 'a;b' ;", "ws;"},
        {"'it''s' x", "sw"},
        {"E'a\\'b' x", "sw"},
        {"'a\\' x", "sw"}, /* standard_conforming_strings: the backslash is a character */
        {"fooE'a\\' x", "wsw"},
        {"e'a'\n  'b\\'c' x", "sw"}, /* a continuation keeps the kind of the first part */
        {"e'a' --x\n 'b\\'c' x", "sw"},
        {"e'a' 'b\\' x", "ssw"}, /* no new line: no continuation */
        {"U&'d\\0061' U&\"d\\0061\" \"a\"\"b;\"", "sqq"},
        {"B'1' X'1f' N'a' b 'x'", "sssws"},
        {"$$a;$x$b$$ c", "sw"},
        {"$a$ $b$ ; $a$;", "s;"},
        {"$a$ $A$ ;", "s!"},
        {"a$$b$$ c", "ww"}, /* $ belongs to the identifier */
        {"$1;", "on;"},
        {"/* a /* b */ ; */ c", "cw"},
        {"/* a /* b */", "c!"},
        {"-- ; \\d\na", "cw"},
        {"a--b\n-c", "wcow"},
        {"'open", "s!"},
        {"\"open", "q!"},
        {"\\d x", "\\ww"},
        {"a \\; b", "w\\;w"},
        {":'v' :\"v\" :{?v} ::int :v", "vvvowow"},
        {":'no v'", "os"},
        {"a[1:2]", "wonono"},
        {"10 0xff 1_000 1e5", "nnnn"},
        {"\xC3\xA9t\xC3\xA9 $\xC3\xA9$;$\xC3\xA9$", "ws"},
        {"", ""},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        char got[64];

        kinds(cases[i].sql, got);
        if (strcmp(got, cases[i].kinds) != 0)
            fail_msg("%s: got %s, expected %s", cases[i].sql, got, cases[i].kinds);
    }
}

static void test_lexer_covers_every_byte_of_any_input(void **state)
{
    uint64_t random = 42;
    (void)state;

    for (int round = 0; round < 20000; round++) {
        char bytes[512];
        size_t len = random_sql(&random, bytes, sizeof(bytes)), expected = 0;
        struct sql_lexer lexer = rh_sql_lexer((struct text){bytes, len});
        struct sql_token token;

        while (rh_sql_lexer_next(&lexer, &token)) {
            assert_int_equal(token.offset, expected);
            assert_true(token.len > 0);
            expected += token.len;
        }
        assert_int_equal(expected, len);
    }
}

static void test_psql_need_is_found_where_psql_is_needed(void **state)
{
    static const struct {
        const char *sql;
        enum psql_need need;
        size_t offset;
    } cases[] = {
        {"select 1;", PSQL_NEED_NONE, 0},
        {"\\connect x\nselect 1;", PSQL_NEED_META_COMMAND, 0},
        {"select 1 \\gset\n", PSQL_NEED_META_COMMAND, 9},
        {"select '\\d', \"\\d\", E'\\\\', $$\\d$$; -- \\d\n/* \\d */", PSQL_NEED_NONE, 0},
        {"select :'v';", PSQL_NEED_VARIABLE, 7},
        {"select :\"v\";", PSQL_NEED_VARIABLE, 7},
        {"select a::text, a[1:2], ':''v''';", PSQL_NEED_NONE, 0},
        {"select 1;\ncopy t (a, b) from stdin with (format csv);\n1,'2\n\\.\n", PSQL_NEED_COPY_DATA,
         10},
        {"COPY t FROM STDIN;\n1\t'x\n\\.\n", PSQL_NEED_COPY_DATA, 0},
        {"copy t from '/tmp/x';", PSQL_NEED_NONE, 0},
        {"copy t to stdout;", PSQL_NEED_NONE, 0},
        {"copy (select a from stdin) to stdout;", PSQL_NEED_NONE, 0},
        {"select copy from stdin;", PSQL_NEED_NONE, 0},
        {"create function f() returns int language sql begin atomic select 1; end;", PSQL_NEED_NONE,
         0},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t offset = 0;
        enum psql_need need = rh_sql_psql_need(rh_text(cases[i].sql), &offset);

        if (need != cases[i].need || offset != cases[i].offset)
            fail_msg("%s: need %d at %zu", cases[i].sql, (int)need, offset);
    }
}

static void test_blank_text_is_skipped(void **state)
{
    (void)state;
    assert_int_equal(rh_sql_skip_blank(rh_text(" -- x\n /* y */ a"), 0), 15);
    assert_int_equal(rh_sql_skip_blank(rh_text(" -- x"), 0), 5);
    assert_int_equal(rh_sql_end_of_last_token(rh_text("a b /* y */ -- x\n ")), 3);
    assert_int_equal(rh_sql_end_of_last_token(rh_text(" -- x\n ")), 0);
    assert_int_equal(rh_sql_end_of_last_token(rh_text("a /* never closed ")), 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lexer_tells_kinds_apart),
        cmocka_unit_test(test_lexer_covers_every_byte_of_any_input),
        cmocka_unit_test(test_psql_need_is_found_where_psql_is_needed),
        cmocka_unit_test(test_blank_text_is_skipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
