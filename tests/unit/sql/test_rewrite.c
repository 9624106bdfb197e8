#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql/pattern.h"
#include "sql/rewrite.h"

#include <stdio.h>

/* customers is clients, its name is full_name, orders lose their note. */
#define RULES                                \
    "version: 1\n"                           \
    "rules:\n"                               \
    "- rename_table: customers\n"            \
    "  to: clients\n"                        \
    "- rename_column: customers.name\n"      \
    "  to: full_name\n"                      \
    "- drop_column: orders.note\n"           \
    "- rename_column: '\"Odd T\".\"A b\"'\n" \
    "  to: c\n"                              \
    "- rename_column: sales.items.price\n"   \
    "  to: user\n"

static struct transform read_rules(struct arena *arena, const char *rules)
{
    struct err err = RH_ERR_INIT;
    struct transform transform = {0};
    if (rh_transform_read("t.yaml", rh_text(rules), arena, &transform, &err) != RH_OK)
        fail_msg("%s", err.message);
    return transform;
}

/* The text that is sent; "= " what it stays; "! " why it is refused; with what is dropped. */
static const char *rewritten(struct arena *arena, const struct transform *transform,
                             const char *query)
{
    struct sql_rewrite rewrite;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 65536);
    rh_sql_rewrite(transform, rh_text(query), NULL, arena, &rewrite);
    switch (rewrite.outcome) {
    case REWRITE_NOTHING:
        rh_buf_add_str(&out, "=");
        assert_true(rh_text_is(rewrite.query, query));
        break;
    case REWRITE_REFUSED:
        rh_buf_printf(&out, "! %s", rewrite.why);
        assert_true(rh_text_is(rewrite.query, query));
        break;
    case REWRITE_NOT_PARSED:
        rh_buf_add_str(&out, "?");
        assert_true(rh_text_is(rewrite.query, query));
        break;
    case REWRITE_DONE:
        rh_buf_add_text(&out, rewrite.query);
        break;
    }
    for (size_t i = 0; i < rewrite.dropped_parameters.count; i++)
        rh_buf_printf(&out, " -$%u", rewrite.dropped_parameters.items[i]);
    for (size_t i = 0; i < rewrite.dropped_results.count; i++)
        rh_buf_printf(&out, " -%zu", rewrite.dropped_results.items[i]);
    return rh_text_dup(arena, rh_buf_text(&out));
}

struct example {
    const char *query, *expected;
};

static void check_all(const char *rules, const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct transform transform = read_rules(arena, rules);
        const char *actual = rewritten(arena, &transform, examples[i].query);
        if (strcmp(actual, examples[i].expected) != 0)
            print_error("of      %s\n", examples[i].query);
        assert_string_equal(actual, examples[i].expected);
        /* What comes out is SQL, and no rule is for it any more but where a name stays in use. */
        if (strncmp(actual, "! ", 2) != 0 && actual[0] != '=' && actual[0] != '?') {
            struct sql_rewrite again;
            struct sql_rewrite first;
            rh_sql_rewrite(&transform, rh_text(examples[i].query), NULL, arena, &first);
            rh_sql_rewrite(&transform, first.query, NULL, arena, &again);
            assert_int_not_equal(again.outcome, REWRITE_NOT_PARSED);
        }
    }
}
#define CHECK_ALL(rules, examples) \
    check_all(rules, examples, sizeof(examples) / sizeof((examples)[0]))

