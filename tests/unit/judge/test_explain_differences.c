/* Which statement accounts for which difference. */
#include "judge_unit.h"

#define EXPECT(difference, expected, index)                                 \
    do {                                                                    \
        story_judge(story);                                                 \
        assert_string_equal(rh_explanation_name((difference)->explanation), \
                            rh_explanation_name(expected));                 \
        assert_int_equal((difference)->statement, (index));                 \
    } while (0)

static void test_explain_differences_by_what_the_server_reported(void **state)
{
    struct story *story = *state;
    struct schema_difference *column = story_schema_difference(
        story, DIFFERENCE_ADDED, "table column", "public.users.nick", "public.users");
    story_alters(story, story_say(story, "ALTER TABLE", "ALTER TABLE users ADD nick text"), "table",
                 "public.users");
    story_alters(story, story_say(story, "ALTER TABLE", "ALTER TABLE users ALTER age TYPE bigint"),
                 "table", "public.users");
    /* Both altered the table; the first one names the column. */
    EXPECT(column, EXPLAINED_NAMED, 1);
}

static void test_explain_differences_by_what_failed_and_left_an_index(void **state)
{
    struct story *story = *state;
    struct schema_difference *index = story_schema_difference(
        story, DIFFERENCE_ADDED, "index", "public.users_email_key", "public.users");
    struct statement *statement = story_say(
        story, "CREATE INDEX", "CREATE UNIQUE INDEX CONCURRENTLY users_email_key ON users (email)");
    story_fail(story, statement, "23505", "could not create unique index");
    EXPECT(index, EXPLAINED_NOT, 0);
    story_leftover(story, "invalid index", "public.users_email_key", "public.users");
    EXPECT(index, EXPLAINED_NAMED, 1);
    story_expect_none(story, "unnamed-side-effect");
}

static void test_explain_differences_by_what_failed_rather_than_what_touched_the_table(void **state)
{
    struct story *story = *state;
    struct schema_difference *index = story_schema_difference(
        story, DIFFERENCE_ADDED, "index", "public.users_email_key", "public.users");
    story_alters(story, story_say(story, "ALTER TABLE", "ALTER TABLE users ADD nick text"), "table",
                 "public.users");
    struct statement *statement = story_say(
        story, "CREATE INDEX", "CREATE UNIQUE INDEX CONCURRENTLY users_email_key ON users (email)");
    story_fail(story, statement, "23505", "could not create unique index");
    EXPECT(index, EXPLAINED_NAMED, 1);
    story_leftover(story, "invalid index", "public.users_email_key", "public.users");
    EXPECT(index, EXPLAINED_NAMED, 2);
}

static void test_explain_differences_by_what_was_dropped(void **state)
{
    struct story *story = *state;
    struct schema_difference *view = story_schema_difference(story, DIFFERENCE_REMOVED, "view",
                                                             "public.v", NULL);
    struct statement *statement = story_say(story, "DROP TABLE", "DROP TABLE users CASCADE");
    story_drop(story, statement, "table", "public.users", true);
    story_drop(story, statement, "view", "public.v", false);
    EXPECT(view, EXPLAINED_ALONG, 1);
}

static void test_explain_differences_by_words_where_the_server_reports_no_name(void **state)
{
    struct story *story = *state;
    struct schema_difference *table = story_schema_difference(story, DIFFERENCE_CHANGED, "table",
                                                              "public.\"Users\"", NULL);
    story_say(story, "GRANT", "GRANT SELECT ON users_old TO app");
    EXPECT(table, EXPLAINED_NOT, 0);
    story_say(story, "GRANT", "GRANT SELECT ON \"Users\" TO app");
    EXPECT(table, EXPLAINED_NAMED, 2);

    /* Altered later, but privileges come of GRANT alone. */
    *RH_PUSH(story->arena, &table->attributes) = (struct attribute_change){"privileges of app",
                                                                           NULL, "SELECT"};
    story_alters(story, story_say(story, "ALTER TABLE", "ALTER TABLE \"Other\" ADD x int"), "table",
                 "public.\"Users\"");
    EXPECT(table, EXPLAINED_NAMED, 2);
}

