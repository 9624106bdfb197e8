#include "../base/unit.h"

#include "sql/pattern.h"

#define P PATTERN_IS_PARSED
#define W PATTERN_WRITES
#define V PATTERN_IS_VOLATILE
#define O PATTERN_ORDERS_ROWS
#define L PATTERN_LIMITS_UNORDERED
#define C PATTERN_CONTROLS
#define S PATTERN_HAS_SECRET
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *join(struct arena *arena, const char *const *names, size_t count)
{
    const char *all = "";
    for (size_t i = 0; i < count; i++)
        all = rh_arena_printf(arena, "%s%s%s", all, i ? " " : "", names[i]);
    return all;
}

static void test_pattern_tells_what_a_query_is(void **state)
{
    (void)state;
    static const struct {
        const char *query, *normal;
        unsigned flags;
        const char *reads, *writes, *executes;
    } cases[] = {
        {"SELECT  abalance -- balance\n FROM pgbench_accounts WHERE aid = 42;",
         "SELECT abalance FROM pgbench_accounts WHERE aid = $1", P, "pgbench_accounts", "", NULL},
        {"select * from shop.orders o join users u on u.id = o.user_id where u.email = 'a@b' and "
         "o.total > $1 order by o.id limit 10",
         "select * from shop.orders o join users u on u.id = o.user_id where u.email = $2 and "
         "o.total > $1 order by o.id limit $3",
         P | O, "shop.orders users", "", NULL},
        {"SELECT 1.5e-3, .5, 31, E'x\\ny', $tag$ z $tag$, -7, a.b FROM \"T\" a",
         "SELECT $1, $2, $3, $4, $5, -$6, a.b FROM \"T\" a", P, "T", "", NULL},
        {"SELECT 1 FROM t LIMIT 1", "SELECT $1 FROM t LIMIT $2", P | L, "t", "", NULL},
        {"SELECT x FROM (SELECT x FROM t LIMIT 3) q ORDER BY x",
         "SELECT x FROM (SELECT x FROM t LIMIT $1) q ORDER BY x", P | L | O, "t", "", NULL},
        {"SELECT * FROM t FOR UPDATE", "SELECT * FROM t FOR UPDATE", P | W, "t", "", NULL},
        {"SELECT nextval('s')", "SELECT nextval($1)", P | W | V, "", "", NULL},
        {"SELECT * FROM t WHERE at > now()", "SELECT * FROM t WHERE at > now()", P | V, "t", "",
         NULL},
        {"INSERT INTO t (a) SELECT a FROM u", "INSERT INTO t (a) SELECT a FROM u", P | W, "u", "t",
         NULL},
        {"WITH c AS (SELECT * FROM t), d AS (DELETE FROM u USING c WHERE u.a = c.a RETURNING *) "
         "SELECT * FROM d, c, public.c",
         "WITH c AS (SELECT * FROM t), d AS (DELETE FROM u USING c WHERE u.a = c.a RETURNING *) "
         "SELECT * FROM d, c, public.c",
         P | W, "t public.c", "u", NULL},
        {"WITH RECURSIVE r AS (SELECT 1 UNION SELECT n FROM r JOIN t USING (n)) TABLE r",
         "WITH RECURSIVE r AS (SELECT $1 UNION SELECT n FROM r JOIN t USING (n)) TABLE r", P, "t",
         "", NULL},
        {"UPDATE a SET x = 1 FROM b WHERE a.i = b.i", "UPDATE a SET x = $1 FROM b WHERE a.i = b.i",
         P | W, "b", "a", NULL},
        {"BEGIN", "BEGIN", P | C, "", "", NULL},
        {"SET search_path TO shop", "SET search_path TO shop", P | C, "", "", NULL},
        {"BEGIN; UPDATE t SET a = 1; COMMIT", "BEGIN; UPDATE t SET a = $1; COMMIT", P | W, "", "t",
         NULL},
        {"PREPARE p AS UPDATE t SET a = $1", "PREPARE p AS UPDATE t SET a = $1", P | C, "", "",
         NULL},
        {"EXECUTE p(1, 'x')", "EXECUTE p($1, $2)", P, "", "", "p"},
        {"COPY t (a) FROM STDIN", "COPY t (a) FROM STDIN", P | W, "", "t", NULL},
        {"COPY (SELECT * FROM t) TO STDOUT", "COPY (SELECT * FROM t) TO STDOUT", P, "t", "", NULL},
        {"CREATE TABLE n AS SELECT * FROM t", "CREATE TABLE n AS SELECT * FROM t", P | W, "t", "n",
         NULL},
        {"ALTER TABLE t ADD COLUMN c varchar(5)", "ALTER TABLE t ADD COLUMN c varchar($1)", P | W,
         "", "t", NULL},
        {"DO $$ BEGIN PERFORM 1; END $$", "DO $1", P | W, "", "", NULL},
        {"", "", P, "", "", NULL},
        /* Not of PostgreSQL 15's grammar: told by words. */
        {"SELEKT 'a secret' FROM 5", "SELEKT $1 FROM $2", W, "", "", NULL},
        {"MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE RETURNING 5",
         "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE RETURNING $1", W, "", "",
         NULL},
        {"SELECT JSON_VALUE(a, '$.b' RETURNING int NULL ON ERROR) FROM t",
         "SELECT JSON_VALUE(a, $1 RETURNING int NULL ON ERROR) FROM t", 0, "", "", NULL},
        {"SELECT 'unclosed secret", "SELECT $1", 0, "", "", NULL},
        {"ALTER ROLE anna PASSWORD 'x'", "ALTER ROLE anna PASSWORD $1", P | W | S, "", "", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct workload_pattern pattern;
        const char *executes;
        rh_sql_pattern(arena, rh_text(cases[i].query), &pattern, &executes);
        const char *reads = join(arena, pattern.reads.items, pattern.reads.count);
        const char *writes = join(arena, pattern.writes.items, pattern.writes.count);
        if (strcmp(pattern.query, cases[i].normal) != 0 || pattern.flags != cases[i].flags ||
            strcmp(reads, cases[i].reads) != 0 || strcmp(writes, cases[i].writes) != 0)
            fail_msg("%s:\n  %s\n  flags %#x, not %#x; reads \"%s\", writes \"%s\"", cases[i].query,
                     pattern.query, pattern.flags, cases[i].flags, reads, writes);
        assert_true((executes == NULL) == (cases[i].executes == NULL));
        if (executes != NULL)
            assert_string_equal(executes, cases[i].executes);
    }
}

static uint64_t fingerprint_of(const char *query)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct workload_pattern pattern;
    const char *executes;
    rh_sql_pattern(arena, rh_text(query), &pattern, &executes);
    return pattern.fingerprint;
}

