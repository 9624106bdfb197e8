/* Advice by SQLSTATE: queries are built from names, never from values. */
#include "judge_unit.h"

static const struct finding *advised(struct story *story)
{
    return story_expect(story, "statement-error", SEVERITY_ERROR);
}

static struct statement *failing(struct story *story, const char *sqlstate,
                                 struct server_message **ret_error)
{
    struct statement *statement = story_run(story, "ALTER TABLE", 1 * MS);
    *ret_error = story_fail(story, statement, sqlstate, "refused");
    (*ret_error)->schema = "public";
    (*ret_error)->table = "orders";
    return statement;
}

static void test_sqlstate_duplicates_are_listed_by_key(void **state)
{
    struct story *story = *state;
    struct server_message *error;
    struct statement *statement = failing(story, "23505", &error);
    error->detail = "Key (lower(email), tenant)=(***) is duplicated.";
    const struct finding *finding = advised(story);
    assert_string_equal(
        finding->advice_sql,
        "SELECT lower(email), tenant, count(*) FROM public.orders\n"
        "GROUP BY lower(email), tenant HAVING count(*) > 1 ORDER BY count(*) DESC;");
    error->detail = NULL;
    assert_null(advised(story)->advice_sql);
    story_clause(story, statement, CLAUSE_ADD_UNIQUE, "orders")->columns = "email";
    assert_contains(advised(story)->advice_sql, "SELECT email, count(*)");
}

static void test_sqlstate_nulls(void **state)
{
    struct story *story = *state;
    struct server_message *error;
    struct statement *statement = failing(story, "23502", &error);
    error->column = "Note";
    assert_contains(advised(story)->advice_sql,
                    "SELECT count(*) FROM public.orders WHERE \"Note\" IS NULL;");
    struct clause *clause = story_clause(story, statement, CLAUSE_ADD_COLUMN, "orders");
    clause->column = "\"Note\"";
    clause->definition = "text";
    assert_string_equal(advised(story)->advice_sql,
                        "ALTER TABLE public.orders ADD COLUMN \"Note\" text DEFAULT <value> NOT "
                        "NULL;");
}

static void test_sqlstate_orphans(void **state)
{
    struct story *story = *state;
    struct server_message *error;
    struct statement *statement = failing(story, "23503", &error);
    error->detail = "Key (customer_id)=(***) is not present in table \"customers\".";
    assert_null(advised(story)->advice_sql);
    struct clause *clause = story_clause(story, statement, CLAUSE_ADD_FOREIGN_KEY, "orders");
    clause->target = "customers";
    clause->target_columns = "id";
    assert_contains(advised(story)->advice_sql,
                    "(SELECT FROM customers p WHERE p.id = c.customer_id);");
}

static void test_sqlstate_check_violations(void **state)
{
    struct story *story = *state;
    struct server_message *error;
    struct statement *statement = failing(story, "23514", &error);
    story_clause(story, statement, CLAUSE_ADD_CHECK, "orders")->columns = "total > 0";
    assert_string_equal(advised(story)->advice_sql,
                        "SELECT count(*) FROM public.orders WHERE NOT (total > 0);");
}

/* A name with a double quote in it ended early: the query was none. */
static void test_sqlstate_queries_double_the_quotes_of_names(void **state)
{
    struct story *story = *state;
    struct server_message *error;
    failing(story, "23502", &error);
    error->table = "odd\"name";
    error->column = "Total";
    assert_contains(advised(story)->advice_sql,
                    "SELECT count(*) FROM public.\"odd\"\"name\" WHERE \"Total\" IS NULL;");
}