static void test_explain_differences_not_by_what_failed_or_was_rolled_back(void **state)
{
    struct story *story = *state;
    struct schema_difference *table = story_schema_difference(story, DIFFERENCE_ADDED, "table",
                                                              "public.t", NULL);
    struct statement *statement = story_say(story, "CREATE TABLE", "CREATE TABLE t ()");
    story_alters(story, statement, "table", "public.t");
    statement->ok = false;
    story_begin(story);
    story_alters(story, story_say(story, "CREATE TABLE", "CREATE TABLE t ()"), "table", "public.t");
    story_rollback(story);
    EXPECT(table, EXPLAINED_NOT, 0);
}

static void test_explain_differences_of_rows_by_locks_and_words(void **state)
{
    struct story *story = *state;
    struct data_difference *users = story_data_difference(story, DATA_ROWS, "public.users", NULL,
                                                          10, 5);
    struct data_difference *orders = story_data_difference(story, DATA_ROWS, "public.orders", NULL,
                                                           10, 5);
    struct statement *statement = story_say(story, "DELETE", "DELETE FROM users WHERE id > 5");
    story_lock(story, statement, "public.users", "RowExclusiveLock");
    story_lock(story, statement, "public.orders", "RowExclusiveLock");
    EXPECT(users, EXPLAINED_NAMED, 1);
    EXPECT(orders, EXPLAINED_ALONG, 1);
    /* ALTER TABLE names it, but takes no row away. */
    statement = story_say(story, "ALTER TABLE", "ALTER TABLE orders ALTER id TYPE bigint");
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    EXPECT(orders, EXPLAINED_ALONG, 1);
    /* What code names inside cannot be seen. */
    statement = story_say(story, "DO", "DO $$ BEGIN PERFORM cleanup(); END $$");
    story_lock(story, statement, "public.orders", "RowExclusiveLock");
    EXPECT(orders, EXPLAINED_CODE, 3);
}

static void test_explain_differences_of_a_partition_by_the_whole(void **state)
{
    struct story *story = *state;
    struct data_difference *part = story_data_difference(story, DATA_ROWS, "public.e1", NULL, 10,
                                                         5);
    part->table_parent = "public.e";
    struct statement *statement = story_say(story, "DELETE", "DELETE FROM e");
    story_lock(story, statement, "public.e1", "RowExclusiveLock");
    EXPECT(part, EXPLAINED_NAMED, 1);
}

static void test_explain_differences_of_values_need_the_column_named(void **state)
{
    struct story *story = *state;
    struct data_difference *phone = story_data_difference(story, DATA_COLUMN, "public.users",
                                                          "phone", 10, 10);
    phone->vanished_values = 4;
    struct statement *statement = story_say(story, "UPDATE", "UPDATE users SET age = 1");
    story_lock(story, statement, "public.users", "RowExclusiveLock");
    EXPECT(phone, EXPLAINED_ALONG, 1); /* a trigger, perhaps */
    statement = story_say(story, "UPDATE", "UPDATE users SET Phone = NULL");
    story_lock(story, statement, "public.users", "RowExclusiveLock");
    EXPECT(phone, EXPLAINED_NAMED, 2);
}

/* It takes no lock that the first has not taken. */
static void test_explain_differences_the_second_update_of_a_transaction(void **state)
{
    struct story *story = *state;
    struct data_difference *column = story_data_difference(story, DATA_COLUMN, "public.users",
                                                           "age", 100, 100);
    column->vanished_values = 7;
    (void)story_begin(story);
    story_lock(story, story_say(story, "UPDATE", "UPDATE users SET note = 'y'"), "public.users",
               "RowExclusiveLock");
    struct statement *second = story_say(story, "UPDATE", "UPDATE users SET age = NULL");
    (void)story_commit(story);
    EXPECT(column, EXPLAINED_NAMED, second->index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_explain_differences_by_what_the_server_reported),
        STORY_TEST(test_explain_differences_by_what_failed_and_left_an_index),
        STORY_TEST(test_explain_differences_by_what_failed_rather_than_what_touched_the_table),
        STORY_TEST(test_explain_differences_by_what_was_dropped),
        STORY_TEST(test_explain_differences_by_words_where_the_server_reports_no_name),
        STORY_TEST(test_explain_differences_not_by_what_failed_or_was_rolled_back),
        STORY_TEST(test_explain_differences_of_rows_by_locks_and_words),
        STORY_TEST(test_explain_differences_of_a_partition_by_the_whole),
        STORY_TEST(test_explain_differences_of_values_need_the_column_named),
        STORY_TEST(test_explain_differences_the_second_update_of_a_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
