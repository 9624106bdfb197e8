/* Names of what a second run did, and its form in result.json. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/result.h"

#include <stdlib.h>
#include <string.h>

static void test_repetition_has_names(void **state)
{
    (void)state;
    assert_string_equal(rh_rerun_kind_name(RERUN_TOOL_FILES), "tool-files");
    assert_string_equal(rh_cut_how_name(CUT_KILL), "kill");
    assert_string_equal(rh_cut_outcome_name(CUT_NOT_REACHED), "not-reached");
}

static void test_repetition_knows_commands_that_change_nothing(void **state)
{
    (void)state;
    assert_true(rh_tag_is_read_only("SET"));
    assert_true(rh_tag_is_read_only("COMMIT"));
    assert_true(rh_tag_is_read_only("")); /* an empty query */
    assert_true(rh_tag_is_read_only(NULL));
    assert_false(rh_tag_is_read_only("ALTER TABLE"));
    assert_false(rh_tag_is_read_only("SELECT")); /* a function may do anything */
}

static char *json_text(const struct result *result, const char *key)
{
    json_t *json = rh_result_to_json(result);
    char *text = json_dumps(json_object_get(json, key), RESULT_JSON_LINE_FLAGS | JSON_ENCODE_ANY);
    json_decref(json);
    return text;
}

static void test_repetition_not_wanted_is_null(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result result = {.arena = arena, .limits = rh_limits_default()};
    char *rerun = json_text(&result, "rerun"), *cuts = json_text(&result, "cuts");
    assert_string_equal(rerun, "null");
    assert_string_equal(cuts, "null");
    free(rerun);
    free(cuts);
}

static void test_repetition_tells_each_cut(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result result = {.arena = arena, .limits = rh_limits_default()};
    struct server_message error = {.sqlstate = "42701", .message = "column exists"};
    result.repetition.was_wanted = true;
    struct cut *cut = RH_PUSH(arena, &result.repetition.cuts);
    *cut = (struct cut){.how = CUT_CANCEL,
                        .after = 2,
                        .in_the_middle = true,
                        .outcome = CUT_FAILS,
                        .committed_count = 1,
                        .again = {.was_run = true, .error = &error, .exit_status = -1}};
    *RH_PUSH(arena, &cut->committed) = 2;
    *RH_PUSH(arena, &cut->invalid_left) = "invalid index public.i";
    char *text = json_text(&result, "cuts");
    static const char *const parts[] = {
        "\"how\":\"cancel\"",     "\"after_statement\":2",
        "\"in_statement\":3",     "\"outcome\":\"fails\"",
        "\"committed\":[2]",      "\"unfinished_left\":[\"invalid index public.i\"]",
        "\"sqlstate\":\"42701\"", "\"exit_status\":null",
        "\"differences\":null",
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!strstr(text, parts[i]))
            fail_msg("%s is not in %s", parts[i], text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repetition_has_names),
        cmocka_unit_test(test_repetition_knows_commands_that_change_nothing),
        cmocka_unit_test(test_repetition_not_wanted_is_null),
        cmocka_unit_test(test_repetition_tells_each_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
