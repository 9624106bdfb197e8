/*
 * Decisions about a real database, and whether its rows, masked as decided, satisfy its own schema:
 * what the plan lets pass must load.
 */
#include "../engine/server_fixture.h"
#include "snapshot/sightings.h"

static struct test_server server;
static const char *objects_path, *rows_path;

static struct connection *connect_to(const char *database, const char *role)
{
    struct connection_parameters parameters = server.superuser;
    struct connection *connection = NULL;

    parameters.database = database;
    parameters.user = role;
    ASSERT_OK(rh_engine_postgres.connect(&parameters, in_seconds(10), &connection, err));
    return connection;
}

static int set_up(void **state)
{
    static const char *const databases[] = {"original", "masked"};
    struct connection *connection = test_connect(&server, "psql");
    (void)state;

    test_run(connection, "CREATE ROLE reader LOGIN");
    for (size_t i = 0; i < 2; i++) {
        char sql[64];
        snprintf(sql, sizeof(sql), "CREATE DATABASE %s", databases[i]);
        test_run(connection, sql);
        struct connection *own = connect_to(databases[i], "tester");
        test_run_file(own, objects_path);
        if (i == 0)
            test_run_file(own, rows_path);
        rh_engine_postgres.close(own);
    }
    rh_engine_postgres.close(connection);
    return 0;
}

struct look {
    struct arena *arena;
    struct connection *connection;
    struct catalog catalog;
    struct sightings sightings;
};

static int64_t values_seen(const struct look *look)
{
    int64_t values = 0;

    for (size_t i = 0; i < look->sightings.items.count; i++)
        values += look->sightings.items.items[i].values;
    return values;
}

/* Those of which a value was seen; a table's sightings lie together. */
static size_t tables_seen(const struct look *look)
{
    size_t tables = 0, last = SIZE_MAX;

    for (size_t i = 0; i < look->sightings.items.count; i++) {
        const struct mask_sighting *sighting = &look->sightings.items.items[i];

        if (sighting->values > 0 && sighting->table != last) {
            last = sighting->table;
            tables++;
        }
    }
    return tables;
}

static struct look look_at(const char *role, int64_t table_budget_us)
{
    struct look look = {.arena = rh_arena_new(), .connection = connect_to("original", role)};
    struct sightings_options options = {.table_budget_us = table_budget_us};

