#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshot/dump_secrets.h"

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

static void assert_becomes(struct arena *arena, const char *sql, const char *expected)
{
    const char *changed = "untouched";

    assert_true(rh_dump_without_secrets(rh_text(sql), arena, &changed));
    if (!expected)
        assert_null(changed);
    else
        assert_string_equal(changed, expected);
}

static void test_dump_secrets_other_questions_go_as_they_are(void **state)
{
    assert_becomes(*state, "SELECT relname FROM pg_class", NULL);
    assert_becomes(*state, "", NULL);
}

static void test_dump_secrets_options_are_filtered_and_those_of_mappings_dropped(void **state)
{
    assert_becomes(*state,
                   "SELECT ARRAY(SELECT option_name FROM pg_options_to_table(srvoptions) ORDER BY "
                   "option_name) FROM pg_foreign_server",
                   "SELECT ARRAY(SELECT option_name FROM (SELECT * FROM "
                   "pg_catalog.pg_options_to_table(srvoptions) WHERE option_name !~* "
                   "'passw|secret|token|credential|key') AS o ORDER BY option_name) FROM "
                   "pg_foreign_server");
    assert_becomes(*state, "SELECT 1 FROM pg_catalog.pg_options_to_table(f.ftoptions)",
                   "SELECT 1 FROM (SELECT * FROM pg_catalog.pg_options_to_table(f.ftoptions) WHERE "
                   "option_name !~* 'passw|secret|token|credential|key') AS o");
    assert_becomes(*state, "SELECT 1 FROM pg_options_to_table(umoptions), pg_user_mappings",
                   "SELECT 1 FROM (SELECT * FROM pg_catalog.pg_options_to_table(umoptions) WHERE "
                   "false) AS o, pg_user_mappings");
}

static void test_dump_secrets_settings_of_applications_are_dropped(void **state)
{
    assert_becomes(*state,
                   "SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setdatabase = '5'::oid",
                   "SELECT setting FROM (SELECT unnest(setconfig) FROM pg_db_role_setting WHERE "
                   "setdatabase = '5'::oid) AS s (setting) WHERE setting !~ '^[^=]*[.]'");
    assert_becomes(*state,
                   "SELECT rolname, unnest(setconfig) FROM pg_db_role_setting s, pg_roles r;",
                   "SELECT rolname, setting FROM (SELECT rolname, unnest(setconfig) FROM "
                   "pg_db_role_setting s, pg_roles r) AS s (rolname, setting) WHERE setting !~ "
                   "'^[^=]*[.]'");
}

static void test_dump_secrets_unknown_questions_do_not_go(void **state)
{
    static const char *const unknown[] = {
        "SELECT umoptions FROM pg_catalog.pg_user_mappings",
        "SELECT * FROM pg_db_role_setting",
        "SELECT option_name FROM pg_options_to_table(srvoptions",
    };
    const char *changed;

    for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
        if (rh_dump_without_secrets(rh_text(unknown[i]), *state, &changed))
            fail_msg("goes: %s", unknown[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dump_secrets_other_questions_go_as_they_are, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_dump_secrets_options_are_filtered_and_those_of_mappings_dropped, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(test_dump_secrets_settings_of_applications_are_dropped,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dump_secrets_unknown_questions_do_not_go, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
