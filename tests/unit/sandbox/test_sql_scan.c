#include "sandbox/sql_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    struct arena *arena;
    struct sql_needs needs;
    struct buf log;   /* one line a statement: its tokens */
    const char *drop; /* statements whose second token is this are dropped */
};

static enum sql_action on_statement(void *context, const struct sql_statement *statement)
{
    struct seen *seen = context;

    if (statement->meta)
        rh_buf_printf(&seen->log, "meta[%s]\n", statement->meta);
    for (size_t i = 0; i < statement->count; i++)
        rh_buf_printf(&seen->log, "%s%s", i ? " " : "", statement->tokens[i].text);
    if (statement->count)
        rh_buf_add_char(&seen->log, '\n');
    rh_sql_needs_add(&seen->needs, statement);
    return seen->drop && statement->count > 1 && strcmp(statement->tokens[1].text, seen->drop) == 0
               ? SQL_DROP
               : SQL_KEEP;
}

static void seen_init(struct seen *seen)
{
    *seen = (struct seen){.arena = rh_arena_new()};
    seen->needs.arena = seen->arena;
    rh_buf_init(&seen->log, 1 << 20);
}

static void seen_deinit(struct seen *seen)
{
    rh_buf_deinit(&seen->log);
    rh_arena_free(seen->arena);
}

/* What passes, for this size of chunk. */
static char *scan_in_pieces(struct seen *seen, const char *sql, size_t piece)
{
    RH_CLEANUP_SQL_SCAN struct sql_scan *scan = rh_sql_scan_new(on_statement, seen);
    RH_CLEANUP_BUF struct buf out;
    size_t len = strlen(sql);

    rh_buf_init(&out, 1 << 20);
    for (size_t at = 0; at < len; at += piece)
        rh_sql_scan_feed(scan, (struct text){sql + at, len - at < piece ? len - at : piece}, &out);
    rh_sql_scan_end(scan, &out);
    return rh_text_dup(seen->arena, rh_buf_text(&out));
}

/* The same for every split; returns the log of the statements that matter. */
static const char *scan_all_ways(struct seen *seen, const char *sql, const char *expected_out)
{
    char *first = NULL;

    for (size_t piece = 1; piece <= strlen(sql); piece++) {
        rh_buf_clear(&seen->log);
        assert_string_equal(scan_in_pieces(seen, sql, piece), expected_out);
        const char *log = seen->log.data ? seen->log.data : "";
        if (!first)
            first = rh_arena_strdup(seen->arena, log);
        assert_string_equal(log, first);
    }
    return first;
}

static void test_sql_scan_finds_statements_that_matter(void **state)
{
    (void)state;
    struct seen seen;
    seen_init(&seen);
    static const char sql[] =
        "-- GRANT a TO comment;\n/* GRANT b /* nested */ TO c; */\n"
        "SELECT 'it''s; GRANT x TO y', E'\\'; GRANT', $1;\n"
        "CREATE FUNCTION f() RETURNS int AS $body$ GRANT q TO r; $$ ; $body$ LANGUAGE sql;\n"
        "GRANT SELECT ON \"T \"\"1\"\"\" TO \"Odd;Role\", plain;\n"
        "SELECT a-b, c/d;\nalter table t OWNER TO Own_er;\n"
        "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);\n"
        "REVOKE ALL ON t FROM PUBLIC";
    const char *log = scan_all_ways(&seen, sql, sql);
    assert_string_equal(log, "grant select on T \"1\" to Odd;Role , plain\n"
                             "alter table t owner to own_er\n");
    seen_deinit(&seen);
}

static void test_sql_scan_never_looks_into_data(void **state)
{
    (void)state;
    struct seen seen;
    seen_init(&seen);
    static const char sql[] = "COPY public.t (a, \"b c\") FROM stdin;\n"
                              "GRANT x TO y;\t'\n\\.x\n\\\\.\nCREATE EXTENSION z;\n\\.\n"
                              "GRANT a TO b;\nCOPY t TO stdout;\nGRANT c TO d;\n";
    const char *log = scan_all_ways(&seen, sql, sql);
    assert_null(strstr(log, "extension"));
    assert_null(strstr(log, "x to y"));
    assert_non_null(strstr(log, "grant a to b"));
    assert_non_null(strstr(log, "grant c to d"));
    seen_deinit(&seen);
}

static void test_sql_scan_dropped_statement_keeps_line_numbers(void **state)
{
    (void)state;
    struct seen seen;
    seen_init(&seen);
    seen.drop = "extension";
    scan_all_ways(&seen, "a;\nCREATE EXTENSION x\n  WITH\n SCHEMA y;\nb;\n", "a;\n\n\n\nb;\n");
    seen_deinit(&seen);
}

