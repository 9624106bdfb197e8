/* What a migration that succeeded puts at risk: each rule, and what it leaves alone. */
#include "judge_unit.h"

static struct activity_risk *add_activity(struct story *story, const char *table, int64_t updated,
                                          int64_t deleted)
{
    struct risks *risks = &story->result.risks;
    struct activity_risk *activity = RH_PUSH(story->arena, &risks->activity);
    *activity = (struct activity_risk){.table = table, .updated = updated, .deleted = deleted};
    risks->was_asked = risks->has_activity = true;
    return activity;
}

static struct cast_risk *add_cast(struct story *story, int64_t values, int64_t changed)
{
    struct cast_risk *cast = RH_PUSH(story->arena, &story->result.risks.casts);
    *cast = (struct cast_risk){.table = "public.items",
                               .column = "price",
                               .type_before = "numeric(12,4)",
                               .type_after = "numeric(10,2)",
                               .statement = 1,
                               .values = values,
                               .changed = changed,
                               .sample_percent = 100};
    return cast;
}

/* --- lossy-cast, near-limit ---------------------------------------------------------------------
 */

static void test_rules_risks_values_that_a_cast_changed(void **state)
{
    struct story *story = *state;
    story_say(story, "ALTER TABLE", "ALTER TABLE items ALTER price TYPE numeric(10,2)");
    struct cast_risk *cast = add_cast(story, 2000, 1500);
    const struct finding *finding = story_expect(story, "lossy-cast", SEVERITY_WARNING);
    assert_contains(finding->title, "1,500 values of public.items.price (numeric(10,2), was "
                                    "numeric(12,4))");
    assert_lacks(finding->title, "sample");
    assert_int_equal(finding->statement, 1);
    assert_true(evidence_number(finding, "rows") == 1500);
    cast->sample_percent = 12;
    assert_contains(story_expect(story, "lossy-cast", SEVERITY_WARNING)->title,
                    "a sample of 12 % of the table");
    cast->changed = 0;
    story_expect_none(story, "lossy-cast");
    cast->changed = 5;
    cast->not_asked = "it took too long"; /* no answer is no finding */
    story_expect_none(story, "lossy-cast");
}

static void test_rules_risks_values_that_just_fit(void **state)
{
    struct story *story = *state;
    story_say(story, "ALTER TABLE", "ALTER TABLE items ALTER name TYPE varchar(20)");
    struct cast_risk *cast = add_cast(story, 100, 0);
    story_expect_none(story, "near-limit");
    cast->limit = "20 characters";
    cast->near = 7;
    cast->used_percent = 95;
    assert_contains(story_expect(story, "near-limit", SEVERITY_INFO)->title, "7 values");
    cast->changed = 3; /* they were cut to the limit: told as that */
    story_expect_none(story, "near-limit");
}

/* --- integer-headroom, sequence-behind ----------------------------------------------------------
 */

static void test_rules_risks_integers_that_run_out(void **state)
{
    struct story *story = *state;
    story_say(story, "ALTER TABLE", "ALTER TABLE items ADD note text");
    struct headroom_risk *key = RH_PUSH(story->arena, &story->result.risks.headroom);
    *key = (struct headroom_risk){.table = "public.items",
                                  .column = "id",
                                  .type = "integer",
                                  .role = "primary key",
                                  .used = 2147483647LL * 3 / 4 + 1,
                                  .limit = 2147483647};
    const struct finding *finding = story_expect(story, "integer-headroom", SEVERITY_WARNING);
    assert_contains(finding->title, "75 % of its numbers: 1,610,612,736 of 2,147,483,647");
    key->used = 2147483647LL / 2 + 1;
    story_expect(story, "integer-headroom", SEVERITY_INFO);
    key->used = 2147483647LL / 2 - 22000000;
    story_expect_none(story, "integer-headroom");
}

