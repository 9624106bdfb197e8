/* table-rewrite, index-rebuild, index-blocks-writes, scan-under-lock: title, severity and advice.
 */
#include "judge_unit.h"

static struct statement *alter(struct story *story, int64_t duration_us)
{
    struct statement *statement = story_run(story, "ALTER TABLE", duration_us);
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    return statement;
}

static void test_rules_causes_rewrite_over_the_gate_is_the_one_error(void **state)
{
    struct story *story = *state;
    story_table(story, "public.orders", 98100000);
    struct statement *statement = alter(story, 902 * S);
    story_rewrite(story, statement, "public.orders", "table", "column type");
    struct clause *clause = story_clause(story, statement, CLAUSE_COLUMN_TYPE, "orders");
    clause->column = "id";
    clause->definition = "bigint";

    const struct finding *finding = story_expect(story, "table-rewrite", SEVERITY_ERROR);
    assert_string_equal(finding->why,
                        "The new type is stored differently, so every row and every index was "
                        "written anew under AccessExclusiveLock, which makes reads and writes wait "
                        "until the transaction ends.");
    assert_contains(finding->title, "public.orders (98,100,000 rows");
    assert_contains(finding->title, "reads and writes blocked for 15m02s (limit 2s)");
    assert_contains(finding->advice_sql, "ALTER TABLE public.orders ADD COLUMN id_new bigint;");
    assert_string_equal(finding->relation, "public.orders");
    assert_int_equal(finding->statement, 1);
    assert_true(evidence_number(finding, "blocked_reads_ms") == 902000.0);
    assert_int_equal(story_count(story, "blocks-reads"), 0);
    assert_int_equal(story_count(story, "blocks-writes"), 0);
    assert_string_equal(story->result.headline,
                        "0042_change.sql would lock public.orders for 15m02s (limit 2s)");
    assert_int_equal(story->result.exit_code, 5);
}

static void test_rules_causes_quick_rewrite_is_a_warning(void **state)
{
    struct story *story = *state;
    struct statement *statement = alter(story, 3 * MS);
    story_rewrite(story, statement, "public.orders", "table", "column default");
    struct clause *clause = story_clause(story, statement, CLAUSE_ADD_COLUMN, "orders");
    clause->column = "uid";
    clause->definition = "uuid";
    clause->columns = "gen_random_uuid()";
    const struct finding *finding = story_expect(story, "table-rewrite", SEVERITY_WARNING);
    assert_contains(finding->advice_sql, "ADD COLUMN uid uuid;");
    assert_contains(finding->advice_sql, "ALTER COLUMN uid SET DEFAULT gen_random_uuid();");
    assert_int_equal(story->result.verdict, VERDICT_SAFE);
}

static void test_rules_causes_quoted_column_keeps_its_quotes(void **state)
{
    struct story *story = *state;
    struct statement *statement = alter(story, 3 * MS);
    story_rewrite(story, statement, "public.orders", "table", "column type");
    struct clause *clause = story_clause(story, statement, CLAUSE_COLUMN_TYPE, "orders");
    clause->column = "\"Odd id\"";
    clause->definition = "bigint";
    const struct finding *finding = story_expect(story, "table-rewrite", SEVERITY_WARNING);
    assert_contains(finding->advice_sql, "ADD COLUMN \"Odd id_new\" bigint;");
    assert_contains(finding->advice_sql, "RENAME COLUMN \"Odd id\" TO \"Odd id_old\";");
}