static bool has_key_of(const char *query, const char *other)
{
    struct sql_pattern_key a = rh_sql_pattern_key(rh_text(query)),
                           b = rh_sql_pattern_key(rh_text(other));
    return a.low == b.low && a.high == b.high;
}

static void test_pattern_is_the_same_but_for_constants(void **state)
{
    (void)state;
    static const struct {
        const char *query, *other;
        bool same_pattern, same_key;
    } cases[] = {
        {"SELECT 1", "select   'x' /* c */;", true, false},
        {"SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b='two'", true, true},
        {"SELECT a FROM t WHERE b IN (1)", "SELECT a FROM t WHERE b IN (1, 2, 3)", true, true},
        {"INSERT INTO t VALUES (1, now())", "INSERT INTO t VALUES (1, now()), (2, now())", true,
         true},
        {"INSERT INTO t VALUES (1, (2))", "INSERT INTO t VALUES (1, (2)), (3, (4)) RETURNING a",
         false, false},
        {"SELECT a FROM t WHERE b < 1", "SELECT a FROM t WHERE b > 1", false, false},
        {"SELECT a FROM t", "SELECT b FROM t", false, false},
        {"SELECT 'now'::timestamp", "SELECT 'then'::timestamp", true, false},
        {"SELEKT 1 FROM x", "selekt  2 from x", true, true},
        {"SELEKT 1 FROM x", "SELEKT 1 FROM y", false, false},
        {"EXECUTE a(1)", "EXECUTE b(1)", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if ((fingerprint_of(cases[i].query) == fingerprint_of(cases[i].other)) !=
                cases[i].same_pattern ||
            has_key_of(cases[i].query, cases[i].other) != cases[i].same_key)
            fail_msg("%s | %s: pattern %s, key %s", cases[i].query, cases[i].other,
                     fingerprint_of(cases[i].query) == fingerprint_of(cases[i].other) ? "same"
                                                                                      : "other",
                     has_key_of(cases[i].query, cases[i].other) ? "same" : "other");
    }
}

static const char *said(struct arena *arena, const struct sql_value *value)
{
    static const char *const kinds[] = {"", "!plain", "!name", "!json"};
    static const char *const forms[] = {"", "[]", "{}"};
    return rh_arena_printf(arena, "%s%s%s", value->column ? value->column : "-", forms[value->form],
                           kinds[value->kind]);
}

static const char *constants_of(struct arena *arena, const char *query)
{
    sql_constants constants;
    const char *all = "";
    bool is_parsed = rh_sql_constants(arena, rh_text(query), &constants);
    for (size_t i = 0; i < constants.count; i++) {
        const struct sql_constant *constant = &constants.items[i];
        all = rh_arena_printf(arena, "%s%s%.*s:%s", all, i ? " " : "", (int)constant->length,
                              query + constant->offset, said(arena, &constant->value));
    }
    return is_parsed ? all : rh_arena_printf(arena, "? %s", all);
}

static const char *parameters_of(struct arena *arena, const char *query)
{
    struct sql_value *values;
    size_t count;
    const char *all = "";
    rh_sql_parameters(arena, rh_text(query), &values, &count);
    for (size_t i = 0; i < count; i++)
        all = rh_arena_printf(arena, "%s%s%s", all, i ? " " : "", said(arena, &values[i]));
    return all;
}

static void test_pattern_tells_columns_of_values(void **state)
{
    (void)state;
    static const struct {
        const char *query, *constants, *parameters;
    } cases[] = {
        {"SELECT 1 FROM users WHERE email = 'a@b' LIMIT 5", "1:- 'a@b':users.email 5:-", ""},
        {"SELECT * FROM users u JOIN shop.orders o ON o.u = u.id AND o.state = 'new' "
         "WHERE lower(u.email) = lower($1) AND o.total BETWEEN 5 AND -6 AND x = $2",
         "'new':shop.orders.state 5:shop.orders.total 6:shop.orders.total", "users.email x"},
        {"SELECT * FROM t WHERE a IN (1, $1, 3) AND b = ANY($2::int[]) AND c LIKE '%' || $3 || '%'",
         "1:t.a 3:t.a '%':- '%':-", "t.a t.b[]!plain t.c"},
        {"SELECT * FROM t WHERE (a, b) = (1, 'x') AND c = ANY(ARRAY['p', 'q']) AND $1 = d",
         "1:t.a 'x':t.b 'p':t.c 'q':t.c", "t.d"},
        {"SELECT * FROM t WHERE (a, b) IN ((1, 2), (3, $1))", "1:t.a 2:t.b 3:t.a", "t.b"},
        {"SELECT * FROM t WHERE a = true AND b = 5", "5:t.b", ""},
        {"SELECT * FROM t WHERE a IS NULL OR a = NULL OR b = -5.5", "5.5:t.b", ""},
        {"INSERT INTO s.t AS x (a, b) VALUES (1, $1), ($2, 'y') ON CONFLICT (a) DO UPDATE SET b = "
         "'z', c = excluded.c || 'w' WHERE x.d = 4",
         "1:s.t.a 'y':s.t.b 'z':s.t.b 'w':- 4:s.t.d", "s.t.b s.t.a"},
        {"INSERT INTO t (a, b) SELECT $1, u.c FROM u WHERE u.d = 'k'", "'k':u.d", "t.a"},
        {"INSERT INTO t VALUES ('a', 2)", "'a':- 2:-", ""},
        {"UPDATE t SET a = 'x', (b, c) = (2, $1), n = n + 1 WHERE id = $2", "'x':t.a 2:t.b 1:-",
         "t.c t.id"},
        {"UPDATE t SET a = CASE WHEN b = 1 THEN 'x' ELSE coalesce($1, 'y') END",
         "1:t.b 'x':t.a 'y':t.a", "t.a"},
        {"DELETE FROM t USING u WHERE u.a = 7 AND t.b = 8", "7:u.a 8:t.b", ""},
        {"WITH c AS (SELECT * FROM t WHERE a = 1) SELECT * FROM c WHERE b = 2", "1:t.a 2:t.b", ""},
        {"SELECT * FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.b AND t.c = $1 AND d = $2)",
         "1:-", "t.c u.d"},
        {"SELECT * FROM t WHERE id = ANY (VALUES ($1), ($2))", "", "t.id t.id"},
        {"PREPARE p AS SELECT * FROM t WHERE a = $1", "", "t.a"},
        {"EXPLAIN SELECT * FROM t WHERE a = 3", "3:t.a", ""},
        {"MERGE INTO t USING s ON t.a = s.a AND s.b = 3 WHEN MATCHED THEN UPDATE SET c = 'x' WHEN "
         "NOT MATCHED THEN INSERT (a, d) VALUES (s.a, 'y')",
         "3:s.b 'x':t.c 'y':t.d", ""},
        {"SELECT * FROM (SELECT lower(email) AS e FROM users) AS x WHERE x.e = 'k'",
         "'k':users.email", ""},
        {"SELECT * FROM (SELECT id, email FROM users) AS x (i, e) WHERE e = 'k' AND i = 3",
         "'k':users.email 3:users.id", ""},
        {"INSERT INTO job (id, name, at) SELECT j.id, coalesce(j.name, 'n'), now() + cast(coalesce("
         "j.at, '0') AS interval) FROM (SELECT $1::uuid AS id, $2 AS name, $3::text AS at) AS j",
         "'n':job.name '0':-!plain", "job.id!plain job.name -!plain"},
        {"WITH new (e, n) AS (VALUES ($1, 'a'), ($2, 'b')) INSERT INTO users (email, name) SELECT "
         "e, "
         "n FROM new",
         "'a':users.name 'b':users.name", "users.email users.email"},
        {"INSERT INTO users (email, id) SELECT * FROM unnest($1::text[], $2::int[]) AS u (a, b)",
         "", "users.email[] users.id[]!plain"},
        {"INSERT INTO users (email, id) SELECT * FROM (VALUES ($1, 1), ('x', $2)) AS v",
         "1:users.id 'x':users.email", "users.email users.id"},
        {"INSERT INTO users (email, id) SELECT * FROM (SELECT 'k', $1) AS v", "'k':users.email",
         "users.id"},
        {"INSERT INTO users (email, id) SELECT u.a, u.b FROM unnest($1::text[], $2::int[]) AS u "
         "(a, b)",
         "", "users.email[] users.id[]!plain"},
        {"INSERT INTO users (email, id) SELECT unnest($1), unnest($2::int[])", "",
         "users.email[] users.id[]!plain"},
        {"SELECT * FROM users JOIN unnest($1::text[]) AS e ON e = users.email", "",
         "users.email[]"},
        {"SELECT * FROM users WHERE email <> ALL ('{a,b}') AND id = ANY ($1)",
         "'{a,b}':users.email[]", "users.id[]"},
        {"SELECT * FROM users WHERE $1 = ANY (tags) AND 'x' <> ALL (tags)", "'x':users.tags{}",
         "users.tags{}"},
        {"WITH RECURSIVE r AS (SELECT * FROM r) INSERT INTO t (a) SELECT * FROM r WHERE a = 'x'",
         "'x':a", ""},
        {"WITH RECURSIVE r AS (SELECT a FROM r, r AS s, r AS t WHERE a = 'x') SELECT a FROM r "
         "WHERE a "
         "= 'y'",
         "'x':a 'y':a", ""},
        {"SELECT date_trunc('day', at), extract(epoch FROM at), to_char(at, 'YYYY') FROM t WHERE "
         "at > "
         "now() - interval '3 days' AND at < ($1 || ' hours')::interval",
         "'day':-!name 'YYYY':-!name '3 days':-!plain ' hours':-!plain", "t.at!plain"},
        {"SELECT extract(epoch FROM now()), E'a', U&'b', $$c$$ FROM t WHERE x = E'd' AND y = U&'e' "
         "AND z = "
         "$x$f$x$",
         "E'a':- U&'b':- $$c$$:- E'd':t.x U&'e':t.y $x$f$x$:t.z", ""},
        {"SELECT current_setting('a.b'), at AT TIME ZONE 'UTC', nextval('s'), 't'::regclass FROM t",
         "'a.b':-!name 'UTC':-!name 's':-!name 't':-!name", ""},
        {"SELECT doc->>'email', doc #>> '{a,b}', jsonb_build_object('k', 'v', $1, $2) FROM t WHERE "
         "doc "
         "? $3 AND doc->'a'->>$4 = 'x'",
         "'email':-!name '{a,b}':-!name 'k':-!name 'v':- 'a':-!name 'x':-",
         "-!name - -!name -!name"},
        {"SELECT * FROM t WHERE lower(doc->>'email') = lower($1) AND (d.doc->'a'->0->>'b')::int > "
         "5 AND "
         "doc->'k' = $2::jsonb AND doc->>'x' IN ('y', $3)",
         "'email':-!name 'a':-!name 0:-!name 'b':-!name 5:doc->a->[]->>b 'k':-!name 'x':-!name "
         "'y':t.doc->>x",
         "t.doc->>email t.doc->k!json t.doc->>x"},
        {"SELECT add_job($1::text, $2::json, '{}'::jsonb, $3::app.date)", "'{}':-!json",
         "- -!json -"},
        {"SELECT CASE WHEN right($1, 1) = 'Z' THEN CAST($1 AS timestamptz) END", "1:- 'Z':-",
         "-!plain"},
        {"SELEKT 'a' WHERE b = 2", "? 'a':- 2:-", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        const char *constants = constants_of(arena, cases[i].query);
        const char *parameters = parameters_of(arena, cases[i].query);
        if (strcmp(constants, cases[i].constants) != 0 ||
            strcmp(parameters, cases[i].parameters) != 0)
            fail_msg("%s:\n  %s\n  %s", cases[i].query, constants, parameters);
    }
}

static void test_pattern_knows_secrets(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        bool has_secret;
    } cases[] = {
        {"CREATE USER anna WITH LOGIN PASSWORD 'x'", true},
        {"/* c */ alter role anna encrypted password 'md5x'", true},
        {"ALTER USER anna SET work_mem = '1MB'", false},
        {"SELECT 1; ALTER ROLE a PASSWORD 'x'", true},
        {"CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'b', password 'c')", true},
        {"CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p", true},
        {"ALTER SUBSCRIPTION s REFRESH PUBLICATION", false},
        {"ALTER SYSTEM SET primary_conninfo = 'x'", true},
        {"SELECT dblink_connect('host=a user=b password = c')", true},
        {"SELECT dblink_connect('postgres://a:b@c/d')", true},
        {"SELECT 'https://example.org/a@b:c'", false},
        {"DO $$ BEGIN EXECUTE 'ALTER ROLE a PASSWORD ''x'''; END $$", true},
        {"SELECT password FROM users WHERE name = 'x'", false},
        {"UPDATE users SET password = 'x'", false},
        {"CREATE ROLE ALTER ROLE x NOT SQL password 'x'", true},
        {"CREATE TABLE password (user int)", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct workload_pattern pattern;
        const char *executes;
        rh_sql_pattern(arena, rh_text(cases[i].query), &pattern, &executes);
        if (((pattern.flags & PATTERN_HAS_SECRET) != 0) != cases[i].has_secret)
            fail_msg("%s", cases[i].query);
        assert_null(strstr(pattern.query, "'x'"));
    }
}

/* Deep and long texts are told by their tokens; the stack is not at their mercy. */
static void test_pattern_survives_deep_texts(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "(",  "1+", "NOT ", "SELECT 1 UNION ", "-", "a.", "[", "CASE WHEN ", "'", "$$",
        "/*", "$",  "1e",   "$99999999999"};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        RH_CLEANUP_BUF struct buf query;
        rh_buf_init(&query, 1 << 20);
        rh_buf_add_str(&query, "SELECT ");
        /* Just below what is parsed, then far beyond. */
        for (int round = 0; round < 3; round++) {
            while (query.len < (round == 0 ? 3900 * strlen(pieces[i]) / 4 : 240000))
                rh_buf_add_str(&query, pieces[i]);
            RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
            struct workload_pattern pattern;
            const char *executes;
            struct sql_value *values;
            sql_constants constants;
            size_t count;
            rh_sql_pattern(arena, rh_buf_text(&query), &pattern, &executes);
            (void)rh_sql_constants(arena, rh_buf_text(&query), &constants);
            rh_sql_parameters(arena, rh_buf_text(&query), &values, &count);
            rh_buf_add_str(&query, "1");
        }
    }
}