static void test_rewrite_follows_names_through_from(void **state)
{
    static const struct example examples[] = {
        {"SELECT id, name FROM customers WHERE name = $1",
         "SELECT id, full_name FROM clients WHERE full_name = $1"},
        {"SELECT id FROM orders", "="},
        {"SELECT 'customers.name', \"name\" FROM other", "="},
        {"select /* name */ c.name -- customers\nfrom customers as c",
         "select /* name */ c.full_name -- customers\nfrom clients as c"},
        {"SELECT customers.id, customers.name, customers.* FROM customers",
         "SELECT clients.id, clients.full_name, clients.* FROM clients"},
        {"SELECT public.customers.name FROM public.customers",
         "SELECT public.clients.full_name FROM public.clients"},
        {"SELECT name FROM other.customers", "="},
        {"SELECT \"customers\".\"name\" FROM \"customers\"",
         "SELECT clients.full_name FROM clients"},
        {"SELECT \"Name\" FROM customers", "SELECT \"Name\" FROM clients"},
        {"SELECT CUSTOMERS . Name FROM Customers", "SELECT clients . full_name FROM clients"},
        {"SELECT \"A b\", \"Odd T\".\"A b\" FROM \"Odd T\"",
         "SELECT c, \"Odd T\".c FROM \"Odd T\""},
        {"SELECT price FROM sales.items", "SELECT \"user\" FROM sales.items"},
        {"SELECT price FROM items", "SELECT \"user\" FROM items"},
        {"SELECT price FROM public.items", "="},
        {"SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id AND c.name <> "
         "''",
         "SELECT o.id, c.full_name FROM orders o JOIN clients c ON c.id = o.customer_id AND "
         "c.full_name <> ''"},
        /* The only one that can have it; among others the new name may be taken. */
        {"SELECT name FROM orders o JOIN customers ON customers.id = o.customer_id",
         "SELECT clients.full_name FROM orders o JOIN clients ON clients.id = o.customer_id"},
        {"SELECT name FROM orders o, customers c",
         "SELECT \"c\".full_name FROM orders o, clients c"},
        {"SELECT a.name, b.name FROM customers a, customers b WHERE a.id < b.id",
         "SELECT a.full_name, b.full_name FROM clients a, clients b WHERE a.id < b.id"},
        {"SELECT 1 FROM customers WHERE EXISTS (SELECT 1 FROM orders WHERE customer_id = "
         "customers.id "
         "AND lower(customers.name) = $1)",
         "SELECT 1 FROM clients WHERE EXISTS (SELECT 1 FROM orders WHERE customer_id = clients.id "
         "AND lower(clients.full_name) = $1)"},
        {"SELECT * FROM customers WHERE id IN (SELECT customer_id FROM orders) FOR UPDATE OF "
         "customers",
         "SELECT * FROM clients WHERE id IN (SELECT customer_id FROM orders) FOR UPDATE OF "
         "clients"},
        {"SELECT count(*) FILTER (WHERE name > 'a') OVER (PARTITION BY name ORDER BY name) FROM "
         "customers GROUP BY name HAVING max(name) > 'b' ORDER BY name LIMIT 3",
         "SELECT count(*) FILTER (WHERE full_name > 'a') OVER (PARTITION BY full_name ORDER BY "
         "full_name) FROM clients GROUP BY full_name HAVING max(full_name) > 'b' ORDER BY "
         "full_name "
         "LIMIT 3"},
        /* ORDER BY means the result first. */
        {"SELECT lower(name) AS name FROM customers ORDER BY name",
         "SELECT lower(full_name) AS name FROM clients ORDER BY name"},
        {"SELECT j.name FROM (customers c JOIN orders o ON o.customer_id = c.id) AS j",
         "SELECT j.full_name FROM (clients c JOIN orders o ON o.customer_id = c.id) AS j"},
        {"SELECT x.name FROM customers AS x(id, name)",
         "SELECT x.name FROM clients AS x(id, name)"},
        {"SELECT f.name FROM customers c, LATERAL (SELECT c.name) f",
         "SELECT f.name FROM clients c, LATERAL (SELECT c.full_name AS \"name\") f"},
        {"SELECT 1 FROM customers TABLESAMPLE system (10) WHERE name = 'x'",
         "SELECT 1 FROM clients TABLESAMPLE system (10) WHERE full_name = 'x'"},
        {"SELECT name FROM ONLY customers", "SELECT full_name FROM ONLY clients"},
        {"SELECT name FROM customers; DELETE FROM customers WHERE name = 'x';",
         "SELECT full_name FROM clients; DELETE FROM clients WHERE full_name = 'x';"},
    };
    (void)state;
    CHECK_ALL(RULES, examples);
}