static void test_sqlstate_casts(void **state)
{
    static const struct {
        const char *sqlstate, *type, *version, *sql;
    } cases[] = {
        {"22001", "varchar(10)", "15.18", "WHERE length(note) > 10;"},
        {"22001", "text", "15.18", NULL},
        {"22P02", "integer", "15.18", "!~ '^\\s*[-+]?[0-9]+\\s*$'"},
        {"22P02", "numeric(10,2)", "13.23", "[0-9]+\\.?[0-9]*"},
        {"22P02", "inet", "15.18", NULL},
        {"22P02", "inet", "16.14", "NOT pg_input_is_valid(note::text, 'inet')"},
        {"22003", "smallint", "15.18", "SELECT min(note), max(note) FROM orders;"},
    };
    struct story *story = *state;
    struct server_message *error;
    struct statement *statement = failing(story, "22001", &error);
    struct clause *clause = story_clause(story, statement, CLAUSE_COLUMN_TYPE, "orders");
    clause->column = "note";
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", cases[i].sqlstate);
        clause->definition = cases[i].type;
        story->result.fidelity.server_version = cases[i].version;
        const struct finding *finding = advised(story);
        if (cases[i].sql)
            assert_contains(finding->advice_sql, cases[i].sql);
        else
            assert_null(finding->advice_sql);
    }
}

static void test_sqlstate_permission_names_the_role(void **state)
{
    struct story *story = *state;
    struct server_message *error;
    failing(story, "42501", &error);
    assert_contains(advised(story)->advice, "It ran as role \"app_owner\".");
}

static void test_sqlstate_every_known_state_has_advice(void **state)
{
    static const char *const states[] = {
        "23000", "23502", "23503", "23505", "23514", "23P01", "22001", "22003", "22007",
        "22008", "22012", "22023", "22P02", "42501", "42P01", "42703", "42704", "42883",
        "42P07", "42701", "42710", "42P06", "42804", "42601", "42P16", "3F000", "2BP01",
        "0A000", "55006", "55P04", "55000", "25006", "25P01", "40001", "40003", "53100",
        "53200", "54001", "57P01", "58030", "28000", "P0001", "P0002", "XX000"};
    struct story *story = *state;
    struct server_message *error;
    failing(story, "23505", &error);
    for (size_t i = 0; i < COUNT(states); i++) {
        snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", states[i]);
        const struct finding *finding = advised(story);
        if (strstr(finding->why, "The server refused the statement."))
            fail_msg("%s is explained by nothing", states[i]);
        assert_true(strlen(finding->advice) > 15);
    }
    snprintf(error->sqlstate, sizeof(error->sqlstate), "ZZ999");
    assert_contains(advised(story)->why, "The server refused the statement.");
}

static void test_sqlstate_pending_triggers_have_a_way_out(void **state)
{
    struct story *story = *state;
    struct server_message *error;
    failing(story, "55006", &error);
    error->message = "cannot ALTER TABLE \"orders\" because it has pending trigger events";
    assert_contains(advised(story)->why, "deferred foreign key");
    assert_string_equal(advised(story)->advice_sql, "SET CONSTRAINTS ALL IMMEDIATE;");
    error->message = "cannot DROP TABLE \"orders\" because it is being used by active queries";
    assert_null(advised(story)->advice_sql);
}

static void test_sqlstate_wrong_setting_is_no_data(void **state)
{
    struct story *story = *state;
    struct server_message *error;
    failing(story, "22023", &error);
    assert_lacks(advised(story)->why, "Data");
    assert_lacks(advised(story)->advice, "rows");
}

static void test_sqlstate_hint_of_the_server_is_kept(void **state)
{
    struct story *story = *state;
    struct server_message *error;
    failing(story, "42804", &error);
    error->hint = "You might need to specify \"USING id::integer\".";
    assert_contains(advised(story)->why, "USING id::integer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_sqlstate_duplicates_are_listed_by_key),
        STORY_TEST(test_sqlstate_nulls),
        STORY_TEST(test_sqlstate_orphans),
        STORY_TEST(test_sqlstate_check_violations),
        STORY_TEST(test_sqlstate_queries_double_the_quotes_of_names),
        STORY_TEST(test_sqlstate_casts),
        STORY_TEST(test_sqlstate_permission_names_the_role),
        STORY_TEST(test_sqlstate_every_known_state_has_advice),
        STORY_TEST(test_sqlstate_pending_triggers_have_a_way_out),
        STORY_TEST(test_sqlstate_wrong_setting_is_no_data),
        STORY_TEST(test_sqlstate_hint_of_the_server_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
