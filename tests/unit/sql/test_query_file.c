#include "sql_unit.h"

#include "model/workload.h"
#include "sql/query_file.h"

#include <stdio.h>
#include <string.h>

static struct new_queries parse(struct arena *arena, const char *text)
{
    struct new_queries queries = {0};
    struct err err = RH_ERR_INIT;
    if (rh_query_file_parse("q.sql", rh_text(text), arena, &queries, &err))
        fail_msg("%s: %s", text, err.message);
    return queries;
}

static void test_query_file_takes_what_comments_say(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct new_queries queries = parse(arena, "\xEF\xBB\xBF"
                                              "-- Of 2.0: what it sends.\n"
                                              "-- name: of a customer\n"
                                              "-- parameters: 42, 'it''s', NULL\n"
                                              "-- parameters: -7, '', true\n"
                                              "-- frequency: 30 / min\n"
                                              "-- repeat: 50\n"
                                              "-- limit: 50ms\n"
                                              "-- role: shop_app\n"
                                              "SELECT $1, $2, $3, 'x'; -- all of it: yes\n\n"
                                              "-- parameters: SELECT id FROM t;\n"
                                              "UPDATE t SET a = 1 WHERE id = $1");
    assert_int_equal(queries.list.count, 2);
    const struct new_query *first = &queries.list.items[0], *second = &queries.list.items[1];
    assert_string_equal(first->name, "of a customer");
    assert_string_equal(first->sql, "SELECT $1, $2, $3, 'x'");
    assert_string_equal(first->query, "SELECT $1, $2, $3, $4");
    assert_string_equal(first->role, "shop_app");
    assert_int_equal(first->line, 9);
    assert_int_equal(first->repeat, 50);
    assert_int_equal(first->limit_us, 50000);
    assert_true(first->calls_per_s == 0.5);
    assert_int_equal(first->placeholders, 3);
    assert_int_equal(first->parameters.count, 2);
    const struct query_values *values = first->parameters.items;
    assert_string_equal(values[0].values.items[0], "42");
    assert_string_equal(values[0].values.items[1], "it's");
    assert_null(values[0].values.items[2]);
    assert_string_equal(values[1].values.items[0], "-7");
    assert_string_equal(values[1].values.items[1], "");
    assert_string_equal(values[1].values.items[2], "true");

    assert_string_equal(second->name, "UPDATE t SET a = 1 WHERE id = $1");
    assert_string_equal(second->parameters_sql, "SELECT id FROM t");
    assert_true(second->flags & PATTERN_WRITES);
    assert_true(second->effort.blocks == -1 && second->effort.wal_records == -1);
    assert_true(second->limit_us == -1 && second->calls_per_s == -1 && second->repeat == 0);
}

static void test_query_file_takes_what_our_parser_does_not_know(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct new_queries queries = parse(arena, "SELECT * FROM JSON_TABLE(x, '$' COLUMNS (a int));");
    assert_int_equal(queries.list.count, 1);
    assert_false(queries.list.items[0].flags & PATTERN_IS_PARSED);
}

static void test_query_file_refuses_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "q.sql holds no query"},
        {"-- name: a\n", "q.sql:1:1: no query follows this comment"},
        {"SELECT $1;", "q.sql:1:1: $1 has no value"},
        {"-- parameters: 1\nSELECT $1, $2;", "1 values for $1 to $2"},
        {"-- parameters: 1\nSELECT 1;", "parameters for a query that has none"},
        {"-- parameters: 1,\nSELECT $1, $2;", "parameters that are not understood"},
        {"-- parameters: now()\nSELECT $1;", "parameters that are not understood"},
        {"-- parameters: 'open\nSELECT $1;", "parameters that are not understood"},
        {"-- parameters: 1\n-- parameters: SELECT 1\nSELECT $1;", "a query for the parameters"},
        {"-- limit: 50\nSELECT 1;", "q.sql:1:1: a limit"},
        {"-- limit: 5ms\n-- limit: 6ms\nSELECT 1;", "q.sql:2:1: a limit"},
        {"-- frequency: often\nSELECT 1;", "a frequency"},
        {"-- frequency: 5/week\nSELECT 1;", "a frequency"},
        {"-- frequency: 0x10/s\nSELECT 1;", "a frequency"},
        {"-- repeat: 0\nSELECT 1;", "a repeat count"},
        {"-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;", "q.sql:3:1: query \"a\" is there twice"},
        {"-- name: a\n-- name: b\nSELECT 1;", "a second name"},
        {"-- expect: zero\nSELECT 1;", "unknown comment \"expect:\""},
        {"-- limits: 5ms\nSELECT 1;", "unknown comment \"limits:\""},
        {"-- role:\nSELECT 1;", "a role without a name"},
        {"SELECT 1; -- limit: 5ms\nSELECT 2;", "q.sql:1:11: this comment stands behind a query"},
        {"SELECT 1\n-- limit: 5ms\n;", "q.sql:2:1: this comment stands inside a query"},
        {"BEGIN;", "this statement is no query"},
        {"SET work_mem = '1GB';", "this statement is no query"},
        {"ALTER ROLE a PASSWORD 'x';", "this statement is no query"},
        {"\\d\nSELECT 1;", "psql commands"},
        {"SELECT :'x';", "psql variables"},
        {"SELECT '\xff';", "this is not UTF-8 text"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct new_queries queries = {0};
        struct err err = RH_ERR_INIT;
        if (rh_query_file_parse("q.sql", rh_text(cases[i].text), arena, &queries, &err) !=
                RH_ERR_USAGE ||
            !strstr(err.message, cases[i].message))
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_int_equal(queries.list.count, 0);
        assert_true(err.hint[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_file_takes_what_comments_say),
        cmocka_unit_test(test_query_file_takes_what_our_parser_does_not_know),
        cmocka_unit_test(test_query_file_refuses_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