static void test_rules_risks_a_sequence_that_fell_behind(void **state)
{
    struct story *story = *state;
    story_say(story, "INSERT", "INSERT INTO items VALUES (11)");
    struct sequence_risk *sequence = RH_PUSH(story->arena, &story->result.risks.sequences);
    *sequence = (struct sequence_risk){.sequence = "public.items_id_seq",
                                       .table = "public.items",
                                       .column = "id",
                                       .next = 11,
                                       .highest = 12};
    const struct finding *finding = story_expect(story, "sequence-behind", SEVERITY_WARNING);
    assert_string_equal(finding->advice_sql, "SELECT setval('public.items_id_seq', (SELECT max(id) "
                                             "FROM public.items));");
    sequence->was_behind = true; /* not this migration's doing */
    story_expect_none(story, "sequence-behind");
}

/* --- statistics-lost ----------------------------------------------------------------------------
 */

static void test_rules_risks_statistics_that_went_are_told_once_per_table(void **state)
{
    struct story *story = *state;
    story_say(story, "ALTER TABLE", "ALTER TABLE events ALTER kind TYPE varchar(9)");
    static const char *const names[] = {"kind", "page"};
    for (size_t i = 0; i < COUNT(names); i++)
        *RH_PUSH(story->arena, &story->result.risks.statistics) = (struct statistics_risk){
            .table = "public.events", .name = names[i], .rows = 10000};
    const struct finding *finding = story_expect(story, "statistics-lost", SEVERITY_WARNING);
    assert_contains(finding->title, "kind and page of public.events (10,000 rows)");
    assert_string_equal(finding->advice_sql, "ANALYZE public.events;");
    assert_int_equal(finding->statement, 1);
    assert_int_equal(story_count(story, "statistics-lost"), 1);
    for (size_t i = 0; i < COUNT(names); i++)
        story->result.risks.statistics.items[i].rows = 9999;
    story_expect_none(story, "statistics-lost");
}

/* --- null-unhandled -----------------------------------------------------------------------------
 */

static struct data_difference *add_vanished(struct story *story, int64_t vanished)
{
    struct data_difference *difference = RH_PUSH(story->arena,
                                                 &story->result.data_differences.list);
    story->result.data_differences.was_compared = true;
    *difference = (struct data_difference){.subject = DATA_COLUMN,
                                           .change = DIFFERENCE_CHANGED,
                                           .table = "public.users",
                                           .column = "total",
                                           .rows_before = 100,
                                           .rows_after = 100,
                                           .values = VALUES_CHANGED,
                                           .vanished_values = vanished,
                                           .changed_values = NOT_OBSERVED,
                                           .sentence = "public.users.total differs"};
    return difference;
}

static void test_rules_risks_values_that_an_expression_turned_into_null(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_say(story, "UPDATE", "UPDATE users SET total = net + tax");
    story_lock(story, statement, "public.users", "RowExclusiveLock");
    add_vanished(story, 10);
    story_expect_none(story, "null-unhandled"); /* the statement says NULL: no such clause */
    struct clause *clause = story_clause(story, statement, CLAUSE_SET_VALUE, "users");
    clause->column = "total";
    clause->expression = "net + tax";
    const struct finding *finding = story_expect(story, "null-unhandled", SEVERITY_WARNING);
    assert_contains(finding->title, "turned 10 values of public.users.total into NULL");
    assert_true(evidence_number(finding, "rows") == 10);
}

static void test_rules_risks_values_that_did_not_arrive(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_say(story, "UPDATE",
                                            "UPDATE users SET name = first || last");
    struct clause *clause = story_clause(story, statement, CLAUSE_SET_VALUE, "users");
    clause->column = "name";
    struct null_risk *item = RH_PUSH(story->arena, &story->result.risks.nulls);
    *item = (struct null_risk){.statement = 1,
                               .table = "public.users",
                               .column = "name",
                               .sources = "first, last",
                               .updated = 100,
                               .filled = 67,
                               .rows = 33};
    const struct finding *finding = story_expect(story, "null-unhandled", SEVERITY_WARNING);
    assert_contains(finding->title, "33 rows got NULL as public.users.name, though one of first, "
                                    "last has a value");
    item->updated = 67; /* its WHERE left them alone */
    story_expect_none(story, "null-unhandled");
    item->updated = 100;
    item->rows = 0; /* NULL because all of its sources are */
    story_expect_none(story, "null-unhandled");
}

