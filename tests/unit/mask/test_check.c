/* What stands against a plan, before the first row. Each case is one table "t", its catalogue and
 * its masking.yaml. */
#include "catalog_fixture.h"

static struct made made;
static struct masking masking;
static size_t table;

static int set_up(void **state)
{
    (void)state;
    made = make_catalog();
    masking = (struct masking){0};
    table = add_table(&made, "t");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rh_arena_free(made.arena);
    return 0;
}

static void start_again(void)
{
    tear_down(NULL);
    set_up(NULL);
}

/* Rules of columns of public.t as a flow mapping's inside; NULL: none. */
static void plan(const char *columns)
{
    make_plan(&made,
              columns ? rh_arena_printf(made.arena,
                                        "version: 1\ntables: {public.t: {columns: {%s}}}", columns)
                      : NULL,
              &masking);
}

static void assert_fatal(const char *column, const char *words)
{
    if (!find_problem(&masking, column, true, words)) {
        show_problems(&masking);
        fail_msg("nothing fatal about %s: %s", column, words);
    }
}

static void assert_note(const char *column, const char *words)
{
    if (!find_problem(&masking, column, false, words)) {
        show_problems(&masking);
        fail_msg("no note about %s: %s", column, words);
    }
}

static void assert_fine(void)
{
    if (masking.problems.count > 0) {
        show_problems(&masking);
        fail_msg("%zu problems", masking.problems.count);
    }
}

static void test_check_constraints_that_hold_are_no_problem(void **state)
{
    (void)state;
    add_column(&made, table, "email", "varchar(50)");
    add_column(&made, table, "code", "text");
    add_column(&made, table, "status", "text");
    add_check(&made, table, "a", "email", "CHECK (((email)::text ~ '^[^@]+@[^@]+$'::text))");
    add_check(&made, table, "b", "code", "CHECK ((length(code) <= 12))");
    add_check(&made, table, "c", "code", "CHECK ((code = upper(code)))");
    add_check(&made, table, "d", "status", "CHECK ((status = ANY (ARRAY['a'::text, 'b'::text])))");
    plan(NULL);
    assert_fine();
}

static void test_check_constraints_that_cannot_be_shown_to_hold_are_fatal(void **state)
{
    (void)state;
    add_column(&made, table, "sku", "text");
    add_column(&made, table, "old", "text");
    add_check(&made, table, "sku_check", "sku", "CHECK ((sku ~ '^SKU-'::text))");
    add_check(&made, table, "old_check", "old", "CHECK ((old ~ '^x'::text)) NOT VALID")
        ->is_validated = false;
    plan(NULL);
    assert_fatal("sku", "cannot be shown to hold for values masked by rule text: write keep");
    assert_note("old", "validating it may fail");
    assert_int_equal(count_fatal(&masking), 1);
    assert_string_equal(masking.problems.items[0].object, "sku_check");
}

static void test_check_constraints_of_domains_are_of_their_columns(void **state)
{
    struct catalog_column *column = add_column(&made, table, "mail", "varchar");
    (void)state;
    column->domain = "public.email";
    add_check(&made, table, "public.email.at", "mail", "CHECK (((VALUE)::text ~~ '%@%'::text))");
    add_check(&made, table, "public.email.ours", "mail",
              "CHECK (((VALUE)::text ~~ '%@example.org'::text))");
    plan(NULL);
    assert_fatal("mail", "@example.org");
    assert_int_equal(masking.problems.count, 1);
}

static void test_check_of_a_category_that_somebody_masks(void **state)
{
    (void)state;
    add_column(&made, table, "status", "text");
    add_check(&made, table, "s", "status", "CHECK ((status = ANY (ARRAY['a'::text, 'b'::text])))");
    plan("status: text");
    assert_fatal("status", "write keep");
    start_again();
    add_column(&made, table, "status", "text");
    add_check(&made, table, "s", "status", "CHECK ((status = ANY (ARRAY['a'::text, 'b'::text])))");
    plan("status: {rule: fixed, parameter: b}");
    assert_fine();
}

static void test_check_unique_needs_a_rule_that_keeps_values_apart(void **state)
{
    static const char *const rules[] = {"hash", "words", "{rule: fixed, parameter: x}"};
    (void)state;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        start_again();
        add_column(&made, table, "login", "text");
        add_key(&made, table, "t_login", true, "login");
        plan(rh_arena_printf(made.arena, "login: %s", rules[i]));
        assert_fatal("login", "the column is unique");
    }
    start_again();
    add_column(&made, table, "born", "date");
    add_column(&made, table, "login", "text");
    add_key(&made, table, "t_born", true, "born,login");
    plan("born: noise");
    assert_fatal("born", "(date)");
}

