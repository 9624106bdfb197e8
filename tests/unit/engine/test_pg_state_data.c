/* The data state of a real server: what digests tell apart, and what they do not. */
#include "server_fixture.h"

static struct test_server server;
static struct connection *session;

static int set_up(void **state)
{
    (void)state;
    session = test_connect(&server, "psql");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_run(session, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    rh_engine_postgres.close(session);
    return 0;
}

static const struct data_state_options usual = {.budget_us = 30000000};

static struct data_state read_with(struct arena *arena, const struct data_state_options *options)
{
    struct data_state data = {0};
    struct connection *connection = test_connect(&server, "state");
    ASSERT_OK(rh_engine_postgres.read_data_state(connection, &server.superuser, options, arena,
                                                 in_seconds(60), &data, err));
    rh_engine_postgres.close(connection);
    return data;
}

static struct data_state read_data(struct arena *arena)
{
    return read_with(arena, &usual);
}

static const struct table_state *table_of(const struct data_state *data, const char *identity)
{
    for (size_t i = 0; i < data->tables.count; i++)
        if (strcmp(data->tables.items[i].identity, identity) == 0)
            return &data->tables.items[i];
    fail_msg("no table %s", identity);
    return NULL;
}

static const struct column_state *column_of(const struct table_state *table, const char *name)
{
    for (size_t i = 0; i < table->columns.count; i++)
        if (strcmp(table->columns.items[i].name, name) == 0)
            return &table->columns.items[i];
    fail_msg("no column %s", name);
    return NULL;
}

static void assert_same(const struct table_state *a, const struct table_state *b)
{
    assert_null(a->skipped);
    assert_null(b->skipped);
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->columns.count, b->columns.count);
    for (size_t i = 0; i < a->columns.count; i++) {
        assert_int_equal(a->columns.items[i].non_null, b->columns.items[i].non_null);
        if (!rh_digest_equals(a->columns.items[i].digest, b->columns.items[i].digest))
            fail_msg("%s.%s has another digest", a->identity, a->columns.items[i].name);
    }
    assert_true(rh_digest_equals(a->row, b->row));
}

static bool changed(const struct data_state *a, const struct data_state *b, const char *table,
                    const char *column)
{
    return !rh_digest_equals(column_of(table_of(a, table), column)->digest,
                             column_of(table_of(b, table), column)->digest);
}

static void test_pg_state_data_does_not_depend_on_where_rows_lie(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session,
             "CREATE TABLE t (id int PRIMARY KEY, a text, b timestamptz, c float8, d bytea, e "
             "numeric, f int[], g jsonb); INSERT INTO t SELECT n, 'x' || n % 7, now() + n * "
             "interval '1 s', n / 3.0, decode(md5(n::text), 'hex'), n / 7.0, ARRAY[n, n], "
             "jsonb_build_object('n', n) FROM generate_series(1, 3000) AS n");
    struct data_state before = read_data(arena);
    test_run(session, "CREATE INDEX t_order ON t (md5(id::text)); CLUSTER t USING t_order");
    test_run(session, "ALTER DATABASE postgres SET DateStyle = 'SQL, DMY'; ALTER DATABASE postgres "
                      "SET extra_float_digits = -5; ALTER DATABASE postgres SET TimeZone = "
                      "'Asia/Tokyo'; ALTER DATABASE postgres SET bytea_output = 'escape'");
    struct data_state after = read_data(arena);
    test_run(session, "ALTER DATABASE postgres RESET ALL");
    assert_same(table_of(&before, "public.t"), table_of(&after, "public.t"));
    assert_int_equal(table_of(&after, "public.t")->rows, 3000);
}

static void test_pg_state_data_sees_one_changed_value(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE t (id int PRIMARY KEY, a text, b numeric); INSERT INTO t "
                      "SELECT n, 'same', 1.0 FROM generate_series(1, 1000) AS n");
    struct data_state before = read_data(arena);
    test_run(session, "UPDATE t SET b = 1.00 WHERE id = 500"); /* equal, but not the same */
    struct data_state after = read_data(arena);
    assert_true(changed(&before, &after, "public.t", "b"));
    assert_false(changed(&before, &after, "public.t", "a"));
    assert_false(changed(&before, &after, "public.t", "id"));
}

