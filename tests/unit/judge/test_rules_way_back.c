/* down-fails, down-differs, down-loses-data, restore-fails, restore-differs. */
#include "judge_unit.h"

static struct round_trip *trip_of(struct story *story)
{
    story->result.round_trip.way_back = "down.sql";
    story->result.round_trip.at_once.ran = true;
    return &story->result.round_trip;
}

static struct round_trip_difference *differ(struct story *story, enum round_trip_subject subject,
                                            const char *table, const char *column,
                                            const char *sentence)
{
    struct round_trip_difference *difference = RH_PUSH(story->arena, &trip_of(story)->differences);
    *difference = (struct round_trip_difference){.subject = subject,
                                                 .table = table,
                                                 .column = column,
                                                 .sentence = sentence,
                                                 .count = NOT_OBSERVED};
    return difference;
}

static void lose(struct story *story, const char *table, const char *column, int64_t count)
{
    struct round_trip_difference *difference = differ(
        story, column ? ROUND_TRIP_VALUES : ROUND_TRIP_ROWS, table, column, "it is gone");
    difference->is_loss = true;
    difference->count = count;
}

static struct data_difference *gone_with_up(struct story *story, enum data_subject subject,
                                            enum difference_change change, const char *table,
                                            const char *column)
{
    struct data_difference *difference = RH_PUSH(story->arena,
                                                 &story->result.data_differences.list);
    story->result.data_differences.was_compared = true;
    *difference = (struct data_difference){.subject = subject,
                                           .change = change,
                                           .table = table,
                                           .column = column,
                                           .rows_before = 10,
                                           .rows_after = 7,
                                           .non_null_before = 10,
                                           .sentence = "gone"};
    return difference;
}

static void drop_column(struct story *story)
{
    struct statement *statement = story_run(story, "ALTER TABLE", 1 * MS);
    statement->sql = "ALTER TABLE users DROP COLUMN phone";
    statement->sql_bytes = (int64_t)strlen(statement->sql);
    story_lock(story, statement, "public.users", "AccessExclusiveLock");
    story_drop(story, statement, "table column", "public.users.phone", true);
    gone_with_up(story, DATA_COLUMN, DIFFERENCE_REMOVED, "public.users", "phone");
}

static void test_rules_way_back_none_where_it_was_not_rehearsed(void **state)
{
    struct story *story = *state;
    story_expect_none(story, "down-fails");
    story_expect_none(story, "down-differs");
    story_expect_none(story, "down-loses-data");
    story_expect_none(story, "restore-fails");
    story_expect_none(story, "restore-differs");
}

static void test_rules_way_back_failure_names_place_and_words(void **state)
{
    struct story *story = *state;
    struct round_trip_failure failure = {.step = "down.sql",
                                         .line = 3,
                                         .sqlstate = "42703",
                                         .message = "column \"x\" does not exist",
                                         .exit_status = -1};
    trip_of(story)->at_once.failure = &failure;
    const struct finding *finding = story_expect(story, "down-fails", SEVERITY_ERROR);
    assert_string_equal(finding->title,
                        "the way back (down.sql) fails: column \"x\" does not exist");
    assert_string_equal(finding->step, "down.sql");
    assert_int_equal(finding->line, 3);
    assert_string_equal(evidence_text(finding, "sqlstate"), "42703");
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
}

static void test_rules_way_back_command_that_refuses_says_why_itself(void **state)
{
    struct story *story = *state;
    struct round_trip_failure failure = {.step = "manage.py migrate shop 0001",
                                         .message = "it ended with exit status 1",
                                         .exit_status = 1};
    trip_of(story)->at_once.failure = &failure;
    const struct finding *finding = story_expect(story, "down-fails", SEVERITY_ERROR);
    assert_contains(finding->advice, "it is in output.log");
}