static void test_rules_causes_rewrite_of_every_reason_says_why(void **state)
{
    static const struct {
        const char *reason, *why;
    } cases[] = {
        {"column type", "stored differently"}, {"column default", "differs from row to row"},
        {"persistence", "SET UNLOGGED"},       {"access method", "access method"},
        {"tablespace", "tablespace"},          {"cluster", "CLUSTER"},
        {"vacuum full", "VACUUM FULL"},        {"refresh", "REFRESH MATERIALIZED VIEW"},
        {"unknown", "written anew"},           {NULL, "written anew"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct story *story = *state;
        story->trace.statements.count = 0;
        struct statement *statement = alter(story, 3 * MS);
        story_rewrite(story, statement, "public.orders", "table", cases[i].reason);
        const struct finding *finding = story_expect(story, "table-rewrite", SEVERITY_WARNING);
        assert_contains(finding->why, cases[i].why);
        assert_non_null(finding->advice);
    }
}

static void test_rules_causes_no_rewrite_no_finding(void **state)
{
    struct story *story = *state;
    alter(story, 1 * MS);
    story_expect_none(story, "table-rewrite");
    story_expect_none(story, "index-rebuild");
    story_expect_none(story, "scan-under-lock");
    story_expect_none(story, "index-blocks-writes");
}

static void test_rules_causes_index_rebuild(void **state)
{
    struct story *story = *state;
    struct statement *statement = alter(story, 5 * S);
    story_rewrite(story, statement, "public.orders_note", "index", "column type")
        ->table = "public.orders";
    const struct finding *finding = story_expect(story, "index-rebuild", SEVERITY_ERROR);
    assert_contains(finding->title, "public.orders_note of public.orders rebuilt");
    statement->duration_us = 5 * MS;
    statement->locks.items[0].held_us = 5 * MS;
    story_expect(story, "index-rebuild", SEVERITY_WARNING);
}

static void test_rules_causes_reindex_concurrently_is_no_rebuild(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "REINDEX", 5 * S);
    story_lock(story, statement, "public.orders", "ShareUpdateExclusiveLock");
    story_index(story, statement, "public.orders_note", "public.orders")->concurrently = true;
    story_rewrite(story, statement, "public.orders_note", "index", "reindex");
    story_expect_none(story, "index-rebuild");
    story_expect_none(story, "index-blocks-writes");
}

static void test_rules_causes_index_built_the_blocking_way(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "CREATE INDEX", 41 * S);
    story_lock(story, statement, "public.orders", "ShareLock");
    story_index(story, statement, "public.orders_email", "public.orders");
    struct clause *clause = story_clause(story, statement, CLAUSE_CREATE_INDEX, "orders");
    clause->safe_form = "CREATE INDEX CONCURRENTLY orders_email ON orders (lower(email))";
    const struct finding *finding = story_expect(story, "index-blocks-writes", SEVERITY_ERROR);
    assert_contains(finding->title, "writes blocked for 41 s (limit 2s)");
    assert_contains(finding->why, "under ShareLock, which makes writes wait until");
    assert_string_equal(finding->advice_sql,
                        "CREATE INDEX CONCURRENTLY orders_email ON orders (lower(email));");
    assert_string_equal(story->result.headline, "0042_change.sql would block writes to "
                                                "public.orders for 41 s (limit 2s)");
}

static void test_rules_causes_index_under_the_gate_is_a_warning(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "CREATE INDEX", 40 * MS);
    story_lock(story, statement, "public.orders", "ShareLock");
    story_index(story, statement, "public.orders_email", "public.orders");
    const struct finding *finding = story_expect(story, "index-blocks-writes", SEVERITY_WARNING);
    assert_contains(finding->advice_sql, "CREATE INDEX CONCURRENTLY orders_email ON public.orders");
}

static void test_rules_causes_dropped_and_rebuilt_indexes_say_so(void **state)
{
    struct story *story = *state;
    struct statement *drop = story_run(story, "DROP INDEX", 4 * MS);
    story_lock(story, drop, "public.orders", "AccessExclusiveLock");
    story_index(story, drop, "public.orders_email", "public.orders");
    const struct finding *finding = story_expect(story, "index-blocks-writes", SEVERITY_WARNING);
    assert_contains(finding->title, "dropped the blocking way");
    assert_string_equal(finding->advice_sql, "DROP INDEX CONCURRENTLY public.orders_email;");
    drop->tag = "REINDEX";
    finding = story_expect(story, "index-blocks-writes", SEVERITY_WARNING);
    assert_contains(finding->title, "rebuilt the blocking way");
    assert_string_equal(finding->advice_sql, "REINDEX INDEX CONCURRENTLY public.orders_email;");
}

