/* Offending rows, as the second pass counted them. */
#include "judge_unit.h"

static struct blocker *add_blocker(struct story *story, int line, const char *sql,
                                   const char *sqlstate)
{
    struct blockers *blockers = &story->result.blockers;
    struct blocker *blocker = RH_PUSH(story->arena, &blockers->items);
    blockers->looked = true;
    *blocker = (struct blocker){.line = line, .sql = sql, .tag = "ALTER TABLE", .needs = -1};
    blocker->error.message = "the server's words";
    snprintf(blocker->error.sqlstate, sizeof(blocker->error.sqlstate), "%s", sqlstate);
    return blocker;
}

static struct offenders *add_offenders(struct story *story, struct blocker *blocker,
                                       enum offence offence, int64_t groups, int64_t rows)
{
    struct offenders *offenders = RH_PUSH(story->arena, &blocker->offenders);
    *offenders = (struct offenders){.offence = offence,
                                    .relation = "public.users",
                                    .columns = "email",
                                    .groups = groups,
                                    .rows = rows,
                                    .repair_sql = "DELETE FROM users WHERE true"};
    *RH_PUSH(story->arena, &offenders->sample_keys) = "id=1";
    *RH_PUSH(story->arena, &offenders->sample_keys) = "id=7";
    blocker->repair_tried = blocker->repair_worked = true;
    return offenders;
}

static struct statement *refused(struct story *story, const char *sql, const char *sqlstate)
{
    struct statement *statement = story_run(story, "ALTER TABLE", 1 * MS);
    statement->sql = sql;
    story_fail(story, statement, sqlstate, "the server's words");
    return statement;
}

/* The placeholder for NULLs and the key's repair together deleted all rows but one. */
static void test_rules_blockers_withhold_one_value_for_all_of_a_unique_column(void **state)
{
    struct story *story = *state;
    struct statement *statement = refused(story, "ALTER TABLE users ALTER email SET NOT NULL",
                                          "23502");
    struct blocker *blocker = add_blocker(story, statement->line, statement->sql, "23502");
    struct offenders *offenders = add_offenders(story, blocker, OFFENCE_NULL_VALUES, -1, 5);
    offenders->repair_fills = "email";
    const struct finding *finding = story_expect(story, "null-values", SEVERITY_ERROR);
    assert_non_null(finding->advice_sql);
    offenders->made_unique = "users_email_key";
    finding = story_expect(story, "null-values", SEVERITY_ERROR);
    assert_null(finding->advice_sql);
    assert_false(finding->advice_tried);
    assert_contains(finding->advice, "value of its own");
    assert_contains(finding->advice, "makes email unique by users_email_key");
}

/* Values of their own do no harm to the key: they are said, and that they are invented. */
static void test_rules_blockers_say_that_values_are_invented(void **state)
{
    struct story *story = *state;
    struct statement *statement = refused(story, "ALTER TABLE users ALTER email SET NOT NULL",
                                          "23502");
    struct blocker *blocker = add_blocker(story, statement->line, statement->sql, "23502");
    struct offenders *offenders = add_offenders(story, blocker, OFFENCE_NULL_VALUES, -1, 5);
    offenders->repair_sql = "UPDATE users SET email = 'unknown-' || id";
    offenders->repair_invents = offenders->repair_per_row = true;
    offenders->made_unique = "users_email_key";
    const struct finding *finding = story_expect(story, "null-values", SEVERITY_ERROR);
    assert_string_equal(finding->advice_sql, "UPDATE users SET email = 'unknown-' || id;");
    assert_true(finding->advice_tried);
    assert_contains(finding->advice, "Each row gets a value of its own");
    assert_contains(finding->advice, "makes email unique by users_email_key");
    assert_contains(finding->advice, "loses nothing but invents values (placeholders)");
    assert_null(strstr(finding->advice, "deletes rows"));
    offenders->made_unique = NULL;
    finding = story_expect(story, "null-values", SEVERITY_ERROR);
    assert_contains(finding->advice, "Each row gets a value of its own, as email is unique");
    offenders->repair_per_row = false;
    finding = story_expect(story, "null-values", SEVERITY_ERROR);
    assert_null(strstr(finding->advice, "of its own"));
    assert_contains(finding->advice, "invents values");
}

