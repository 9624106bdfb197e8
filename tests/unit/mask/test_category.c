/* Which columns are categories, and that they unmask nobody else. */
#include "catalog_fixture.h"

static struct made made;
static struct masking masking;

static int set_up(void **state)
{
    (void)state;
    made = make_catalog();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rh_arena_free(made.arena);
    return 0;
}

static void assert_rule(size_t table, const char *column, enum mask_rule rule)
{
    const struct masked_column *masked = decision_of(&made, &masking, table, column);

    if (masked->rule != rule)
        fail_msg("%s.%s: %s (%s)", made.catalog.tables.items[table].name, column,
                 rh_mask_rule_name(masked->rule), masked->reason);
}

static void inherit(size_t child, size_t parent)
{
    made.catalog.tables.items[child].parent = parent;
    *RH_PUSH(made.arena, &made.catalog.tables.items[child].parents) = parent;
}

static void test_category_of_an_heir_does_not_unmask_its_parent(void **state)
{
    size_t people = add_table(&made, "people"), vip = add_table(&made, "vip");
    (void)state;

    add_column(&made, people, "note", "text");
    add_column(&made, vip, "note", "text");
    inherit(vip, people);
    add_check(&made, vip, "vip_check", "note",
              "CHECK ((note = ANY (ARRAY['A'::text, 'B'::text])))");
    make_plan(&made, NULL, &masking);
    assert_rule(people, "note", MASK_FREE_TEXT);
    assert_rule(vip, "note", MASK_FREE_TEXT);
    /* So that the CHECK holds. */
    assert_int_equal(decision_of(&made, &masking, people, "note")->kept_values.count, 2);
    assert_int_equal(count_fatal(&masking), 0);
}

static void test_category_of_a_child_does_not_unmask_what_it_refers_to(void **state)
{
    size_t orders = add_table(&made, "acme_orders"), customers = add_table(&made, "customers");
    (void)state;

    add_column(&made, orders, "customer", "text");
    add_column(&made, customers, "name", "text");
    add_key(&made, customers, "customers_name", true, "name");
    add_foreign_key(&made, orders, "customer", customers, "name");
    add_check(&made, orders, "acme", "customer", "CHECK ((customer = 'ACME'::text))");
    make_plan(&made, NULL, &masking);
    assert_rule(customers, "name", MASK_TEXT);
    assert_rule(orders, "customer", MASK_TEXT);
    assert_string_equal(decision_of(&made, &masking, customers, "name")->reason,
                        "name says person name");
    assert_string_equal(decision_of(&made, &masking, customers, "name")->kept_values.items[0],
                        "ACME");
    assert_int_equal(count_fatal(&masking), 0);
}

/* Neither by statistics, nor where nothing personal is known of the other. */
static void test_category_by_statistics_is_one_columns_alone(void **state)
{
    size_t a = add_table(&made, "a"), b = add_table(&made, "b");
    (void)state;

    add_column(&made, a, "word", "text")->distinct = 3;
    add_column(&made, b, "word", "text");
    add_key(&made, a, "a_open", false, "word")->predicate = "(word = 'open'::text)";
    add_sighting(&made, a, "word", 10);
    make_plan(&made, NULL, &masking);
    assert_rule(a, "word", MASK_KEEP);
    assert_rule(b, "word", MASK_TEXT);
    add_foreign_key(&made, b, "word", a, "word");
    make_plan(&made, NULL, &masking);
    assert_rule(a, "word", MASK_TEXT);
    assert_rule(b, "word", MASK_TEXT);
}

static void test_category_by_statistics_needs_a_look_and_a_constant(void **state)
{
    size_t t = add_table(&made, "t");
    (void)state;

    add_column(&made, t, "seen", "text")->distinct = 3;
    add_column(&made, t, "unseen", "text")->distinct = 3;
    add_column(&made, t, "hardly", "text")->distinct = 3;
    add_column(&made, t, "filled", "text")->distinct = 3;
    add_check(&made, t, "c1", "seen", "CHECK ((seen <> 'x'::text))");
    add_check(&made, t, "c2", "unseen", "CHECK ((unseen <> 'x'::text))");
    add_check(&made, t, "c3", "hardly", "CHECK ((hardly <> 'x'::text))");
    add_check(&made, t, "c4", "filled", "CHECK ((filled <> ''::text))");
    add_sighting(&made, t, "seen", 3);
    add_sighting(&made, t, "hardly", 2);
    add_sighting(&made, t, "filled", 100);
    make_plan(&made, NULL, &masking);
    assert_rule(t, "seen", MASK_KEEP);
    assert_rule(t, "unseen", MASK_TEXT);
    assert_rule(t, "hardly", MASK_TEXT);
    assert_rule(t, "filled", MASK_TEXT);
    assert_int_equal(count_fatal(&masking), 0);
}

/* All values of a child are its parent's, along a chain of keys. */
static void test_category_goes_down_foreign_keys_that_hold(void **state)
{
    size_t c = add_table(&made, "c"), b = add_table(&made, "b"), a = add_table(&made, "a");
    (void)state;

    add_column(&made, a, "v", "text");
    add_column(&made, b, "v", "text");
    add_column(&made, c, "note", "text");
    add_check(&made, a, "a_check", "v", "CHECK ((v = 'x'::text))");
    add_foreign_key(&made, c, "note", b, "v");
    add_foreign_key(&made, b, "v", a, "v");
    make_plan(&made, NULL, &masking);
    assert_rule(a, "v", MASK_KEEP);
    assert_rule(b, "v", MASK_KEEP);
    assert_rule(c, "note", MASK_KEEP);
    assert_string_equal(decision_of(&made, &masking, c, "note")->reason,
                        "as public.a.v: a category: a_check lists its values");
    made.catalog.foreign_keys.items[1].is_validated = false;
    make_plan(&made, NULL, &masking);
    assert_rule(a, "v", MASK_FREE_TEXT);
    assert_rule(c, "note", MASK_FREE_TEXT);
    made.catalog.foreign_keys.items[1].is_validated = true;
    made.catalog.foreign_keys.items[0].is_declared = true;
    make_plan(&made, NULL, &masking);
    assert_rule(a, "v", MASK_FREE_TEXT);
    assert_rule(c, "note", MASK_FREE_TEXT);
}