static void test_rules_causes_unique_constraint_advises_using_index(void **state)
{
    struct story *story = *state;
    struct statement *statement = alter(story, 5 * S);
    story_index_lock(story, statement, "public.orders_email_key", "public.orders",
                     "AccessExclusiveLock")
        ->preexisting = false;
    story_scan(story, statement, "public.orders", 1000);
    struct clause *clause = story_clause(story, statement, CLAUSE_ADD_UNIQUE, "orders");
    clause->columns = "email";
    const struct finding *finding = story_expect(story, "index-blocks-writes", SEVERITY_ERROR);
    assert_contains(finding->advice_sql, "CREATE UNIQUE INDEX CONCURRENTLY orders_email_key ON "
                                         "public.orders (email);");
    assert_contains(finding->advice_sql, "ADD CONSTRAINT orders_email_key UNIQUE USING INDEX "
                                         "orders_email_key;");
    clause->kind = CLAUSE_ADD_PRIMARY_KEY;
    finding = story_expect(story, "index-blocks-writes", SEVERITY_ERROR);
    assert_contains(finding->advice_sql, "PRIMARY KEY USING INDEX");
    clause->kind = CLAUSE_ADD_EXCLUDE;
    finding = story_expect(story, "index-blocks-writes", SEVERITY_ERROR);
    assert_null(finding->advice_sql);
}

static void test_rules_causes_partitioned_table_has_its_own_way(void **state)
{
    struct story *story = *state;
    story_table(story, "public.events", 10)->kind = "partitioned table";
    struct statement *statement = story_run(story, "CREATE INDEX", 5 * S);
    story_lock(story, statement, "public.events", "ShareLock");
    story_index(story, statement, "public.events_at", "public.events");
    const struct finding *finding = story_expect(story, "index-blocks-writes", SEVERITY_ERROR);
    assert_contains(finding->advice_sql, "ON ONLY public.events");
    assert_contains(finding->advice_sql, "ATTACH PARTITION");
}

static void test_rules_causes_index_of_a_dropped_table_is_no_index_work(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "DROP TABLE", 4 * MS);
    story_lock(story, statement, "public.orders", "AccessExclusiveLock");
    story_drop(story, statement, "table", "public.orders", true);
    story_index(story, statement, "public.orders_pkey", "public.orders");
    story_expect_none(story, "index-blocks-writes");
}

static void test_rules_causes_several_indexes_are_counted_in_the_title(void **state)
{
    struct story *story = *state;
    story_begin(story);
    const char *const names[] = {"public.orders_a", "public.orders_b"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct statement *build = story_run(story, "CREATE INDEX", 5 * MS);
        story_lock(story, build, "public.orders", "ShareLock");
        story_index(story, build, names[i], "public.orders");
    }
    story_commit(story);
    const struct finding *finding = story_expect(story, "index-blocks-writes", SEVERITY_WARNING);
    assert_contains(finding->title, "2 indexes on public.orders built the blocking way: writes");
    assert_contains(finding->why, "The indexes are public.orders_a and public.orders_b.");
}

static void test_rules_causes_small_part_of_a_long_wait_says_so(void **state)
{
    struct story *story = *state;
    story_begin(story);
    alter(story, 1 * MS);
    struct statement *build = story_run(story, "CREATE INDEX", 80 * MS);
    story_lock(story, build, "public.orders", "ShareLock");
    story_index(story, build, "public.orders_total", "public.orders");
    story_run(story, "UPDATE", 1 * S);
    story_commit(story);
    const struct finding *finding = story_expect(story, "index-blocks-writes", SEVERITY_WARNING);
    assert_contains(finding->title, ", 80 ms of it for this");
}