static void test_pg_state_data_sees_values_that_change_places(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE keyed (id int PRIMARY KEY, a int); INSERT INTO keyed VALUES "
                      "(1, 10), (2, 20), (3, NULL); CREATE TABLE bare (a int, b int); INSERT INTO "
                      "bare VALUES (1, 10), (2, 20)");
    struct data_state before = read_data(arena);
    test_run(session, "UPDATE keyed SET a = CASE id WHEN 1 THEN 20 ELSE 10 END WHERE id < 3; "
                      "UPDATE bare SET b = 30 - b");
    struct data_state after = read_data(arena);
    assert_true(changed(&before, &after, "public.keyed", "a"));
    assert_int_equal(table_of(&before, "public.keyed")->key.count, 1);
    /* Without a key each column holds what it held; only the rows as wholes differ. */
    assert_false(changed(&before, &after, "public.bare", "b"));
    assert_true(table_of(&before, "public.bare")->has_row);
    assert_false(rh_digest_equals(table_of(&before, "public.bare")->row,
                                  table_of(&after, "public.bare")->row));
}

static void test_pg_state_data_does_not_let_duplicates_cancel(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE t (a text); INSERT INTO t VALUES ('x'), ('x')");
    struct data_state before = read_data(arena);
    test_run(session, "UPDATE t SET a = 'y'");
    struct data_state after = read_data(arena);
    assert_true(changed(&before, &after, "public.t", "a"));
}

static void test_pg_state_data_counts_values_that_are_not_null(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TYPE pair AS (a int, b int); CREATE TABLE t (a text, b pair, c int); "
                      "INSERT INTO t VALUES ('', ROW(NULL, NULL), NULL), (NULL, NULL, 1), "
                      "(NULL, NULL, 2)");
    struct data_state data = read_data(arena);
    const struct table_state *table = table_of(&data, "public.t");
    assert_int_equal(table->rows, 3);
    assert_int_equal(column_of(table, "a")->non_null, 1);
    assert_int_equal(column_of(table, "b")->non_null, 1);
    assert_int_equal(column_of(table, "c")->non_null, 2);
}

static void test_pg_state_data_keeps_its_digest_through_a_change_of_type(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE t (id int PRIMARY KEY, a varchar(20)); INSERT INTO t SELECT n, "
                      "n FROM generate_series(1, 100) AS n");
    struct data_state before = read_data(arena);
    test_run(session, "ALTER TABLE t ALTER id TYPE bigint, ALTER a TYPE text");
    struct data_state after = read_data(arena);
    assert_false(changed(&before, &after, "public.t", "id"));
    assert_false(changed(&before, &after, "public.t", "a"));
    assert_string_equal(column_of(table_of(&after, "public.t"), "id")->type, "bigint");
}

/* Integers have a hash of their own, which folds the halves of a bigint: still no two are alike. */
static void test_pg_state_data_tells_integers_apart(void **state)
{
    static const char *const pairs[][2] = {{"1", "4294967296"},
                                           {"-1", "4294967295"},
                                           {"-1", "0"},
                                           {"5", "-4294967291"},
                                           {"-2147483649", "2147483647"},
                                           {"-2147483649", "-2147483648"},
                                           {"9223372036854775807", "-9223372036854775808"},
                                           {"9223372036854775807", "-1"},
                                           {"12884901890", "8589934595"}};
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        test_run(session, rh_arena_printf(arena,
                                          "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY "
                                          "KEY, v bigint); INSERT INTO t VALUES (1, %s)",
                                          pairs[i][0]));
        struct data_state before = read_data(arena);
        test_run(session, rh_arena_printf(arena, "UPDATE t SET v = %s", pairs[i][1]));
        struct data_state after = read_data(arena);
        if (!changed(&before, &after, "public.t", "v"))
            fail_msg("%s and %s have one digest", pairs[i][0], pairs[i][1]);
    }
}