/* Behind a repair the server alters no table for which a check is pending. */
static void test_rules_blockers_settle_what_waits_in_the_same_transaction(void **state)
{
    struct story *story = *state;
    struct statement *statement = refused(story, "ALTER TABLE users ALTER email SET NOT NULL",
                                          "23502");
    struct blocker *blocker = add_blocker(story, statement->line, statement->sql, "23502");
    struct offenders *offenders = add_offenders(story, blocker, OFFENCE_NULL_VALUES, -1, 5);
    offenders->repair_defers = true;
    const struct finding *finding = story_expect(story, "null-values", SEVERITY_ERROR);
    assert_string_equal(finding->advice_sql, "DELETE FROM users WHERE true;");
    blocker->in_transaction = true;
    finding = story_expect(story, "null-values", SEVERITY_ERROR);
    assert_string_equal(finding->advice_sql,
                        "DELETE FROM users WHERE true;\nSET CONSTRAINTS ALL IMMEDIATE;");
    offenders->repair_defers = false;
    finding = story_expect(story, "null-values", SEVERITY_ERROR);
    assert_string_equal(finding->advice_sql, "DELETE FROM users WHERE true;");
}

static void test_rules_blockers_say_what_failed_inside(void **state)
{
    struct story *story = *state;
    struct statement *statement = refused(story, "DO $$ ... $$", "23505");
    struct blocker *blocker = add_blocker(story, statement->line, statement->sql, "23505");
    blocker->inside = "ALTER TABLE users\n  ADD UNIQUE (email)";
    add_offenders(story, blocker, OFFENCE_DUPLICATE_KEYS, 37, 81);
    const struct finding *finding = story_expect(story, "duplicate-keys", SEVERITY_ERROR);
    assert_contains(finding->why, "It came from inside: ALTER TABLE users ADD UNIQUE (email).");
    assert_contains(finding->why, "the rows as they were before");
}

static void test_rules_blockers_replace_the_error_of_the_statement(void **state)
{
    struct story *story = *state;
    struct statement *statement = refused(story, "ALTER TABLE users ADD UNIQUE (email)", "23505");
    struct blocker *blocker = add_blocker(story, statement->line, statement->sql, "23505");
    add_offenders(story, blocker, OFFENCE_DUPLICATE_KEYS, 37, 81)->newest = "2026-01-02";
    const struct finding *finding = story_expect(story, "duplicate-keys", SEVERITY_ERROR);
    assert_int_equal(finding->statement, 1);
    assert_string_equal(finding->relation, "public.users");
    assert_int_equal(json_object_size(finding->evidence), 4);
    assert_true(evidence_number(finding, "groups") == 37);
    assert_true(evidence_number(finding, "rows") == 81);
    assert_int_equal(json_array_size(json_object_get(finding->evidence, "sample_keys")), 2);
    assert_string_equal(json_string_value(json_object_get(finding->evidence, "newest")),
                        "2026-01-02");
    assert_string_equal(finding->title,
                        "public.users (email): 37 keys stand more than once, in 81 rows");
    assert_string_equal(finding->advice_sql, "DELETE FROM users WHERE true;");
    assert_true(finding->advice_tried);
    assert_non_null(strstr(finding->why, "id=1, id=7 and others"));
    assert_non_null(strstr(story->result.headline, "would fail in production: public.users"));
}

static void test_rules_blockers_count_statements_in_the_headline(void **state)
{
    struct story *story = *state;
    struct statement *statement = refused(story, "ALTER TABLE users ADD UNIQUE (email)", "23505");
    struct blocker *blocker = add_blocker(story, statement->line, statement->sql, "23505");
    add_offenders(story, blocker, OFFENCE_DUPLICATE_KEYS, 1, 2);
    blocker = add_blocker(story, 8, "ALTER TABLE users ALTER email SET NOT NULL", "23502");
    add_offenders(story, blocker, OFFENCE_NULL_VALUES, NOT_OBSERVED, 1);
    blocker = add_blocker(story, 9, "DO ''", "P0001");
    blocker = add_blocker(story, 10, "ALTER INDEX i RENAME TO j", "42704");
    blocker->needs = 0;
    story_judge(story);
    const struct finding *findings = story->result.findings.items;
    assert_int_equal(story->result.findings.count, 3);
    assert_string_equal(findings[0].rule, "duplicate-keys");
    assert_string_equal(findings[0].title,
                        "public.users (email): 1 key stands more than once, in 2 rows");
    assert_string_equal(findings[1].rule, "null-values");
    assert_null(json_object_get(findings[1].evidence, "groups"));
    assert_string_equal(findings[1].title, "public.users (email): 1 row is NULL");
    assert_int_equal(findings[1].line, 8);
    assert_int_equal(findings[1].statement, 0);
    assert_string_equal(findings[2].rule, "statement-error");
    assert_int_equal(findings[2].line, 9);
    assert_non_null(strstr(story->result.headline, "3 statements would fail in production: "));
    assert_null(strstr(story->result.headline, "more finding"));
    assert_int_equal(story->result.verdict, VERDICT_UNSAFE);
}

