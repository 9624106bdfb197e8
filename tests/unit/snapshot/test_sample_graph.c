/* Who decides about whose rows. */
#include "sample_unit.h"

static void assert_reason(const struct sampling *sampling, size_t table, const char *expected)
{
    const char *reason = node_of(sampling, table)->reason;
    if (!expected)
        assert_null(reason);
    else
        assert_string_equal(reason, expected);
}

static void test_choose_follows_the_heaviest_mandatory_parent(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct catalog catalog = {0};
    struct err err = RH_ERR_INIT;
    size_t countries = add_table(arena, &catalog, "countries", "int4", 1, 200);
    size_t products = add_table(arena, &catalog, "products", "int4", 1, 5000);
    size_t customers = add_table(arena, &catalog, "customers", "int4", 2, 100000);
    size_t orders = add_table(arena, &catalog, "orders", "int4", 5, 500000);
    size_t tips = add_table(arena, &catalog, "tips", "int4", 2, 90000);
    add_key(arena, &catalog, "c1", customers, 2, countries, 1);
    add_key(arena, &catalog, "o1", orders, 2, products, 1);
    add_key(arena, &catalog, "o2", orders, 3, customers, 1);
    add_key(arena, &catalog, "o3", orders, 4, orders, 1);
    add_key(arena, &catalog, "o4", orders, 5, tips, 1);
    add_key(arena, &catalog, "t1", tips, 2, customers, 1);
    catalog.tables.items[customers].columns.items[1].not_null = false;
    catalog.tables.items[tips].columns.items[1].not_null = false;
    struct sample_options options = {.fraction = 0.05};
    struct sampling sampling = sampling_of(arena, &catalog, &options);
    assert_int_equal(rh_sample_choose(&sampling, &err), RH_OK);
    assert_reason(&sampling, countries, "small");
    assert_reason(&sampling, products, "root, 5 %");
    assert_reason(&sampling, customers, "root, 5 %");
    assert_reason(&sampling, orders, "follows public.customers");
    assert_reason(&sampling, tips, "follows public.customers");
}

static void test_choose_keeps_ledgers_whole(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct catalog catalog = {0};
    struct err err = RH_ERR_INIT;
    size_t ledger = add_table(arena, &catalog, "django_migrations", "int4", 1, 5000);
    size_t other = add_table(arena, &catalog, "birds", "int4", 1, 5000);
    struct sample_options options = {.fraction = 0.05};
    struct sampling sampling = sampling_of(arena, &catalog, &options);
    assert_int_equal(rh_sample_choose(&sampling, &err), RH_OK);
    assert_reason(&sampling, ledger, "a migration tool's ledger");
    assert_int_equal(node_of(&sampling, ledger)->choice, SAMPLE_WHOLE);
    assert_reason(&sampling, other, "root, 5 %");
}

static void test_choose_breaks_circles(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct catalog catalog = {0};
    struct err err = RH_ERR_INIT;
    size_t small = add_table(arena, &catalog, "small", "int4", 2, 2000);
    size_t middle = add_table(arena, &catalog, "middle", "int4", 2, 3000);
    size_t big = add_table(arena, &catalog, "big", "int4", 2, 4000);
    add_key(arena, &catalog, "1", small, 2, middle, 1);
    add_key(arena, &catalog, "2", middle, 2, big, 1);
    add_key(arena, &catalog, "3", big, 2, small, 1);
    struct sample_options options = {.fraction = 0.5};
    struct sampling sampling = sampling_of(arena, &catalog, &options);
    assert_int_equal(rh_sample_choose(&sampling, &err), RH_OK);
    assert_reason(&sampling, big, "follows public.small");
    assert_reason(&sampling, middle, "follows public.big");
    assert_reason(&sampling, small, "root, 50 %");
    const size_t *order = rh_sample_order(&sampling);
    assert_int_equal(sampling.nodes.items[order[0]].table, small);
    assert_int_equal(sampling.nodes.items[order[1]].table, big);
    assert_int_equal(sampling.nodes.items[order[2]].table, middle);
}