/* --- backfill-unbatched -------------------------------------------------------------------------
 */

static void test_rules_risks_rows_of_one_transaction_add_up(void **state)
{
    struct story *story = *state;
    story_table(story, "public.orders", 50000);
    add_activity(story, "public.orders", 12000, 0);
    story_begin(story);
    struct statement *statement = story_say(story, "UPDATE",
                                            "UPDATE orders SET a = 1 WHERE id < 6001");
    statement->rows = 6000;
    statement->wal_bytes = 1024;
    story_say(story, "UPDATE", "UPDATE orders SET a = 1 WHERE id > 6000")->rows = 6000;
    story_commit(story);
    const struct finding *finding = story_expect(story, "backfill-unbatched", SEVERITY_WARNING);
    assert_contains(finding->title, "12,000 rows of public.orders changed in one transaction");
    assert_true(evidence_number(finding, "rows") == 12000);
    assert_true(evidence_number(finding, "wal_bytes") == 1024);
    assert_int_equal(finding->statement, 2);
    assert_int_equal(story_count(story, "backfill-unbatched"), 1);
}

static void test_rules_risks_batches_are_none(void **state)
{
    struct story *story = *state;
    story_table(story, "public.orders", 50000);
    add_activity(story, "public.orders", 15000, 0);
    for (int i = 0; i < 3; i++)
        story_say(story, "UPDATE", "UPDATE orders SET a = 1 WHERE id BETWEEN 1 AND 5000")
            ->rows = 5000;
    story_expect_none(story, "backfill-unbatched");
}

static void test_rules_risks_row_locks_over_the_gate_are_an_error(void **state)
{
    struct story *story = *state;
    story_table(story, "public.orders", 5000);
    add_activity(story, "public.orders", 0, 1000);
    story_begin(story);
    struct statement *statement = story_say(story, "DELETE", "DELETE FROM orders WHERE id <= 1000");
    statement->rows = 1000;
    story_run(story, "CREATE INDEX", 3 * S);
    story_commit(story);
    const struct finding *finding = story_expect(story, "backfill-unbatched", SEVERITY_ERROR);
    assert_contains(finding->title, "locked for up to 3 s (limit 2s)");
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
    assert_contains(story->result.headline, "would lock 1,000 rows of public.orders for 3 s");
    statement->rows = 999; /* nobody minds a handful of rows */
    story_expect_none(story, "backfill-unbatched");
}

static void test_rules_risks_rows_of_a_new_or_another_table_are_none(void **state)
{
    struct story *story = *state;
    story_table(story, "public.users", 50000);
    add_activity(story, "public.orders_new", 20000, 0);
    story_say(story, "UPDATE", "UPDATE orders_new SET a = u.a FROM users u")->rows = 20000;
    story_expect_none(story, "backfill-unbatched");
}

static void test_rules_risks_rows_that_code_changed(void **state)
{
    struct story *story = *state;
    story_table(story, "public.orders", 50000);
    add_activity(story, "public.orders", 20000, 0);
    struct statement *statement = story_say(story, "DO",
                                            "DO $$ BEGIN UPDATE orders SET a = 1; END $$");
    assert_true(evidence_number(story_expect(story, "backfill-unbatched", SEVERITY_WARNING),
                                "rows") == 20000);
    statement->sql = "DO $$ BEGIN LOOP UPDATE orders SET a = 1; COMMIT; END LOOP; END $$";
    story_expect_none(story, "backfill-unbatched");
}

/* --- cascade-rows -------------------------------------------------------------------------------
 */