static void test_rules_blockers_keep_the_error_where_nothing_was_asked(void **state)
{
    struct story *story = *state;
    struct statement *statement = refused(story, "DO ''", "P0001");
    add_blocker(story, statement->line, statement->sql, "P0001");
    const struct finding *finding = story_expect(story, "statement-error", SEVERITY_ERROR);
    assert_int_equal(finding->statement, 1);
}

static void test_rules_blockers_find_a_piece_of_a_string(void **state)
{
    struct story *story = *state;
    struct statement *statement = refused(story, "SELECT 1; ALTER TABLE users ADD UNIQUE (email);",
                                          "23505");
    struct blocker *blocker = add_blocker(story, statement->line,
                                          "ALTER TABLE users ADD UNIQUE (email);", "23505");
    add_offenders(story, blocker, OFFENCE_DUPLICATE_KEYS, 1, 2);
    assert_int_equal(story_expect(story, "duplicate-keys", SEVERITY_ERROR)->statement, 1);
}

static void test_rules_blockers_name_a_skipped_statement_that_may_be_the_cause(void **state)
{
    struct story *story = *state;
    struct statement *statement = refused(story, "UPDATE users SET email = 'x' WHERE email IS NULL",
                                          "22001");
    struct blocker *blocker = add_blocker(story, statement->line, statement->sql, "22001");
    blocker->tag = "UPDATE";
    blocker->error.table = "users";
    blocker = add_blocker(story, 4, "ALTER TABLE users ALTER email SET NOT NULL", "23502");
    add_offenders(story, blocker, OFFENCE_NULL_VALUES, NOT_OBSERVED, 5);
    story_judge(story);
    for (size_t i = 0; i < story->result.findings.count; i++)
        if (strcmp(story->result.findings.items[i].rule, "null-values") == 0) {
            assert_non_null(strstr(story->result.findings.items[i].why, "it may be the cause"));
            return;
        }
    fail_msg("no null-values");
}

static void test_rules_blockers_say_each_offence_and_repair(void **state)
{
    struct story *story = *state;
    struct statement *statement = refused(story, "ALTER TABLE users ...", "23514");
    struct blocker *blocker = add_blocker(story, statement->line, statement->sql, "23514");
    for (int offence = OFFENCE_DUPLICATE_KEYS; offence <= OFFENCE_OUT_OF_RANGE; offence++)
        add_offenders(story, blocker, (enum offence)offence, NOT_OBSERVED, 3);
    blocker->repair_worked = false;
    blocker->repair_error = "still there";
    blocker->offenders.items[0].repair_sql = NULL;
    blocker->offenders.items[1].repair_loses_rows = true;
    story_judge(story);
    assert_int_equal(story->result.findings.count, OFFENCE_OUT_OF_RANGE);
    for (size_t i = 0; i < story->result.findings.count; i++) {
        const struct finding *finding = &story->result.findings.items[i];
        assert_non_null(strstr(finding->title, "3 rows"));
        assert_false(finding->advice_tried);
        if (strcmp(finding->rule, "duplicate-keys") == 0)
            assert_null(finding->advice_sql);
        else
            assert_non_null(strstr(finding->advice, "did not suffice: still there"));
        if (strcmp(finding->rule, "null-values") == 0)
            assert_non_null(strstr(finding->advice, "deletes rows or overwrites"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_rules_blockers_withhold_one_value_for_all_of_a_unique_column),
        STORY_TEST(test_rules_blockers_say_that_values_are_invented),
        STORY_TEST(test_rules_blockers_settle_what_waits_in_the_same_transaction),
        STORY_TEST(test_rules_blockers_say_what_failed_inside),
        STORY_TEST(test_rules_blockers_replace_the_error_of_the_statement),
        STORY_TEST(test_rules_blockers_count_statements_in_the_headline),
        STORY_TEST(test_rules_blockers_keep_the_error_where_nothing_was_asked),
        STORY_TEST(test_rules_blockers_find_a_piece_of_a_string),
        STORY_TEST(test_rules_blockers_name_a_skipped_statement_that_may_be_the_cause),
        STORY_TEST(test_rules_blockers_say_each_offence_and_repair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