static void test_rewrite_keeps_names_where_others_use_them(void **state)
{
    static const struct example examples[] = {
        {"SELECT x.name FROM (SELECT name FROM customers) x",
         "SELECT x.name FROM (SELECT full_name AS \"name\" FROM clients) x"},
        {"SELECT x.name FROM (SELECT name::text, id FROM customers) x",
         "SELECT x.name FROM (SELECT full_name::text AS \"name\", id FROM clients) x"},
        {"SELECT x.name FROM (SELECT * FROM customers) x",
         "SELECT x.full_name FROM (SELECT * FROM clients) x"},
        {"SELECT name FROM (SELECT c.* FROM customers c) x",
         "SELECT full_name FROM (SELECT c.* FROM clients c) x"},
        {"SELECT n FROM (SELECT name AS n FROM customers) x WHERE n > ''",
         "SELECT n FROM (SELECT full_name AS n FROM clients) x WHERE n > ''"},
        {"WITH w AS (SELECT name FROM customers) SELECT name FROM w ORDER BY w.name",
         "WITH w AS (SELECT full_name AS \"name\" FROM clients) SELECT name FROM w ORDER BY "
         "w.name"},
        {"WITH customers AS (SELECT 1 AS name) SELECT name FROM customers", "="},
        {"WITH RECURSIVE t AS (SELECT id, name FROM customers UNION ALL SELECT t.id, c.name FROM "
         "customers c JOIN t ON t.id = c.parent) SELECT name FROM t",
         "WITH RECURSIVE t AS (SELECT id, full_name AS \"name\" FROM clients UNION ALL SELECT "
         "t.id, "
         "c.full_name AS \"name\" FROM clients c JOIN t ON t.id = c.parent) SELECT name FROM t"},
        {"SELECT name FROM customers UNION SELECT title FROM books ORDER BY name",
         "SELECT full_name AS \"name\" FROM clients UNION SELECT title FROM books ORDER BY name"},
        {"CREATE TEMP TABLE x AS SELECT name FROM customers",
         "CREATE TEMP TABLE x AS SELECT full_name AS \"name\" FROM clients"},
        /* What may be a column as well as a whole row keeps its name by an alias. */
        {"SELECT row_to_json(customers) FROM customers",
         "SELECT row_to_json(customers) FROM clients AS customers"},
        {"SELECT customers.name FROM customers JOIN orders clients ON clients.id = customers.id",
         "SELECT customers.full_name FROM clients AS customers JOIN orders clients ON clients.id = "
         "customers.id"},
    };
    (void)state;
    CHECK_ALL(RULES, examples);
}

static void test_rewrite_of_statements_that_write(void **state)
{
    static const struct example examples[] = {
        {"INSERT INTO customers (id, name) VALUES ($1, $2) RETURNING id, name",
         "INSERT INTO clients (id, full_name) VALUES ($1, $2) RETURNING id, full_name"},
        {"INSERT INTO customers AS c (id, name) VALUES (1, 'a') ON CONFLICT (name) WHERE name > '' "
         "DO "
         "UPDATE SET name = excluded.name, n = c.n + 1 WHERE c.name <> excluded.name",
         "INSERT INTO clients AS c (id, full_name) VALUES (1, 'a') ON CONFLICT (full_name) WHERE "
         "full_name > '' DO UPDATE SET full_name = excluded.full_name, n = c.n + 1 WHERE "
         "c.full_name "
         "<> excluded.full_name"},
        {"INSERT INTO customers (name) VALUES ($1) ON CONFLICT (lower(name), id) DO UPDATE SET "
         "name = "
         "customers.name",
         "INSERT INTO clients (full_name) VALUES ($1) ON CONFLICT (lower(full_name), id) DO UPDATE "
         "SET full_name = clients.full_name"},
        {"INSERT INTO customers SELECT * FROM other", "INSERT INTO clients SELECT * FROM other"},
        {"INSERT INTO log (what) SELECT name FROM customers",
         "INSERT INTO log (what) SELECT full_name FROM clients"},
        {"UPDATE customers SET name = upper(name) WHERE customers.name = $1",
         "UPDATE clients SET full_name = upper(full_name) WHERE clients.full_name = $1"},
        {"UPDATE customers SET (name, n) = ($1, $2) WHERE id = $3",
         "UPDATE clients SET (full_name, n) = ($1, $2) WHERE id = $3"},
        {"UPDATE orders o SET total = 0 FROM customers c WHERE c.id = o.customer_id AND c.name = "
         "'x'",
         "UPDATE orders o SET total = 0 FROM clients c WHERE c.id = o.customer_id AND c.full_name "
         "= "
         "'x'"},
        {"DELETE FROM orders USING customers WHERE customers.id = orders.customer_id AND name = $1",
         "DELETE FROM orders USING clients WHERE clients.id = orders.customer_id AND "
         "clients.full_name = $1"},
        {"WITH gone AS (DELETE FROM customers WHERE name = $1 RETURNING name) SELECT name FROM "
         "gone",
         "WITH gone AS (DELETE FROM clients WHERE full_name = $1 RETURNING full_name AS \"name\") "
         "SELECT name FROM gone"},
        {"MERGE INTO customers c USING other o ON c.id = o.id WHEN MATCHED THEN UPDATE SET name = "
         "o.name WHEN NOT MATCHED THEN INSERT (id, name) VALUES (o.id, o.name)",
         "MERGE INTO clients c USING other o ON c.id = o.id WHEN MATCHED THEN UPDATE SET full_name "
         "= "
         "o.name WHEN NOT MATCHED THEN INSERT (id, full_name) VALUES (o.id, o.name)"},
        {"COPY customers (id, name) FROM STDIN", "COPY clients (id, full_name) FROM STDIN"},
        {"COPY (SELECT name FROM customers) TO STDOUT",
         "COPY (SELECT full_name FROM clients) TO STDOUT"},
        {"TRUNCATE customers, ONLY other", "TRUNCATE clients, ONLY other"},
        {"LOCK TABLE public.customers IN SHARE MODE", "LOCK TABLE public.clients IN SHARE MODE"},
        {"PREPARE p (text) AS SELECT id FROM customers WHERE name = $1",
         "PREPARE p (text) AS SELECT id FROM clients WHERE full_name = $1"},
        {"DECLARE c CURSOR FOR SELECT name FROM customers",
         "DECLARE c CURSOR FOR SELECT full_name FROM clients"},
        {"EXPLAIN SELECT name FROM customers", "EXPLAIN SELECT full_name FROM clients"},
        {"BEGIN", "="},
    };
    (void)state;
    CHECK_ALL(RULES, examples);
}

