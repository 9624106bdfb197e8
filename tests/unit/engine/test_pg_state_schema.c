/* The schema state of a real server, of a database with every kind of object in it. */
#include "server_fixture.h"

static struct test_server server;
static const char *objects_path;

static int set_up(void **state)
{
    struct connection *connection = test_connect(&server, "psql");
    (void)state;
    test_run_file(connection, objects_path);
    ASSERT_OK(rh_engine_postgres.install_evidence(connection, "secret", in_seconds(10), err));
    rh_engine_postgres.close(connection);
    return 0;
}

static struct schema_state read_state(struct arena *arena)
{
    struct schema_state schema = {0};
    struct connection *connection = test_connect(&server, "state");
    ASSERT_OK(
        rh_engine_postgres.read_schema_state(connection, arena, in_seconds(30), &schema, err));
    rh_engine_postgres.close(connection);
    return schema;
}

static const struct state_object *find(const struct schema_state *schema, const char *kind,
                                       const char *identity)
{
    for (size_t i = 0; i < schema->objects.count; i++)
        if (strcmp(schema->objects.items[i].kind, kind) == 0 &&
            strcmp(schema->objects.items[i].identity, identity) == 0)
            return &schema->objects.items[i];
    return NULL;
}

static const char *value_of(const struct state_object *object, const char *name)
{
    for (size_t i = 0; i < object->attributes.count; i++)
        if (strcmp(object->attributes.items[i].name, name) == 0)
            return object->attributes.items[i].value;
    return NULL;
}

