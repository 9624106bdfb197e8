/* A plan written as masking.yaml gives the same plan again. */
#include "catalog_fixture.h"

static void assert_same_text(const char *a, const char *b)
{
    if (a && b)
        assert_string_equal(a, b);
    else
        assert_true(a == b);
}

static void assert_same_plan(const struct masking *a, const struct masking *b)
{
    assert_int_equal(a->columns.count, b->columns.count);
    for (size_t i = 0; i < a->columns.count; i++) {
        const struct masked_column *left = &a->columns.items[i], *right = &b->columns.items[i];
        assert_int_equal(left->table, right->table);
        assert_int_equal(left->column, right->column);
        assert_int_equal(left->rule, right->rule);
        assert_int_equal(left->is_personal, right->is_personal);
        assert_int_equal(left->max_characters, right->max_characters);
        assert_same_text(left->domain, right->domain);
        assert_same_text(left->parameter, right->parameter);
        assert_int_equal(left->kept_values.count, right->kept_values.count);
        for (size_t j = 0; j < left->kept_values.count; j++)
            assert_string_equal(left->kept_values.items[j], right->kept_values.items[j]);
        assert_int_equal(left->paths.count, right->paths.count);
        for (size_t j = 0; j < left->paths.count; j++) {
            assert_string_equal(left->paths.items[j].path, right->paths.items[j].path);
            assert_int_equal(left->paths.items[j].rule, right->paths.items[j].rule);
            assert_same_text(left->paths.items[j].domain, right->paths.items[j].domain);
        }
    }
    assert_int_equal(a->domains.count, b->domains.count);
    for (size_t i = 0; i < a->domains.count; i++) {
        assert_string_equal(a->domains.items[i].name, b->domains.items[i].name);
        assert_int_equal(a->domains.items[i].members.count, b->domains.items[i].members.count);
    }
    assert_int_equal(count_fatal(a), count_fatal(b));
}

static struct made make_everything(void)
{
    struct made made = make_catalog();
    size_t users = add_table(&made, "users"), orders = add_table(&made, "orders"),
           odd = add_table(&made, "odd");

    add_column(&made, users, "id", "int8 not null")->is_identity = true;
    add_column(&made, users, "email", "varchar(60) not null");
    add_column(&made, users, "name", "text");
    add_column(&made, users, "profile", "jsonb");
    add_column(&made, users, "born", "date");
    add_column(&made, users, "plan", "text")->default_expression = "'it''s \"free\" \\ #1'::text";
    add_column(&made, users, "place", "public.geometry");
    add_key(&made, users, "users_pkey", true, "id")->is_primary = true;
    add_key(&made, users, "users_email", true, "email");
    add_column(&made, orders, "id", "uuid");
    add_column(&made, orders, "user_email", "text");
    add_column(&made, orders, "status", "text");
    add_column(&made, orders, "sku", "text");
    add_check(&made, orders, "s", "status", "CHECK ((status = ANY (ARRAY['a'::text])))");
    add_check(&made, orders, "sku\ncheck", "sku", "CHECK ((sku ~ '^SKU'::text))");
    add_key(&made, orders, "orders_pkey", true, "id")->is_primary = true;
    add_foreign_key(&made, orders, "user_email", users, "email");
    made.catalog.tables.items[odd].name = "Odd \"t\"\n#";
    made.catalog.tables.items[odd].identity = "public.\"Odd \"\"t\"\"\n#\"";
    struct catalog_column *column = add_column(&made, odd, "a: {b}, \"c\"", "text");
    column->quoted = "\"a: {b}, \"\"c\"\"\"";
    add_column(&made, odd, "null", "text");
    add_column(&made, odd, "-", "text");
    add_column(&made, odd, "\xC3\xA9t\xC3\xA9", "text");
    return made;
}

static const char *written(struct made *made, const struct masking *masking)
{
    struct buf out RH_CLEANUP_BUF;

    rh_buf_init(&out, 1 << 20);
    rh_masking_to_yaml(masking, &made->catalog, &out);
    assert_false(out.failed);
    return rh_text_dup(made->arena, rh_buf_text(&out));
}

static void test_masking_yaml_gives_the_same_plan(void **state)
{
    struct made made = make_everything();
    struct masking masking, again;
    (void)state;

    make_plan(&made, NULL, &masking);
    const char *yaml = written(&made, &masking);
    make_plan(&made, yaml, &again);
    assert_same_plan(&masking, &again);
    /* And once more, but for the reasons. */
    struct masking third;
    make_plan(&made, written(&made, &again), &third);
    assert_same_plan(&masking, &third);
    rh_arena_free(made.arena);
}

static void test_masking_yaml_keeps_what_the_user_said(void **state)
{
    struct made made = make_everything();
    struct masking masking, again;
    (void)state;

    make_plan(
        &made,
        "version: 1\n"
        "tables:\n"
        "  public.users:\n"
        "    columns:\n"
        "      name: {rule: words, parameter: \"a, b # c\", domain: \"my: domain\"}\n"
        "      profile: {rule: json, paths: {$.email: email, \"$.a[*]\": {rule: text, domain: "
        "d}}}\n"
        "      place: keep\n"
        "  public.orders:\n"
        "    columns:\n"
        "      sku: {rule: text, keep_values: [\"SKU-1\", '']}\n"
        "      user_email: {domain: person}\n"
        "references:\n"
        "  - {from: public.orders(sku), to: public.users(plan), when: \"status = 'a'\"}\n",
        &masking);
    assert_string_equal(decision_of(&made, &masking, 0, "email")->domain, "person");
    const char *yaml = written(&made, &masking);
    made.catalog.foreign_keys.count = 1; /* the file declares it again */
    make_plan(&made, yaml, &again);
    assert_string_equal(decision_of(&made, &again, 0, "name")->domain, "my: domain");
    assert_int_equal(made.catalog.foreign_keys.count, 2);
    assert_string_equal(made.catalog.foreign_keys.items[1].condition, "status = 'a'");
    assert_string_equal(decision_of(&made, &again, 0, "name")->parameter, "a, b # c");
    assert_int_equal(decision_of(&made, &again, 0, "profile")->paths.count, 2);
    assert_string_equal(decision_of(&made, &again, 0, "email")->domain, "person");
    assert_string_equal(decision_of(&made, &again, 1, "sku")->domain,
                        decision_of(&made, &masking, 1, "sku")->domain);
    rh_arena_free(made.arena);
}

static void test_masking_yaml_says_why_and_what_is_wrong(void **state)
{
    struct made made = make_everything();
    struct masking masking;
    (void)state;

    make_plan(&made, NULL, &masking);
    const char *yaml = written(&made, &masking);
    assert_non_null(strstr(yaml, "email: {rule: email, domain: public.users.email} # varchar(60) "
                                 "not null; name says e-mail\n"));
    assert_non_null(strstr(yaml, "id: keep # int8 not null; surrogate key\n"));
    assert_non_null(strstr(yaml, "# must be solved: public.orders.sku, sku check: CHECK"));
    assert_non_null(strstr(yaml, "# note: public.users.place: no rule is made"));
    assert_non_null(strstr(yaml, "\"null\": text # text; nobody classified it\n"));
    rh_arena_free(made.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masking_yaml_gives_the_same_plan),
        cmocka_unit_test(test_masking_yaml_keeps_what_the_user_said),
        cmocka_unit_test(test_masking_yaml_says_why_and_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