static void test_rules_risks_rows_of_a_table_that_nobody_named(void **state)
{
    struct story *story = *state;
    struct activity_risk *activity = add_activity(story, "public.sessions", 150, 0);
    activity->ways = "foreign key s_fkey ON UPDATE CASCADE";
    struct statement *statement = story_say(story, "UPDATE", "UPDATE users SET id = id + 1000");
    const struct finding *finding = story_expect(story, "cascade-rows", SEVERITY_WARNING);
    assert_contains(finding->title,
                    "150 rows of public.sessions changed, which no statement names: "
                    "foreign key s_fkey");
    assert_int_equal(finding->statement, 1);
    statement->sql = "UPDATE users SET id = id + 1000 /* and sessions */";
    story_expect_none(story, "cascade-rows");
}

/* A query of the server's own, for a foreign key, is logged when it is slow: no words of the
   migration. */
static void test_rules_risks_the_servers_own_queries_name_nothing(void **state)
{
    struct story *story = *state;
    add_activity(story, "public.sessions", 150, 0);
    struct statement *statement = story_say(story, "UPDATE", "UPDATE users SET id = id + 1000");
    for (int i = 0; i < 2; i++) {
        struct statement *child = story_child(story, statement, "UPDATE", 1 * MS);
        child->sql = "UPDATE ONLY \"public\".\"sessions\" SET \"user_id\" = $1";
        child->sql_bytes = (int64_t)strlen(child->sql);
    }
    assert_int_equal(story_expect(story, "cascade-rows", SEVERITY_WARNING)->statement, 1);
}

static void test_rules_risks_cascades_are_not_put_down_to_anyone(void **state)
{
    struct story *story = *state;
    add_activity(story, "public.sessions", 150, 0);
    story_say(story, "UPDATE", "UPDATE users SET id = id + 1000");
    story_say(story, "SELECT", "SELECT f()"); /* may have done it, and names what it likes */
    story_expect_none(story, "cascade-rows");
    story->trace.statements.count = 1;
    struct statement *failed = story_say(story, "UPDATE", "UPDATE users SET id = 1");
    story_fail(story, failed, "23505", "duplicate key"); /* counters include what was undone */
    story_expect_none(story, "cascade-rows");
}

static void test_rules_risks_rows_that_are_lost_are_told_once(void **state)
{
    struct story *story = *state;
    add_activity(story, "public.orders", 0, 30);
    *RH_PUSH(story->arena, &story->result.data_differences.list) = (struct data_difference){
        .subject = DATA_ROWS,
        .change = DIFFERENCE_CHANGED,
        .table = "public.orders",
        .rows_before = 100,
        .rows_after = 70,
        .sentence = "public.orders differs"};
    struct statement *statement = story_say(story, "DELETE", "DELETE FROM users WHERE id > 90");
    story_lock(story, statement, "public.orders", "RowExclusiveLock");
    story_expect(story, "data-lost", SEVERITY_ERROR);
    assert_int_equal(story_count(story, "cascade-rows"), 0);
}

/* --- no-effect ----------------------------------------------------------------------------------
 */

static void test_rules_risks_steps_that_met_something_else(void **state)
{
    struct story *story = *state;
    story_say(story, "CREATE INDEX", "CREATE INDEX IF NOT EXISTS i ON users (a, b)");
    struct skipped_risk *risk = RH_PUSH(story->arena, &story->result.risks.skipped);
    *risk = (struct skipped_risk){
        .skip = SKIPPED_EXISTS, .statement = 1, .kind = "index", .name = "i"};
    story_expect_none(story, "no-effect"); /* it is there as it was meant */
    *RH_PUSH(story->arena, &risk->differences) = "it is on public.orders";
    assert_contains(story_expect(story, "no-effect", SEVERITY_WARNING)->title,
                    "index i is there already, and not as it was meant: it is on public.orders");
    risk->not_asked = "it cannot be tried once more";
    story_expect_none(story, "no-effect");
}

static void test_rules_risks_errors_that_a_handler_swallowed(void **state)
{
    struct story *story = *state;
    story_say(story, "DO", "DO $$ ... $$");
    struct skipped_risk *risk = RH_PUSH(story->arena, &story->result.risks.skipped);
    *risk = (struct skipped_risk){.skip = SKIPPED_SWALLOWED,
                                  .statement = 1,
                                  .sql = "ALTER TABLE users ADD UNIQUE (email)",
                                  .sqlstate = "23505"};
    assert_contains(story_expect(story, "no-effect", SEVERITY_WARNING)->title,
                    "(SQLSTATE 23505), and an exception handler went on: ALTER TABLE users");
    risk->sqlstate = "42710"; /* duplicate_object: what such handlers are for */
    story_expect_none(story, "no-effect");
}