static void test_pg_state_data_knows_integers_whatever_their_type(void **state)
{
    static const char *const types[] = {"bigint", "text", "numeric", "bigint"};
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session,
             "CREATE TABLE t (id int PRIMARY KEY, v int, w text, big bigint); INSERT INTO t "
             "SELECT n, n - 50, n, n * 9999999999 - 300000000000 FROM "
             "generate_series(1, 100) AS n; INSERT INTO t VALUES (0)");
    struct data_state first = read_data(arena), before = first;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct data_state_options options = usual;
        options.previous = &before;
        test_run(session,
                 rh_arena_printf(arena,
                                 "ALTER TABLE t ALTER v TYPE %s USING v::%s, ALTER w TYPE "
                                 "%s USING w::%s, ALTER big TYPE %s USING big::%s",
                                 types[i], types[i], types[i], types[i], types[i], types[i]));
        struct data_state *after = RH_NEW(arena, struct data_state);
        *after = read_with(arena, &options);
        assert_same(table_of(&first, "public.t"), table_of(after, "public.t"));
        before = *after;
    }
    struct data_state_options options = usual;
    options.previous = &before;
    test_run(session, "ALTER TABLE t RENAME v TO renamed; ALTER TABLE t ALTER renamed TYPE text; "
                      "UPDATE t SET renamed = 'x' || renamed WHERE id = 7");
    struct data_state last = read_with(arena, &options);
    assert_false(rh_digest_equals(column_of(table_of(&before, "public.t"), "v")->digest,
                                  column_of(table_of(&last, "public.t"), "renamed")->digest));
    assert_false(changed(&before, &last, "public.t", "big"));
}

static void test_pg_state_data_finds_integers_again_in_a_column_of_another_type(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE u (id int PRIMARY "
                      "KEY, v text); INSERT INTO t SELECT n, n * 3 FROM generate_series(1, 100) "
                      "AS n; INSERT INTO u SELECT * FROM t");
    struct data_state before = read_data(arena);
    struct data_state_options options = usual;
    options.previous = &before;
    test_run(session, "ALTER TABLE t ADD COLUMN w text; UPDATE t SET w = v::text; ALTER TABLE t "
                      "DROP COLUMN v; ALTER TABLE u ADD COLUMN w bigint; UPDATE u SET w = "
                      "v::bigint; ALTER TABLE u DROP COLUMN v");
    struct data_state after = read_with(arena, &options);
    for (size_t i = 0; i < 2; i++) {
        const char *table = i ? "public.u" : "public.t";
        assert_true(rh_digest_equals(column_of(table_of(&before, table), "v")->digest,
                                     column_of(table_of(&after, table), "w")->digest));
    }
}

/* Integers of a key have a hash of their own, texts do not. */
static void test_pg_state_data_knows_rows_by_a_key_whose_type_changed(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session,
             "CREATE TABLE t (a int, b text, v text, PRIMARY KEY (a, b)); INSERT INTO t SELECT n - "
             "50, n, 'v' || n FROM generate_series(1, 100) AS n; CREATE TABLE u (LIKE t INCLUDING "
             "ALL); INSERT INTO u SELECT * FROM t");
    struct data_state before = read_data(arena);
    struct data_state_options options = usual;
    options.previous = &before;
    test_run(session, "ALTER TABLE t ALTER a TYPE text, ALTER b TYPE bigint USING b::bigint");
    struct data_state after = read_with(arena, &options);
    assert_same(table_of(&before, "public.t"), table_of(&after, "public.t"));
    assert_same(table_of(&before, "public.u"), table_of(&after, "public.u"));
    /* The next state is compared with that one, and knows the first one's way. */
    options.previous = &after;
    test_run(session, "UPDATE t SET v = CASE b WHEN 7 THEN 'v8' ELSE 'v7' END WHERE b IN (7, 8);"
                      "ALTER TABLE u ALTER a TYPE bigint");
    struct data_state last = read_with(arena, &options);
    assert_true(changed(&before, &last, "public.t", "v"));
    assert_false(changed(&before, &last, "public.t", "a"));
    assert_same(table_of(&before, "public.u"), table_of(&last, "public.u"));
    /* What is no integer any more is another row. */
    test_run(session, "UPDATE t SET a = 'x' || a WHERE b = 7");
    last = read_with(arena, &options);
    assert_true(changed(&before, &last, "public.t", "a"));
}

static void test_pg_state_data_tells_columns_of_a_key_apart(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE t (a int, b int, v text, PRIMARY KEY (a, b)); INSERT INTO t "
                      "VALUES (1, 2, 'x'), (2, 1, 'y')");
    struct data_state before = read_data(arena);
    test_run(session, "UPDATE t SET v = CASE a WHEN 1 THEN 'y' ELSE 'x' END");
    struct data_state after = read_data(arena);
    assert_true(changed(&before, &after, "public.t", "v"));
    assert_false(changed(&before, &after, "public.t", "b"));
}

