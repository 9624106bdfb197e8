/* The way back in a few lines of the report. */
#include "report_unit.h"

static const char *text_of(struct arena *arena, const struct result *result)
{
    return section_text(arena, rh_report_way_back, result, REPORT_NORMAL);
}

static struct result *new_result(struct arena *arena, enum round_trip_verdict verdict)
{
    struct result *result = result_new(arena);
    result->round_trip.verdict = verdict;
    result->round_trip.way_back = "down.sql";
    result->round_trip.at_once.ran = true;
    result->round_trip.after_writes.ran = true;
    result->round_trip.writes.rows = 3;
    return result;
}

static void test_way_back_says_nothing_where_nothing_is_known(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_string_equal(text_of(arena, result_new(arena)), "");
}

static void test_way_back_says_how_it_was_tried(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = new_result(arena, ROUND_TRIP_LOSSLESS);
    assert_string_equal(text_of(arena, result),
                        "way back  lossless, tried on this data at once and after 3 rows were "
                        "written (down.sql)\n\n");
    result->round_trip.after_writes = (struct round_trip_phase){.reason = "no time was left"};
    result->round_trip.ends_at = "1_a.sql";
    result->round_trip.ends_why = "no file";
    assert_string_equal(text_of(arena, result),
                        "way back  lossless, tried on this data at once; not after writes: no time "
                        "was left (down.sql)\n"
                        "          it ends behind 1_a.sql: no file\n\n");
}

static void test_way_back_names_what_is_lost_first(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = new_result(arena, ROUND_TRIP_LOSSY);
    struct round_trip *trip = &result->round_trip;
    *RH_PUSH(arena, &trip->differences) = (struct round_trip_difference){
        .sentence = "column public.t.a lost its default (1)"};
    *RH_PUSH(arena, &trip->differences) = (struct round_trip_difference){
        .sentence = "public.t.b lost all 1,204 values", .is_loss = true};
    *RH_PUSH(arena, &trip->differences) = (struct round_trip_difference){
        .sentence = "public.u lost 3 rows", .is_loss = true};
    assert_string_equal(text_of(arena, result), "way back  loses data: public.t.b lost all 1,204 "
                                                "values; and 1 more (down.sql)\n\n");
    trip->verdict = ROUND_TRIP_DIFFERS;
    assert_contains(text_of(arena, result), "does not lead back: column public.t.a lost its");
}

static void test_way_back_fails(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    assert_contains(text_of(arena, new_result(arena, ROUND_TRIP_FAILS)), "fails (down.sql)");
    assert_contains(text_of(arena, new_result(arena, ROUND_TRIP_FAILS_AFTER_WRITES)),
                    "works at once, fails after 3 rows were written");
}

static void test_way_back_without_one_speaks_of_the_plan(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    struct rollback_plan *plan = &result->round_trip.plan;
    plan->is_made = plan->is_lossless = true;
    result->round_trip.reason = "no way back was given";
    assert_contains(text_of(arena, result), "there is nothing to undo");
    *RH_PUSH(arena, &plan->items) = (struct plan_item){PLAN_COMMAND, "DROP TABLE t", "t", NULL};
    assert_contains(text_of(arena, result), "not rehearsed: no way back was given");
    plan->was_tried = true;
    plan->outcome = "it fails: DROP TABLE t";
    assert_contains(text_of(arena, result), "was tried: it fails: DROP TABLE t");
    plan->is_proven = true;
    assert_contains(text_of(arena, result), "bring everything back, tried on this data");
    plan->is_proven = plan->is_lossless = false;
    *RH_PUSH(arena, &plan->items) = (struct plan_item){PLAN_BACKUP, NULL, "3 rows of t", NULL};
    assert_contains(text_of(arena, result), "only a backup brings back 3 rows of t");
}

static void test_way_back_names_rows_that_could_not_be_made(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = new_result(arena, ROUND_TRIP_LOSSLESS);
    struct table_writes *table = RH_PUSH(arena, &result->round_trip.writes.tables);
    table->table = "public.t";
    for (int i = 0; i < 5; i++)
        *RH_PUSH(arena, &table->rows) = (struct written_row){.freedom = {.kind = FREEDOM_NULL},
                                                             .reason = "a trigger kept it out"};
    const char *text = text_of(arena, result);
    assert_contains(text, "no row could be generated for public.t (null): a trigger kept it out");
    assert_contains(text, "and 2 more in result.json");
}

static void test_way_back_tells_the_restore_test(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = result_new(arena);
    struct restore_test *test = &result->round_trip.restore_test;
    test->was_asked = true;
    test->reason = "no time was left of --timeout";
    assert_contains(text_of(arena, result), "restore   not tried: no time was left");
    test->ran = true;
    test->dump_bytes = 4096;
    assert_contains(text_of(arena, result), "(4 kB) restores to the same");
    test->failure = "no";
    assert_contains(text_of(arena, result), "cannot be restored");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_way_back_says_nothing_where_nothing_is_known),
        cmocka_unit_test(test_way_back_says_how_it_was_tried),
        cmocka_unit_test(test_way_back_names_what_is_lost_first),
        cmocka_unit_test(test_way_back_fails),
        cmocka_unit_test(test_way_back_without_one_speaks_of_the_plan),
        cmocka_unit_test(test_way_back_names_rows_that_could_not_be_made),
        cmocka_unit_test(test_way_back_tells_the_restore_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