static void test_rewrite_drops_a_column_with_what_filled_it(void **state)
{
    static const struct example examples[] = {
        {"SELECT id, note, total FROM orders", "SELECT id, total FROM orders -1"},
        {"SELECT note, id FROM orders", "SELECT id FROM orders -0"},
        {"SELECT id, o.note AS remark FROM orders o", "SELECT id FROM orders o -1"},
        {"SELECT c.*, o.note, o.id FROM customers c, orders o",
         "SELECT c.*, o.id FROM clients c, orders o"},
        {"SELECT id,\n       note, -- why\n       total\nFROM orders",
         "SELECT id,\n       total\nFROM orders -1"},
        {"INSERT INTO orders (id, note, total) VALUES ($1, $2, $3)",
         "INSERT INTO orders (id, total) VALUES ($1, $2) -$2"},
        {"INSERT INTO orders (id, total, note) VALUES ($1, $2, $3::text)",
         "INSERT INTO orders (id, total) VALUES ($1, $2) -$3"},
        {"INSERT INTO orders (note, id) VALUES (upper($2), $1), ('a, b', 3), (DEFAULT, $3)",
         "INSERT INTO orders (id) VALUES ($1), (3), ($2) -$2"},
        {"INSERT INTO orders (id, note) OVERRIDING SYSTEM VALUE VALUES ((SELECT 1), (SELECT 2))",
         "INSERT INTO orders (id) OVERRIDING SYSTEM VALUE VALUES ((SELECT 1))"},
        {"INSERT INTO orders (id, note) SELECT a, b FROM other WHERE b > 0",
         "INSERT INTO orders (id) SELECT a FROM other WHERE b > 0"},
        {"INSERT INTO orders (note, id) SELECT x IS DISTINCT FROM y, max(b) FILTER (WHERE b > 0) "
         "FROM "
         "other",
         "INSERT INTO orders (id) SELECT max(b) FILTER (WHERE b > 0) FROM other"},
        {"INSERT INTO orders (id, note) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET note = "
         "excluded.note, total = 0 RETURNING id, note",
         "INSERT INTO orders (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET total = 0 RETURNING "
         "id "
         "-$2 -1"},
        /* Used elsewhere, the parameter stays. */
        {"INSERT INTO orders (id, note, total) VALUES ($1, $2, length($2))",
         "INSERT INTO orders (id, total) VALUES ($1, length($2))"},
        {"UPDATE orders SET note = $1, total = $2 WHERE id = $3",
         "UPDATE orders SET total = $1 WHERE id = $2 -$1"},
        {"UPDATE orders SET total = $2, note = coalesce($1, 'x, y') WHERE id = $3",
         "UPDATE orders SET total = $1 WHERE id = $2 -$1"},
        {"SELECT x.note, x.id FROM (SELECT * FROM orders) x",
         "SELECT x.id FROM (SELECT * FROM orders) x -0"},
        {"PREPARE p (int, text) AS INSERT INTO orders (id, note) VALUES ($1, $2)",
         "PREPARE p (int, text) AS INSERT INTO orders (id) VALUES ($1)"},
        {"SELECT * FROM orders", "="},
    };
    (void)state;
    CHECK_ALL(RULES, examples);
}

