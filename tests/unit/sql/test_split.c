#include "sql_unit.h"

#include "sql/lexer.h"
#include "sql/split.h"

#include <stdlib.h>

struct fixture {
    struct arena *arena;
    struct sql_script script;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->arena = rh_arena_new();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    rh_arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static void assert_statements(struct fixture *fixture, const char *sql, const char *const *expected)
{
    size_t i = 0;

    rh_sql_split(rh_text(sql), fixture->arena, &fixture->script);
    for (; expected[i]; i++) {
        if (i >= fixture->script.statements.count)
            fail_msg("%s: %zu statements, \"%s\" is missing", sql, fixture->script.statements.count,
                     expected[i]);
        assert_text(fixture->script.statements.items[i].text, expected[i]);
    }
    assert_int_equal(fixture->script.statements.count, i);
}
#define ASSERT_STATEMENTS(fixture, sql, ...) \
    assert_statements(fixture, sql, (const char *const[]){__VA_ARGS__, NULL})

static void test_split_gives_statements_with_their_semicolon_and_place(void **state)
{
    struct fixture *fixture = *state;
    const char
        *sql = "-- head\nselect 1; /* \xC3\xA9 */ select 2 -- y\n ; -- z\n\n  select 3\n-- t";
    const struct sql_statement *statements;

    ASSERT_STATEMENTS(fixture, sql, "select 1;", "select 2 -- y\n ;", "select 3");
    assert_true(fixture->script.parsed);
    statements = fixture->script.statements.items;
    assert_int_equal(statements[0].line, 2);
    assert_int_equal(statements[0].column, 1);
    assert_int_equal(statements[1].line, 2);
    assert_int_equal(statements[1].column, 19); /* characters, not bytes */
    assert_int_equal(statements[2].line, 5);
    assert_int_equal(statements[2].column, 3);
    assert_int_equal(statements[2].offset, (size_t)(strstr(sql, "select 3") - sql));
}

static void test_split_keeps_semicolons_that_end_nothing(void **state)
{
    struct fixture *fixture = *state;
    const char *atomic = "create function f() returns int language sql begin atomic select case "
                         "when true then 1 end; select 2; end;";

    ASSERT_STATEMENTS(fixture,
                      "create function f() returns int language sql begin atomic select case "
                      "when true then 1 end; select 2; end; select 3",
                      atomic, "select 3");
    ASSERT_STATEMENTS(fixture,
                      "create rule r as on insert to t do also (select 1; select 2);select 3;",
                      "create rule r as on insert to t do also (select 1; select 2);", "select 3;");
    ASSERT_STATEMENTS(fixture, "do $a$ begin perform 1; perform $$;$$; end $a$;select 3;",
                      "do $a$ begin perform 1; perform $$;$$; end $a$;", "select 3;");
    ASSERT_STATEMENTS(fixture, ";;select 1;;;select 2;;", "select 1;", "select 2;");
    ASSERT_STATEMENTS(fixture, "create procedure begin() language sql as 'select 1'; select 2;",
                      "create procedure begin() language sql as 'select 1';", "select 2;");
}

static void test_split_goes_on_where_the_grammar_is_newer(void **state)
{
    struct fixture *fixture = *state;

    /* PostgreSQL 17 and 18; the grammar at hand is that of 15. */
    ASSERT_STATEMENTS(fixture,
                      "create table t (a int, b int generated always as (a) virtual);\n"
                      "merge into t using s on true when matched then delete returning *;\n"
                      "create or replace function f() returns int language sql begin atomic\n"
                      " select 1; end;\nselect 2",
                      "create table t (a int, b int generated always as (a) virtual);",
                      "merge into t using s on true when matched then delete returning *;",
                      "create or replace function f() returns int language sql begin atomic\n"
                      " select 1; end;",
                      "select 2");
    assert_false(fixture->script.parsed);
    assert_non_null(fixture->script.parse_error);
}

static void test_split_gives_the_unreadable_to_the_server(void **state)
{
    struct fixture *fixture = *state;

    ASSERT_STATEMENTS(fixture, "select 1; select 'open; select 2;\n", "select 1;",
                      "select 'open; select 2;\n");
    ASSERT_STATEMENTS(fixture, "select 1 /* open ;", "select 1 /* open ;");
    ASSERT_STATEMENTS(fixture, "/* open ;", "/* open ;");
    ASSERT_STATEMENTS(fixture, "))) nonsense; select 1;", "))) nonsense;", "select 1;");
}

static void test_split_gives_nothing_for_blank_text(void **state)
{
    struct fixture *fixture = *state;
    static const char *const blank[] = {"", " \n", "-- x", "/* x */ ;; -- y\n"};

    for (size_t i = 0; i < COUNT(blank); i++) {
        rh_sql_split(rh_text(blank[i]), fixture->arena, &fixture->script);
        assert_int_equal(fixture->script.statements.count, 0);
    }
    rh_sql_split((struct text){NULL, 0}, fixture->arena, &fixture->script);
    assert_int_equal(fixture->script.statements.count, 0);
}

/* Statements and gaps make up the text; gaps hold blanks, comments and empty statements only. */
static void check_script(struct text text, const struct sql_script *script)
{
    size_t behind = 0;

    for (size_t i = 0; i <= script->statements.count; i++) {
        const struct sql_statement *statement = &script->statements.items[i];
        size_t start = i < script->statements.count ? statement->offset : text.len;
        struct sql_lexer lexer = {.text = {text.data, start}, .offset = behind};
        struct sql_token token;

        assert_true(start >= behind && start <= text.len);
        while (rh_sql_lexer_next(&lexer, &token)) {
            assert_false(token.is_unterminated);
            assert_true(!rh_sql_token_is_significant(&token) || token.kind == SQL_TOKEN_SEMICOLON);
        }
        if (i == script->statements.count)
            break;
        assert_ptr_equal(statement->text.data, text.data + start);
        assert_true(statement->text.len > 0);
        if (text.len < 1024) {
            struct text_position at = rh_text_position(text, start);

            assert_int_equal(statement->line, at.line);
            if (rh_text_utf8_valid_prefix(text) == text.len)
                assert_int_equal(statement->column, at.column);
        }
        behind = start + statement->text.len;
    }
}

static void test_split_loses_no_byte_of_any_input(void **state)
{
    uint64_t random = 7;
    size_t parsed = 0, statements = 0;
    (void)state;

    for (int round = 0; round < 20000; round++) {
        char bytes[512];
        struct text text = {bytes, random_sql(&random, bytes, sizeof(bytes))};
        struct arena *arena = rh_arena_new();
        struct sql_script script;

        rh_sql_split(text, arena, &script);
        check_script(text, &script);
        parsed += script.parsed;
        statements += script.statements.count;
        rh_sql_split_by_scanner(text, arena, &script);
        check_script(text, &script);
        rh_arena_free(arena);
    }
    /* The generator must reach both ways of splitting. */
    assert_in_range(parsed, 1000, 19000);
    assert_in_range(statements, 10000, SIZE_MAX);
}

/* Wherever the parser understands a text, our scanner splits it the same way. */
static void test_scanner_agrees_with_the_parser(void **state)
{
    static const char *const pieces[] = {
        "select 1;",
        "create table t (a int default 1, b text check (b <> ';'));",
        "create function f() returns int language sql begin atomic select case when true then 1 "
        "else 2 end; select 2; end;",
        "create or replace procedure p() language sql begin atomic end;",
        "create function g() returns int as $$ begin; end $$ language plpgsql;",
        "create rule r as on insert to t do instead (delete from t; select 1);",
        "do $x$ begin if true then null; end if; end $x$;",
        "select 'a'\n';b';",
        "select E'\\';';",
        "begin;",
        "end;",
        "create index concurrently i on t (a);",
        ";",
        "/* ; */ select 2 -- ;\n;",
        "create table \"a;b\" (begin int, atomic int);",
        "select case when a then 'end' end from t;",
        "prepare x as select $1;",
        "select 3"};
    uint64_t random = 11;
    size_t agreed = 0;
    (void)state;

    for (int round = 0; round < 3000; round++) {
        struct arena *arena = rh_arena_new();
        struct sql_script parsed, scanned;
        RH_CLEANUP_BUF struct buf sql;

        rh_buf_init(&sql, 65536);
        for (uint64_t n = next_random(&random) % 8; n > 0; n--) {
            rh_buf_add_str(&sql, pieces[next_random(&random) % COUNT(pieces)]);
            rh_buf_add_str(&sql, next_random(&random) % 2 ? "\n" : " ");
        }
        rh_sql_split(rh_buf_text(&sql), arena, &parsed);
        rh_sql_split_by_scanner(rh_buf_text(&sql), arena, &scanned);
        if (parsed.parsed) {
            agreed++;
            assert_int_equal(parsed.statements.count, scanned.statements.count);
            for (size_t i = 0; i < parsed.statements.count; i++) {
                assert_int_equal(parsed.statements.items[i].offset,
                                 scanned.statements.items[i].offset);
                assert_int_equal(parsed.statements.items[i].text.len,
                                 scanned.statements.items[i].text.len);
            }
        }
        rh_arena_free(arena);
    }
    assert_in_range(agreed, 1500, 3000);
}

static void test_split_of_a_text_above_the_parser_cap_uses_the_scanner(void **state)
{
    struct fixture *fixture = *state;
    RH_CLEANUP_BUF struct buf sql;

    rh_buf_init(&sql, SQL_PARSE_MAX + 1024);
    while (sql.len <= SQL_PARSE_MAX)
        rh_buf_add_str(&sql, "insert into t values (1, 'some text that makes it longer');\n");
    rh_sql_split(rh_buf_text(&sql), fixture->arena, &fixture->script);
    assert_false(fixture->script.parsed);
    assert_null(fixture->script.parse_error);
    check_script(rh_buf_text(&sql), &fixture->script);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_split_gives_statements_with_their_semicolon_and_place),
        WITH_FIXTURE(test_split_keeps_semicolons_that_end_nothing),
        WITH_FIXTURE(test_split_goes_on_where_the_grammar_is_newer),
        WITH_FIXTURE(test_split_gives_the_unreadable_to_the_server),
        WITH_FIXTURE(test_split_gives_nothing_for_blank_text),
        cmocka_unit_test(test_split_loses_no_byte_of_any_input),
        cmocka_unit_test(test_scanner_agrees_with_the_parser),
        WITH_FIXTURE(test_split_of_a_text_above_the_parser_cap_uses_the_scanner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
