/* Conditions as SQL. */
#include "sample_unit.h"

static void make_bases(struct sampling *sampling)
{
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_sample_choose(sampling, &err), RH_OK);
    const size_t *order = rh_sample_order(sampling);
    for (size_t i = 0; i < sampling->nodes.count; i++)
        rh_sample_base(sampling, order[i]);
}

#define BELOW_HALF " < '0'::pg_catalog.int8"

static void test_base_of_a_child_is_made_of_its_own_columns(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct catalog catalog = {0};
    size_t a = add_table(arena, &catalog, "a", "int8", 1, 5000);
    size_t b = add_table(arena, &catalog, "b", "int4", 2, 6000);
    size_t c = add_table(arena, &catalog, "c", "int4", 2, 7000);
    size_t d = add_table(arena, &catalog, "d", "text", 2, 8000);
    add_key(arena, &catalog, "1", b, 2, a, 1);
    add_key(arena, &catalog, "2", c, 2, b, 1);
    add_key(arena, &catalog, "3", d, 2, a, 1); /* as if text could refer to int8 */
    struct sample_options options = {.fraction = 0.5, .seed = 3};
    struct sampling sampling = sampling_of(arena, &catalog, &options);
    make_bases(&sampling);
    assert_non_null(
        strstr(node_of(&sampling, a)->base,
               "hashint8extended(a::pg_catalog.int8, '3'::pg_catalog.int8)" BELOW_HALF));
    assert_non_null(
        strstr(node_of(&sampling, b)->base,
               "hashint8extended(b::pg_catalog.int8, '3'::pg_catalog.int8)" BELOW_HALF));
    assert_non_null(
        strstr(node_of(&sampling, c)->base, "(b) IN (SELECT a FROM ONLY public.b WHERE "));
    assert_non_null(
        strstr(node_of(&sampling, d)->base, "(b) IN (SELECT a FROM ONLY public.a WHERE "));
}

static void test_base_of_shares_at_the_ends(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct catalog catalog = {0};
    size_t a = add_table(arena, &catalog, "a", "int8", 1, 5000);
    struct sample_options none = {.fraction = 0}, all = {.fraction = 1};
    struct sampling sampling = sampling_of(arena, &catalog, &none);
    make_bases(&sampling);
    assert_string_equal(node_of(&sampling, a)->base, "false");
    sampling = sampling_of(arena, &catalog, &all);
    make_bases(&sampling);
    assert_null(node_of(&sampling, a)->base);
    assert_null(rh_sample_condition(&sampling, a));
}

static void test_condition_names_added_rows_as_each_version_looks_them_up(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct catalog catalog = {0};
    size_t a = add_table(arena, &catalog, "a", "int8", 1, 5000);
    struct sample_options none = {.fraction = 0}, some = {.fraction = 0.5};
    struct sampling sampling = sampling_of(arena, &catalog, &none);
    make_bases(&sampling);
    rh_row_set_add(&sampling.extras[a].set, UINT64_C(1) << 16 | 2, arena);
    assert_string_equal(rh_sample_condition(&sampling, a),
                        "ctid = ANY ('{\"(1,2)\"}'::pg_catalog.tid[])");
    sampling = sampling_of(arena, &catalog, &some);
    make_bases(&sampling);
    assert_string_equal(rh_sample_condition(&sampling, a), node_of(&sampling, a)->base);
    rh_row_set_add(&sampling.extras[a].set, UINT64_C(1) << 16 | 2, arena);
    assert_non_null(strstr(rh_sample_condition(&sampling, a),
                           ") OR ctid = ANY ('{\"(1,2)\"}'::pg_catalog.tid[])"));
    sampling.major = 13;
    assert_non_null(
        strstr(rh_sample_condition(&sampling, a),
               ") OR ctid IN (SELECT pg_catalog.unnest('{\"(1,2)\"}'::pg_catalog.tid[]))"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_of_a_child_is_made_of_its_own_columns),
        cmocka_unit_test(test_base_of_shares_at_the_ends),
        cmocka_unit_test(test_condition_names_added_rows_as_each_version_looks_them_up)};
    return cmocka_run_group_tests_name("sample_sql", tests, NULL, NULL);
}
