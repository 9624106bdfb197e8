/* data-lost, row-count-changed, and unnamed-side-effect as the states show it. */
#include "judge_unit.h"

static void test_rules_states_rows_that_a_cascade_took_are_lost(void **state)
{
    struct story *story = *state;
    story_data_difference(story, DATA_ROWS, "public.users", NULL, 100, 90);
    story_data_difference(story, DATA_ROWS, "public.orders", NULL, 3000, 2970);
    struct statement *statement = story_say(story, "DELETE", "DELETE FROM users WHERE id > 90");
    story_lock(story, statement, "public.users", "RowExclusiveLock");
    story_lock(story, statement, "public.orders", "RowExclusiveLock");
    const struct finding *finding = story_expect(story, "data-lost", SEVERITY_ERROR);
    assert_string_equal(finding->relation, "public.orders");
    assert_true(evidence_number(finding, "rows") == 30);
    assert_int_equal(finding->statement, 1);
    assert_int_equal(story_count(story, "data-lost"), 1);
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
    assert_contains(story->result.headline, "would lose 30 rows of public.orders");
}

/* Seen on 15: whether the query of a foreign key was slow enough to be logged decided whether rows
   were lost. */
static void test_rules_states_rows_are_lost_though_the_servers_own_query_was_seen(void **state)
{
    struct story *story = *state;
    story_data_difference(story, DATA_ROWS, "public.orders", NULL, 3000, 2970);
    struct statement *statement = story_say(story, "DELETE", "DELETE FROM users WHERE id > 90");
    story_lock(story, statement, "public.orders", "RowExclusiveLock");
    struct statement *child = story_child(story, statement, "DELETE", 1 * MS);
    child->sql = "DELETE FROM ONLY \"public\".\"orders\" WHERE $1 = \"user_id\"";
    child->sql_bytes = (int64_t)strlen(child->sql);
    story_lock(story, child, "public.orders", "RowExclusiveLock");
    story_expect(story, "data-lost", SEVERITY_ERROR);
}

static void test_rules_states_values_that_a_new_type_made_null_are_lost(void **state)
{
    struct story *story = *state;
    struct data_difference *note = story_data_difference(story, DATA_COLUMN, "public.users", "note",
                                                         100, 100);
    note->vanished_values = 37;
    note->values = VALUES_CHANGED;
    struct statement *statement = story_say(story, "ALTER TABLE",
                                            "ALTER TABLE users ALTER note TYPE text USING f(note)");
    story_lock(story, statement, "public.users", "AccessExclusiveLock");
    story_rewrite(story, statement, "public.users", "table", "column type");
    const struct finding *finding = story_expect(story, "data-lost", SEVERITY_ERROR);
    assert_contains(finding->title, "37 values of public.users.note");
    assert_true(evidence_number(finding, "values") == 37);
    story_expect_none(story, "unnamed-side-effect");
}

static void test_rules_states_what_is_named_is_not_lost(void **state)
{
    struct story *story = *state;
    struct data_difference *phone = story_data_difference(story, DATA_COLUMN, "public.users",
                                                          "phone", 100, 100);
    phone->vanished_values = 37;
    struct statement *statement = story_say(story, "UPDATE", "UPDATE users SET phone = NULL");
    story_lock(story, statement, "public.users", "RowExclusiveLock");
    struct data_difference *column = story_data_difference(story, DATA_COLUMN, "public.users",
                                                           "age", 100, 100);
    column->change = DIFFERENCE_REMOVED;
    column->non_null_before = 100;
    statement = story_say(story, "ALTER TABLE", "ALTER TABLE users DROP age");
    story_drop(story, statement, "table column", "public.users.age", true);
    story_data_difference(story, DATA_ROWS, "public.log", NULL, 10, 0);
    statement = story_say(story, "TRUNCATE TABLE", "TRUNCATE log");
    story_lock(story, statement, "public.log", "AccessExclusiveLock");
    story_expect_none(story, "data-lost");
}

static void test_rules_states_a_column_that_went_with_its_type_is_lost(void **state)
{
    struct story *story = *state;
    struct data_difference *column = story_data_difference(story, DATA_COLUMN, "public.users",
                                                           "mood", 100, 100);
    column->change = DIFFERENCE_REMOVED;
    column->non_null_before = 90;
    struct statement *statement = story_say(story, "DROP TYPE", "DROP TYPE mood_type CASCADE");
    story_drop(story, statement, "type", "public.mood_type", true);
    story_drop(story, statement, "table column", "public.users.mood", false);
    assert_contains(story_expect(story, "data-lost", SEVERITY_ERROR)->title, "90 values");
}

static void test_rules_states_more_rows_in_a_table_that_nobody_named(void **state)
{
    struct story *story = *state;
    story_data_difference(story, DATA_ROWS, "public.audit", NULL, 0, 500);
    struct statement *statement = story_say(story, "UPDATE", "UPDATE users SET nick = email");
    story_lock(story, statement, "public.audit", "RowExclusiveLock");
    const struct finding *finding = story_expect(story, "row-count-changed", SEVERITY_WARNING);
    assert_contains(finding->title, "500 more rows in public.audit");
    assert_int_equal(story->result.verdict, VERDICT_SAFE);

    /* Written by nobody who was seen: something else is at work. */
    story_data_difference(story, DATA_ROWS, "public.other", NULL, 0, 5);
    finding = story_expect(story, "row-count-changed", SEVERITY_ERROR);
    assert_string_equal(finding->relation, "public.other");
}

static void test_rules_states_what_a_table_made_anew_no_longer_has(void **state)
{
    struct story *story = *state;
    struct schema_difference *policy = story_schema_difference(
        story, DIFFERENCE_REMOVED, "policy", "own on public.users", "public.users");
    policy->parent_recreated = true;
    struct statement *statement = story_say(story, "DROP TABLE", "DROP TABLE users");
    story_drop(story, statement, "table", "public.users", true);
    const struct finding *finding = story_expect(story, "unnamed-side-effect", SEVERITY_WARNING);
    assert_contains(finding->title,
                    "lost when the table was made anew: policy own on public.users");
    assert_int_equal(finding->statement, 1);
}

static void test_rules_states_changes_that_nobody_named(void **state)
{
    struct story *story = *state;
    story_schema_difference(story, DIFFERENCE_CHANGED, "table column", "public.users.age",
                            "public.users");
    story_say(story, "UPDATE", "UPDATE pg_attribute SET attnotnull = false");
    const struct finding *finding = story_expect(story, "unnamed-side-effect", SEVERITY_WARNING);
    assert_contains(finding->title, "table column public.users.age differs");

    /* Where the witnesses failed, that nobody was seen to do it means nothing. */
    story->trace.evidence_intact = false;
    story_expect_none(story, "unnamed-side-effect");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_states_rows_that_a_cascade_took_are_lost),
        STORY_TEST(test_rules_states_rows_are_lost_though_the_servers_own_query_was_seen),
        STORY_TEST(test_rules_states_values_that_a_new_type_made_null_are_lost),
        STORY_TEST(test_rules_states_what_is_named_is_not_lost),
        STORY_TEST(test_rules_states_a_column_that_went_with_its_type_is_lost),
        STORY_TEST(test_rules_states_more_rows_in_a_table_that_nobody_named),
        STORY_TEST(test_rules_states_what_a_table_made_anew_no_longer_has),
        STORY_TEST(test_rules_states_changes_that_nobody_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
