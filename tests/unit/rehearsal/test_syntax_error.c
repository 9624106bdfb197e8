#include "rehearsal/rehearsal_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A run of one file whose second statement, at line 3 column 1, failed at `position`. */
struct fixture {
    struct arena *arena;
    struct trace trace;
    struct migration migration;
    struct server_message error;
    struct err err;
};

static struct fixture make(const char *content, const char *sql, int line, int column,
                           int64_t position)
{
    struct fixture fixture = {.arena = rh_arena_new()};
    struct arena *arena = fixture.arena;
    *RH_PUSH(arena, &fixture.migration.steps) = (struct migration_step){
        .kind = STEP_SQL, .name = "m.sql", .path = "db/m.sql", .content = rh_text(content)};
    *RH_PUSH(arena, &fixture.trace.steps) = (struct step){.name = "m.sql", .reached = true};
    *RH_PUSH(arena, &fixture.trace.statements) = (struct statement){
        .index = 1, .ok = true, .tag = "SELECT", .sql = "SELECT 1;"};
    fixture.error = (struct server_message){
        .sqlstate = "42601", .message = "syntax error at or near \"x\"", .position = position};
    *RH_PUSH(arena, &fixture.trace.statements) = (struct statement){
        .index = 2, .line = line, .column = column, .sql = sql, .finished = true};
    return fixture;
}

static struct statement *last(struct fixture *fixture)
{
    return &fixture->trace.statements.items[fixture->trace.statements.count - 1];
}

static enum err_code find(struct fixture *fixture)
{
    if (!last(fixture)->ok && !last(fixture)->error)
        last(fixture)->error = &fixture->error;
    return rh_syntax_error_find(&fixture->trace, &fixture->migration, fixture->arena,
                                &fixture->err);
}

static void test_syntax_error_names_place_in_file(void **state)
{
    (void)state;
    struct fixture f = make("SELECT 1;\n\nALTER TABEL t;\n", "ALTER TABEL t;", 3, 1, 7);
    assert_int_equal(find(&f), RH_ERR_SYNTAX);
    assert_string_equal(f.err.message, "db/m.sql:3:7: syntax error at or near \"x\"");
    assert_string_equal(f.err.detail, "ALTER TABEL t;\n      ^");
    rh_arena_free(f.arena);
}

static void test_syntax_error_counts_characters_not_bytes(void **state)
{
    (void)state;
    struct fixture f = make("SELECT '\xc3\xbc'; SELEKT 1;", "SELEKT 1;", 1, 13, 1);
    assert_int_equal(find(&f), RH_ERR_SYNTAX);
    assert_string_equal(f.err.message, "db/m.sql:1:13: syntax error at or near \"x\"");
    assert_string_equal(f.err.detail, "SELECT '\xc3\xbc'; SELEKT 1;\n            ^");
    rh_arena_free(f.arena);
}

static void test_syntax_error_on_a_later_line_of_the_statement(void **state)
{
    (void)state;
    struct fixture f = make("\nALTER TABLE t\n\tADD x y z;\n", "ALTER TABLE t\n\tADD x y z;", 2, 1,
                            24);
    assert_int_equal(find(&f), RH_ERR_SYNTAX);
    assert_string_equal(f.err.message, "db/m.sql:3:10: syntax error at or near \"x\"");
    assert_string_equal(f.err.detail, " ADD x y z;\n         ^");
    rh_arena_free(f.arena);
}

static void test_syntax_error_of_a_command_names_the_statement(void **state)
{
    (void)state;
    struct fixture f = make("", "SELEKT 1", 0, 0, 1);
    last(&f)->step = -1;
    assert_int_equal(find(&f), RH_ERR_SYNTAX);
    assert_string_equal(f.err.message,
                        "statement 2, line 1 column 1: syntax error at or near \"x\"");
    assert_string_equal(f.err.detail, "SELEKT 1\n^");
    rh_arena_free(f.arena);
}

static void test_syntax_error_in_a_long_line_is_cut_around_the_caret(void **state)
{
    (void)state;
    char sql[1001];
    memset(sql, 'a', sizeof(sql) - 1);
    sql[sizeof(sql) - 1] = 0;
    struct fixture f = make(sql, sql, 1, 1, 500);
    assert_int_equal(find(&f), RH_ERR_SYNTAX);
    const char *caret = strchr(f.err.detail, '\n') + 1;
    assert_true(caret - f.err.detail < 110);
    assert_memory_equal(f.err.detail, "...a", 4);
    assert_memory_equal(caret - 5, "a...", 4);
    assert_int_equal(strspn(caret, " "), 3 + 60);
    rh_arena_free(f.arena);
}

static void test_syntax_error_is_found_before_the_tools_rollback(void **state)
{
    (void)state;
    struct fixture f = make("SELEKT 1;", "SELEKT 1;", 1, 1, 1);
    last(&f)->error = &f.error;
    *RH_PUSH(f.arena, &f.trace.statements) = (struct statement){
        .index = 3, .ok = true, .tag = "ROLLBACK", .sql = "ROLLBACK"};
    assert_int_equal(find(&f), RH_ERR_SYNTAX);
    rh_arena_free(f.arena);
}

static void test_syntax_error_that_did_not_end_the_run_is_none(void **state)
{
    (void)state;
    struct fixture f = make("SELEKT 1;", "SELEKT 1;", 1, 1, 1);
    last(&f)->error = &f.error;
    *RH_PUSH(f.arena, &f.trace.statements) = (struct statement){
        .index = 3, .ok = true, .tag = "SELECT", .sql = "SELECT 1"};
    assert_int_equal(find(&f), RH_OK);
    f.trace.statements.count--;
    f.trace.steps.items[0].ok = true;
    assert_int_equal(find(&f), RH_OK);
    rh_arena_free(f.arena);
}

static void test_syntax_error_inside_a_function_is_none(void **state)
{
    (void)state;
    struct fixture f = make("DO $$..$$;", "DO $$..$$;", 1, 1, 1);
    f.error.internal_query = "SELEKT 1";
    assert_int_equal(find(&f), RH_OK);
    f.error.internal_query = NULL;
    f.error.position = 0;
    assert_int_equal(find(&f), RH_OK);
    rh_arena_free(f.arena);
}

static void test_syntax_error_of_another_kind_is_none(void **state)
{
    (void)state;
    struct fixture f = make("SELECT x;", "SELECT x;", 1, 1, 8);
    memcpy(f.error.sqlstate, "42703", 6);
    assert_int_equal(find(&f), RH_OK);
    f.trace.statements.count = 0;
    assert_int_equal(rh_syntax_error_find(&f.trace, &f.migration, f.arena, &f.err), RH_OK);
    rh_arena_free(f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax_error_names_place_in_file),
        cmocka_unit_test(test_syntax_error_counts_characters_not_bytes),
        cmocka_unit_test(test_syntax_error_on_a_later_line_of_the_statement),
        cmocka_unit_test(test_syntax_error_of_a_command_names_the_statement),
        cmocka_unit_test(test_syntax_error_in_a_long_line_is_cut_around_the_caret),
        cmocka_unit_test(test_syntax_error_is_found_before_the_tools_rollback),
        cmocka_unit_test(test_syntax_error_that_did_not_end_the_run_is_none),
        cmocka_unit_test(test_syntax_error_inside_a_function_is_none),
        cmocka_unit_test(test_syntax_error_of_another_kind_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