/* A thousand rows at once are long, and flat. */
static void test_pattern_parses_long_flat_texts(void **state)
{
    (void)state;
    RH_CLEANUP_BUF struct buf query;
    rh_buf_init(&query, 1 << 20);
    rh_buf_add_str(&query, "INSERT INTO t (a, b) VALUES (1, 'x')");
    for (int i = 0; i < 5000; i++)
        rh_buf_printf(&query, ", (%d, 'number %d')", i, i);
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct workload_pattern pattern;
    const char *executes;
    rh_sql_pattern(arena, rh_buf_text(&query), &pattern, &executes);
    assert_int_equal(pattern.flags, P | W);
    assert_string_equal(pattern.writes.items[0], "t");
    assert_true(pattern.fingerprint == fingerprint_of("INSERT INTO t (a, b) VALUES (1, 'x')"));
    assert_true(has_key_of(query.data, "insert into t (a,b) values (5,'z')"));
    /* Bytes that are no UTF-8, and none at all. */
    rh_sql_pattern(arena, (struct text){"SELECT '\xff' FROM \xfe", 17}, &pattern, &executes);
    rh_sql_pattern(arena, (struct text){"SELECT 1\0 FROM x", 16}, &pattern, &executes);
    assert_int_equal(pattern.flags & P, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pattern_tells_what_a_query_is),
        cmocka_unit_test(test_pattern_is_the_same_but_for_constants),
        cmocka_unit_test(test_pattern_tells_columns_of_values),
        cmocka_unit_test(test_pattern_knows_secrets),
        cmocka_unit_test(test_pattern_survives_deep_texts),
        cmocka_unit_test(test_pattern_parses_long_flat_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
