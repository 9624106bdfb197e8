/* The catalogue of a real server: of a superuser, of ordinary roles, of a hot standby. */
#include "server_fixture.h"

#include <fcntl.h>

static struct test_server server;
static const char *objects_path;

static struct connection *connect_as(const char *role)
{
    struct connection_parameters parameters = server.superuser;
    struct connection *connection = NULL;

    parameters.user = role;
    ASSERT_OK(rh_engine_postgres.connect(&parameters, in_seconds(10), &connection, err));
    return connection;
}

static struct catalog read_as(const char *role, struct arena *arena)
{
    struct connection *connection = connect_as(role);
    struct catalog catalog;

    test_run(connection, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
    ASSERT_OK(rh_engine_postgres.read_catalog(connection, arena, in_seconds(30), &catalog, err));
    assert_int_equal(test_int(connection, "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE "
                                          "pid = pg_backend_pid() AND backend_xid IS NOT NULL"),
                     0);
    test_run(connection, "COMMIT");
    rh_engine_postgres.close(connection);
    return catalog;
}

static int set_up(void **state)
{
    struct connection *connection = test_connect(&server, "psql");
    (void)state;
    test_run_file(connection, objects_path);
    rh_engine_postgres.close(connection);
    return 0;
}

static const struct catalog_table *table_of(const struct catalog *catalog, const char *name)
{
    const struct catalog_table *table = rh_catalog_find(catalog, "shop", name);
    if (!table)
        fail_msg("no table shop.%s", name);
    return table;
}

static const struct catalog_column *column_of(const struct catalog *catalog, const char *table,
                                              const char *name)
{
    const struct catalog_column *column = rh_catalog_column_named(table_of(catalog, table), name);
    if (!column)
        fail_msg("no column %s.%s", table, name);
    return column;
}

static const struct catalog_key *key_of(const struct catalog_table *table, const char *name)
{
    for (size_t i = 0; i < table->keys.count; i++)
        if (strcmp(table->keys.items[i].name, name) == 0)
            return &table->keys.items[i];
    fail_msg("no key %s on %s", name, table->identity);
    return NULL;
}

static const struct catalog_check *check_of(const struct catalog_table *table, const char *name)
{
    for (size_t i = 0; i < table->checks.count; i++)
        if (strcmp(table->checks.items[i].name, name) == 0)
            return &table->checks.items[i];
    fail_msg("no check %s on %s", name, table->identity);
    return NULL;
}

static bool tells(const struct catalog *catalog, const char *words)
{
    for (size_t i = 0; i < catalog->not_observed.count; i++)
        if (strstr(catalog->not_observed.items[i], words))
            return true;
    return false;
}

static void test_pg_catalog_knows_the_server(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct catalog catalog = read_as("tester", arena);
    (void)state;

    assert_string_equal(catalog.database, "postgres");
    assert_string_equal(catalog.encoding, "UTF8");
    assert_int_equal(strtol(catalog.server_version, NULL, 10), catalog.server_major);
    assert_null(strchr(catalog.server_version, ' '));
    assert_false(catalog.is_standby);
    assert_non_null(catalog.system_identifier);
    assert_non_null(strchr(catalog.wal_position, '/'));
    assert_true(catalog.database_bytes > 1000000);
    assert_true(catalog.taken_at_us > INT64_C(1700000000000000));
    assert_int_equal(catalog.large_objects, 2);
    assert_int_equal(catalog.materialized_views, 1);
    assert_int_equal(catalog.sequences, 2);
    assert_int_equal(catalog.not_observed.count, 0);
}

static void test_pg_catalog_has_tables_in_order_and_none_of_ours(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct catalog catalog = read_as("tester", arena);
    (void)state;

    assert_true(catalog.tables.count > 15);
    for (size_t i = 0; i < catalog.tables.count; i++) {
        const struct catalog_table *table = &catalog.tables.items[i];
        assert_string_not_equal(table->schema, "rehearse");
        assert_string_not_equal(table->schema, "pg_catalog");
        if (i > 0)
            assert_true(strcmp(catalog.tables.items[i - 1].identity, table->identity) < 0);
        assert_true(table->rows_visible && table->may_select && table->may_lock);
    }
    const struct catalog_table *odd = rh_catalog_find(&catalog, "Odd schema", "Odd.table");
    assert_non_null(odd);
    assert_string_equal(odd->identity, "\"Odd schema\".\"Odd.table\"");
    assert_string_equal(odd->columns.items[0].name, "Odd \" column");
    assert_string_equal(odd->columns.items[0].quoted, "\"Odd \"\" column\"");
    assert_true(odd->is_unlogged);
    const struct catalog_table *users = table_of(&catalog, "users");
    assert_int_equal(users->rows_estimate, 100);
    assert_true(users->bytes >= 8192 && users->pages >= 1);
    assert_int_equal(table_of(&catalog, "refs")->rows_estimate, -1);
    assert_int_equal(table_of(&catalog, "stored")->kind, 'm');
    assert_int_equal(table_of(&catalog, "joined")->kind, 'v');
    assert_string_equal(table_of(&catalog, "secured")->owner, "catalog_team");
    assert_string_equal(table_of(&catalog, "configured")->extension, "plpgsql");
    assert_true(table_of(&catalog, "configured")->is_extension_configuration);
    assert_string_equal(table_of(&catalog, "internal")->extension, "plpgsql");
    assert_false(table_of(&catalog, "internal")->is_extension_configuration);
    assert_null(users->extension);
}

static void test_pg_catalog_resolves_types(void **state)
{
    static const struct {
        const char *name, *type, *base_type, *domain;
        bool is_array;
        char kind, category;
        int limit;
    } expected[] = {
        {"id", "bigint", "int8", NULL, false, 'b', 'N', 0},
        {"email", "shop.email", "varchar", "shop.email", false, 'b', 'S', 40},
        {"code", "character(5)", "bpchar", NULL, false, 'b', 'S', 5},
        {"tags", "shop.tags", "text", "shop.tags", true, 'b', 'S', 0},
        {"numbers", "character varying(7)[]", "varchar", NULL, true, 'b', 'S', 7},
        {"contact", "shop.contact", "shop.contact", NULL, false, 'c', 'C', 0},
        {"words", "shop.word_range", "shop.word_range", NULL, false, 'r', 'R', 0},
        {"mood", "shop.mood", "shop.mood", NULL, false, 'e', 'E', 0},
        {"flags", "bit varying(9)", "varbit", NULL, false, 'b', 'V', 9},
        {"name", "text", "text", NULL, false, 'b', 'S', 0},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct catalog catalog = read_as("tester", arena);
    (void)state;

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        const struct catalog_column *column = column_of(&catalog, "users", expected[i].name);
        assert_string_equal(column->type, expected[i].type);
        assert_string_equal(column->base_type, expected[i].base_type);
        assert_int_equal(column->is_array, expected[i].is_array);
        assert_int_equal(column->type_kind, expected[i].kind);
        assert_int_equal(column->type_category, expected[i].category);
        assert_int_equal(column->max_characters, expected[i].limit);
        if (expected[i].domain)
            assert_string_equal(column->domain, expected[i].domain);
        else
            assert_null(column->domain);
    }
    assert_true(column_of(&catalog, "users", "code")->is_padded);
    assert_true(column_of(&catalog, "users", "email")->not_null);
    assert_true(column_of(&catalog, "users", "id")->is_identity);
    assert_true(column_of(&catalog, "users", "folded")->is_generated);
    assert_string_equal(column_of(&catalog, "users", "folded")->default_expression,
                        "lower((email)::text)");
    assert_string_equal(column_of(&catalog, "users", "name")->collation, "\"C\"");
    assert_true(column_of(&catalog, "users", "name")->is_deterministic);
    /* A hole where a column was dropped. */
    assert_int_equal(column_of(&catalog, "users", "email")->number, 3);
    if (catalog.server_major >= 18)
        assert_true(column_of(&catalog, "computed", "b")->is_generated);
}

static void test_pg_catalog_resolves_precision(void **state)
{
    static const struct {
        const char *name;
        int precision, scale;
    } expected[] = {{"salary", 8, 2}, {"fine", 8, 2},  {"list", 8, 2}, {"lists", 5, 1},
                    {"free", 0, 0},   {"whole", 7, 0}, {"n", 0, 0},    {"word", 0, 0}};
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct catalog catalog = read_as("tester", arena);
    (void)state;

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        const struct catalog_column *column = column_of(&catalog, "paid", expected[i].name);
        if (column->precision != expected[i].precision || column->scale != expected[i].scale)
            fail_msg("%s: %d, %d", column->name, column->precision, column->scale);
    }
    const struct catalog_attribute *terms = column_of(&catalog, "paid", "terms")->attributes.items;
    assert_int_equal(terms[0].precision, 8);
    assert_int_equal(terms[0].scale, 2);
    assert_int_equal(terms[1].precision, 6);
    assert_int_equal(terms[1].scale, 4);
    assert_int_equal(terms[2].precision, 0);
}