    test_run(look.connection, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
    ASSERT_OK(rh_engine_postgres.read_catalog(look.connection, look.arena, in_seconds(30),
                                              &look.catalog, err));
    ASSERT_OK(rh_sightings_read(&rh_engine_postgres, look.connection, &look.catalog, &options,
                                in_seconds(30), look.arena, &look.sightings, err));
    return look;
}

static void close_look(struct look *look)
{
    rh_engine_postgres.close(look->connection);
    rh_arena_free(look->arena);
}

static void plan(struct look *look, const char *yaml, struct masking *ret_masking)
{
    struct masking_rules *rules = NULL;

    if (yaml)
        ASSERT_OK(rh_masking_rules_parse("masking.yaml", rh_text(yaml), look->arena, &rules, err));
    ASSERT_OK(rh_masking_declare(rules, &look->catalog, look->arena, err));
    ASSERT_OK(rh_masking_plan(&look->catalog, rules, look->sightings.items.items,
                              look->sightings.items.count, look->arena, ret_masking, err));
}

static const struct masked_column *decision_of(const struct look *look,
                                               const struct masking *masking, const char *table,
                                               const char *column)
{
    const struct catalog_table *own = rh_catalog_find(&look->catalog, "public", table);
    assert_non_null(own);
    return rh_masking_column(masking, (size_t)(own - look->catalog.tables.items),
                             rh_catalog_column_named(own, column)->number);
}

static size_t count_fatal(const struct masking *masking, bool shows)
{
    size_t count = 0;
    for (size_t i = 0; i < masking->problems.count; i++) {
        const struct masking_problem *problem = &masking->problems.items[i];
        count += problem->is_fatal;
        if (shows && problem->is_fatal)
            fprintf(stderr, "%s.%s %s: %s\n", problem->table, problem->column,
                    problem->object ? problem->object : "", problem->sentence);
    }
    return count;
}

static const char solved[] = "version: 1\n"
                             "tables:\n"
                             "  public.codes: {columns: {sku: keep}}\n"
                             "  public.places: {columns: {spot: keep}}\n";

static void test_sightings_decide_about_a_nasty_schema(void **state)
{
    static const struct {
        const char *table, *column, *rule, *reason;
    } expected[] = {
        {"users", "id", "keep", "surrogate key"},
        {"users", "email", "email", NULL},
        {"users", "login", "text", "name says user name"},
        {"users", "phone", "phone", NULL},
        {"users", "born", "date", "name says date of birth or death"},
        {"users", "left_on", "date", "as public.users.born: name says date of birth or death"},
        {"users", "status", "keep", "a category: users_status_check lists its values"},
        {"users", "plan", "keep", "a category: users_free compares it"},
        {"users", "salary", "number", "name says income"},
        {"users", "mood", "keep", NULL},
        {"users", "profile", "json", NULL},
        {"users", "contact", "text", NULL},
        {"users", "tags", "text", NULL},
        {"users", "avatar", "bytes", "nobody classified it"},
        {"users", "last_ip", "inet", NULL},
        {"users", "device", "macaddr", NULL},
        {"users", "session_token", "uuid", "name says secret"},
        {"users", "handle", "keep", "generated: computed anew"},
        {"accounts", "owner_email", "email", NULL},
        {"accounts", "iban", "iban", NULL},
        {"accounts", "card", "text", "nobody classified it"},
        {"accounts", "note", "free-text", NULL},
        {"transfers", "id", "keep", "surrogate key"},
        {"transfers", "from_iban", "iban", NULL},
        {"visits", "country", "keep", "a category: its partitions lists its values"},
        {"visits_fr", "country", "keep", NULL},
        {"visits_fr", "visitor", "text", NULL},
        {"wages", "salary", "number", NULL},
        {"wages", "terms", "text", NULL},
        {"wages", "note", "free-text", NULL},
        {"managers", "note", "free-text", NULL},
    };
    struct look look = look_at("reader", 0);
    struct masking masking;
    (void)state;

    assert_true(values_seen(&look) > 500);
    assert_int_equal(look.sightings.not_observed.count, 0);
    plan(&look, NULL, &masking);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        const struct masked_column *masked = decision_of(&look, &masking, expected[i].table,
                                                         expected[i].column);
        if (strcmp(rh_mask_rule_name(masked->rule), expected[i].rule) != 0)
            fail_msg("%s.%s: %s (%s), not %s", expected[i].table, expected[i].column,
                     rh_mask_rule_name(masked->rule), masked->reason, expected[i].rule);
        if (expected[i].reason)
            assert_string_equal(masked->reason, expected[i].reason);
    }
    assert_string_equal(decision_of(&look, &masking, "visits_de", "visitor")->domain,
                        decision_of(&look, &masking, "users", "login")->domain);
    assert_int_equal(decision_of(&look, &masking, "transfers", "to_iban")->max_characters, 34);
    /* A CHECK that names letters, and a type that has no map and may not be empty. */
    if (count_fatal(&masking, false) != 2)
        count_fatal(&masking, true);
    assert_int_equal(count_fatal(&masking, false), 2);
    struct masking with_rules;
    plan(&look, solved, &with_rules);
    assert_int_equal(count_fatal(&with_rules, true), 0);
    close_look(&look);
}