static void test_pg_state_schema_has_every_kind_with_what_is_not_default(void **state)
{
    static const struct {
        const char *kind, *identity, *attribute, *value;
        int since;
    } expected[] = {
        {"access method", "heap_again", "handler", "heap_tableam_handler", 0},
        {"aggregate", "state.total(integer)", "initial state", "0", 0},
        {"attribute", "state.pair.second", "type", "text", 0},
        {"cast", "(state.number AS integer)", "context", "assignment", 0},
        {"collation", "state.german", "collate", "C", 0},
        {"conversion", "state.to_ascii", "from", "LATIN1", 0},
        {"database", "postgres", "encoding", "UTF8", 0},
        {"domain", "state.positive", "default", "1", 0},
        {"domain constraint", "positive_check on state.positive", "definition",
         "CHECK ((VALUE > 0))", 0},
        {"event trigger", "watching", "enabled", "no", 0},
        {"extension", "plpgsql", NULL, NULL, 99}, /* the system's own */
        {"foreign table", "state.abroad", "server", "far", 0},
        {"foreign-data wrapper", "elsewhere", "options", "token", 0},
        {"function", "state.twice(integer)", "privileges of state_app", "EXECUTE with grant option",
         0},
        {"function", "state.twice(integer)", "privileges of PUBLIC", "no EXECUTE", 0},
        {"function", "state.twice(integer)", "comment", "doubles", 0},
        {"index", "state.users_lower", "definition",
         "USING btree (lower((email)::text) text_pattern_ops DESC) INCLUDE (age) WITH "
         "(fillfactor='70') WHERE ((age)::integer > 18)",
         0},
        {"index", "state.users_serial", "clustered", "yes", 0},
        {"index", "state.users_nulls", "definition",
         "UNIQUE USING btree (notes) NULLS NOT DISTINCT", 15},
        {"language", "sqlish", "trusted", "yes", 0},
        {"materialized view", "state.ages", "populated", "no", 0},
        {"operator", "state.=(state.number,state.number)", "hashes", "yes", 0},
        {"operator class", "state.number_hash_class USING hash", "default", "yes", 0},
        {"operator family", "state.number_family USING hash", "functions",
         "1 state.number_hash(state.number)", 0},
        {"policy", "own on state.users", "mode", "restrictive", 0},
        {"policy", "own on state.users", "roles", "state_app, state_team", 0},
        {"procedure", "state.cleanup(interval)", "owner", "tester", 0},
        {"publication", "everything", "publishes", "insert, update", 0},
        {"publication relation", "state.users in publication part", "columns", "id, email", 15},
        {"publication relation", "state.users in publication part", "filter", "(id > 5)", 15},
        {"publication namespace", "\"Odd schema\" in publication whole", "published", "yes", 15},
        {"role", "state_member", "member of", "state_team", 0},
        {"role", "state_app", "comment", "the application", 0},
        {"rule", "no_delete on state.parent", "definition",
         "CREATE RULE no_delete AS\n    ON DELETE TO state.parent DO INSTEAD NOTHING;", 0},
        {"schema", "\"Odd schema\"", "owner", "state_app", 0},
        {"schema", "state", "privileges of state_app", "USAGE", 0},
        {"sequence", "state.counter", "cycle", "yes", 0},
        {"sequence", "state.users_serial_no_seq", "owned by", "state.users.serial_no", 0},
        {"server", "far", "privileges of state_app", "USAGE", 0},
        {"setting", "database postgres", "work_mem", "8MB", 0},
        {"setting", "role state_app", "statement_timeout", "5s", 0},
        {"setting", "role state_app in database postgres", "lock_timeout", "1s", 0},
        {"statistics object", "state.users_statistics", "target", "200", 0},
        {"subscription", "hearing", "publications", "everything", 0},
        {"table", "\"Odd schema\".\"Odd.table\"", "persistence", "unlogged", 0},
        {"table", "state.users", "row security", "enabled, forced", 0},
        {"table", "state.users", "replica identity", "full", 0},
        {"table", "state.users", "options", "fillfactor=80", 0},
        {"table", "state.users", "privileges of state_app", "INSERT, SELECT", 0},
        {"table", "state.events", "partition key", "RANGE (at)", 0},
        {"table", "state.events_rest", "partition bound", "DEFAULT", 0},
        {"table", "state.child", "inherits", "state.parent", 0},
        {"table", "state.typed", "of type", "state.pair", 0},
        {"table column", "\"Odd schema\".\"Odd.table\".\"Odd \"\" column\"", "type", "integer", 0},
        {"table column", "state.users.email", "collation", "\"C\"", 0},
        {"table column", "state.users.email", "statistics target", "500", 0},
        {"table column", "state.users.email", "comment", "unique", 0},
        {"table column", "state.users.id", "identity", "always", 0},
        {"table column", "state.users.doubled", "generated", "stored: (serial_no * 2)", 0},
        {"table column", "state.users.tripled", "generated", "virtual: (serial_no * 3)", 18},
        {"table column", "state.users.notes", "storage", "external", 0},
        {"table column", "state.users.notes", "compression", "pglz", 14},
        {"table column", "state.users.notes", "privileges of state_app", "UPDATE", 0},
        {"table column", "state.users.age", "options", "n_distinct=50", 0},
        {"table column", "state.users.feeling", "default", "'ok'::state.mood", 0},
        {"table constraint", "odd_user on \"Odd schema\".\"Odd.table\"", "definition",
         "FOREIGN KEY (user_id) REFERENCES state.users(id) ON DELETE CASCADE DEFERRABLE INITIALLY "
         "DEFERRED",
         0},
        {"table constraint", "later on \"Odd schema\".\"Odd.table\"", "validated", "no", 0},
        {"table constraint", "soft on state.parent", "definition", "CHECK ((a > 0)) NOT ENFORCED",
         18},
        {"text search configuration", "state.speech", "mappings", "1 state.plain", 0},
        {"text search dictionary", "state.plain", "template", "state.lexing", 0},
        {"text search parser", "state.parsing", "start", "prsd_start", 0},
        {"text search template", "state.lexing", "lexize", "dsimple_lexize", 0},
        {"trigger", "silent on state.users", "enabled", "no", 0},
        {"type", "state.mood", "labels", "'sad', 'ok', 'it''s \"fine\"'", 0},
        {"type", "state.float_range", "subtype", "double precision", 0},
        {"type", "state.shell", "form", "shell", 0},
        {"view", "state.adults", "options", "security_barrier=true, check_option=local", 0},
    };
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct schema_state schema = read_state(arena);
    struct connection *connection = test_connect(&server, "psql");
    int major = rh_engine_postgres.server_version(connection) / 10000;
    rh_engine_postgres.close(connection);
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        const struct state_object *object = find(&schema, expected[i].kind, expected[i].identity);
        if (expected[i].since > major) {
            assert_null(object && expected[i].attribute ? value_of(object, expected[i].attribute)
                                                        : (const void *)object);
            continue;
        }
        if (!object)
            fail_msg("no %s %s", expected[i].kind, expected[i].identity);
        const char *value = value_of(object, expected[i].attribute);
        if (!value)
            fail_msg("%s %s has no %s", object->kind, object->identity, expected[i].attribute);
        assert_string_equal(value, expected[i].value);
    }
    assert_non_null(schema.lineage);
}

