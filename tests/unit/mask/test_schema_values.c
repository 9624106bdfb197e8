/* Which constants a schema compares a column with, and whether they are all there can be. */
#include "catalog_fixture.h"

static void test_schema_values_of_checks(void **state)
{
    static const struct {
        const char *check, *values;
        bool is_complete;
    } cases[] = {
        {"CHECK ((c = ANY (ARRAY['a'::text, 'b'::text])))", "a b", true},
        {"CHECK (((c)::text = ANY ((ARRAY['a'::character varying, 'b'::character "
         "varying])::text[])))",
         "a b", true},
        {"CHECK (((c = 'a'::text) OR (c = 'b'::text)))", "a b", true},
        {"CHECK (((c IS NULL) OR (c = 'a'::text)))", "a", true},
        {"CHECK (((length(c) > 0) AND (c = ANY (ARRAY['a'::text]))))", "a", true},
        {"CHECK (('a'::text = c))", "a", true},
        {"CHECK ((c <@ ARRAY['a'::text, 'b'::text]))", "a b", true},
        {"CHECK ((c <> 'a'::text))", "a", false},
        {"CHECK ((c <> ALL (ARRAY['a'::text, 'b'::text])))", "a b", false},
        {"CHECK (((c = 'a'::text) OR (n > 5)))", "a", false},
        {"CHECK (((c = 'a'::text) OR (length(c) > 3)))", "a", false},
        {"CHECK ((NOT (c = 'a'::text)))", "a", false},
        {"CHECK ((c > 'a'::text))", "", false},
        {"CHECK ((c = d))", "", false},
        {"CHECK ((c = ANY (ARRAY['a'::text, d])))", "", false},
        {"CHECK ((lower(c) = 'a'::text))", "", false},
        {"CHECK ((c ~ 'a'::text))", "", false},
        {"CHECK ((c = (", "", false},
        {"CHECK (((c <> ''::text) AND (c <> '  '::text)))", "", false},
        {"CHECK ((c = ANY (ARRAY[''::text, 'a'::text])))", "a", true},
        /* Casts that cut: other values become these. */
        {"CHECK (((c)::character(1) = ANY (ARRAY['a'::bpchar, 'b'::bpchar])))", "", false},
        {"CHECK (((c)::character varying(2) = 'ab'::text))", "", false},
        {"CHECK (((c)::\"char\" = 'a'::\"char\"))", "", false},
        {"CHECK (((c)::name = 'a'::name))", "", false},
        {"CHECK (((c)::bpchar = 'a'::bpchar))", "a", true},
        {"CHECK (((c)::public.citext = 'a'::public.citext))", "a", true},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct made made = make_catalog();
        size_t table = add_table(&made, "t");
        struct schema_values values;
        struct buf list RH_CLEANUP_BUF;
        rh_buf_init(&list, 4096);
        add_column(&made, table, "c", "text");
        add_column(&made, table, "d", "text");
        add_check(&made, table, "t_check", "c", cases[i].check);
        const struct catalog_table *own = &made.catalog.tables.items[table];
        rh_schema_values(&made.catalog, own, &own->columns.items[0], made.arena, &values);
        for (size_t v = 0; v < values.values.count; v++)
            rh_buf_printf(&list, "%s%s", v ? " " : "", values.values.items[v]);
        if (values.is_complete != cases[i].is_complete ||
            strcmp(list.data ? list.data : "", cases[i].values) != 0)
            fail_msg("%s: \"%s\" %d", cases[i].check, list.data ? list.data : "",
                     values.is_complete);
        assert_true((values.object != NULL) == (values.values.count > 0));
        rh_arena_free(made.arena);
    }
}

static void test_schema_values_of_a_check_that_is_not_valid_are_not_all(void **state)
{
    struct made made = make_catalog();
    size_t table = add_table(&made, "t");
    struct schema_values values;
    (void)state;

    add_column(&made, table, "c", "text");
    add_check(&made, table, "t_check", "c", "CHECK ((c = 'a'::text)) NOT VALID")
        ->is_validated = false;
    const struct catalog_table *own = &made.catalog.tables.items[table];
    rh_schema_values(&made.catalog, own, &own->columns.items[0], made.arena, &values);
    assert_false(values.is_complete);
    assert_int_equal(values.values.count, 1);
    rh_arena_free(made.arena);
}

static void test_schema_values_of_domains_indexes_and_defaults(void **state)
{
    struct made made = make_catalog();
    size_t table = add_table(&made, "t");
    struct schema_values values;
    (void)state;

    struct catalog_column *column = add_column(&made, table, "c", "text");
    column->domain = "public.status";
    column->default_expression = "'new'::text";
    add_column(&made, table, "e", "text")->default_expression = "gen_random_uuid()";
    add_check(&made, table, "public.status.status_check", "c",
              "CHECK ((VALUE = ANY (ARRAY['a'::text])))");
    add_key(&made, table, "t_partial", false, "e")->predicate = "((c = 'b'::text) AND (e <> ''))";
    const struct catalog_table *own = &made.catalog.tables.items[table];
    rh_schema_values(&made.catalog, own, &own->columns.items[0], made.arena, &values);
    assert_true(values.is_complete);
    assert_string_equal(values.object, "public.status.status_check");
    assert_int_equal(values.values.count, 3);
    rh_schema_values(&made.catalog, own, &own->columns.items[1], made.arena, &values);
    /* '' stands beside anything. */
    assert_int_equal(values.values.count, 0);
    assert_null(values.object);
    rh_arena_free(made.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema_values_of_checks),
        cmocka_unit_test(test_schema_values_of_a_check_that_is_not_valid_are_not_all),
        cmocka_unit_test(test_schema_values_of_domains_indexes_and_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
