/* Which statement accounts for which difference. */
#include "judge_unit.h"

static struct schema_difference *add_schema(struct story *story, enum difference_change change,
                                            const char *kind, const char *identity,
                                            const char *parent)
{
    struct schema_difference *difference = RH_PUSH(story->arena,
                                                   &story->result.schema_differences.list);
    story->result.schema_differences.was_compared = true;
    *difference = (struct schema_difference){
        .change = change,
        .kind = kind,
        .identity = identity,
        .parent = parent,
        .sentence = rh_arena_printf(story->arena, "%s %s differs", kind, identity)};
    return difference;
}

static struct data_difference *add_data(struct story *story, enum data_subject subject,
                                        const char *table, const char *column, int64_t rows_before,
                                        int64_t rows_after)
{
    struct data_difference *difference = RH_PUSH(story->arena,
                                                 &story->result.data_differences.list);
    story->result.data_differences.was_compared = true;
    *difference = (struct data_difference){
        .subject = subject,
        .change = DIFFERENCE_CHANGED,
        .table = table,
        .column = column,
        .rows_before = rows_before,
        .rows_after = rows_after,
        .non_null_before = -1,
        .non_null_after = -1,
        .changed_values = -1,
        .sentence = rh_arena_printf(story->arena, "%s differs", table)};
    return difference;
}

static struct statement *run(struct story *story, const char *tag, const char *sql)
{
    struct statement *statement = story_run(story, tag, 1 * MS);
    statement->sql = sql;
    statement->sql_bytes = (int64_t)strlen(sql);
    return statement;
}

static void alters(struct story *story, struct statement *statement, const char *type,
                   const char *identity)
{
    *RH_PUSH(story->arena, &statement->altered) = (struct altered_object){type, identity};
}

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
    struct schema_difference *column = add_schema(story, DIFFERENCE_ADDED, "table column",
                                                  "public.users.nick", "public.users");
    alters(story, run(story, "ALTER TABLE", "ALTER TABLE users ADD nick text"), "table",
           "public.users");
    alters(story, run(story, "ALTER TABLE", "ALTER TABLE users ALTER age TYPE bigint"), "table",
           "public.users");
    /* Both altered the table; the first one names the column. */
    EXPECT(column, EXPLAINED_NAMED, 1);
}

static void test_explain_differences_by_what_was_dropped(void **state)
{
    struct story *story = *state;
    struct schema_difference *view = add_schema(story, DIFFERENCE_REMOVED, "view", "public.v",
                                                NULL);
    struct statement *statement = run(story, "DROP TABLE", "DROP TABLE users CASCADE");
    story_drop(story, statement, "table", "public.users", true);
    story_drop(story, statement, "view", "public.v", false);
    EXPECT(view, EXPLAINED_ALONG, 1);
}

static void test_explain_differences_by_words_where_the_server_reports_no_name(void **state)
{
    struct story *story = *state;
    struct schema_difference *table = add_schema(story, DIFFERENCE_CHANGED, "table",
                                                 "public.\"Users\"", NULL);
    run(story, "GRANT", "GRANT SELECT ON users_old TO app");
    EXPECT(table, EXPLAINED_NOT, 0);
    run(story, "GRANT", "GRANT SELECT ON \"Users\" TO app");
    EXPECT(table, EXPLAINED_NAMED, 2);

    /* Altered later, but privileges come of GRANT alone. */
    *RH_PUSH(story->arena, &table->attributes) = (struct attribute_change){"privileges of app",
                                                                           NULL, "SELECT"};
    alters(story, run(story, "ALTER TABLE", "ALTER TABLE \"Other\" ADD x int"), "table",
           "public.\"Users\"");
    EXPECT(table, EXPLAINED_NAMED, 2);
}

static void test_explain_differences_not_by_what_failed_or_was_rolled_back(void **state)
{
    struct story *story = *state;
    struct schema_difference *table = add_schema(story, DIFFERENCE_ADDED, "table", "public.t",
                                                 NULL);
    struct statement *statement = run(story, "CREATE TABLE", "CREATE TABLE t ()");
    alters(story, statement, "table", "public.t");
    statement->ok = false;
    story_begin(story);
    alters(story, run(story, "CREATE TABLE", "CREATE TABLE t ()"), "table", "public.t");
    story_rollback(story);
    EXPECT(table, EXPLAINED_NOT, 0);
}

static void test_explain_differences_of_rows_by_locks_and_words(void **state)
{
    struct story *story = *state;
    struct data_difference *users = add_data(story, DATA_ROWS, "public.users", NULL, 10, 5);
    struct data_difference *orders = add_data(story, DATA_ROWS, "public.orders", NULL, 10, 5);
    struct statement *statement = run(story, "DELETE", "DELETE FROM users WHERE id > 5");
    story_lock(story, statement, "public.users", "RowExclusiveLock");
    story_lock(story, statement, "public.orders", "RowExclusiveLock");
    EXPECT(users, EXPLAINED_NAMED, 1);
    EXPECT(orders, EXPLAINED_ALONG, 1);
    /* ALTER TABLE names it, but takes no row away. */
    statement = run(story, "ALTER TABLE", "ALTER TABLE orders ALTER id TYPE bigint");
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    EXPECT(orders, EXPLAINED_ALONG, 1);
    /* What code names inside cannot be seen. */
    statement = run(story, "DO", "DO $$ BEGIN PERFORM cleanup(); END $$");
    story_lock(story, statement, "public.orders", "RowExclusiveLock");
    EXPECT(orders, EXPLAINED_CODE, 3);
}

static void test_explain_differences_of_a_partition_by_the_whole(void **state)
{
    struct story *story = *state;
    struct data_difference *part = add_data(story, DATA_ROWS, "public.e1", NULL, 10, 5);
    part->table_parent = "public.e";
    struct statement *statement = run(story, "DELETE", "DELETE FROM e");
    story_lock(story, statement, "public.e1", "RowExclusiveLock");
    EXPECT(part, EXPLAINED_NAMED, 1);
}

static void test_explain_differences_of_values_need_the_column_named(void **state)
{
    struct story *story = *state;
    struct data_difference *phone = add_data(story, DATA_COLUMN, "public.users", "phone", 10, 10);
    phone->vanished_values = 4;
    struct statement *statement = run(story, "UPDATE", "UPDATE users SET age = 1");
    story_lock(story, statement, "public.users", "RowExclusiveLock");
    EXPECT(phone, EXPLAINED_ALONG, 1); /* a trigger, perhaps */
    statement = run(story, "UPDATE", "UPDATE users SET Phone = NULL");
    story_lock(story, statement, "public.users", "RowExclusiveLock");
    EXPECT(phone, EXPLAINED_NAMED, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_explain_differences_by_what_the_server_reported),
        STORY_TEST(test_explain_differences_by_what_was_dropped),
        STORY_TEST(test_explain_differences_by_words_where_the_server_reports_no_name),
        STORY_TEST(test_explain_differences_not_by_what_failed_or_was_rolled_back),
        STORY_TEST(test_explain_differences_of_rows_by_locks_and_words),
        STORY_TEST(test_explain_differences_of_a_partition_by_the_whole),
        STORY_TEST(test_explain_differences_of_values_need_the_column_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