static void test_pg_catalog_resolves_attributes(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct catalog catalog = read_as("tester", arena);
    const struct catalog_column *contact = column_of(&catalog, "users", "contact");
    (void)state;

    assert_int_equal(contact->attributes.count, 5);
    assert_string_equal(contact->attributes.items[0].name, "name");
    assert_string_equal(contact->attributes.items[0].base_type, "text");
    const struct catalog_attribute *places = &contact->attributes.items[1];
    assert_true(places->is_array);
    assert_string_equal(places->base_type, "shop.place");
    assert_int_equal(places->attributes.count, 2);
    assert_string_equal(places->attributes.items[0].base_type, "varchar");
    assert_string_equal(contact->attributes.items[2].attributes.items[0].base_type, "date");
    assert_int_equal(contact->attributes.items[3].type_kind, 'e');
    assert_string_equal(contact->attributes.items[4].base_type, "varchar");
    const struct catalog_column *words = column_of(&catalog, "users", "words");
    assert_int_equal(words->attributes.count, 1);
    assert_string_equal(words->attributes.items[0].base_type, "text");
    /* What is nested deeper than we look. */
    int depth = 0;
    for (const struct catalog_attribute *item =
             column_of(&catalog, "deep", "top")->attributes.items;
         item; item = item[1].attributes.items)
        depth++;
    assert_int_equal(depth, 8);
}