static void test_pg_state_data_adds_up_partitions(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE e (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);"
                      "CREATE TABLE e1 PARTITION OF e FOR VALUES FROM (0) TO (100);"
                      "CREATE TABLE e2 (v text, id int NOT NULL);"
                      "ALTER TABLE e ATTACH PARTITION e2 FOR VALUES FROM (100) TO (1000);"
                      "CREATE TABLE whole (id int PRIMARY KEY, v text);"
                      "INSERT INTO e SELECT n, 'v' || n FROM generate_series(1, 500) AS n;"
                      "INSERT INTO whole SELECT * FROM e");
    struct data_state data = read_data(arena);
    assert_same(table_of(&data, "public.e"), table_of(&data, "public.whole"));
    assert_string_equal(table_of(&data, "public.e2")->parent, "public.e");
}

/* More blocks than a piece has (8192), more columns than a piece has (400). */
static void test_pg_state_data_reads_pieces_that_add_up(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session,
             "CREATE TABLE large (id int PRIMARY KEY, fill text); ALTER TABLE large ALTER fill "
             "SET STORAGE PLAIN");
    test_run(session, "INSERT INTO large SELECT n, repeat(n::text, 7000 / length(n::text)) FROM "
                      "generate_series(1, 9000) AS n");
    test_run(session, "DO $$ BEGIN EXECUTE 'CREATE TABLE wide (' || (SELECT string_agg('c' || n || "
                      "' int DEFAULT ' || n, ', ') FROM generate_series(1, 900) AS n) || ')'; "
                      "END $$; INSERT INTO wide VALUES (1), (2)");
    struct data_state_options alone = usual, many = usual;
    alone.connections = 1;
    many.connections = 3;
    struct data_state one = read_with(arena, &alone), three = read_with(arena, &many);
    assert_same(table_of(&one, "public.large"), table_of(&three, "public.large"));
    assert_same(table_of(&one, "public.wide"), table_of(&three, "public.wide"));
    assert_int_equal(table_of(&three, "public.large")->rows, 9000);
    assert_int_equal(table_of(&three, "public.wide")->rows, 2);
    assert_int_equal(column_of(table_of(&three, "public.wide"), "c900")->non_null, 2);
    test_run(session, "UPDATE large SET fill = left(fill, -1) WHERE id = 8999; UPDATE wide SET "
                      "c900 = 0 WHERE c1 = 2");
    struct data_state after = read_data(arena);
    assert_true(changed(&one, &after, "public.large", "fill"));
    assert_true(changed(&one, &after, "public.wide", "c900"));
    assert_false(changed(&one, &after, "public.wide", "c899"));
}

static void test_pg_state_data_samples_large_tables_by_their_key(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT n, 'v' "
                      "FROM generate_series(1, 20000) AS n; CREATE TABLE bare AS SELECT * FROM t");
    struct data_state_options options = usual;
    options.sample_over_bytes = 200000;
    struct data_state before = read_with(arena, &options);
    const struct table_state *table = table_of(&before, "public.t");
    assert_true(table->sample_parts > 0 && table->sample_parts < SAMPLE_PARTS / 2);
    assert_int_equal(table->rows, 20000); /* counted, all of them */
    assert_int_equal(column_of(table, "a")->non_null, 20000);
    assert_int_equal(table_of(&before, "public.bare")->sample_parts, SAMPLE_PARTS);

    /* The same rows again, wherever they lie and however large the table is by now. */
    options.previous = &before;
    options.sample_over_bytes = 1000;
    test_run(session, "CREATE INDEX t_order ON t (md5(id::text)); CLUSTER t USING t_order");
    struct data_state after = read_with(arena, &options);
    assert_same(table, table_of(&after, "public.t"));
    test_run(session, "UPDATE t SET a = 'w' WHERE id % 10 = 0");
    after = read_with(arena, &options);
    assert_true(changed(&before, &after, "public.t", "a"));
}

static void test_pg_state_data_keeps_the_key_it_compared_with(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE t (id int PRIMARY KEY, other int UNIQUE NOT NULL, a text); "
                      "INSERT INTO t SELECT n, -n, 'v' || n FROM generate_series(1, 100) AS n;"
                      "CREATE TABLE bare (a int, b int); INSERT INTO bare VALUES (1, 2)");
    struct data_state before = read_data(arena);
    test_run(session, "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY "
                      "(other); ALTER TABLE bare ADD PRIMARY KEY (a), ADD COLUMN c int");
    struct data_state_options options = usual;
    options.previous = &before;
    struct data_state after = read_with(arena, &options);
    assert_same(table_of(&before, "public.t"), table_of(&after, "public.t"));
    test_run(session, "ALTER TABLE t RENAME id TO number"); /* no column of that name any more */
    after = read_with(arena, &options);
    assert_string_equal(table_of(&after, "public.t")->key.items[0], "other");
}

