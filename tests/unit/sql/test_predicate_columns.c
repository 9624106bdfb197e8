#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql/predicate_columns.h"

static const char *join(struct arena *arena, const struct index_elements *elements)
{
    const char *text = "";
    for (size_t i = 0; i < elements->count; i++)
        text = rh_arena_printf(arena, "%s%s%s", text, i > 0 ? " " : "", elements->items[i]);
    return text;
}

static void expect(const char *condition, const char *equal, const char *ranges, bool has_or)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct predicate_columns columns = {0};
    rh_sql_predicate_columns(rh_text(condition), "orders", arena, &columns);
    assert_string_equal(join(arena, &columns.equal), equal);
    assert_string_equal(join(arena, &columns.ranges), ranges);
    assert_int_equal(columns.has_or, has_or);
}

static void test_predicates_equality_and_ranges(void **state)
{
    (void)state;
    expect("(orders.customer_id = 42)", "customer_id", "", false);
    expect("((orders.status = 'paid'::text) AND (orders.day > '2025-01-01'::date))", "status",
           "day", false);
    expect("((orders.total >= $1) AND (orders.total <= $2))", "", "total", false);
    expect("(orders.id = ANY ('{1,2}'::integer[]))", "id", "", false);
    expect("(orders.deleted_at IS NULL)", "deleted_at", "", false);
    expect("(orders.\"Odd Name\" = 1)", "\"Odd Name\"", "", false);
}

static void test_predicates_casts_and_functions(void **state)
{
    (void)state;
    expect("((orders.code)::text = 'x'::text)", "code", "", false);
    expect("(lower(orders.email) = 'a'::text)", "lower(email)", "", false);
    expect("(lower((orders.email)::text) = 'a'::text)", "lower(email)", "", false);
}

static void test_predicates_of_joins_are_for_the_alias(void **state)
{
    (void)state;
    expect("(c.id = orders.customer_id)", "customer_id", "", false);
    expect("(c.id = o.customer_id)", "", "", false);
}

static void test_predicates_that_no_index_serves(void **state)
{
    (void)state;
    expect("(orders.a <> 5)", "", "", false);
    expect("((orders.a = 1) OR (orders.b = 2))", "a b", "", true);
    expect("(orders.note ~~ '%x%'::text)", "", "", false);
    expect("", "", "", false);
    expect("(((", "", "", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predicates_equality_and_ranges),
        cmocka_unit_test(test_predicates_casts_and_functions),
        cmocka_unit_test(test_predicates_of_joins_are_for_the_alias),
        cmocka_unit_test(test_predicates_that_no_index_serves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