static void test_sql_scan_sees_psql_commands(void **state)
{
    (void)state;
    struct seen seen;
    seen_init(&seen);
    static const char sql[] = "\\connect app\nSELECT 1 \\gset\n\\restrict abc\nGRANT a TO b;\n";
    const char *log = scan_all_ways(&seen, sql, sql);
    assert_string_equal(log, "meta[\\connect app]\nmeta[\\restrict abc]\ngrant a to b\n");
    seen_deinit(&seen);
}

static void test_sql_scan_memory_is_flat_for_a_long_statement(void **state)
{
    (void)state;
    struct seen seen;
    seen_init(&seen);
    RH_CLEANUP_SQL_SCAN struct sql_scan *scan = rh_sql_scan_new(on_statement, &seen);
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 64 << 20);
    char chunk[4096];
    memset(chunk, ' ', sizeof(chunk));
    rh_sql_scan_feed(scan, TEXT_LITERAL("GRANT a ON b TO c, "), &out);
    for (int i = 0; i < 1024; i++)
        rh_sql_scan_feed(scan, (struct text){chunk, sizeof(chunk)}, &out);
    rh_sql_scan_feed(scan, TEXT_LITERAL("d;"), &out);
    rh_sql_scan_end(scan, &out);
    assert_int_equal(out.len, 19 + 1024 * 4096 + 2);
    seen_deinit(&seen);
}

static bool has_role(const struct sql_needs *needs, const char *name)
{
    for (size_t i = 0; i < needs->roles.count; i++)
        if (strcmp(needs->roles.items[i], name) == 0)
            return true;
    return false;
}

static void test_sql_scan_collects_every_role_that_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *roles[3];
    } cases[] = {
        {"GRANT ALL ON FUNCTION f(a integer) TO x, GROUP y WITH GRANT OPTION GRANTED BY z;",
         {"x", "y", "z"}},
        {"GRANT a TO b;", {"a", "b"}},
        {"REVOKE ADMIN OPTION FOR a FROM b;", {"a", "b"}},
        {"REVOKE ALL ON SCHEMA public FROM x;", {"x"}},
        {"ALTER DEFAULT PRIVILEGES FOR ROLE a, b IN SCHEMA s GRANT SELECT ON TABLES TO c;",
         {"a", "b", "c"}},
        {"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO c;", {"c"}},
        {"ALTER FUNCTION f(x integer, y text) OWNER TO o;", {"o"}},
        {"CREATE SCHEMA s AUTHORIZATION a;", {"a"}},
        {"CREATE SCHEMA AUTHORIZATION \"A b\";", {"A b"}},
        {"CREATE POLICY p ON t AS PERMISSIVE FOR ALL TO r, s USING (to_x = 1);", {"r", "s"}},
        {"CREATE USER MAPPING FOR m SERVER s;", {"m"}},
        {"SET SESSION AUTHORIZATION 'u';", {NULL}},
        {"SET ROLE w;", {"w"}},
        {"ALTER ROLE v SET work_mem = '1MB';", {"v"}},
        {"GRANT SELECT ON t TO PUBLIC, CURRENT_USER, pg_read_all_data;", {NULL}},
        {"CREATE POLICY p ON t USING (a > 1);", {NULL}},
        {"GRANT;", {NULL}},
        {"ALTER DEFAULT PRIVILEGES", {NULL}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct seen seen;
        size_t count = 0;
        seen_init(&seen);
        scan_in_pieces(&seen, cases[i].sql, strlen(cases[i].sql));
        for (; count < 3 && cases[i].roles[count]; count++)
            if (!has_role(&seen.needs, cases[i].roles[count]))
                fail_msg("%s: no %s", cases[i].sql, cases[i].roles[count]);
        if (seen.needs.roles.count != count)
            fail_msg("%s: %zu roles, the last %s", cases[i].sql, seen.needs.roles.count,
                     seen.needs.roles.items[seen.needs.roles.count - 1]);
        seen_deinit(&seen);
    }
}

static void test_sql_scan_tells_roles_that_the_text_creates(void **state)
{
    (void)state;
    struct seen seen;
    seen_init(&seen);
    scan_in_pieces(
        &seen, "CREATE ROLE a; CREATE USER \"B\" PASSWORD 'x'; CREATE GROUP c; \\i more.sql\n", 7);
    assert_int_equal(seen.needs.created_roles.count, 3);
    assert_string_equal(seen.needs.created_roles.items[1], "B");
    assert_int_equal(seen.needs.roles.count, 0);
    assert_true(seen.needs.includes_files);
    seen_deinit(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sql_scan_finds_statements_that_matter),
        cmocka_unit_test(test_sql_scan_never_looks_into_data),
        cmocka_unit_test(test_sql_scan_dropped_statement_keeps_line_numbers),
        cmocka_unit_test(test_sql_scan_sees_psql_commands),
        cmocka_unit_test(test_sql_scan_memory_is_flat_for_a_long_statement),
        cmocka_unit_test(test_sql_scan_collects_every_role_that_is_named),
        cmocka_unit_test(test_sql_scan_tells_roles_that_the_text_creates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