static void test_check_unique_is_safe_with_a_smaller_key_inside(void **state)
{
    (void)state;
    add_column(&made, table, "id", "int4 not null");
    add_column(&made, table, "label", "text");
    add_key(&made, table, "t_pkey", true, "id")->is_primary = true;
    add_key(&made, table, "t_both", true, "id,label");
    plan("label: hash");
    assert_fine();
}

static void test_check_null_rules(void **state)
{
    (void)state;
    add_column(&made, table, "a", "text not null");
    add_column(&made, table, "b", "text");
    add_column(&made, table, "c", "text");
    add_key(&made, table, "t_b", true, "b");
    add_key(&made, table, "t_c", true, "c")->nulls_not_distinct = true;
    add_check(&made, table, "b_there", "b", "CHECK ((b IS NOT NULL))");
    plan("a: 'null', b: 'null', c: 'null'");
    assert_fatal("a", "NOT NULL");
    assert_fatal("b", "cannot be shown to hold");
    assert_fatal("c", "NULLS NOT DISTINCT");
    assert_int_equal(masking.problems.count, 3);
}

static void test_check_expressions_of_unique_indexes(void **state)
{
    (void)state;
    add_column(&made, table, "email", "text");
    add_column(&made, table, "phone", "text");
    add_key(&made, table, "t_lower", true, "{lower(email)}");
    add_key(&made, table, "t_plain", false, "{md5(email)}");
    plan(NULL);
    assert_fine();
    add_key(&made, table, "t_digits", true, "{regexp_replace(phone, '\\D'::text, ''::text)}");
    add_key(&made, table, "t_md5", true, "{md5(email)}");
    masking = (struct masking){0};
    plan(NULL);
    assert_note("phone", "may become equal");
    assert_note("email", "md5");
    assert_int_equal(count_fatal(&masking), 0);
}

static void test_check_generated_columns_are_their_expression(void **state)
{
    struct catalog_column *column;
    (void)state;
    add_column(&made, table, "email", "text");
    column = add_column(&made, table, "folded", "text");
    column->is_generated = true;
    column->default_expression = "lower(email)";
    column = add_column(&made, table, "host", "text");
    column->is_generated = true;
    column->default_expression = "split_part(email, '@'::text, 2)";
    add_key(&made, table, "t_folded", true, "folded");
    add_check(&made, table, "folded_check", "folded", "CHECK ((length(folded) > 3))");
    plan(NULL);
    assert_fine();
    add_key(&made, table, "t_host", true, "host");
    add_check(&made, table, "host_check", "host", "CHECK ((host <> 'example.org'::text))");
    masking = (struct masking){0};
    plan(NULL);
    assert_note("email", "split_part");
    assert_fatal("email", "host <> 'example.org'");
}

static void test_check_predicates(void **state)
{
    (void)state;
    add_column(&made, table, "email", "text");
    add_column(&made, table, "kind", "text");
    add_column(&made, table, "deleted_at", "timestamptz");
    add_key(&made, table, "t_live", true, "email")->predicate = "(deleted_at IS NULL)";
    add_key(&made, table, "t_kind", true, "email")->predicate = "(kind = 'main'::text)";
    plan(NULL); /* "main" is kept, for the schema names it */
    assert_fine();
    add_key(&made, table, "t_long", true, "email")->predicate = "(kind ~~ 'main%'::text)";
    add_key(&made, table, "t_short", false, "email")->predicate = "(kind ~~ 'x%'::text)";
    masking = (struct masking){0};
    plan(NULL);
    assert_fatal("kind", "which may be equal");
    assert_note("kind", "covers other rows");
    assert_int_equal(masking.problems.count, 2);
}

static void test_check_exclusions(void **state)
{
    struct catalog_key *key;
    (void)state;
    add_column(&made, table, "room", "text");
    add_column(&made, table, "during", "tsrange");
    key = add_key(&made, table, "t_rooms", false, "room,during");
    key->is_exclusion = true;
    key->definition = "EXCLUDE USING gist (room WITH =, during WITH &&)";
    plan(NULL);
    assert_fine();
    key->definition = "EXCLUDE USING gist (room WITH <>, during WITH &&)";
    masking = (struct masking){0};
    plan(NULL);
    assert_fatal("room", "excludes rows by operator <>");
}