static void test_pg_catalog_has_keys_and_checks(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct catalog catalog = read_as("tester", arena);
    const struct catalog_table *users = table_of(&catalog, "users"),
                               *refs = table_of(&catalog, "refs");
    (void)state;

    const struct catalog_key *key = key_of(users, "users_email");
    assert_true(key->is_unique && !key->is_primary && !key->is_constraint);
    assert_int_equal(key->columns.count, 2);
    assert_int_equal(key->columns.items[0], 0);
    assert_int_equal(key->columns.items[1], column_of(&catalog, "users", "code")->number);
    assert_int_equal(key->expressions.count, 1);
    assert_string_equal(key->expressions.items[0], "lower((email)::text)");
    assert_string_equal(key->predicate, "(mood = 'ok'::shop.mood)");
    key = key_of(users, "users_pkey");
    assert_true(key->is_primary && key->is_unique && key->is_constraint);
    assert_ptr_equal(key, &users->keys.items[0]);
    assert_false(key_of(users, "users_name")->is_unique);
    key = key_of(refs, "refs_excluded");
    assert_true(key->is_exclusion && !key->is_unique && key->is_constraint);
    assert_string_equal(key->definition, "EXCLUDE USING gist (during WITH &&)");
    assert_true(key_of(table_of(&catalog, "stored"), "stored_id")->is_unique);
    if (catalog.server_major >= 15)
        assert_true(key_of(table_of(&catalog, "nulls"), "nulls_a")->nulls_not_distinct);

    const struct catalog_check *check = check_of(users, "name_or_code");
    assert_false(check->is_validated);
    assert_int_equal(check->columns.count, 2);
    check = check_of(users, "shop.email.has_at");
    assert_true(check->is_validated);
    assert_int_equal(check->columns.count, 1);
    assert_int_equal(check->columns.items[0], column_of(&catalog, "users", "email")->number);
    assert_non_null(strstr(check->expression, "VALUE"));
    check_of(users, "shop.short.short_check");
    if (catalog.server_major >= 18)
        assert_false(check_of(table_of(&catalog, "computed"), "soft")->is_validated);
    assert_true(check_of(table_of(&catalog, "paid"), "words")->no_inherit);
    assert_false(check_of(table_of(&catalog, "paid"), "numbers")->no_inherit);
    assert_false(check->no_inherit);
}