static void test_pg_state_schema_leaves_out_secrets_and_what_is_ours(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct schema_state schema = read_state(arena);
    for (size_t i = 0; i < schema.objects.count; i++) {
        const struct state_object *object = &schema.objects.items[i];
        assert_null(strstr(object->identity, "rehearse"));
        assert_null(strstr(object->identity, "float_multirange")); /* comes with its range */
        for (size_t j = 0; j < object->attributes.count; j++) {
            assert_null(strstr(object->attributes.items[j].value, "secret"));
            assert_null(strstr(object->attributes.items[j].value, "pg_attver"));
        }
    }
}

static void test_pg_state_schema_reads_the_same_twice_and_in_order(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct schema_state first = read_state(arena), second = read_state(arena);
    assert_int_equal(first.objects.count, second.objects.count);
    assert_true(first.objects.count > 100);
    for (size_t i = 0; i < first.objects.count; i++) {
        const struct state_object *a = &first.objects.items[i], *b = &second.objects.items[i];
        assert_string_equal(a->kind, b->kind);
        assert_string_equal(a->identity, b->identity);
        assert_int_equal(a->id, b->id);
        assert_int_equal(a->attributes.count, b->attributes.count);
        for (size_t j = 0; j < a->attributes.count; j++)
            assert_string_equal(a->attributes.items[j].value, b->attributes.items[j].value);
        if (i == 0)
            continue;
        int kinds = strcmp(first.objects.items[i - 1].kind, a->kind);
        assert_true(kinds < 0 ||
                    (kinds == 0 && strcmp(first.objects.items[i - 1].identity, a->identity) < 0));
    }
}

static void test_pg_state_schema_forgets_a_grant_that_was_taken_back(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct connection *connection = test_connect(&server, "psql");
    test_run(connection, "GRANT SELECT ON state.events TO state_team");
    struct schema_state schema = read_state(arena);
    assert_string_equal(
        value_of(find(&schema, "table", "state.events"), "privileges of state_team"), "SELECT");
    test_run(connection, "REVOKE SELECT ON state.events FROM state_team");
    rh_engine_postgres.close(connection);
    schema = read_state(arena);
    const struct state_object *events = find(&schema, "table", "state.events");
    for (size_t i = 0; i < events->attributes.count; i++)
        if (strstr(events->attributes.items[i].name, "privileges of state_team"))
            fail_msg("%s", events->attributes.items[i].value);
}

int main(int argc, char **argv)
{
    static const char *const settings[] = {"wal_level=logical", NULL};
    if (argc != 2) {
        fprintf(stderr, "usage: %s state_objects.sql\n", argv[0]);
        return 2;
    }
    objects_path = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_state_schema_has_every_kind_with_what_is_not_default),
        cmocka_unit_test(test_pg_state_schema_leaves_out_secrets_and_what_is_ours),
        cmocka_unit_test(test_pg_state_schema_reads_the_same_twice_and_in_order),
        cmocka_unit_test(test_pg_state_schema_forgets_a_grant_that_was_taken_back),
    };
    return RUN_ON_SERVER(&server, settings, tests, set_up);
}