static void test_rules_causes_empty_tables_come_last(void **state)
{
    struct story *story = *state;
    story_table(story, "public.empty", 0);
    story_table(story, "public.orders", 1000);
    const char *const tables[] = {"public.empty", "public.orders"};
    for (size_t i = 0; i < COUNT(tables); i++) {
        struct statement *build = story_run(story, "CREATE INDEX", i == 0 ? 1 * S : 5 * MS);
        story_lock(story, build, tables[i], "ShareLock");
        story_index(story, build, i == 0 ? "public.a" : "public.b", tables[i]);
    }
    const struct finding *finding = story_expect(story, "index-blocks-writes", SEVERITY_WARNING);
    assert_string_equal(finding->relation, "public.orders");
}

static void test_rules_causes_set_not_null_advises_a_check(void **state)
{
    struct story *story = *state;
    struct statement *statement = alter(story, 5 * S);
    story_scan(story, statement, "public.orders", 1000000);
    story_clause(story, statement, CLAUSE_SET_NOT_NULL, "orders")->column = "email";
    const struct finding *finding = story_expect(story, "scan-under-lock", SEVERITY_ERROR);
    assert_contains(finding->title, "1,000,000 rows of public.orders read under lock");
    assert_string_equal(finding->why, "The whole table was read while AccessExclusiveLock made "
                                      "reads and writes wait.");
    assert_contains(finding->advice_sql,
                    "ADD CONSTRAINT orders_email_not_null CHECK (email IS NOT NULL) NOT VALID;");
    assert_contains(finding->advice_sql, "DROP CONSTRAINT orders_email_not_null;");
    assert_true(evidence_number(finding, "read_rows") == 1000000);
}

static void test_rules_causes_foreign_key_advises_not_valid(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_run(story, "ALTER TABLE", 5 * S);
    story_lock(story, statement, "public.orders", "ShareRowExclusiveLock");
    story_lock(story, statement, "public.customers", "ShareRowExclusiveLock");
    story_scan(story, statement, "public.orders", 1000);
    struct clause *clause = story_clause(story, statement, CLAUSE_ADD_FOREIGN_KEY, "public.orders");
    clause->columns = "customer_id";
    clause->definition = "FOREIGN KEY (customer_id) REFERENCES customers";
    const struct finding *finding = story_expect(story, "scan-under-lock", SEVERITY_ERROR);
    assert_contains(finding->advice_sql,
                    "ALTER TABLE public.orders ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY "
                    "(customer_id) REFERENCES customers NOT VALID;");
    assert_contains(finding->advice_sql, "VALIDATE CONSTRAINT orders_customer_id_fkey;");
    assert_contains(finding->title, "writes blocked for");
    /* the other table was blocked too, and nothing else explains that */
    assert_int_equal(story_count(story, "blocks-writes"), 1);
}

static void test_rules_causes_every_scan_of_a_transaction_is_advised(void **state)
{
    struct story *story = *state;
    story_begin(story);
    struct statement *key = alter(story, 50 * MS);
    story_scan(story, key, "public.orders", 1000);
    struct clause *clause = story_clause(story, key, CLAUSE_ADD_FOREIGN_KEY, "public.orders");
    clause->constraint = "fk";
    clause->definition = "FOREIGN KEY (a) REFERENCES b";
    struct statement *not_null = alter(story, 40 * MS);
    story_scan(story, not_null, "public.orders", 1000);
    story_clause(story, not_null, CLAUSE_SET_NOT_NULL, "orders")->column = "email";
    story_commit(story);
    const struct finding *finding = story_expect(story, "scan-under-lock", SEVERITY_WARNING);
    assert_contains(finding->advice_sql, "VALIDATE CONSTRAINT fk;");
    assert_contains(finding->advice_sql, "CHECK (email IS NOT NULL) NOT VALID;");
    assert_contains(finding->advice, "Prove NOT NULL first");
}

/* varchar(64) to varchar(254) keeps the primary key's file: only an index on lower(name) is built.
 */
