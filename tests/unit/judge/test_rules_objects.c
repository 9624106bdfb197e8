/* destructive, unnamed-side-effect, invalid-left-behind. */
#include "judge_unit.h"

static void test_rules_objects_dropped_table_is_counted(void **state)
{
    struct story *story = *state;
    story_table(story, "public.orders", 1204);
    struct statement *statement = story_run(story, "DROP TABLE", 1 * MS);
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    story_drop(story, statement, "table", "public.orders", true);
    story_drop(story, statement, "table column", "public.users.nick", true)->rows = 17;
    const struct finding *finding = story_expect(story, "destructive", SEVERITY_WARNING);
    assert_contains(finding->title, "public.orders (1,204 rows)");
    assert_contains(finding->title, "column public.users.nick (17 values)");
    assert_true(evidence_number(finding, "rows") == 1221);
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
}

static void test_rules_objects_dropped_column_advises_contract(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 1 * MS);
    story_drop(story, statement, "table column", "public.users.nick", true);
    const struct finding *finding = story_expect(story, "destructive", SEVERITY_WARNING);
    assert_string_equal(finding->relation, "public.users");
    assert_contains(finding->advice, "Stop using the column");
    assert_string_equal(finding->title, "dropped for good: column public.users.nick");
}

static void test_rules_objects_dropped_column_weighs_its_tables_rows(void **state)
{
    struct story *story = *state;
    story_table(story, "public.users", 500000);
    struct statement *statement = story_run(story, "ALTER TABLE", 1 * MS);
    statement->lock_timeout_ms = 0;
    story_lock(story, statement, "public.users", "AccessExclusiveLock");
    story_drop(story, statement, "table column", "public.users.nick", true);
    const struct finding *finding = story_expect(story, "destructive", SEVERITY_WARNING);
    assert_contains(finding->title, "column public.users.nick (of 500,000 rows)");
    /* what is lost comes before what might wait */
    assert_ptr_equal(finding, &story->result.findings.items[0]);
    assert_int_equal(story_count(story, "no-lock-timeout"), 1);
}

static void test_rules_objects_dropped_schema_names_its_tables(void **state)
{
    struct story *story = *state;
    story_table(story, "old.a", 5);
    struct statement *statement = story_run(story, "DROP SCHEMA", 1 * MS);
    story_drop(story, statement, "schema", "old", true);
    story_drop(story, statement, "table", "old.a", false);
    story_drop(story, statement, "view", "old.v", false);
    story_drop(story, statement, "view", "public.v", false);
    const struct finding *finding = story_expect(story, "destructive", SEVERITY_WARNING);
    assert_contains(finding->title, "schema old");
    assert_contains(finding->title, "old.a (5 rows)");
    assert_string_equal(finding->advice_sql, "ALTER SCHEMA old RENAME TO old_to_drop;");
    finding = story_expect(story, "unnamed-side-effect", SEVERITY_WARNING);
    assert_contains(finding->title, "view public.v");
    assert_lacks(finding->title, "old.v");
}

static void test_rules_objects_own_creations_may_go(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "DROP TABLE", 1 * MS);
    story_drop(story, statement, "table", "public.scratch", true)->created_in_run = true;
    story_lock(story, statement, "public.other", "AccessExclusiveLock")->preexisting = false;
    story_drop(story, statement, "table", "public.other", true);
    story_expect_none(story, "destructive");
}

static void test_rules_objects_failed_statement_destroyed_nothing(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "DROP TABLE", 1 * MS);
    story_drop(story, statement, "table", "public.orders", true);
    story_drop(story, statement, "view", "public.v", false);
    story_fail(story, statement, "2BP01", "other objects depend on it");
    story_expect_none(story, "destructive");
    story_expect_none(story, "unnamed-side-effect");
}

static void test_rules_objects_truncate(void **state)
{
    struct story *story = *state;
    story_table(story, "public.a", 7);
    story_table(story, "public.b", 0);
    struct statement *statement = story_run(story, "TRUNCATE TABLE", 1 * MS);
    story_rewrite(story, statement, "public.a", "table", "truncate");
    story_rewrite(story, statement, "public.a_pkey", "index", "truncate");
    story_lock(story, statement, "public.b", "AccessExclusiveLock");
    const struct finding *finding = story_expect(story, "destructive", SEVERITY_WARNING);
    assert_string_equal(finding->title, "emptied: public.a (7 rows) and public.b (0 rows)");
}

static void test_rules_objects_truncate_of_empty_tables_is_nothing(void **state)
{
    struct story *story = *state;
    story_table(story, "public.b", 0);
    struct statement *statement = story_run(story, "TRUNCATE TABLE", 1 * MS);
    story_lock(story, statement, "public.b", "AccessExclusiveLock");
    story_expect_none(story, "destructive");
}

