#include "sql/calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_calls_are_names_with_their_schemas(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct sql_calls calls;
    static const struct sql_call wanted[] = {
        {NULL, "lower", true, 0},   {NULL, "a", false, 0},       {NULL, "app", false, 0},
        {"app", "My\"Fn", true, 2}, {NULL, "coalesce", true, 1}, {NULL, "b", false, 0},
        {NULL, "t", false, 0},      {"", "attribute", false, 0}, {NULL, "U&", true, 0},
        {NULL, "and", false, 0}};
    rh_sql_calls(rh_text("LOWER /* ( */ (a) = app . \"My\"\"Fn\"(1, coalesce(b, 2), 'x(')"
                         " + (t).attribute + U&\"\\006eow\"() AND"),
                 arena, &calls);
    assert_int_equal(calls.items.count, sizeof(wanted) / sizeof(*wanted));
    for (size_t i = 0; i < calls.items.count; i++) {
        const struct sql_call *call = &calls.items.items[i];
        assert_string_equal(call->name, wanted[i].name);
        assert_string_equal(call->schema ? call->schema : "-",
                            wanted[i].schema ? wanted[i].schema : "-");
        assert_int_equal(call->has_arguments, wanted[i].has_arguments);
        assert_int_equal(call->commas, wanted[i].commas);
    }
}

static void test_changing_words_are_found(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    static const char *const changing[][2] = {
        {"created_at > now() - interval '30 days'", "now"},
        {"created_at > pg_catalog.\"now\" ()", "now"},
        {"d >= Current_Date", "current_date"},
        {"d < LOCALTIMESTAMP(3)", "localtimestamp"},
        {"random() < 0.1", "random"},
        {"age(created_at) < interval '1 day'", "age"},
        {"created_at > ' Yesterday '", "' Yesterday '"},
        {"id IN (SELECT id FROM t TABLESAMPLE system (1))", "tablesample"},
        {"at > clock_timestamp ( )", "clock_timestamp"},
    };
    for (size_t i = 0; i < sizeof(changing) / sizeof(*changing); i++)
        assert_string_equal(rh_sql_changing_word(rh_text(changing[i][0]), arena), changing[i][1]);
}

static void test_changing_words_are_no_names_and_no_texts(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    static const char *const fixed[] = {"created_at > '2026-10-21'", "now > 3 AND random = 2",
                                        "note = 'now or never()'",   "age(a, b) > interval '1 day'",
                                        "id > 1 -- now()",           "t.localtime = 2",
                                        "note = $$random()$$",       ""};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
        assert_null(rh_sql_changing_word(rh_text(fixed[i]), arena));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_are_names_with_their_schemas),
        cmocka_unit_test(test_changing_words_are_found),
        cmocka_unit_test(test_changing_words_are_no_names_and_no_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