static size_t count_keys_between(const struct catalog *catalog, const char *child,
                                 const char *parent)
{
    size_t count = 0;
    for (size_t i = 0; i < catalog->foreign_keys.count; i++) {
        const struct catalog_foreign_key *key = &catalog->foreign_keys.items[i];
        if (strcmp(catalog->tables.items[key->child].name, child) == 0 &&
            strcmp(catalog->tables.items[key->parent].name, parent) == 0)
            count++;
    }
    return count;
}

static void test_pg_catalog_has_foreign_keys_and_joins(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct catalog catalog = read_as("tester", arena);
    (void)state;

    assert_int_equal(count_keys_between(&catalog, "refs", "users"), 1);
    assert_int_equal(count_keys_between(&catalog, "events", "users"), 1);
    assert_int_equal(count_keys_between(&catalog, "events_2024", "users"), 1);
    assert_int_equal(count_keys_between(&catalog, "about", "events"), 1);
    assert_int_equal(count_keys_between(&catalog, "about", "events_2024"), 0);
    for (size_t i = 0; i < catalog.foreign_keys.count; i++) {
        const struct catalog_foreign_key *key = &catalog.foreign_keys.items[i];
        if (strcmp(key->name, "pair") != 0)
            continue;
        assert_true(key->match_full && !key->is_validated && !key->is_declared);
        assert_int_equal(key->child_columns.count, 2);
        assert_int_equal(key->child_columns.items[0], 2);
        assert_int_equal(key->parent_columns.items[0], column_of(&catalog, "refs", "b")->number);
    }
    bool has_email = false, has_id = false, has_membership = false;
    for (size_t i = 0; i < catalog.joins.count; i++) {
        const struct catalog_join *join = &catalog.joins.items[i];
        const struct catalog_column *left = rh_catalog_column(
                                        &catalog.tables.items[join->left_table], join->left_column),
                                    *right = rh_catalog_column(
                                        &catalog.tables.items[join->right_table],
                                        join->right_column);
        has_email |= strcmp(join->view, "shop.joined") == 0 && strcmp(left->name, "email") == 0 &&
                     strcmp(right->name, "email") == 0;
        has_id |= strcmp(left->name, "id") == 0 && strcmp(right->name, "user_id") == 0;
        has_membership |= strcmp(join->view, "shop.chosen") == 0 &&
                          strcmp(left->name, "user_id") == 0 && strcmp(right->name, "id") == 0;
    }
    assert_true(has_email && has_id && has_membership);
}

static void test_pg_catalog_has_partitions_and_inheritance(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct catalog catalog = read_as("tester", arena);
    const struct catalog_table *events = table_of(&catalog, "events"),
                               *leaf = table_of(&catalog, "events_2024"),
                               *child = table_of(&catalog, "child");
    (void)state;

    assert_int_equal(events->kind, 'p');
    assert_string_equal(events->partition_key, "RANGE (at, kind)");
    assert_int_equal(events->partition_columns.count, 2);
    assert_int_equal(events->partition_columns.items[0], 1);
    assert_int_equal(events->partition_columns.items[1], 2);
    assert_int_equal(table_of(&catalog, "folded")->partition_columns.count, 1);
    assert_int_equal(table_of(&catalog, "folded")->partition_columns.items[0], 2);
    assert_true(events->parent == CATALOG_NONE);
    assert_ptr_equal(&catalog.tables.items[leaf->parent], events);
    assert_non_null(strstr(leaf->partition_bound, "FOR VALUES FROM"));
    assert_null(leaf->partition_key);
    assert_int_equal(child->parents.count, 2);
    assert_string_equal(catalog.tables.items[child->parents.items[0]].name, "parent_a");
    assert_string_equal(catalog.tables.items[child->parents.items[1]].name, "parent_b");
    assert_null(child->partition_bound);
}

