#include "sql_unit.h"

#include "sql/check_file.h"

#include <stdio.h>
#include <string.h>

struct fixture {
    struct arena *arena;
    struct checks checks;
    struct err err;
};
static struct fixture fixture;

static int set_up(void **state)
{
    fixture = (struct fixture){.arena = rh_arena_new()};
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rh_arena_free(fixture.arena);
    return 0;
}

static const struct check *parse_ok(const char *text, size_t count)
{
    fixture.checks = (struct checks){0};
    if (rh_check_file_parse("c.sql", rh_text(text), fixture.arena, &fixture.checks, &fixture.err))
        fail_msg("%s: %s", text, fixture.err.message);
    if (fixture.checks.list.count != count)
        fail_msg("%s: %zu checks, expected %zu", text, fixture.checks.list.count, count);
    return fixture.checks.list.items;
}

static void test_check_file_gives_names_and_expectations(void **state)
{
    (void)state;
    const struct check *checks = parse_ok("-- the shop's checks\n"
                                          "-- name: no orphans\n"
                                          "-- expect: zero\n"
                                          "  SELECT count(*)\n  FROM orders;\n"
                                          "\n"
                                          "TABLE users;\n"
                                          "/* name: ignored */ --expect:changed\n"
                                          "WITH x AS (SELECT 1) SELECT * FROM x",
                                          3);
    assert_string_equal(checks[0].name, "no orphans");
    assert_int_equal(checks[0].expect, CHECK_ZERO);
    assert_string_equal(checks[0].sql, "SELECT count(*)\n  FROM orders");
    assert_int_equal(checks[0].line, 4);
    assert_int_equal(checks[0].column, 3);
    assert_string_equal(checks[1].name, "TABLE users");
    assert_int_equal(checks[1].expect, CHECK_SAME);
    assert_int_equal(checks[2].expect, CHECK_CHANGED);
    checks = parse_ok("\xEF\xBB\xBF-- expect: rows\r\nSELECT 1;\r\n", 1);
    assert_int_equal(checks[0].expect, CHECK_ROWS);
    assert_int_equal(checks[0].line, 2);
}

static void test_check_file_knows_every_expectation(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum check_expect expect;
        const char *limit;
    } cases[] = {
        {"same", CHECK_SAME, NULL},      {"CHANGED", CHECK_CHANGED, NULL},
        {"zero", CHECK_ZERO, NULL},      {"rows", CHECK_ROWS, NULL},
        {"<= 10", CHECK_AT_MOST, "10"},  {"<10", CHECK_LESS, "10"},
        {">= -3", CHECK_AT_LEAST, "-3"}, {"> 0.5", CHECK_MORE, "0.5"},
        {"= 7", CHECK_EQUAL, "7"},       {"!= 0", CHECK_NOT_EQUAL, "0"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[128];
        snprintf(text, sizeof(text), "-- expect: %s\nSELECT 1;", cases[i].text);
        const struct check *check = parse_ok(text, 1);
        assert_int_equal(check->expect, cases[i].expect);
        if (cases[i].limit)
            assert_string_equal(check->limit, cases[i].limit);
        else
            assert_null(check->limit);
    }
}

static void assert_order(const char *sql, const char *expected)
{
    const struct check *check = parse_ok(sql, 1);
    char order[256] = "";
    for (size_t i = 0; i < check->order_by.count; i++) {
        const struct check_key *key = &check->order_by.items[i];
        size_t len = strlen(order);
        if (key->name)
            snprintf(order + len, sizeof(order) - len, "%s ", key->name);
        else
            snprintf(order + len, sizeof(order) - len, "%zu ", key->position);
    }
    if (strcmp(order, expected) != 0)
        fail_msg("%s: ordered by \"%s\", expected \"%s\"", sql, order, expected);
}

static void test_check_file_sees_order_of_the_outermost_query_alone(void **state)
{
    (void)state;
    assert_order("SELECT a, B FROM t ORDER BY B DESC NULLS LAST, \"A\"\"x\", 2 LIMIT 3;",
                 "b A\"x 2 ");
    assert_order("SELECT array_agg(a ORDER BY a) FROM t;", "");
    assert_order("SELECT rank() OVER (ORDER BY a) FROM (SELECT a FROM t ORDER BY a) s;", "");
    assert_order("SELECT 'x ORDER BY y' -- ORDER BY z\n FROM t;", "");
    /* Not a column of the result alone: its order cannot be seen there. */
    assert_order("SELECT a FROM t ORDER BY a, lower(b);", "");
    assert_order("SELECT a FROM t ORDER BY t.a;", "");
    assert_order("SELECT a FROM t ORDER BY a COLLATE \"C\";", "");
    assert_order("SELECT a FROM t ORDER BY a FOR UPDATE;", "a ");
}