static void test_rules_objects_delete_of_every_row(void **state)
{
    struct story *story = *state;
    story_table(story, "public.orders", 1000);
    struct statement *statement = story_run(story, "DELETE", 1 * MS);
    statement->rows = 1000;
    story_scan(story, statement, "public.orders", 1000);
    const struct finding *finding = story_expect(story, "destructive", SEVERITY_WARNING);
    assert_string_equal(finding->title, "every row of public.orders was deleted: 1,000 rows");
    statement->rows = 999;
    story_expect_none(story, "destructive");
    statement->rows = 1000;
    statement->scans.count = 0; /* only the lock tells which table it was */
    story_lock(story, statement, "public.orders", "RowExclusiveLock");
    story_expect(story, "destructive", SEVERITY_WARNING);
    statement->tag = "UPDATE";
    story_expect_none(story, "destructive");
}

static void test_rules_objects_index_of_a_dropped_column_is_unnamed(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 1 * MS);
    story_drop(story, statement, "table column", "public.orders.customer_id", true);
    story_drop(story, statement, "index", "public.orders_created_customer", false);
    story_drop(story, statement, "table constraint", "orders_fk on public.orders", false);
    story_drop(story, statement, "default value", "for public.orders.customer_id", false);
    const struct finding *finding = story_expect(story, "unnamed-side-effect", SEVERITY_WARNING);
    assert_contains(finding->title, "index public.orders_created_customer");
    assert_contains(finding->title, "table constraint orders_fk on public.orders");
    assert_lacks(finding->title, "default value");
    assert_contains(finding->why, "named public.orders.customer_id");
    assert_string_equal(finding->relation, "public.orders");
}

static void test_rules_objects_parts_of_a_dropped_table_go_without_saying(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "DROP TABLE", 1 * MS);
    story_drop(story, statement, "table", "public.orders", true);
    story_drop(story, statement, "type", "public.orders", false);
    story_drop(story, statement, "index", "public.orders_pkey", false);
    story_drop(story, statement, "table constraint", "orders_pkey on public.orders", false);
    story_drop(story, statement, "toast table", "pg_toast.pg_toast_1", false);
    story_drop(story, statement, "sequence", "public.orders_id_seq", false);
    story_drop(story, statement, "trigger", "audit on public.orders", false);
    story_expect_none(story, "unnamed-side-effect");
    story_drop(story, statement, "table constraint", "items_fk on public.items", false);
    story_expect(story, "unnamed-side-effect", SEVERITY_WARNING);
}

static void test_rules_objects_index_of_a_named_constraint_goes_without_saying(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 1 * MS);
    story_drop(story, statement, "table constraint", "users_email_key on public.users", true);
    story_drop(story, statement, "index", "public.users_email_key", false);
    story_expect_none(story, "unnamed-side-effect");
}

static void test_rules_objects_invalid_index_left(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "CREATE INDEX", 1 * S);
    story_index(story, statement, "public.users_email", "public.users")->concurrently = true;
    story_fail(story, statement, "23505", "could not create unique index \"users_email\"");
    story_leftover(story, "invalid index", "public.users_email", "public.users");
    const struct finding *finding = story_expect(story, "invalid-left-behind", SEVERITY_ERROR);
    assert_string_equal(finding->advice_sql, "DROP INDEX CONCURRENTLY public.users_email;");
    assert_int_equal(finding->statement, 1);
    /* what fails comes first */
    assert_string_equal(story->result.findings.items[0].rule, "statement-error");
}

static void test_rules_objects_constraint_left_on_purpose_is_a_warning(void **state)
{
    struct story *story = *state;
    story_run(story, "ALTER TABLE", 1 * MS);
    story_leftover(story, "not-validated constraint", "orders_fk on public.orders",
                   "public.orders");
    const struct finding *finding = story_expect(story, "invalid-left-behind", SEVERITY_WARNING);
    assert_string_equal(finding->advice_sql,
                        "ALTER TABLE public.orders VALIDATE CONSTRAINT orders_fk;");
    story_fail(story, story_run(story, NULL, 1 * MS), "23503", "violates foreign key");
    story_expect(story, "invalid-left-behind", SEVERITY_ERROR);
}

static void test_rules_objects_left_from_before_is_not_ours(void **state)
{
    struct story *story = *state;
    story_run(story, "SELECT", 1 * MS);
    story_leftover(story, "invalid index", "public.old", "public.users")->preexisting = true;
    story_expect_none(story, "invalid-left-behind");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_objects_dropped_table_is_counted),
        STORY_TEST(test_rules_objects_dropped_column_advises_contract),
        STORY_TEST(test_rules_objects_dropped_column_weighs_its_tables_rows),
        STORY_TEST(test_rules_objects_dropped_schema_names_its_tables),
        STORY_TEST(test_rules_objects_own_creations_may_go),
        STORY_TEST(test_rules_objects_failed_statement_destroyed_nothing),
        STORY_TEST(test_rules_objects_truncate),
        STORY_TEST(test_rules_objects_truncate_of_empty_tables_is_nothing),
        STORY_TEST(test_rules_objects_delete_of_every_row),
        STORY_TEST(test_rules_objects_index_of_a_dropped_column_is_unnamed),
        STORY_TEST(test_rules_objects_parts_of_a_dropped_table_go_without_saying),
        STORY_TEST(test_rules_objects_index_of_a_named_constraint_goes_without_saying),
        STORY_TEST(test_rules_objects_invalid_index_left),
        STORY_TEST(test_rules_objects_constraint_left_on_purpose_is_a_warning),
        STORY_TEST(test_rules_objects_left_from_before_is_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