static void test_pg_catalog_has_statistics_where_they_may_be_read(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct catalog catalog = read_as("tester", arena);
    const struct catalog_column *name = column_of(&catalog, "users", "name");
    (void)state;

    assert_true(name->null_fraction > 0.7 && name->null_fraction < 0.8);
    assert_true(name->distinct < 0);
    assert_true(name->average_width > 0);
    const struct catalog_column *unread = column_of(&catalog, "refs", "email");
    assert_true(unread->null_fraction < 0);
    assert_true(unread->distinct > -0.5 && unread->distinct < 0.5);
    assert_int_equal(unread->average_width, -1);
}

static const char *setting_of(const struct catalog *catalog, const char *scope, const char *name)
{
    for (size_t i = 0; i < catalog->settings.count; i++)
        if (strcmp(catalog->settings.items[i].scope, scope) == 0 &&
            strcmp(catalog->settings.items[i].name, name) == 0)
            return catalog->settings.items[i].value;
    fail_msg("no setting %s of %s", name, scope);
    return NULL;
}

static void test_pg_catalog_has_lists_without_secrets(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct catalog catalog = read_as("tester", arena);
    bool has_role = false, has_database = false;
    (void)state;

    assert_string_equal(setting_of(&catalog, "role catalog_reader", "work_mem"), "8MB");
    assert_string_equal(
        setting_of(&catalog, "role catalog_reader in database postgres", "lock_timeout"), "1s");
    assert_string_equal(setting_of(&catalog, "database", "random_page_cost"), "1.5");
    assert_string_equal(setting_of(&catalog, "database", "app.api_key"), "(not shown)");
    assert_string_equal(setting_of(&catalog, "server", "fsync"), "off");
    assert_string_equal(catalog.extensions.items[0].name, "plpgsql");
    assert_string_equal(catalog.extensions.items[0].schema, "pg_catalog");
    for (size_t i = 0; i < catalog.roles.count; i++) {
        has_role |= strcmp(catalog.roles.items[i], "catalog_team") == 0;
        assert_true(strncmp(catalog.roles.items[i], "pg_", 3) != 0);
    }
    for (size_t i = 0; i < catalog.collations.count; i++)
        if (strcmp(catalog.collations.items[i].name, "database") == 0) {
            has_database = true;
            assert_string_equal(catalog.collations.items[i].provider, "libc");
            assert_string_equal(catalog.collations.items[i].locale, "C");
        }
    assert_true(has_role && has_database);
    assert_int_equal(catalog.replicas.count, 0);
}

static void test_pg_catalog_of_an_ordinary_role_says_what_it_may_not_see(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct catalog catalog = read_as("catalog_reader", arena);
    const struct catalog_table *partly = table_of(&catalog, "partly"),
                               *by_column = table_of(&catalog, "by_column"),
                               *away = rh_catalog_find(&catalog, "hidden", "away");
    (void)state;

    assert_true(table_of(&catalog, "users")->may_select);
    assert_true(table_of(&catalog, "users")->rows_visible);
    assert_false(partly->may_select || partly->rows_visible || partly->may_lock);
    assert_true(rh_catalog_column_named(partly, "a")->may_select);
    assert_false(rh_catalog_column_named(partly, "b")->may_select);
    assert_true(by_column->may_select && by_column->rows_visible && !by_column->may_lock);
    assert_false(away->may_select || away->rows_visible || away->may_lock);
    assert_false(table_of(&catalog, "secured")->rows_visible);
    assert_true(table_of(&catalog, "secured")->may_select);
    assert_true(table_of(&catalog, "secured")->row_security);
    assert_true(tells(&catalog, "shop.partly"));
    assert_true(tells(&catalog, "hidden.away"));
    assert_true(tells(&catalog, "shop.by_column"));
    assert_true(tells(&catalog, "shop.forced, shop.secured: row security"));
    assert_true(tells(&catalog, "pg_read_all_settings"));
    assert_true(tells(&catalog, "pg_read_all_stats"));
    assert_false(tells(&catalog, "PLANTED"));
}