static void test_check_file_takes_pgtap_files_whole(void **state)
{
    (void)state;
    static const char *const files[] = {
        "\\set ON_ERROR_ROLLBACK 1\nBEGIN;\nSELECT plan(2);\nSELECT ok(true);\nROLLBACK;",
        "SELECT * FROM no_plan();\nCREATE TABLE x ();",
        "SELECT pgtap.plan ( 1 );",
        "SELECT ok(true); SELECT * FROM finish();",
    };
    for (size_t i = 0; i < COUNT(files); i++) {
        const struct check *check = parse_ok(files[i], 1);
        assert_int_equal(check->expect, CHECK_TESTS);
        assert_string_equal(check->name, "c.sql");
        assert_null(check->sql);
    }
    /* Names alone call nothing. */
    assert_int_equal(parse_ok("WITH plan (a) AS (SELECT 1) SELECT a FROM plan;", 1)->expect,
                     CHECK_SAME);
    assert_int_equal(parse_ok("SELECT 'plan(1)' FROM finish;", 1)->expect, CHECK_SAME);
}

static void test_check_file_says_where_a_mistake_is(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "c.sql holds no check"},
        {"-- nothing\n", "c.sql holds no check"},
        {"-- expect: nothing\nSELECT 1;", "c.sql:1:1: unknown expectation \"nothing\""},
        {"-- expect: <= ten\nSELECT 1;", "c.sql:1:1: unknown expectation \"<= ten\""},
        {"-- expect:\nSELECT 1;", "c.sql:1:1: unknown expectation \"\""},
        {"-- expects: zero\nSELECT 1;", "c.sql:1:1: unknown comment \"expects:\""},
        {"-- expect: zero\n-- expect: rows\nSELECT 1;",
         "c.sql:2:1: a second expectation for the same check"},
        {"-- name: a\n-- name: b\nSELECT 1;", "c.sql:1:1: check \"a\" has no query"},
        {"-- name:\nSELECT 1;", "c.sql:1:1: a check without a name behind \"name:\""},
        {"-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;", "c.sql:3:1: check \"a\" is there twice"},
        {"SELECT 1;\n  -- expect: zero\n", "c.sql:2:3: no query follows this comment"},
        {"SELECT 1; -- expect: zero\nSELECT 2;", "c.sql:1:11: this comment stands behind a query"},
        {"SELECT -- expect: zero\n 1;", "c.sql:1:8: this comment stands inside a query"},
        {"SELECT 1;\nDELETE FROM t;", "c.sql:2:1: this statement is no query"},
        {"EXPLAIN SELECT 1;", "c.sql:1:1: this statement is no query"},
        {"SELECT 1;\n\\i other.sql\n", "c.sql:2:1: psql commands cannot be run here"},
        {"SELECT :'x';", "c.sql:1:8: psql variables cannot be used here"},
        {"SELECT '\xff';", "c.sql:1:9: this is not UTF-8 text"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct checks checks = {0};
        struct err err = RH_ERR_INIT;
        enum err_code code = rh_check_file_parse("c.sql", rh_text(cases[i].text), fixture.arena,
                                                 &checks, &err);
        if (code != RH_ERR_USAGE || strcmp(err.message, cases[i].message) != 0)
            fail_msg("%s: \"%s\", expected \"%s\"", cases[i].text, err.message, cases[i].message);
        assert_true(err.hint[0] != 0);
        assert_int_equal(checks.list.count, 0);
    }
}

static void test_check_file_survives_any_bytes(void **state)
{
    (void)state;
    uint64_t seed = 20261120;
    for (int i = 0; i < 2000; i++) {
        char text[400];
        struct arena *arena = rh_arena_new();
        struct checks checks = {0};
        struct err err = RH_ERR_INIT;
        size_t len = random_sql(&seed, text, sizeof(text));
        if (!rh_check_file_parse("c.sql", (struct text){text, len}, arena, &checks, &err))
            assert_true(checks.list.count > 0);
        rh_arena_free(arena);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_check_file_gives_names_and_expectations),
        TEST(test_check_file_knows_every_expectation),
        TEST(test_check_file_sees_order_of_the_outermost_query_alone),
        TEST(test_check_file_takes_pgtap_files_whole),
        TEST(test_check_file_says_where_a_mistake_is),
        TEST(test_check_file_survives_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
