#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql/facts.h"
#include "sql/joins.h"

#include <stdio.h>

/* "public.users.id = public.orders.user_id; ..." */
static char *joins_of(struct arena *arena, const char *query)
{
    struct sql_joins joins = {0};
    struct buf out RH_CLEANUP_BUF;

    rh_buf_init(&out, 65536);
    rh_sql_joins(rh_text(query), arena, &joins);
    for (size_t i = 0; i < joins.items.count; i++) {
        const struct sql_join *join = &joins.items.items[i];
        rh_buf_printf(&out, "%s%s%s%s.%s = %s%s%s.%s", i > 0 ? "; " : "",
                      join->left.schema ? join->left.schema : "", join->left.schema ? "." : "",
                      join->left.relation, join->left.column,
                      join->right.schema ? join->right.schema : "", join->right.schema ? "." : "",
                      join->right.relation, join->right.column);
    }
    return rh_text_dup(arena, rh_buf_text(&out));
}

static void test_joins_finds_what_is_equal(void **state)
{
    static const struct {
        const char *query, *joins;
    } cases[] = {
        {"SELECT u.id FROM (public.users u JOIN public.orders o ON ((o.user_id = u.id)))",
         "public.orders.user_id = public.users.id"},
        {"SELECT 1 FROM public.a, public.b WHERE ((a.x)::text = (b.y)::text) AND a.z = b.z",
         "public.a.x = public.b.y; public.a.z = public.b.z"},
        {"SELECT 1 FROM public.a LEFT JOIN public.b USING (x, y)",
         "public.a.x = public.b.x; public.a.y = public.b.y"},
        {"SELECT 1 FROM (public.a JOIN public.b USING (x)) JOIN public.c USING (y)",
         "public.a.y = public.c.y; public.b.y = public.c.y; public.a.x = public.b.x"},
        {"SELECT id FROM public.a WHERE (a.x IN ( SELECT b.y FROM public.b))",
         "public.a.x = public.b.y"},
        {"SELECT id FROM public.a WHERE EXISTS (SELECT 1 FROM public.b WHERE b.y = a.x)",
         "public.b.y = public.a.x"},
        {"SELECT 1 FROM public.a JOIN public.b ON a.x OPERATOR(public.=) b.y",
         "public.a.x = public.b.y"},
        {"SELECT 1 FROM public.a UNION SELECT 1 FROM public.c JOIN public.d ON c.x = d.x",
         "public.c.x = public.d.x"},
        {"WITH w AS (SELECT a.x FROM public.a JOIN public.b ON a.x = b.x) SELECT x FROM w",
         "public.a.x = public.b.x"},
        {"SELECT 1 FROM (SELECT c.x FROM public.c JOIN public.d ON c.x = d.y) s",
         "public.c.x = public.d.y"},
        {"SELECT 1 FROM public.\"Odd t\" o JOIN public.b ON o.\"x y\" = b.x",
         "public.Odd t.x y = public.b.x"},
        {"SELECT 1 FROM t JOIN u ON t.a = u.a", "t.a = u.a"},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(joins_of(arena, cases[i].query), cases[i].joins);
}

static void test_joins_leaves_out_what_is_no_plain_column(void **state)
{
    static const char *const queries[] = {
        "SELECT 1 FROM public.a JOIN public.b ON lower(a.x) = b.x",
        "SELECT 1 FROM public.a JOIN public.b ON a.x < b.x",
        "SELECT 1 FROM public.a WHERE a.x = 'b.x'",
        "SELECT 1 FROM (SELECT 1 AS x) s JOIN (SELECT 1 AS x) t ON s.x = t.x",
        "SELECT 1 FROM public.a WHERE x = ANY (ARRAY[1, 2])",
        "SELECT",
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;

    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        assert_string_equal(joins_of(arena, queries[i]), "");
}

static void test_joins_says_when_it_cannot_read(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct sql_joins joins;
    struct buf query RH_CLEANUP_BUF;
    (void)state;

    rh_sql_joins(rh_text("SELECT 1 FROM a"), arena, &joins);
    assert_true(joins.is_parsed);
    rh_sql_joins(rh_text("SELECT FROM WHERE ("), arena, &joins);
    assert_false(joins.is_parsed);
    rh_sql_joins(rh_text(""), arena, &joins);
    assert_false(joins.is_parsed);
    rh_buf_init(&query, 65536);
    rh_buf_add_str(&query, "SELECT ");
    while (query.len <= SQL_TREE_MAX)
        rh_buf_add_str(&query, "((((((1)))))),");
    rh_buf_add_str(&query, "1");
    rh_sql_joins(rh_buf_text(&query), arena, &joins);
    assert_false(joins.is_parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joins_finds_what_is_equal),
        cmocka_unit_test(test_joins_leaves_out_what_is_no_plain_column),
        cmocka_unit_test(test_joins_says_when_it_cannot_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
