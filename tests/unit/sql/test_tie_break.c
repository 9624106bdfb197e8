#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql/tie_break.h"

static void expect(const char *query, const char *broken)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct text text = {0};
    assert_int_equal(rh_sql_break_ties(rh_text(query), arena, &text), broken != NULL);
    if (broken)
        assert_string_equal(text.data, broken);
}

static void test_ties_are_broken_behind_the_last_key(void **state)
{
    (void)state;
    expect("SELECT a FROM t ORDER BY b", "SELECT a FROM t ORDER BY b, random()");
    expect("SELECT a FROM t ORDER BY b DESC NULLS LAST LIMIT 5 OFFSET $1",
           "SELECT a FROM t ORDER BY b DESC NULLS LAST, random() LIMIT 5 OFFSET $1");
    expect("select a from t order by lower(b), c for update;",
           "select a from t order by lower(b), c, random() for update;");
    expect("SELECT a FROM t ORDER BY 1 FETCH FIRST 3 ROWS ONLY -- end",
           "SELECT a FROM t ORDER BY 1, random() FETCH FIRST 3 ROWS ONLY -- end");
}

static void test_ties_of_inner_orders_are_left(void **state)
{
    (void)state;
    expect("SELECT rank() OVER (ORDER BY b) FROM t", NULL);
    expect("SELECT * FROM (SELECT a FROM t ORDER BY a LIMIT 1) s", NULL);
    expect("SELECT (SELECT x ORDER BY x) FROM t ORDER BY a",
           "SELECT (SELECT x ORDER BY x) FROM t ORDER BY a, random()");
}

static void test_ties_where_there_is_no_order(void **state)
{
    (void)state;
    expect("SELECT 1", NULL);
    expect("SELECT 'ORDER BY x'", NULL);
    expect("SELECT a FROM t ORDER BY a; SELECT 2", NULL);
    expect("", NULL);
    expect("ORDER", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ties_are_broken_behind_the_last_key),
        cmocka_unit_test(test_ties_of_inner_orders_are_left),
        cmocka_unit_test(test_ties_where_there_is_no_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