static void test_rules_causes_wider_type_names_no_index(void **state)
{
    struct story *story = *state;
    struct statement *statement = alter(story, 150 * MS);
    story_clause(story, statement, CLAUSE_COLUMN_TYPE, "orders")->column = "name";
    const char *const indexes[] = {"public.orders_pkey", "public.orders_lower"};
    for (size_t i = 0; i < COUNT(indexes); i++)
        story_index_lock(story, statement, indexes[i], "public.orders", "AccessExclusiveLock")
            ->preexisting = false;
    story_scan(story, statement, "public.orders", 1000);
    const struct finding *finding = story_expect(story, "scan-under-lock", SEVERITY_WARNING);
    assert_contains(finding->advice, "an index or a constraint on the column");
    assert_int_equal(story_count(story, "index-blocks-writes"), 0);
}

static void test_rules_causes_quick_scan_is_a_warning(void **state)
{
    struct story *story = *state;
    struct statement *statement = alter(story, 5 * MS);
    story_scan(story, statement, "public.orders", 12);
    struct clause *clause = story_clause(story, statement, CLAUSE_ADD_CHECK, "orders");
    clause->constraint = "positive";
    clause->definition = "CHECK (total > 0)";
    const struct finding *finding = story_expect(story, "scan-under-lock", SEVERITY_WARNING);
    assert_contains(finding->advice_sql, "ADD CONSTRAINT positive CHECK (total > 0) NOT VALID;");
}

static void test_rules_causes_update_after_alter_is_a_scan_under_lock(void **state)
{
    struct story *story = *state;
    story_begin(story);
    alter(story, 1 * MS);
    struct statement *update = story_run(story, "UPDATE", 9 * S);
    story_scan(story, update, "public.orders", 1000000);
    story_commit(story);
    const struct finding *finding = story_expect(story, "scan-under-lock", SEVERITY_ERROR);
    assert_int_equal(finding->statement, update->index);
    assert_contains(finding->advice, "in batches");
}

static void test_rules_causes_empty_table_is_told_so(void **state)
{
    struct story *story = *state;
    story_table(story, "public.orders", 0);
    story_table(story, "public.full", 10);
    struct statement *statement = alter(story, 9 * S);
    story_rewrite(story, statement, "public.orders", "table", "column type");
    const struct finding *finding = story_expect(story, "table-rewrite", SEVERITY_WARNING);
    assert_contains(finding->title, "public.orders (empty here)");
    assert_contains(finding->why, "the time says nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_causes_rewrite_over_the_gate_is_the_one_error),
        STORY_TEST(test_rules_causes_quick_rewrite_is_a_warning),
        STORY_TEST(test_rules_causes_quoted_column_keeps_its_quotes),
        STORY_TEST(test_rules_causes_rewrite_of_every_reason_says_why),
        STORY_TEST(test_rules_causes_no_rewrite_no_finding),
        STORY_TEST(test_rules_causes_index_rebuild),
        STORY_TEST(test_rules_causes_reindex_concurrently_is_no_rebuild),
        STORY_TEST(test_rules_causes_index_built_the_blocking_way),
        STORY_TEST(test_rules_causes_index_under_the_gate_is_a_warning),
        STORY_TEST(test_rules_causes_dropped_and_rebuilt_indexes_say_so),
        STORY_TEST(test_rules_causes_unique_constraint_advises_using_index),
        STORY_TEST(test_rules_causes_partitioned_table_has_its_own_way),
        STORY_TEST(test_rules_causes_index_of_a_dropped_table_is_no_index_work),
        STORY_TEST(test_rules_causes_several_indexes_are_counted_in_the_title),
        STORY_TEST(test_rules_causes_small_part_of_a_long_wait_says_so),
        STORY_TEST(test_rules_causes_empty_tables_come_last),
        STORY_TEST(test_rules_causes_set_not_null_advises_a_check),
        STORY_TEST(test_rules_causes_foreign_key_advises_not_valid),
        STORY_TEST(test_rules_causes_every_scan_of_a_transaction_is_advised),
        STORY_TEST(test_rules_causes_wider_type_names_no_index),
        STORY_TEST(test_rules_causes_quick_scan_is_a_warning),
        STORY_TEST(test_rules_causes_update_after_alter_is_a_scan_under_lock),
        STORY_TEST(test_rules_causes_empty_table_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
