#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshot/copy_statement.h"

static int set_up(void **state)
{
    *state = rh_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    rh_arena_free(*state);
    return 0;
}

static struct copy_statement parsed(struct arena *arena, const char *sql)
{
    struct copy_statement statement = {0};

    if (!rh_copy_statement_parse(rh_text(sql), arena, &statement))
        fail_msg("not understood: %s", sql);
    return statement;
}

static void test_copy_statement_plain_names_table_and_columns(void **state)
{
    struct copy_statement statement = parsed(
        *state, "COPY public.users (id, email, \"First \"\"Name\"\"\", \"a,b)\") TO stdout;");

    assert_string_equal(statement.schema, "public");
    assert_string_equal(statement.table, "users");
    assert_string_equal(statement.identity, "public.users");
    assert_int_equal(statement.columns.count, 4);
    assert_string_equal(statement.columns.items[1], "email");
    assert_string_equal(statement.columns.items[2], "First \"Name\"");
    assert_string_equal(statement.columns.items[3], "a,b)");
    assert_string_equal(statement.column_list, "id, email, \"First \"\"Name\"\"\", \"a,b)\"");
    assert_false(statement.is_query);
}

static void test_copy_statement_quoted_table_keeps_dots_and_case(void **state)
{
    struct copy_statement statement = parsed(
        *state, "COPY \"My.Schema\".\"T \xc3\xa9\" (\"select\") TO stdout;");

    assert_string_equal(statement.schema, "My.Schema");
    assert_string_equal(statement.table, "T \xc3\xa9");
    assert_string_equal(statement.identity, "\"My.Schema\".\"T \xc3\xa9\"");
}

static void test_copy_statement_without_columns(void **state)
{
    struct copy_statement statement = parsed(*state, "COPY public.empty  TO stdout;");

    assert_int_equal(statement.columns.count, 0);
    assert_string_equal(rh_copy_statement_where(&statement, "true", *state),
                        "COPY (SELECT  FROM ONLY public.empty WHERE (true)) TO stdout;");
}

static void test_copy_statement_query_has_a_filter(void **state)
{
    struct copy_statement statement = parsed(
        *state, "COPY (SELECT id, note FROM ext.config WHERE (note <> ')' AND id > 3)) TO stdout;");

    assert_true(statement.is_query);
    assert_string_equal(statement.identity, "ext.config");
    assert_string_equal(statement.filter, "WHERE (note <> ')' AND id > 3)");
    assert_int_equal(statement.columns.count, 2);
    assert_string_equal(rh_copy_statement_where(&statement, "id < 9", *state),
                        "COPY (SELECT id, note FROM (SELECT * FROM ext.config WHERE (note <> ')' "
                        "AND id > 3)) AS t WHERE (id < 9)) TO stdout;");
}

static void test_copy_statement_where_leaves_children_out(void **state)
{
    struct copy_statement statement = parsed(*state, "COPY public.users (id, email) TO stdout;");

    assert_string_equal(
        rh_copy_statement_where(&statement, "id IN (1, 2)", *state),
        "COPY (SELECT id, email FROM ONLY public.users WHERE (id IN (1, 2))) TO stdout;");
}

static void test_copy_statement_refuses_everything_else(void **state)
{
    static const char *const others[] = {
        "",
        "COPY",
        "SELECT 1",
        "COPY users (id) TO stdout;",
        "COPY public.users (id) FROM stdin;",
        "COPY public.users (id) TO '/tmp/x';",
        "COPY public.users (id) TO stdout WITH (FORMAT binary);",
        "COPY public.users (id) TO stdout; SELECT * FROM public.users",
        "COPY public.users (id TO stdout;",
        "COPY public.users () TO stdout;",
        "COPY public.\"users (id) TO stdout;",
        "COPY public.\"\" (id) TO stdout;",
        "COPY (SELECT * FROM public.users) TO stdout;",
        "COPY (SELECT id, upper(email) FROM public.users) TO stdout;",
        "COPY (SELECT id FROM public.users TO stdout;",
        "COPY (DELETE FROM public.users RETURNING id) TO stdout;",
        "COPYpublic.users (id) TO stdout;",
        "COPY public.users (1d) TO stdout;",
    };

    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        struct copy_statement statement;

        if (rh_copy_statement_parse(rh_text(others[i]), *state, &statement))
            fail_msg("understood: %s", others[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copy_statement_plain_names_table_and_columns, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_copy_statement_quoted_table_keeps_dots_and_case,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_copy_statement_without_columns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_copy_statement_query_has_a_filter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_copy_statement_where_leaves_children_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_copy_statement_refuses_everything_else, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
