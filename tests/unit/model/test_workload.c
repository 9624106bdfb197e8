#include "../base/unit.h"

#include "model/workload.h"

static void test_workload_names_are_found_again(void **state)
{
    (void)state;
    for (enum workload_origin origin = WORKLOAD_CAPTURE; origin <= WORKLOAD_SQL_FILE; origin++) {
        enum workload_origin found;
        assert_true(rh_workload_origin_of_name(rh_workload_origin_name(origin), &found));
        assert_int_equal(found, origin);
    }
    for (enum workload_grade grade = GRADE_ABSENT; grade <= GRADE_EXACT; grade++) {
        enum workload_grade found;
        assert_true(rh_workload_grade_of_name(rh_workload_grade_name(grade), &found));
        assert_int_equal(found, grade);
    }
    enum workload_origin origin;
    enum workload_grade grade;
    assert_false(rh_workload_origin_of_name("MySQL slow log", &origin));
    assert_false(rh_workload_grade_of_name("", &grade));
}

static void test_workload_event_bytes_counts_what_hangs_on_it(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct workload_event event = {.kind = WORKLOAD_REQUEST};
    assert_int_equal(rh_workload_event_bytes(&event), 0);
    struct workload_message message = {.type = 'Q', .body = TEXT_LITERAL("SELECT 1")};
    event.messages = &message;
    event.message_count = 1;
    assert_int_equal(rh_workload_event_bytes(&event), sizeof(message) + 8);
    struct workload_session session = {.user = "anna", .database = "shop"};
    *RH_PUSH(arena, &session.startup) = (struct workload_setting){"a", "bc"};
    *RH_PUSH(arena, &session.prologue) = message;
    event = (struct workload_event){.kind = WORKLOAD_SESSION_BEGUN, .begun = &session};
    assert_int_equal(rh_workload_event_bytes(&event),
                     8 + sizeof(struct workload_setting) + 3 + sizeof(message) + 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workload_names_are_found_again),
        cmocka_unit_test(test_workload_event_bytes_counts_what_hangs_on_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