static void add_notice(struct story *story, struct statement *statement, const char *sqlstate,
                       const char *message)
{
    struct server_message *notice = RH_PUSH(story->arena, &statement->notices);
    notice->severity = "NOTICE";
    notice->message = message;
    snprintf(notice->sqlstate, sizeof(notice->sqlstate), "%s", sqlstate);
}

static void test_rules_risks_names_that_were_cut(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_say(story, "CREATE INDEX", "CREATE INDEX ...");
    add_notice(story, statement, "42622", "identifier \"aaa\" will be truncated to \"a\"");
    story_expect_none(story, "no-effect"); /* a mere alias */
    *RH_PUSH(story->arena, &statement->altered) = (struct altered_object){"index", "public.a"};
    story_expect(story, "no-effect", SEVERITY_WARNING);
}

static void test_rules_risks_an_invalid_index_is_known_of_the_trace(void **state)
{
    struct story *story = *state;
    struct statement *statement = story_say(story, "CREATE INDEX",
                                            "CREATE INDEX IF NOT EXISTS i ...");
    add_notice(story, statement, "42P07", "relation \"i\" already exists, skipping");
    struct leftover *leftover = story_leftover(story, "invalid index", "public.i", "public.users");
    story_expect_none(story, "no-effect"); /* made by this run: invalid-left-behind */
    leftover->preexisting = true;
    assert_contains(story_expect(story, "no-effect", SEVERITY_WARNING)->title, "but invalid");
    story->result.risks.was_asked = true; /* then the server's own answer counts */
    story_expect_none(story, "no-effect");
}

/* --- nullability-changed, default-changed -------------------------------------------------------
 */

static struct schema_difference *change_column(struct story *story, const char *attribute,
                                               const char *before, const char *after)
{
    struct schema_difference *difference = RH_PUSH(story->arena,
                                                   &story->result.schema_differences.list);
    story->result.schema_differences.was_compared = true;
    *difference = (struct schema_difference){.change = DIFFERENCE_CHANGED,
                                             .kind = "table column",
                                             .identity = "public.users.state",
                                             .parent = "public.users",
                                             .sentence = "column public.users.state changed"};
    *RH_PUSH(story->arena, &difference->attributes) = (struct attribute_change){attribute, before,
                                                                                after};
    return difference;
}

static void test_rules_risks_a_column_made_anew_may_be_null(void **state)
{
    struct story *story = *state;
    change_column(story, "not null", "yes", NULL);
    struct statement *statement = story_say(story, "ALTER TABLE", "ALTER TABLE users DROP state");
    story_drop(story, statement, "table column", "public.users.state", true);
    statement = story_say(story, "ALTER TABLE", "ALTER TABLE users ADD state text");
    *RH_PUSH(story->arena, &statement->altered) = (struct altered_object){"table column",
                                                                          "public.users.state"};
    const struct finding *finding = story_expect(story, "nullability-changed", SEVERITY_WARNING);
    assert_contains(finding->title, "public.users.state was NOT NULL");
    assert_int_equal(finding->statement, 2);
    statement->sql = "ALTER TABLE users ADD state text, ALTER state DROP NOT NULL";
    story_expect_none(story, "nullability-changed");
}

static void test_rules_risks_what_is_said_of_another_table_is_not_said(void **state)
{
    struct story *story = *state;
    change_column(story, "not null", "yes", NULL);
    struct statement *statement = story_say(story, "ALTER TABLE", "ALTER TABLE users DROP state");
    story_drop(story, statement, "table column", "public.users.state", true);
    story_say(story, "ALTER TABLE", "ALTER TABLE orders ALTER state DROP NOT NULL");
    story_expect(story, "nullability-changed", SEVERITY_WARNING);
}