/* Every row of one table through the maps of its columns, into the other database. */
static void copy_table(struct look *look, const struct masking *masking, size_t index,
                       const struct mask_master_key *key, struct connection *target)
{
    const struct catalog_table *table = &look->catalog.tables.items[index];
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct buf select RH_CLEANUP_BUF, insert RH_CLEANUP_BUF;
    struct mask_map *maps[64] = {0};
    const char *values[64];
    size_t count = 0;
    struct rows *rows = NULL;

    rh_buf_init(&select, 65536);
    rh_buf_init(&insert, 65536);
    rh_buf_printf(&insert, "INSERT INTO %s (", table->identity);
    for (size_t c = 0; c < table->columns.count; c++) {
        const struct catalog_column *column = &table->columns.items[c];
        if (column->is_generated)
            continue;
        /* As COPY writes them: a cast to text says /32 behind an address. */
        rh_buf_printf(&select,
                      "%sCASE WHEN %s IS DISTINCT FROM NULL THEN pg_catalog.format('%%s', %s) END",
                      count ? ", " : "SELECT ", column->quoted, column->quoted);
        rh_buf_printf(&insert, "%s%s", count ? ", " : "", column->quoted);
        const struct masked_column *masked = rh_masking_column(masking, index, column->number);
        if (masked->rule != MASK_KEEP) {
            struct mask_map_options options = rh_masking_map_options(&look->catalog, masked, key,
                                                                     arena);
            ASSERT_OK(rh_mask_map_new(&options, arena, &maps[count], err));
        }
        count++;
    }
    rh_buf_printf(&select, " FROM ONLY %s", table->identity);
    rh_buf_add_str(&insert, ") OVERRIDING SYSTEM VALUE VALUES (");
    for (size_t c = 0; c < count; c++)
        rh_buf_printf(&insert, "%s$%zu", c ? ", " : "", c + 1);
    rh_buf_add_char(&insert, ')');
    ASSERT_OK(rh_engine_postgres.query(look->connection, select.data, NULL, 0, in_seconds(30),
                                       &rows, err));
    for (size_t r = 0; r < rh_rows_count(rows); r++) {
        for (size_t c = 0; c < count; c++) {
            values[c] = rh_rows_value(rows, r, c);
            if (values[c] && maps[c]) {
                struct text in = rh_text(values[c]), out;
                rh_mask_map_apply(maps[c], &in, 1, arena, &out);
                values[c] = out.data ? rh_text_dup(arena, out) : NULL;
            }
        }
        ASSERT_OK(rh_engine_postgres.query(target, insert.data, values, (int)count, in_seconds(30),
                                           NULL, err));
    }
    rh_rows_free(rows);
    for (size_t c = 0; c < count; c++)
        rh_mask_map_free(maps[c]);
}