static void test_check_limits_and_types(void **state)
{
    (void)state;
    add_column(&made, table, "a", "varchar(5)");
    add_column(&made, table, "b", "varchar(5)");
    add_column(&made, table, "c", "varchar(5)");
    add_column(&made, table, "d", "int4");
    add_column(&made, table, "e", "int4");
    add_column(&made, table, "f", "numeric(5,1)");
    add_column(&made, table, "g", "int4");
    plan("f: {rule: fixed, parameter: 1x}, g: {rule: fixed, parameter: -1}, a: {rule: fixed, "
         "parameter: abcdef}, b: {rule: words, parameter: 'red, yellow'}, "
         "c: {rule: hash, parameter: 8}, d: card, e: fixed");
    assert_fatal("a", "up to 6 characters");
    assert_fatal("b", "up to 6 characters");
    assert_fatal("c", "up to 8 characters");
    assert_fatal("d", "write one of keep, number, fixed, null, noise");
    assert_fatal("e", "needs the value");
    assert_fatal("f", "\"1x\" is no value of numeric(5,1)");
    assert_null(find_problem(&masking, "g", true, ""));
}

static void test_check_partition_keys(void **state)
{
    struct catalog_table *own = &made.catalog.tables.items[table];
    (void)state;
    own->kind = 'p';
    own->partition_key = "LIST (country)";
    add_column(&made, table, "country", "text");
    *RH_PUSH(made.arena, &own->partition_columns) = 1;
    size_t part = add_table(&made, "t_de");
    add_column(&made, part, "country", "text");
    made.catalog.tables.items[part].parent = table;
    made.catalog.tables.items[part].partition_bound = "FOR VALUES IN ('DE', 'AT')";
    *RH_PUSH(made.arena, &made.catalog.tables.items[part].parents) = table;
    /* The bounds name all values: a category. */
    plan(NULL);
    assert_fine();
    assert_int_equal(decision_of(&made, &masking, part, "country")->rule, MASK_KEEP);
    made.catalog.tables.items[part].partition_bound = "DEFAULT";
    masking = (struct masking){0};
    plan(NULL);
    assert_fatal("country", "would belong to another partition: write keep");
    assert_int_equal(count_fatal(&masking), 1);
}

static void test_check_the_same_is_not_told_of_every_partition(void **state)
{
    (void)state;
    made.catalog.tables.items[table].kind = 'p';
    size_t part = add_table(&made, "t_1");
    for (size_t i = 0; i < 2; i++) {
        size_t own = i == 0 ? table : part;
        add_column(&made, own, "sku", "text");
        add_check(&made, own, "sku_check", "sku", "CHECK ((sku ~ '^SKU-'::text))");
        add_key(&made, own, i == 0 ? "t_key" : "t_1_key", true, "{md5(sku)}");
    }
    made.catalog.tables.items[part].parent = table;
    made.catalog.tables.items[part].partition_bound = "DEFAULT";
    made.catalog.tables.items[table].keys.items[0].definition = "CREATE x USING btree (md5(sku))";
    made.catalog.tables.items[part].keys.items[0].definition = "CREATE y USING btree (md5(sku))";
    *RH_PUSH(made.arena, &made.catalog.tables.items[part].parents) = table;
    plan(NULL);
    assert_int_equal(masking.problems.count, 2);
}

static void test_check_foreign_keys(void **state)
{
    (void)state;
    add_column(&made, table, "a", "text");
    add_column(&made, table, "b", "text");
    size_t child = add_table(&made, "child");
    add_column(&made, child, "ca", "text");
    add_column(&made, child, "cb", "text");
    add_foreign_key(&made, child, "ca", table, "a");
    struct catalog_foreign_key *key = &made.catalog.foreign_keys.items[0];
    *RH_PUSH(made.arena, &key->child_columns) = 2;
    *RH_PUSH(made.arena, &key->parent_columns) = 2;
    key->match_full = true;
    make_plan(&made, "version: 1\ntables: {public.child: {columns: {ca: 'null'}}}", &masking);
    assert_fatal("ca", "MATCH FULL");
    masking = (struct masking){0};
    make_plan(&made, "version: 1\ntables: {public.child: {columns: {ca: 'null', cb: 'null'}}}",
              &masking);
    assert_fine();
    masking = (struct masking){0};
    make_plan(&made,
              "version: 1\ntables: {public.child: {columns: {cb: {rule: fixed, parameter: x}}}}",
              &masking);
    assert_fatal("cb", "public.t has no such row");
}

static void test_check_numbers_of_a_domain_have_one_type(void **state)
{
    (void)state;
    add_column(&made, table, "tax_number", "int8");
    size_t child = add_table(&made, "child");
    add_column(&made, child, "tax", "int4");
    add_foreign_key(&made, child, "tax", table, "tax_number");
    plan(NULL);
    assert_fatal("tax", "gives other values for int4 than for int8");
    start_again();
    add_column(&made, table, "tax_number", "int8");
    child = add_table(&made, "child");
    add_column(&made, child, "tax", "int8");
    add_foreign_key(&made, child, "tax", table, "tax_number");
    plan(NULL);
    assert_fine();
}