static void test_rewrite_refuses_what_would_be_a_guess(void **state)
{
    static const struct example examples[] = {
        {"SELECT id FROM customers WHERE EXISTS (SELECT 1 FROM orders WHERE name = $1)",
         "! \"name\" may be a column of customers or of orders"},
        {"SELECT 1 FROM customers a, customers b WHERE name = 'x'",
         "! \"name\" may be a column of b or of a"},
        {"SELECT 1 FROM customers JOIN other USING (name)",
         "! customers.name is used in JOIN USING"},
        {"SELECT 1 FROM customers NATURAL JOIN other", "! customers is in a NATURAL JOIN"},
        {"SELECT (c).name FROM customers c", "! name is taken from a whole row of c"},
        {"SELECT id FROM orders WHERE note = $1", "! orders.note is used in WHERE"},
        {"SELECT id FROM orders ORDER BY note", "! orders.note is used in ORDER BY"},
        {"SELECT id, lower(note) FROM orders",
         "! orders.note is used in an expression of the select list"},
        {"SELECT note FROM orders", "! nothing would be left of a list"},
        {"SELECT DISTINCT id, note FROM orders", "! a dropped column is in SELECT DISTINCT"},
        {"SELECT id, note FROM orders ORDER BY 2",
         "! ORDER BY or GROUP BY goes by the places of its columns"},
        {"SELECT x.id FROM (SELECT id, note FROM orders) x",
         "! orders.note is used in an expression of the select list"},
        {"INSERT INTO orders VALUES ($1, $2)",
         "! an INSERT without its columns does not tell which value is that of note"},
        {"INSERT INTO orders (note) VALUES ($1)", "! nothing would be left of a list"},
        {"INSERT INTO orders (id, note) SELECT * FROM other",
         "! what a dropped column is filled with could not be told"},
        {"INSERT INTO orders (id, note) SELECT 1, 2 UNION SELECT 3, 4",
         "! what a dropped column is filled with could not be told"},
        {"INSERT INTO orders (id) VALUES (1) ON CONFLICT (note) DO NOTHING",
         "! orders.note is used in ON CONFLICT"},
        {"UPDATE orders SET note = 'x' WHERE id = 1", "! nothing would be left of a list"},
        {"UPDATE orders SET (id, note) = (1, 2)", "! a dropped column is set together with others"},
        {"UPDATE orders SET total = length(note)", "! orders.note is used in a value of SET"},
        {"COPY orders FROM STDIN", "! COPY has the data of a dropped column"},
        {"PREPARE p AS INSERT INTO orders (id, note) VALUES ($1, $2)",
         "! its PREPARE does not say of which type $2 is, which is no longer used"},
        {"SELECT a FROM orders o(a, b)", "! the columns of orders are named by their places"},
        {"SELECT FROM WHERE customers", "?"},
    };
    (void)state;
    CHECK_ALL(RULES, examples);
}