static void test_sightings_plans_without_a_fatal_problem_load(void **state)
{
    static const struct mask_master_key key = {{1, 2, 3}};
    struct look look = look_at("reader", 0);
    struct connection *target = connect_to("masked", "tester");
    struct masking masking;
    (void)state;

    plan(&look, solved, &masking);
    test_run(target, "SET session_replication_role = replica"); /* foreign keys: counted below */
    for (size_t t = 0; t < look.catalog.tables.count; t++)
        if (look.catalog.tables.items[t].kind == 'r')
            copy_table(&look, &masking, t, &key, target);
    assert_int_equal(test_int(target, "SELECT count(*) FROM users"), 300);
    assert_int_equal(test_int(target, "SELECT count(*) FROM accounts AS a WHERE NOT EXISTS (SELECT "
                                      "FROM users AS u WHERE u.email = a.owner_email)"),
                     0);
    assert_int_equal(test_int(target,
                              "SELECT count(*) FROM transfers AS t WHERE NOT EXISTS (SELECT "
                              "FROM accounts AS a WHERE a.iban = t.from_iban)"),
                     0);
    assert_int_equal(test_int(target, "SELECT count(*) FROM who"),
                     test_int(look.connection, "SELECT count(*) FROM public.who"));
    assert_int_equal(
        test_int(target, "SELECT count(DISTINCT full_name) FROM users"),
        test_int(look.connection, "SELECT count(DISTINCT full_name) FROM public.users"));
    assert_int_equal(test_int(target, "SELECT count(*) FROM users WHERE plan = 'free'"), 100);
    assert_int_equal(test_int(target, "SELECT count(DISTINCT salary) FROM ONLY wages"), 50);
    assert_int_equal(test_int(target, "SELECT count(DISTINCT terms) FROM ONLY wages"), 50);
    assert_int_equal(test_int(target, "SELECT count(*) FROM wages WHERE (terms).salary::text LIKE "
                                      "'9999__.99' AND (terms).birth_date < '1970-05-01' AND "
                                      "(terms).birth_date > '1970-02-01'"),
                     0);
    assert_int_equal(test_int(target, "SELECT count((terms).income) FROM wages"), 0);
    assert_int_equal(test_int(target, "SELECT count(*) FROM managers WHERE note = 'fine'"), 1);
    /* Nothing that was planted is there, in any column. */
    assert_int_equal(
        test_int(target, "SELECT (SELECT count(*) FROM users AS u WHERE u::text ~* 'planted') + "
                         "(SELECT count(*) FROM accounts AS a WHERE a::text ~* 'planted') + "
                         "(SELECT count(*) FROM wages AS w WHERE w::text ~* 'planted') + "
                         "(SELECT count(*) FROM base AS b WHERE b::text ~* 'planted') + "
                         "(SELECT count(*) FROM heir AS h WHERE h::text ~* 'planted')"),
        0);
    rh_engine_postgres.close(target);
    close_look(&look);
}

/* What a constraint or a partial index may say of the masked rows and be as true as before; the
   proofs that let a CHECK pass are held against a real server, row by row. */
static void test_sightings_conditions_that_are_shown_to_hold_do(void **state)
{
    static const char *const conditions[] = {
        "email::text ~ '^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$'",
        "email::text ~~ '%@%.%'",
        "login::text ~ '^[A-Z][a-z]+[0-9]+$'",
        "login::text ~* '^[a-z0-9]+$'",
        "login::text ~ '^\\w{4,7}$'",
        "login::text ~ '[[:digit:]]{3}'",
        "length(login::text) <= 7",
        "octet_length(full_name) > 14",
        "length(btrim(full_name)) = 15",
        "login::text = lower(login::text)",
        "phone::text ~ '^\\+[0-9]+ [0-9]+'",
        "\"position\"(phone::text, ' '::text) = 4",
        "full_name IS NULL",
        "full_name <> ''::text",
        "salary > 0",
        "left_on >= born",
        "left_on = born",
        "jsonb_typeof(profile -> 'deep'::text) = 'array'::text",
        "profile ? 'email'::text",
        "(profile ->> 'nothing'::text) IS NULL",
        "cardinality(tags) = 3",
        "family(last_ip) = 4",
        "octet_length(avatar) = 16",
    };
    struct look look = look_at("reader", 0);
    struct connection *target = connect_to("masked", "tester");
    (void)state;

    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        char constraint[512], sql[512];
        struct catalog catalog = look.catalog;
        struct masking masking;
        struct rows *before, *after;
        /* As if the table had it as a constraint, of all columns. */
        snprintf(constraint, sizeof(constraint), "CHECK ((%s))", conditions[i]);
        const struct catalog_table *users = rh_catalog_find(&catalog, "public", "users");
        struct catalog_table *own = &catalog.tables.items[users - catalog.tables.items];
        size_t count = own->checks.count;
        struct catalog_check *check = RH_PUSH(look.arena, &own->checks);
        *check = (struct catalog_check){
            .name = "tried", .expression = constraint, .is_validated = true};
        for (size_t c = 0; c < own->columns.count; c++)
            *RH_PUSH(look.arena, &check->columns) = own->columns.items[c].number;
        plan(&look, solved, &masking);
        if (count_fatal(&masking, true) > 0)
            fail_msg("cannot be shown to hold: %s", conditions[i]);
        own->checks.count = count;
        snprintf(sql, sizeof(sql),
                 "SET search_path = public, pg_catalog; SELECT string_agg(coalesce((%s)::text, "
                 "'-'), '' ORDER BY id) FROM users",
                 conditions[i]);
        ASSERT_OK(
            rh_engine_postgres.query(look.connection, sql, NULL, 0, in_seconds(30), &before, err));
        ASSERT_OK(rh_engine_postgres.query(target, sql, NULL, 0, in_seconds(30), &after, err));
        if (strcmp(rh_rows_value(before, 0, 0), rh_rows_value(after, 0, 0)) != 0)
            fail_msg("does not say the same of masked rows: %s", conditions[i]);
        rh_rows_free(before);
        rh_rows_free(after);
    }
    rh_engine_postgres.close(target);
    close_look(&look);
}