/* Not the type's text: a domain over numeric(8,2) is numeric(8,2). */
static void test_check_numbers_of_a_domain_have_one_precision(void **state)
{
    (void)state;
    add_column(&made, table, "salary", "numeric(8,2)");
    size_t child = add_table(&made, "child");
    struct catalog_column *amount = add_column(&made, child, "salary", "public.amount");
    amount->base_type = "numeric";
    amount->precision = 8;
    amount->scale = 2;
    add_foreign_key(&made, child, "salary", table, "salary");
    plan(NULL);
    assert_fine();
    amount->scale = 3;
    plan(NULL);
    assert_fatal("salary", "gives other values for public.amount than for numeric(8,2)");
}

static void test_check_addresses_of_a_domain_have_one_type(void **state)
{
    static const char *const types[][2] = {{"inet", "cidr"}, {"macaddr", "macaddr8"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        if (i > 0)
            start_again();
        add_column(&made, table, "a", types[i][0]);
        size_t child = add_table(&made, "child");
        add_column(&made, child, "b", types[i][1]);
        struct catalog_join *join = RH_PUSH(made.arena, &made.catalog.joins);
        *join = (struct catalog_join){"v", table, child, 1, 1};
        plan(NULL);
        /* A view gives way. */
        assert_note("a", "rows that matched will not");
        assert_int_equal(count_fatal(&masking), 0);
        add_foreign_key(&made, child, "b", table, "a");
        plan(NULL);
        assert_fatal("b", "gives other values for");
        plan("a: keep");
        assert_int_equal(count_fatal(&masking), 0);
    }
}

static void test_check_dates_that_are_compared_are_shifted_together(void **state)
{
    (void)state;
    add_column(&made, table, "born", "date");
    add_column(&made, table, "joined", "date");
    add_check(&made, table, "t_check", "born", "CHECK ((joined >= born))");
    *RH_PUSH(made.arena, &made.catalog.tables.items[table].checks.items[0].columns) = 2;
    plan(NULL);
    assert_note("joined", "a sentinel that stays");
    assert_int_equal(count_fatal(&masking), 0);
    assert_int_equal(decision_of(&made, &masking, table, "joined")->rule, MASK_DATE);
    assert_string_equal(decision_of(&made, &masking, table, "joined")->domain, "public.t.born");
}

static void test_check_tells_what_stays_because_of_another_column(void **state)
{
    (void)state;
    add_column(&made, table, "email", "text");
    size_t child = add_table(&made, "child");
    add_column(&made, child, "who", "text");
    add_foreign_key(&made, child, "who", table, "email");
    make_plan(&made, "version: 1\ntables: {public.child: {columns: {who: keep}}}", &masking);
    assert_note("email", "it stays as it is because public.child.who does (masking.yaml:2), though "
                         "its name says e-mail");
    assert_int_equal(count_fatal(&masking), 0);
}

static void test_check_collations_that_take_more_for_equal(void **state)
{
    struct catalog_column *column = add_column(&made, table, "name", "text");
    (void)state;
    column->is_deterministic = false;
    add_key(&made, table, "t_name", true, "name");
    plan(NULL);
    assert_note("name", "not known here");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_check_constraints_that_hold_are_no_problem),
        CASE(test_check_constraints_that_cannot_be_shown_to_hold_are_fatal),
        CASE(test_check_constraints_of_domains_are_of_their_columns),
        CASE(test_check_of_a_category_that_somebody_masks),
        CASE(test_check_unique_needs_a_rule_that_keeps_values_apart),
        CASE(test_check_unique_is_safe_with_a_smaller_key_inside),
        CASE(test_check_null_rules),
        CASE(test_check_expressions_of_unique_indexes),
        CASE(test_check_generated_columns_are_their_expression),
        CASE(test_check_predicates),
        CASE(test_check_exclusions),
        CASE(test_check_limits_and_types),
        CASE(test_check_partition_keys),
        CASE(test_check_the_same_is_not_told_of_every_partition),
        CASE(test_check_foreign_keys),
        CASE(test_check_numbers_of_a_domain_have_one_type),
        CASE(test_check_numbers_of_a_domain_have_one_precision),
        CASE(test_check_addresses_of_a_domain_have_one_type),
        CASE(test_check_dates_that_are_compared_are_shifted_together),
        CASE(test_check_tells_what_stays_because_of_another_column),
        CASE(test_check_collations_that_take_more_for_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