static void test_rules_risks_a_column_that_is_altered_by_name(void **state)
{
    struct story *story = *state;
    change_column(story, "not null", "yes", NULL);
    change_column(story, "default", "'x'::text", NULL);
    struct statement *statement = story_say(
        story, "ALTER TABLE",
        "ALTER TABLE users ALTER state DROP NOT NULL, ALTER state DROP DEFAULT");
    *RH_PUSH(story->arena, &statement->altered) = (struct altered_object){"table", "public.users"};
    story_expect_none(story, "nullability-changed");
    assert_int_equal(story_count(story, "default-changed"), 0);
    assert_int_equal(story_count(story, "unnamed-side-effect"), 0);
}

static void test_rules_risks_a_default_that_went_with_its_sequence(void **state)
{
    struct story *story = *state;
    change_column(story, "default", "nextval('public.s')", NULL);
    story_say(story, "DROP SEQUENCE", "DROP SEQUENCE s CASCADE");
    const struct finding *finding = story_expect(story, "default-changed", SEVERITY_WARNING);
    assert_string_equal(finding->advice_sql, "ALTER TABLE public.users ALTER state SET DEFAULT "
                                             "nextval('public.s');");
    assert_int_equal(story_count(story, "unnamed-side-effect"), 0); /* told once */
}

static void test_rules_risks_a_collation_that_a_new_type_set_back(void **state)
{
    struct story *story = *state;
    change_column(story, "collation", "\"C\"", NULL);
    struct statement *statement = story_say(story, "ALTER TABLE",
                                            "ALTER TABLE users ALTER state TYPE varchar(20)");
    *RH_PUSH(story->arena, &statement->altered) = (struct altered_object){"table", "public.users"};
    assert_contains(story_expect(story, "default-changed", SEVERITY_WARNING)->title,
                    "the collation of public.users.state was \"C\", and is the database's own now");
    statement->sql = "ALTER TABLE users ALTER state TYPE varchar(20) COLLATE \"default\"";
    story_expect_none(story, "default-changed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_risks_values_that_a_cast_changed),
        STORY_TEST(test_rules_risks_values_that_just_fit),
        STORY_TEST(test_rules_risks_integers_that_run_out),
        STORY_TEST(test_rules_risks_a_sequence_that_fell_behind),
        STORY_TEST(test_rules_risks_statistics_that_went_are_told_once_per_table),
        STORY_TEST(test_rules_risks_values_that_an_expression_turned_into_null),
        STORY_TEST(test_rules_risks_values_that_did_not_arrive),
        STORY_TEST(test_rules_risks_rows_of_one_transaction_add_up),
        STORY_TEST(test_rules_risks_batches_are_none),
        STORY_TEST(test_rules_risks_row_locks_over_the_gate_are_an_error),
        STORY_TEST(test_rules_risks_rows_of_a_new_or_another_table_are_none),
        STORY_TEST(test_rules_risks_rows_that_code_changed),
        STORY_TEST(test_rules_risks_rows_of_a_table_that_nobody_named),
        STORY_TEST(test_rules_risks_the_servers_own_queries_name_nothing),
        STORY_TEST(test_rules_risks_cascades_are_not_put_down_to_anyone),
        STORY_TEST(test_rules_risks_rows_that_are_lost_are_told_once),
        STORY_TEST(test_rules_risks_steps_that_met_something_else),
        STORY_TEST(test_rules_risks_errors_that_a_handler_swallowed),
        STORY_TEST(test_rules_risks_names_that_were_cut),
        STORY_TEST(test_rules_risks_an_invalid_index_is_known_of_the_trace),
        STORY_TEST(test_rules_risks_a_column_made_anew_may_be_null),
        STORY_TEST(test_rules_risks_what_is_said_of_another_table_is_not_said),
        STORY_TEST(test_rules_risks_a_column_that_is_altered_by_name),
        STORY_TEST(test_rules_risks_a_default_that_went_with_its_sequence),
        STORY_TEST(test_rules_risks_a_collation_that_a_new_type_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