static void test_sightings_give_up_a_table_and_go_on(void **state)
{
    struct connection *holder = connect_to("original", "tester");
    struct look look;
    (void)state;

    /* A view's delay in a table's place: an expression index would not be read. */
    test_run(holder, "CREATE TABLE slow (a text); INSERT INTO slow VALUES ('x'); ANALYZE slow; "
                     "ALTER TABLE slow ENABLE ROW LEVEL SECURITY; "
                     "CREATE POLICY p ON slow USING (pg_sleep(60) IS NOT NULL); "
                     "GRANT SELECT ON slow TO reader");
    look = look_at("reader", 50000);
    assert_int_equal(look.sightings.not_observed.count, 1);
    assert_string_equal(look.sightings.not_observed.items[0],
                        "values of public.slow: the role does not see its rows");
    /* As if the catalogue had not known. */
    for (size_t i = 0; i < look.catalog.tables.count; i++)
        look.catalog.tables.items[i].rows_visible = true;
    struct sightings_options options = {.table_budget_us = 50000};
    ASSERT_OK(rh_sightings_read(&rh_engine_postgres, look.connection, &look.catalog, &options,
                                in_seconds(30), look.arena, &look.sightings, err));
    assert_int_equal(look.sightings.not_observed.count, 1);
    assert_string_equal(look.sightings.not_observed.items[0],
                        "values of public.slow: it took too long");
    /* The transaction goes on as it was. */
    assert_int_equal(test_int(look.connection, "SELECT count(*) FROM public.users"), 300);
    assert_int_equal(test_int(look.connection,
                              "SELECT pg_catalog.count(*) FROM pg_catalog.pg_settings WHERE name = "
                              "'statement_timeout' AND setting = '0'"),
                     1);
    close_look(&look);
    test_run(holder, "DROP TABLE slow");
    rh_engine_postgres.close(holder);
}

static void test_sightings_stop_when_their_time_is_over(void **state)
{
    struct look look = look_at("reader", 0);
    struct sightings_options options = {.budget_us = 1};
    (void)state;

    ASSERT_OK(rh_sightings_read(&rh_engine_postgres, look.connection, &look.catalog, &options,
                                in_seconds(30), look.arena, &look.sightings, err));
    assert_true(tables_seen(&look) <= 1);
    assert_non_null(strstr(look.sightings.not_observed.items[0], "the time for looking was over"));
    close_look(&look);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s masked_objects.sql masked_rows.sql\n", argv[0]);
        return 2;
    }
    objects_path = argv[1];
    rows_path = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sightings_decide_about_a_nasty_schema),
        cmocka_unit_test(test_sightings_plans_without_a_fatal_problem_load),
        cmocka_unit_test(test_sightings_conditions_that_are_shown_to_hold_do),
        cmocka_unit_test(test_sightings_give_up_a_table_and_go_on),
        cmocka_unit_test(test_sightings_stop_when_their_time_is_over),
    };
    return RUN_ON_SERVER(&server, NULL, tests, set_up);
}