/* MATCH SIMPLE: with a NULL beside it anything goes. */
static void test_category_goes_down_a_key_of_two_columns_only_when_it_binds_both(void **state)
{
    size_t child = add_table(&made, "child"), parent = add_table(&made, "parent");
    (void)state;

    add_column(&made, child, "word", "text");
    struct catalog_column *other = add_column(&made, child, "n", "int4");
    add_column(&made, parent, "word", "text");
    add_column(&made, parent, "n", "int4");
    add_check(&made, parent, "words", "word", "CHECK ((word = 'x'::text))");
    add_foreign_key(&made, child, "word", parent, "word");
    struct catalog_foreign_key *key = &made.catalog.foreign_keys.items[0];
    *RH_PUSH(made.arena, &key->child_columns) = 2;
    *RH_PUSH(made.arena, &key->parent_columns) = 2;
    make_plan(&made, NULL, &masking);
    assert_rule(child, "word", MASK_TEXT);
    key->match_full = true;
    make_plan(&made, NULL, &masking);
    assert_rule(child, "word", MASK_KEEP);
    key->match_full = false;
    other->not_null = made.catalog.tables.items[child].columns.items[0].not_null = true;
    make_plan(&made, NULL, &masking);
    assert_rule(child, "word", MASK_KEEP);
}

static void test_category_goes_down_partitions(void **state)
{
    size_t all = add_table(&made, "visits"), de = add_table(&made, "visits_de");
    (void)state;

    add_column(&made, all, "country", "text");
    add_column(&made, de, "country", "text");
    inherit(de, all);
    made.catalog.tables.items[all].kind = 'p';
    made.catalog.tables.items[all].partition_key = "LIST (country)";
    *RH_PUSH(made.arena, &made.catalog.tables.items[all].partition_columns) = 1;
    made.catalog.tables.items[de].partition_bound = "FOR VALUES IN ('DE', 'AT')";
    make_plan(&made, NULL, &masking);
    assert_rule(all, "country", MASK_KEEP);
    assert_rule(de, "country", MASK_KEEP);
    made.catalog.tables.items[de].partition_bound = "DEFAULT";
    make_plan(&made, NULL, &masking);
    assert_rule(de, "country", MASK_TEXT);
    assert_non_null(find_problem(&masking, "country", true, "partitioned by it"));
}

/* A CHECK with NO INHERIT is the parent's alone: the heir's, of the same name, is asked again. */
static void test_category_of_a_parent_is_not_its_heirs(void **state)
{
    size_t people = add_table(&made, "people"), vip = add_table(&made, "vip");
    (void)state;

    add_column(&made, people, "word", "text");
    add_column(&made, vip, "word", "text");
    inherit(vip, people);
    add_check(&made, people, "words", "word", "CHECK ((word = 'x'::text)) NO INHERIT")
        ->no_inherit = true;
    make_plan(&made, NULL, &masking);
    assert_rule(people, "word", MASK_TEXT);
    assert_rule(vip, "word", MASK_TEXT);
    assert_int_equal(count_fatal(&masking), 0);
    add_check(&made, people, "shape", "word", "CHECK ((word ~ '^A'::text)) NO INHERIT")
        ->no_inherit = true;
    add_check(&made, vip, "shape", "word", "CHECK ((word ~ '^A'::text)) NO INHERIT")
        ->no_inherit = true;
    make_plan(&made, NULL, &masking);
    assert_int_equal(count_fatal(&masking), 2);
}

static void test_category_gives_way_to_what_is_declared(void **state)
{
    size_t a = add_table(&made, "a"), b = add_table(&made, "b");
    (void)state;

    add_column(&made, a, "v", "text");
    add_column(&made, b, "v", "text");
    add_check(&made, a, "a_check", "v", "CHECK ((v = 'x'::text))");
    add_foreign_key(&made, b, "v", a, "v");
    make_plan(&made, "version: 1\ntables: {public.b: {columns: {v: email}}}", &masking);
    assert_rule(a, "v", MASK_EMAIL);
    made.catalog.foreign_keys.items[0].is_validated = false;
    make_plan(&made, "version: 1\nkeep: [public.b.v]", &masking);
    assert_rule(a, "v", MASK_KEEP);
    assert_rule(b, "v", MASK_KEEP);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_category_of_an_heir_does_not_unmask_its_parent),
        CASE(test_category_of_a_child_does_not_unmask_what_it_refers_to),
        CASE(test_category_by_statistics_is_one_columns_alone),
        CASE(test_category_by_statistics_needs_a_look_and_a_constant),
        CASE(test_category_goes_down_foreign_keys_that_hold),
        CASE(test_category_goes_down_a_key_of_two_columns_only_when_it_binds_both),
        CASE(test_category_goes_down_partitions),
        CASE(test_category_of_a_parent_is_not_its_heirs),
        CASE(test_category_gives_way_to_what_is_declared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
