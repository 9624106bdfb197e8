/* What a second run did, in a few lines. */
#include "report_unit.h"

static struct server_message exists = {.sqlstate = "42701", .message = "column exists"};

static const char *text_of(struct arena *arena, const struct result *result,
                           enum report_detail detail)
{
    return section_text(arena, rh_report_repetition, result, detail);
}

static struct result *repeated(struct arena *arena, enum rerun_kind kind)
{
    struct result *result = result_new(arena);
    result->repetition = (struct repetition){
        .was_wanted = true,
        .rerun = {.kind = kind, .run = {.was_run = true, .ok = true, .exit_status = -1}},
    };
    result->repetition.rerun.run.difference.was_compared = true;
    return result;
}

static struct cut *add_cut(struct arena *arena, struct result *result, enum cut_how how, int after,
                           enum cut_outcome outcome)
{
    struct cut *cut = RH_PUSH(arena, &result->repetition.cuts);
    *cut = (struct cut){.how = how, .after = after, .outcome = outcome};
    if (outcome == CUT_FAILS)
        cut->again.error = &exists;
    result->repetition.boundaries++;
    return cut;
}

static void test_repetition_says_nothing_where_nobody_asked(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(text_of(arena, result_new(arena), REPORT_VERBOSE), "");
}

static void test_repetition_says_that_a_ledger_did_its_work(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(text_of(arena, repeated(arena, RERUN_LEDGER), REPORT_NORMAL),
                        "again     run a second time it is a no-op, as it should be\n\n");
    assert_string_equal(text_of(arena, repeated(arena, RERUN_SCRIPT), REPORT_NORMAL),
                        "again     run a second time it changes nothing\n\n");
}

static void test_repetition_says_how_a_second_run_went_wrong(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = repeated(arena, RERUN_SCRIPT);
    struct repeated_run *run = &result->repetition.rerun.run;
    run->ok = false;
    run->error = &exists;
    assert_string_equal(text_of(arena, result, REPORT_NORMAL),
                        "again     run a second time it fails with 42701: column exists (a script "
                        "without a ledger does, and\n          changes nothing)\n\n");
    run->ok = true;
    run->difference.count = 3;
    *RH_PUSH(arena, &run->difference.sentences) = "public.t has 6 rows, not 3";
    assert_string_equal(text_of(arena, result, REPORT_NORMAL),
                        "again     run a second time it changes the database again: public.t has 6 "
                        "rows, not 3, and 2 more\n\n");
}

static void test_repetition_tells_each_cut_and_where(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = repeated(arena, RERUN_LEDGER);
    add_cut(arena, result, CUT_DISCONNECT, 3, CUT_SAME)->in_transaction = true;
    (void)add_cut(arena, result, CUT_KILL, 2, CUT_FAILS);
    struct cut *cancelled = add_cut(arena, result, CUT_CANCEL, 4, CUT_DIFFERS);
    cancelled->in_the_middle = true;
    *RH_PUSH(arena, &cancelled->invalid_left) = "invalid index public.i";
    *RH_PUSH(arena, &cancelled->again.difference.sentences) = "index public.i is invalid";
    cancelled->again.difference.count = 1;
    const char *text = text_of(arena, result, REPORT_NORMAL);
    assert_contains(text, "halfway   cut after statement 3, inside its transaction and run again: "
                          "ends as if never cut\n");
    assert_contains(text, "          server killed after statement 2 and run again: fails with "
                          "42701: column exists\n");
    assert_contains(text, "          cancelled in statement 5 (it leaves invalid index public.i) "
                          "and run again: succeeds, but");
    assert_contains(text, "index public.i is invalid");
}

static void test_repetition_says_what_was_not_tried(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = repeated(arena, RERUN_LEDGER);
    for (int i = 0; i < 7; i++)
        (void)add_cut(arena, result, CUT_DISCONNECT, i + 1, CUT_SAME);
    result->repetition.boundaries = 9;
    result->repetition.choice = "7 cuts at 9 places";
    const char *text = text_of(arena, result, REPORT_NORMAL);
    assert_contains(text, "and 4 more in result.json");
    assert_contains(text, "7 cuts at 9 places");
    assert_lacks(text_of(arena, result, REPORT_VERBOSE), "more in result.json");
}

static void test_repetition_says_how_soon_a_cancel_gives_the_tables_back(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = repeated(arena, RERUN_LEDGER);
    result->repetition.cancel = (struct cancel_release){
        .statement = 2, .after_us = 90 * MS, .release_us = 1700};
    assert_contains(
        text_of(arena, result, REPORT_NORMAL),
        "cancel    statement 2, cancelled after 90 ms, gave its locks back in 1.7 ms\n");
    result->repetition.cancel.release_us = NOT_OBSERVED;
    result->repetition.cancel.reason = "it had ended before it could be cut";
    assert_lacks(text_of(arena, result, REPORT_NORMAL), "cancel");
    assert_contains(text_of(arena, result, REPORT_VERBOSE), "not measured: it had ended");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repetition_says_nothing_where_nobody_asked),
        cmocka_unit_test(test_repetition_says_that_a_ledger_did_its_work),
        cmocka_unit_test(test_repetition_says_how_a_second_run_went_wrong),
        cmocka_unit_test(test_repetition_tells_each_cut_and_where),
        cmocka_unit_test(test_repetition_says_what_was_not_tried),
        cmocka_unit_test(test_repetition_says_how_soon_a_cancel_gives_the_tables_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