static void test_choose_share_of_one_table_reaches_down(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct catalog catalog = {0};
    struct err err = RH_ERR_INIT;
    size_t a = add_table(arena, &catalog, "a", "int4", 2, 4000);
    size_t b = add_table(arena, &catalog, "b", "int4", 2, 5000);
    size_t c = add_table(arena, &catalog, "c", "int4", 2, 6000);
    size_t d = add_table(arena, &catalog, "d", "int4", 2, 7000);
    add_key(arena, &catalog, "1", b, 2, a, 1);
    add_key(arena, &catalog, "2", c, 2, b, 1);
    struct sample_options options = {.fraction = 1};
    *RH_PUSH(arena, &options.shares) = (struct sample_share){"public.\"b\"", 0.1};
    struct sampling sampling = sampling_of(arena, &catalog, &options);
    assert_int_equal(rh_sample_choose(&sampling, &err), RH_OK);
    assert_reason(&sampling, a, NULL);
    assert_int_equal(node_of(&sampling, a)->choice, SAMPLE_WHOLE);
    assert_reason(&sampling, b, "root, 10 %");
    assert_reason(&sampling, c, "follows public.b");
    assert_true(node_of(&sampling, c)->fraction == 0.1);
    assert_int_equal(node_of(&sampling, d)->choice, SAMPLE_WHOLE);
}

static void test_find_table_by_name_as_written(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct catalog catalog = {0};
    size_t a = add_table(arena, &catalog, "a", "int4", 1, 1);
    size_t other = add_table(arena, &catalog, "a", "int4", 1, 1);
    size_t odd = add_table(arena, &catalog, "O\"dd", "int4", 1, 1);
    size_t twin = add_table(arena, &catalog, "twin", "int4", 1, 1);
    catalog.tables.items[other].schema = "other";
    catalog.tables.items[twin].schema = "s1";
    catalog.tables.items[add_table(arena, &catalog, "twin", "int4", 1, 1)].schema = "s2";
    catalog.tables.items[add_table(arena, &catalog, "view", "int4", 1, 1)].kind = 'v';
    struct sample_options options = {.fraction = 1};
    struct sampling sampling = sampling_of(arena, &catalog, &options);
    const struct {
        const char *written;
        size_t expected;
    } cases[] = {{"a", a},
                 {"A", a},
                 {"public.a", a},
                 {"other.a", other},
                 {"db.other.a", other},
                 {"\"O\"\"dd\"", odd},
                 {"twin", CATALOG_NONE},
                 {"s1.twin", twin},
                 {"view", CATALOG_NONE},
                 {"", CATALOG_NONE},
                 {"a.", CATALOG_NONE},
                 {"\"A\"", CATALOG_NONE},
                 {"a b", CATALOG_NONE},
                 {"a; DROP", CATALOG_NONE},
                 {"\"a", CATALOG_NONE}};
    for (size_t i = 0; i < COUNT(cases); i++)
        if (rh_sample_find_table(&sampling, cases[i].written) != cases[i].expected)
            fail_msg("%s: %zu, expected %zu", cases[i].written,
                     rh_sample_find_table(&sampling, cases[i].written), cases[i].expected);
    assert_true(rh_sample_same_name(&sampling, "s.a", "A"));
    assert_false(rh_sample_same_name(&sampling, "s.a", "t.a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choose_follows_the_heaviest_mandatory_parent),
        cmocka_unit_test(test_choose_keeps_ledgers_whole),
        cmocka_unit_test(test_choose_breaks_circles),
        cmocka_unit_test(test_choose_share_of_one_table_reaches_down),
        cmocka_unit_test(test_find_table_by_name_as_written)};
    return cmocka_run_group_tests_name("sample_graph", tests, NULL, NULL);
}