static void test_rewrite_replaces_by_fingerprint(void **state)
{
    static const struct example examples[] = {
        {"SELECT a FROM t WHERE b = $1 AND c = $2", "SELECT d FROM u WHERE c = $1 -$1"},
        {"select a from t where b = 'x''y' and c = 7", "SELECT d FROM u WHERE c = 7"},
        {"SELECT a FROM t WHERE b = $1 AND c = 7", "SELECT d FROM u WHERE c = 7 -$1"},
        {"SELECT a FROM t WHERE b = 1", "="},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct workload_pattern pattern;
    const char *executes;
    (void)state;
    rh_sql_pattern(arena, rh_text("SELECT a FROM t WHERE b = 1 AND c = 2"), &pattern, &executes);
    const char *rules = rh_arena_printf(arena,
                                        "version: 1\nrules:\n- replace: %016llx\n"
                                        "  with: SELECT d FROM u WHERE c = $2\n",
                                        (unsigned long long)pattern.fingerprint);
    CHECK_ALL(rules, examples);
}

/* Whatever comes in, what comes out as changed is SQL. */
static void check_damaged(struct arena *arena, const struct transform *transform, struct text query)
{
    struct sql_rewrite rewrite, again;
    rh_sql_rewrite(transform, query, NULL, arena, &rewrite);
    if (rewrite.outcome != REWRITE_DONE)
        return;
    rh_sql_rewrite(transform, rewrite.query, NULL, arena, &again);
    if (again.outcome == REWRITE_NOT_PARSED)
        fail_msg("%.*s\nbecame %.*s", (int)query.len, query.data, (int)rewrite.query.len,
                 rewrite.query.data);
}

static void test_rewrite_survives_damaged_texts(void **state)
{
    static const char *const texts[] = {
        "WITH w(a) AS (SELECT name, note FROM customers c, orders) INSERT INTO orders AS o (id, "
        "note, "
        "\"A b\") VALUES ($1, $2, (SELECT max(name) FROM customers)), (1, 'x', DEFAULT) ON "
        "CONFLICT "
        "(id, (lower(x))) DO UPDATE SET note = excluded.note, id = o.id RETURNING id, note, o.*",
        "SELECT customers.name, c.note AS n, (SELECT name FROM customers LIMIT 1) FROM customers "
        "LEFT "
        "JOIN orders c USING (id), LATERAL f(customers.id) AS g(x), (VALUES (1), (2)) v(y) WHERE "
        "name "
        "IS DISTINCT FROM c.id ORDER BY name, 2 FOR UPDATE OF customers",
        "UPDATE ONLY orders SET (note, id) = (SELECT 1, 2), total = total + 1 FROM customers WHERE "
        "CURRENT OF x RETURNING *; COPY orders (id, note) FROM STDIN; MERGE INTO orders o USING "
        "customers c ON c.id = o.id WHEN MATCHED THEN UPDATE SET note = c.name",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t len = strlen(texts[i]);
        RH_CLEANUP_ARENA struct arena *rules = rh_arena_new();
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct transform transform = read_rules(rules, RULES);
        for (size_t from = 0; from <= len; from++) {
            check_damaged(arena, &transform, (struct text){texts[i], from});
            check_damaged(arena, &transform, (struct text){texts[i] + from, len - from});
            for (size_t gap = 1; gap < 24 && from + gap < len; gap++) {
                char *copy = rh_arena_strdup(arena, texts[i]);
                memmove(copy + from, copy + from + gap, len - from - gap + 1);
                check_damaged(arena, &transform, rh_text(copy));
            }
            rh_arena_clear(arena);
        }
    }
}

static void test_rewrite_tells_which_rules_concern_a_text(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct transform transform = read_rules(arena, RULES);
    struct sql_rewrite rewrite;
    (void)state;
    rh_sql_rewrite(&transform, rh_text("SELECT name FROM customers"), NULL, arena, &rewrite);
    assert_true(rewrite.matched[0]);
    assert_true(rewrite.matched[1]);
    assert_false(rewrite.matched[2]);
    rh_sql_rewrite(&transform, rh_text("SELECT 1 FROM orders WHERE note = ''"), NULL, arena,
                   &rewrite);
    assert_int_equal(rewrite.outcome, REWRITE_REFUSED);
    assert_true(rewrite.matched[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rewrite_follows_names_through_from),
        cmocka_unit_test(test_rewrite_keeps_names_where_others_use_them),
        cmocka_unit_test(test_rewrite_of_statements_that_write),
        cmocka_unit_test(test_rewrite_drops_a_column_with_what_filled_it),
        cmocka_unit_test(test_rewrite_refuses_what_would_be_a_guess),
        cmocka_unit_test(test_rewrite_replaces_by_fingerprint),
        cmocka_unit_test(test_rewrite_survives_damaged_texts),
        cmocka_unit_test(test_rewrite_tells_which_rules_concern_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