static void test_pg_catalog_knows_whose_rows_row_security_hides(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct catalog member = read_as("catalog_member", arena),
                   bypass = read_as("catalog_bypass", arena);
    (void)state;

    assert_true(table_of(&member, "secured")->rows_visible);
    assert_false(table_of(&member, "forced")->rows_visible);
    assert_true(table_of(&member, "forced")->row_security_forced);
    assert_true(table_of(&bypass, "secured")->rows_visible);
    assert_true(table_of(&bypass, "forced")->rows_visible);
}

static void test_pg_catalog_says_why_it_waited(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct connection *holder = connect_as("tester"), *reader = connect_as("catalog_reader");
    struct catalog catalog = {0};
    struct err err = RH_ERR_INIT;
    (void)state;

    test_run(holder, "BEGIN; LOCK TABLE shop.users IN ACCESS EXCLUSIVE MODE");
    test_run(reader, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; "
                     "SET LOCAL lock_timeout = '10ms'");
    assert_int_equal(rh_engine_postgres.read_catalog(reader, arena, in_seconds(30), &catalog, &err),
                     RH_ERR_SERVER);
    assert_non_null(strstr(err.hint, "ACCESS EXCLUSIVE"));
    assert_int_equal(catalog.tables.count, 0);
    rh_engine_postgres.close(reader);
    rh_engine_postgres.close(holder);
}

/* The last test: the server is a standby from then on. */
static void test_pg_catalog_reads_a_hot_standby(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct process_options options = {0};
    struct err refusal = RH_ERR_INIT;
    const char *argv[] = {rh_file_join(arena, server.bin, "postgres"),
                          "-D",
                          server.data,
                          "-k",
                          server.directory,
                          "-c",
                          "listen_addresses=",
                          "-c",
                          "fsync=off",
                          NULL};
    (void)state;

    rh_process_stop(&server.process, SIGINT, 10000000);
    int fd = open(rh_file_join(arena, server.data, "standby.signal"), O_CREAT | O_WRONLY, 0644);
    assert_true(fd >= 0);
    close(fd);
    as_server_user(&options);
    options.argv = argv;
    server.process = (struct process)PROCESS_INIT;
    ASSERT_OK(rh_process_start(&server.process, &options, err));
    struct connection *connection = NULL;
    for (struct mono deadline = in_seconds(20); !connection && !rh_clock_passed(deadline);
         usleep(5000))
        if (rh_engine_postgres.connect(&server.superuser, deadline, &connection, &refusal))
            connection = NULL;
    assert_non_null(connection);
    rh_engine_postgres.close(connection);
    struct catalog catalog = read_as("catalog_reader", arena);
    assert_true(catalog.is_standby);
    assert_non_null(catalog.wal_position);
    assert_int_equal(table_of(&catalog, "users")->rows_estimate, 100);
    assert_int_equal(catalog.joins.count, 3);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s catalog_objects.sql\n", argv[0]);
        return 2;
    }
    objects_path = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_catalog_knows_the_server),
        cmocka_unit_test(test_pg_catalog_has_tables_in_order_and_none_of_ours),
        cmocka_unit_test(test_pg_catalog_resolves_types),
        cmocka_unit_test(test_pg_catalog_resolves_precision),
        cmocka_unit_test(test_pg_catalog_resolves_attributes),
        cmocka_unit_test(test_pg_catalog_has_keys_and_checks),
        cmocka_unit_test(test_pg_catalog_has_foreign_keys_and_joins),
        cmocka_unit_test(test_pg_catalog_has_partitions_and_inheritance),
        cmocka_unit_test(test_pg_catalog_has_statistics_where_they_may_be_read),
        cmocka_unit_test(test_pg_catalog_has_lists_without_secrets),
        cmocka_unit_test(test_pg_catalog_of_an_ordinary_role_says_what_it_may_not_see),
        cmocka_unit_test(test_pg_catalog_knows_whose_rows_row_security_hides),
        cmocka_unit_test(test_pg_catalog_says_why_it_waited),
        cmocka_unit_test(test_pg_catalog_reads_a_hot_standby),
    };
    return RUN_ON_SERVER(&server, NULL, tests, set_up);
}