static void test_rules_way_back_failure_after_writes_names_the_rows(void **state)
{
    struct story *story = *state;
    struct round_trip_failure failure = {.message = "contains null values", .exit_status = -1};
    struct round_trip *trip = trip_of(story);
    trip->after_writes.failure = &failure;
    struct table_writes *table = RH_PUSH(story->arena, &trip->writes.tables);
    table->table = "public.users";
    *RH_PUSH(story->arena, &table->rows) = (struct written_row){
        .freedom = {FREEDOM_NULL, "public.users", "email", NULL}, .is_written = true};
    *RH_PUSH(story->arena, &table->rows) = (struct written_row){
        .freedom = {FREEDOM_PLAIN, "public.users", NULL, NULL}, .reason = "no"};
    const struct finding *finding = story_expect(story, "down-fails", SEVERITY_ERROR);
    assert_contains(finding->title, "fails on rows written after the migration");
    json_t *rows = json_object_get(finding->evidence, "rows");
    assert_int_equal(json_array_size(rows), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "column")),
                        "email");
}

static void test_rules_way_back_differences_are_one_finding(void **state)
{
    struct story *story = *state;
    differ(story, ROUND_TRIP_SCHEMA, "public.users", "age",
           "column users.age lost its default (1)");
    differ(story, ROUND_TRIP_ORDER, "public.users", NULL, "the columns stand in another order");
    const struct finding *finding = story_expect(story, "down-differs", SEVERITY_ERROR);
    assert_contains(finding->title, "lost its default (1) and the columns stand in another order");
    assert_int_equal(story_count(story, "down-differs"), 1);
    assert_int_equal(json_array_size(json_object_get(finding->evidence, "differences")), 2);
}

static void test_rules_way_back_order_of_columns_alone_is_an_info(void **state)
{
    struct story *story = *state;
    differ(story, ROUND_TRIP_ORDER, "public.users", NULL, "the columns stand in another order");
    story_expect(story, "down-differs", SEVERITY_INFO);
    assert_int_not_equal(story->result.verdict, VERDICT_UNSAFE);
}

static void test_rules_way_back_loss_that_a_drop_names_is_a_warning(void **state)
{
    struct story *story = *state;
    drop_column(story);
    lose(story, "public.users", "phone", 10);
    const struct finding *finding = story_expect(story, "down-loses-data", SEVERITY_WARNING);
    assert_true(evidence_number(finding, "lost") == 10);
    assert_int_equal(story->result.round_trip.differences.items[0].dropped_by, 1);
    assert_int_equal(story_count(story, "down-loses-data"), 1);
}

static void test_rules_way_back_loss_that_nothing_names_is_an_error(void **state)
{
    struct story *story = *state;
    drop_column(story);
    lose(story, "public.users", "email", 10);
    story_expect(story, "down-loses-data", SEVERITY_ERROR);
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
}

static void test_rules_way_back_losses_of_both_kinds_are_two_findings(void **state)
{
    struct story *story = *state;
    drop_column(story);
    lose(story, "public.users", "phone", 10);
    lose(story, "public.orders", NULL, 3);
    story_expect(story, "down-loses-data", SEVERITY_ERROR);
    assert_int_equal(story_count(story, "down-loses-data"), 2);
}

static void test_rules_restore_failure_and_differences(void **state)
{
    struct story *story = *state;
    struct restore_test *test = &story->result.round_trip.restore_test;
    test->was_asked = test->ran = true;
    test->failure = "relation \"limits\" does not exist";
    assert_contains(story_expect(story, "restore-fails", SEVERITY_ERROR)->title, "limits");
    test->failure = NULL;
    *RH_PUSH(story->arena, &test->differences) = (struct round_trip_difference){
        .sentence = "view public.v is lost", .table = "public.v", .count = NOT_OBSERVED};
    assert_contains(story_expect(story, "restore-differs", SEVERITY_ERROR)->title,
                    "view public.v is lost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_way_back_none_where_it_was_not_rehearsed),
        STORY_TEST(test_rules_way_back_failure_names_place_and_words),
        STORY_TEST(test_rules_way_back_command_that_refuses_says_why_itself),
        STORY_TEST(test_rules_way_back_failure_after_writes_names_the_rows),
        STORY_TEST(test_rules_way_back_differences_are_one_finding),
        STORY_TEST(test_rules_way_back_order_of_columns_alone_is_an_info),
        STORY_TEST(test_rules_way_back_loss_that_a_drop_names_is_a_warning),
        STORY_TEST(test_rules_way_back_loss_that_nothing_names_is_an_error),
        STORY_TEST(test_rules_way_back_losses_of_both_kinds_are_two_findings),
        STORY_TEST(test_rules_restore_failure_and_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
