#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql/transform.h"

static void test_transform_reads_every_kind_of_rule(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct err err = RH_ERR_INIT;
    struct transform transform = {0};
    (void)state;

    assert_int_equal(rh_transform_read("t.yaml",
                                       rh_text("version: 1\n"
                                               "old_application: stopped\n"
                                               "rules:\n"
                                               "  - rename_table: customers\n"
                                               "    to: app.Clients\n"
                                               "  - rename_column: sales.orders.user\n"
                                               "    to: order\n"
                                               "  - drop_column: '\"odd.table\".\"a\"\"b\"'\n"
                                               "  - replace: 00ff00ff00ff00ff\n"
                                               "    with: |\n"
                                               "      SELECT $1, '$9'\n"
                                               "      FROM t WHERE id = $2\n"),
                                       arena, &transform, &err),
                     RH_OK);
    assert_true(transform.is_old_stopped);
    assert_int_equal(transform.rules.count, 4);
    const struct transform_rule *rule = transform.rules.items;
    assert_int_equal(rule[0].kind, TRANSFORM_RENAME_TABLE);
    assert_null(rule[0].schema);
    assert_string_equal(rule[0].table, "customers");
    assert_string_equal(rule[0].to_schema, "app");
    assert_string_equal(rule[0].to, "\"Clients\"");
    assert_string_equal(rule[0].text, "rename_table customers to app.Clients");
    assert_int_equal(rule[0].line, 4);
    assert_int_equal(rule[0].column_number, 5);
    assert_int_equal(rule[1].kind, TRANSFORM_RENAME_COLUMN);
    assert_string_equal(rule[1].schema, "sales");
    assert_string_equal(rule[1].column, "user");
    assert_string_equal(rule[1].to, "\"order\""); /* a key word */
    assert_int_equal(rule[2].kind, TRANSFORM_DROP_COLUMN);
    assert_string_equal(rule[2].table, "odd.table");
    assert_string_equal(rule[2].column, "a\"b");
    assert_int_equal(rule[3].kind, TRANSFORM_REPLACE);
    assert_int_equal(rule[3].fingerprint, UINT64_C(0x00ff00ff00ff00ff));
    assert_int_equal(rule[3].most_parameter, 2);
}

static void test_transform_says_where_a_mistake_is(void **state)
{
    static const struct {
        const char *content, *message;
    } cases[] = {
        {"", "t.yaml:1:1: the file is empty"},
        {"version: 2\nrules: []\n", "t.yaml:1:10: version \"2\" is not known here, only 1"},
        {"rules:\n- drop_column: a.b\n", "t.yaml:1:1: no \"version: 1\""},
        {"version: 1\n", "t.yaml:1:1: no \"rules\""},
        {"version: 1\nrules: []\n", "t.yaml:2:8: \"rules\" holds none"},
        {"version: 1\nrule: []\n", "t.yaml:2:1: unknown key \"rule\"; did you mean \"rules\"?"},
        {"version: 1\nold_application: gone\nrules:\n- drop_column: a.b\n",
         "t.yaml:2:18: unknown value \"gone\"; known here: running, stopped"},
        {"version: 1\nrules:\n- drop_colum: a.b\n",
         "t.yaml:3:3: unknown key \"drop_colum\"; did you mean \"drop_column\"?"},
        {"version: 1\nrules:\n- drop_column: b\n",
         "t.yaml:3:16: \"b\" is no column of a table; write it as in \"users.email\" or "
         "\"public.users.email\""},
        {"version: 1\nrules:\n- rename_table: a.b.c\n  to: d\n",
         "t.yaml:3:17: \"a.b.c\" is no table; write it as in \"users\" or \"public.users\""},
        {"version: 1\nrules:\n- rename_column: a.b\n  to: c.d\n",
         "t.yaml:4:7: \"c.d\" is no name of a column"},
        {"version: 1\nrules:\n- rename_table: a\n",
         "t.yaml:3:3: \"to\" goes with rename_table and rename_column, \"with\" with replace"},
        {"version: 1\nrules:\n- drop_column: a.b\n  replace: 0011223344556677\n  with: x\n",
         "t.yaml:3:3: a rule has one of rename_table, rename_column, drop_column and replace"},
        {"version: 1\nrules:\n- replace: 12\n  with: SELECT 1\n",
         "t.yaml:3:12: \"12\" is no fingerprint: 16 hexadecimal digits, as \"rehearse workload "
         "show\" prints them"},
        {"version: 1\nrules:\n- drop_column: a.b\n- rename_column: a.b\n  to: c\n",
         "t.yaml:4:3: the rule in line 3 is for the same"},
        {"version: 1\nrules:\n- a\n", "t.yaml:3:3: a rule is \"rename_table: ...\" or the like"},
        {"version: 1\nrules:\n- drop_column: [a]\n",
         "t.yaml:3:16: a column must be a single value"},
        {"version: 1\nrules:\n- rename_table: 'a\"b'\n  to: c\n",
         "t.yaml:3:17: \"a\"b\" is no table; write it as in \"users\" or \"public.users\""},
        {"version: 1\nrules:\n- drop_column: \"\xff\"\n", "t.yaml:3:17: invalid UTF-8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct err err = RH_ERR_INIT;
        struct transform transform = {0};
        assert_int_equal(
            rh_transform_read("t.yaml", rh_text(cases[i].content), arena, &transform, &err),
            RH_ERR_USAGE);
        assert_string_equal(err.message, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transform_reads_every_kind_of_rule),
        cmocka_unit_test(test_transform_says_where_a_mistake_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