static void test_pg_state_data_says_what_it_did_not_read(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE TABLE held (a int);"
                      "CREATE MATERIALIZED VIEW m AS SELECT * FROM t WITH NO DATA;"
                      "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;"
                      "CREATE FOREIGN TABLE f (a int) SERVER s");
    struct connection *holder = test_connect(&server, "holder");
    test_run(holder, "BEGIN; LOCK TABLE held");
    struct data_state data = read_data(arena);
    assert_string_equal(table_of(&data, "public.m")->skipped, "not populated");
    assert_non_null(strstr(table_of(&data, "public.f")->skipped, "foreign"));
    assert_non_null(strstr(table_of(&data, "public.held")->skipped, "lock timeout"));
    assert_null(table_of(&data, "public.t")->skipped);
    rh_engine_postgres.close(holder);

    struct data_state_options options = usual;
    options.budget_us = 0;
    struct data_state before = read_with(arena, &options);
    assert_non_null(strstr(table_of(&before, "public.t")->skipped, "states may take"));
    /* What was left out before is not read after either: there is nothing to compare it with. */
    options = usual;
    options.previous = &before;
    data = read_with(arena, &options);
    assert_non_null(strstr(table_of(&data, "public.t")->skipped, "not read before"));
    test_run(session, "DROP FOREIGN DATA WRAPPER w CASCADE");
}

static void test_pg_state_data_does_not_trust_a_cast_that_somebody_made(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session,
             "CREATE TYPE pair AS (a int, b int);"
             "CREATE FUNCTION blind(pair) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$;"
             "CREATE CAST (pair AS text) WITH FUNCTION blind(pair);"
             "CREATE TABLE t (p pair, n int); INSERT INTO t VALUES (ROW(1, 2), 1), (NULL, 2)");
    struct data_state before = read_data(arena);
    assert_int_equal(column_of(table_of(&before, "public.t"), "p")->non_null, 1);
    test_run(session, "UPDATE t SET p = ROW(1, 3) WHERE n = 1");
    struct data_state after = read_data(arena);
    assert_true(changed(&before, &after, "public.t", "p"));
}

static void test_pg_state_data_reads_sequences_and_large_objects(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    test_run(session, "CREATE SEQUENCE s; CREATE SEQUENCE u; SELECT nextval('s') FROM "
                      "generate_series(1, 12); SELECT lo_create(4711)");
    struct data_state data = read_data(arena);
    test_run(session, "SELECT lo_unlink(4711)");
    assert_int_equal(data.sequences.count, 2);
    assert_string_equal(data.sequences.items[0].identity, "public.s");
    assert_true(data.sequences.items[0].is_used && !data.sequences.items[1].is_used);
    assert_int_equal(data.sequences.items[0].last_value, 12);
    assert_int_equal(data.large_objects, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pg_state_data_does_not_depend_on_where_rows_lie),
        TEST(test_pg_state_data_sees_one_changed_value),
        TEST(test_pg_state_data_sees_values_that_change_places),
        TEST(test_pg_state_data_does_not_let_duplicates_cancel),
        TEST(test_pg_state_data_counts_values_that_are_not_null),
        TEST(test_pg_state_data_keeps_its_digest_through_a_change_of_type),
        TEST(test_pg_state_data_tells_integers_apart),
        TEST(test_pg_state_data_knows_integers_whatever_their_type),
        TEST(test_pg_state_data_finds_integers_again_in_a_column_of_another_type),
        TEST(test_pg_state_data_knows_rows_by_a_key_whose_type_changed),
        TEST(test_pg_state_data_tells_columns_of_a_key_apart),
        TEST(test_pg_state_data_adds_up_partitions),
        TEST(test_pg_state_data_reads_pieces_that_add_up),
        TEST(test_pg_state_data_samples_large_tables_by_their_key),
        TEST(test_pg_state_data_keeps_the_key_it_compared_with),
        TEST(test_pg_state_data_says_what_it_did_not_read),
        TEST(test_pg_state_data_does_not_trust_a_cast_that_somebody_made),
        TEST(test_pg_state_data_reads_sequences_and_large_objects),
    };
    return RUN_ON_SERVER(&server, NULL, tests, NULL);
}
