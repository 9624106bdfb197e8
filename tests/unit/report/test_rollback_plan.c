/* rollback.md, as somebody reads it at night. */
#include "report_unit.h"

static const char *text_of(struct arena *arena, const struct result *result)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 1 << 20);
    rh_report_rollback(result, &out);
    return rh_text_dup(arena, rh_buf_text(&out));
}

static struct result *new_result(struct arena *arena)
{
    struct result *result = result_new(arena);
    result_statement(result, 1, "ALTER TABLE t DROP COLUMN a;", MS)->tag = "ALTER TABLE";
    result_statement(result, 2, "CREATE INDEX i ON t (b) WHERE x | y;", MS)->tag = "CREATE INDEX";
    result_statement(result, 3, "SET lock_timeout = '2s';", MS)->tag = "SET";
    result->round_trip.plan.is_made = true;
    return result;
}

static void test_rollback_has_commands_in_order_and_what_a_backup_brings(void **state)
{
    (void)state;
    static const int first = 1, second = 2;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = new_result(arena);
    struct rollback_plan *plan = &result->round_trip.plan;
    static const char added[] = "index i added";
    *RH_PUSH(arena, &plan->items) = (struct plan_item){PLAN_COMMAND, "DROP INDEX CONCURRENTLY i",
                                                       added, &second};
    *RH_PUSH(arena, &plan->items) = (struct plan_item){PLAN_COMMAND, "ANALYZE t", added, &second};
    *RH_PUSH(arena, &plan->items) = (struct plan_item){
        PLAN_COMMAND, "ALTER TABLE t ADD COLUMN a text", "column a removed", &first};
    *RH_PUSH(arena, &plan->items) = (struct plan_item){PLAN_BACKUP, NULL, "9 values of t.a",
                                                       &first};
    const char *text = text_of(arena, result);
    assert_contains(text, "``````sql\n"
                          "-- undoes statement 2: index i added\n"
                          "DROP INDEX CONCURRENTLY i;\n"
                          "ANALYZE t;\n"
                          "-- undoes statement 1: column a removed\n"
                          "ALTER TABLE t ADD COLUMN a text;\n"
                          "-- restore from backup: nothing else brings back 9 values of t.a\n"
                          "``````\n");
    assert_contains(text, "| 1 | `ALTER TABLE t DROP COLUMN a;` | no: 9 values of t.a only from a "
                          "backup |\n"
                          "| 2 | `CREATE INDEX i ON t (b) WHERE x   y;` | yes, by 2 commands |\n");
    assert_lacks(text, "lock_timeout = '2s';`");
}

static void test_rollback_says_whether_it_was_tried(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = new_result(arena);
    struct rollback_plan *plan = &result->round_trip.plan;
    *RH_PUSH(arena, &plan->items) = (struct plan_item){PLAN_COMMAND, "DROP INDEX i", "i", NULL};
    plan->is_lossless = plan->is_complete = plan->was_tried = true;
    plan->outcome = "it brings back schema and data";
    assert_contains(text_of(arena, result),
                    "They were tried on a clone of this data: it brings back schema and data.");
    plan->was_tried = plan->is_complete = false;
    assert_contains(text_of(arena, result), "something is left to be done by hand");
}

static void test_rollback_names_what_remains_after_the_way_back(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = new_result(arena);
    struct round_trip *trip = &result->round_trip;
    trip->way_back = "down.sql";
    trip->at_once.ran = true;
    trip->verdict = ROUND_TRIP_LOSSY;
    *RH_PUSH(arena, &trip->differences) = (struct round_trip_difference){
        .sentence = "t lost 3 rows", .is_loss = true, .after_writes = true};
    const char *text = text_of(arena, result);
    assert_contains(text, "**The way back:** loses data: t lost 3 rows (down.sql).");
    assert_contains(text, "What remains after it:\n\n- t lost 3 rows (when rows were written "
                          "since)\n");
}

static void test_rollback_without_a_plan_says_why(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct result *result = new_result(arena);
    assert_contains(text_of(arena, result), "there is nothing to undo");
    result->round_trip.plan = (struct rollback_plan){.reason = "the run was cut short"};
    assert_contains(text_of(arena, result), "No plan could be written: the run was cut short.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rollback_has_commands_in_order_and_what_a_backup_brings),
        cmocka_unit_test(test_rollback_says_whether_it_was_tried),
        cmocka_unit_test(test_rollback_names_what_remains_after_the_way_back),
        cmocka_unit_test(test_rollback_without_a_plan_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
