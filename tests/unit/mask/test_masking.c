/* What is decided about columns, and why. */
#include "catalog_fixture.h"

static void test_masking_denies_what_nobody_classified(void **state)
{
    static const struct {
        const char *type;
        enum mask_rule rule;
    } cases[] = {
        {"text", MASK_TEXT},
        {"varchar(9)", MASK_TEXT},
        {"bpchar(3)", MASK_TEXT},
        {"public.citext", MASK_TEXT},
        {"name", MASK_TEXT},
        {"json", MASK_JSON},
        {"jsonb", MASK_JSON},
        {"xml", MASK_XML},
        {"public.hstore", MASK_HSTORE},
        {"tsvector", MASK_TSVECTOR},
        {"inet", MASK_INET},
        {"cidr", MASK_INET},
        {"macaddr", MASK_MACADDR},
        {"bytea", MASK_BYTES},
        {"varbit", MASK_BYTES},
        {"text[]", MASK_TEXT},
        {"jsonb[]", MASK_JSON},
        {"uuid", MASK_UUID},
        {"int4", MASK_KEEP},
        {"numeric(10,2)", MASK_KEEP},
        {"float8", MASK_KEEP},
        {"bool", MASK_KEEP},
        {"date", MASK_KEEP},
        {"timestamptz", MASK_KEEP},
        {"interval", MASK_KEEP},
        {"enum", MASK_KEEP},
        {"int4[]", MASK_KEEP},
        {"char", MASK_KEEP},
        {"point", MASK_KEEP},
        {"money", MASK_KEEP},
        {"pg_lsn", MASK_KEEP},
        {"public.geometry", MASK_NULL},
        {"tsquery", MASK_NULL},
    };
    struct made made = make_catalog();
    size_t table = add_table(&made, "things");
    struct masking masking;
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        add_column(&made, table, rh_arena_printf(made.arena, "c%zu", i), cases[i].type);
    make_plan(&made, NULL, &masking);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct masked_column *masked = &masking.columns.items[i];
        if (masked->rule != cases[i].rule)
            fail_msg("%s: %s, not %s", cases[i].type, rh_mask_rule_name(masked->rule),
                     rh_mask_rule_name(cases[i].rule));
        assert_non_null(masked->reason);
        assert_false(masked->is_personal);
        assert_true((masked->domain != NULL) ==
                    (masked->rule != MASK_KEEP && masked->rule != MASK_NULL));
    }
    assert_int_equal(count_fatal(&masking), 0);
    assert_non_null(find_problem(&masking, "c31", false, "its values become NULL"));
    rh_arena_free(made.arena);
}

static void test_masking_says_what_to_write_for_an_unknown_type_that_cannot_be_emptied(void **state)
{
    struct made made = make_catalog();
    size_t table = add_table(&made, "places");
    struct masking masking;
    (void)state;

    add_column(&made, table, "shape", "public.geometry not null");
    make_plan(&made, NULL, &masking);
    assert_non_null(find_problem(&masking, "shape", true, "write keep"));
    make_plan(&made, "version: 1\ntables:\n  public.places:\n    columns:\n      shape: keep\n",
              &masking);
    assert_int_equal(masking.problems.count, 0);
    rh_arena_free(made.arena);
}

static void test_masking_keeps_surrogate_keys_and_masks_natural_ones(void **state)
{
    struct made made = make_catalog();
    size_t users = add_table(&made, "users"), orders = add_table(&made, "orders");
    struct masking masking;
    (void)state;

    add_column(&made, users, "id", "uuid not null");
    add_column(&made, users, "email", "varchar(60) not null");
    add_column(&made, users, "tax_number", "int8 not null");
    add_column(&made, users, "api_token", "uuid");
    add_column(&made, users, "external", "uuid");
    add_column(&made, users, "session_id", "uuid");
    add_key(&made, users, "users_pkey", true, "id")->is_primary = true;
    add_key(&made, users, "users_email", true, "email");
    add_column(&made, orders, "owner", "uuid");
    add_column(&made, orders, "contact", "text");
    add_column(&made, orders, "tax_id", "int4");
    add_foreign_key(&made, orders, "owner", users, "id");
    add_foreign_key(&made, orders, "contact", users, "email");
    make_plan(&made, NULL, &masking);
    assert_int_equal(decision_of(&made, &masking, users, "id")->rule, MASK_KEEP);
    assert_int_equal(decision_of(&made, &masking, orders, "owner")->rule, MASK_KEEP);
    assert_int_equal(decision_of(&made, &masking, users, "api_token")->rule, MASK_UUID);
    assert_true(decision_of(&made, &masking, users, "api_token")->is_personal);
    assert_int_equal(decision_of(&made, &masking, users, "external")->rule, MASK_UUID);
    assert_int_equal(decision_of(&made, &masking, users, "session_id")->rule, MASK_KEEP);
    assert_int_equal(decision_of(&made, &masking, users, "tax_number")->rule, MASK_NUMBER);
    const struct masked_column *contact = decision_of(&made, &masking, orders, "contact");
    assert_int_equal(contact->rule, MASK_EMAIL);
    assert_string_equal(contact->reason, "as public.users.email: name says e-mail");
    assert_string_equal(contact->domain, "public.users.email");
    assert_true(contact->is_personal);
    /* The shortest member limits all pseudonyms of the domain. */
    assert_int_equal(contact->max_characters, 60);
    assert_int_equal(count_fatal(&masking), 0);
    rh_arena_free(made.arena);
}

static void test_masking_leaves_numbers_of_the_database_alone_whatever_they_are_called(void **state)
{
    struct made made = make_catalog();
    size_t taxes = add_table(&made, "taxes"), lines = add_table(&made, "lines");
    struct masking masking;
    (void)state;

    add_column(&made, taxes, "tax_id", "int4 not null")->is_identity = true;
    add_column(&made, lines, "tax_id", "int4");
    add_column(&made, lines, "phone", "int8");
    add_column(&made, lines, "born", "date");
    add_column(&made, lines, "salary", "numeric(10,2)");
    add_column(&made, lines, "email_verified", "bool");
    add_column(&made, lines, "password_changed_at", "timestamptz");
    add_key(&made, taxes, "taxes_pkey", true, "tax_id")->is_primary = true;
    add_foreign_key(&made, lines, "tax_id", taxes, "tax_id");
    make_plan(&made, NULL, &masking);
    assert_int_equal(decision_of(&made, &masking, taxes, "tax_id")->rule, MASK_KEEP);
    assert_int_equal(decision_of(&made, &masking, lines, "tax_id")->rule, MASK_KEEP);
    assert_string_equal(decision_of(&made, &masking, lines, "tax_id")->reason,
                        "as public.taxes.tax_id: surrogate key");
    assert_int_equal(decision_of(&made, &masking, lines, "phone")->rule, MASK_NUMBER);
    assert_int_equal(decision_of(&made, &masking, lines, "born")->rule, MASK_DATE);
    assert_int_equal(decision_of(&made, &masking, lines, "salary")->rule, MASK_NUMBER);
    assert_int_equal(decision_of(&made, &masking, lines, "email_verified")->rule, MASK_KEEP);
    assert_int_equal(decision_of(&made, &masking, lines, "password_changed_at")->rule, MASK_KEEP);
    rh_arena_free(made.arena);
}

static void test_masking_keeps_categories_for_a_reason_of_the_schema_only(void **state)
{
    struct made made = make_catalog();
    size_t orders = add_table(&made, "orders");
    struct masking masking;
    (void)state;

    add_column(&made, orders, "status", "text");
    add_column(&made, orders, "state", "text")->distinct = 4;
    add_sighting(&made, orders, "state", 3);
    add_column(&made, orders, "region", "text")->distinct = 4;
    add_sighting(&made, orders, "region", 3);
    add_column(&made, orders, "plan", "text");
    add_column(&made, orders, "level", "text")->default_expression = "'basic'::text";
    add_check(&made, orders, "status_check", "status",
              "CHECK ((status = ANY (ARRAY['new'::text, 'paid'::text])))");
    add_key(&made, orders, "orders_open", false, "status")->predicate = "(state = 'open'::text)";
    add_key(&made, orders, "orders_plan", false, "status")->predicate = "(plan <> 'free'::text)";
    make_plan(&made, NULL, &masking);
    assert_int_equal(decision_of(&made, &masking, orders, "status")->rule, MASK_KEEP);
    assert_string_equal(decision_of(&made, &masking, orders, "status")->reason,
                        "a category: status_check lists its values");
    assert_int_equal(decision_of(&made, &masking, orders, "state")->rule, MASK_KEEP);
    /* Statistics alone keep nothing. */
    assert_int_equal(decision_of(&made, &masking, orders, "region")->rule, MASK_TEXT);
    /* Nobody counted: masked, but what the index compares stays. */
    const struct masked_column *plan = decision_of(&made, &masking, orders, "plan");
    assert_int_equal(plan->rule, MASK_TEXT);
    assert_int_equal(plan->kept_values.count, 1);
    assert_string_equal(plan->kept_values.items[0], "free");
    assert_string_equal(decision_of(&made, &masking, orders, "level")->kept_values.items[0],
                        "basic");
    assert_int_equal(count_fatal(&masking), 0);
    rh_arena_free(made.arena);
}

static void test_masking_does_not_touch_extensions_and_generated_columns(void **state)
{
    struct made made = make_catalog();
    size_t config = add_table(&made, "settings"), users = add_table(&made, "users");
    struct masking masking;
    (void)state;

    made.catalog.tables.items[config].extension = "cron";
    made.catalog.tables.items[config].is_extension_configuration = true;
    add_column(&made, config, "email", "text");
    struct catalog_column *folded = add_column(&made, users, "email_folded", "text");
    folded->is_generated = true;
    folded->default_expression = "lower(email)";
    add_column(&made, users, "email", "text");
    make_plan(&made, NULL, &masking);
    assert_int_equal(decision_of(&made, &masking, config, "email")->rule, MASK_KEEP);
    assert_string_equal(decision_of(&made, &masking, config, "email")->reason,
                        "configuration of extension cron");
    assert_int_equal(decision_of(&made, &masking, users, "email_folded")->rule, MASK_KEEP);
    assert_string_equal(decision_of(&made, &masking, users, "email_folded")->reason,
                        "generated: computed anew");
    assert_int_equal(decision_of(&made, &masking, users, "email")->rule, MASK_EMAIL);
    rh_arena_free(made.arena);
}

static enum mask_rule rule_of(struct made *made, const struct masking *masking, size_t table,
                              const char *column)
{
    return decision_of(made, masking, table, column)->rule;
}

static void test_masking_keeps_what_migration_tools_go_by(void **state)
{
    struct made made = make_catalog();
    size_t alembic = add_table(&made, "alembic_version"),
           django = add_table(&made, "django_migrations"), sqitch = add_table(&made, "changes"),
           liquibase = add_table(&made, "databasechangelog"),
           typeorm = add_table(&made, "migrations"), birds = add_table(&made, "migrations"),
           permission = add_table(&made, "auth_permission"),
           content_type = add_table(&made, "django_content_type");
    struct masking masking;
    struct err err = RH_ERR_INIT;
    (void)state;

    add_column(&made, alembic, "version_num", "varchar(32)");
    add_column(&made, django, "app", "varchar(255)");
    add_column(&made, django, "name", "varchar(255)");
    made.catalog.tables.items[sqitch].schema = "sqitch";
    made.catalog.tables.items[sqitch].identity = "sqitch.changes";
    add_column(&made, sqitch, "change_id", "text");
    add_column(&made, sqitch, "planner_name", "text");
    add_column(&made, sqitch, "planner_email", "text");
    add_column(&made, sqitch, "note", "text");
    add_column(&made, liquibase, "id", "varchar(255)");
    add_column(&made, liquibase, "author", "varchar(255)");
    add_column(&made, typeorm, "timestamp", "int8");
    add_column(&made, typeorm, "name", "varchar");
    made.catalog.tables.items[birds].schema = "nature";
    made.catalog.tables.items[birds].identity = "nature.migrations";
    add_column(&made, birds, "name", "text");
    add_column(&made, birds, "species", "text");
    add_column(&made, permission, "id", "int4");
    add_column(&made, permission, "name", "varchar(255)");
    add_column(&made, permission, "content_type_id", "int4");
    add_column(&made, permission, "codename", "varchar(100)");
    add_column(&made, content_type, "app_label", "varchar(100)");
    add_column(&made, content_type, "model", "varchar(100)");
    add_column(&made, content_type, "owner", "text"); /* somebody else's, of that name */
    struct mask_sighting sightings[] = {{.table = alembic, .column = 1},
                                        {.table = liquibase, .column = 2}};
    for (int i = 0; i < 10; i++) {
        rh_mask_sight(&sightings[0], TEXT_LITERAL("ae1027a6acf8b2c94dd5e3f1a7c60b12"));
        rh_mask_sight(&sightings[1], TEXT_LITERAL("someone@example.org"));
    }
    assert_int_equal(rh_masking_plan(&made.catalog, NULL, sightings, 2, made.arena, &masking, &err),
                     RH_OK);
    assert_int_equal(rule_of(&made, &masking, alembic, "version_num"), MASK_KEEP);
    assert_string_equal(decision_of(&made, &masking, django, "name")->reason,
                        "a migration tool's ledger");
    assert_int_equal(rule_of(&made, &masking, django, "app"), MASK_KEEP);
    assert_int_equal(rule_of(&made, &masking, django, "name"), MASK_KEEP);
    assert_int_equal(rule_of(&made, &masking, sqitch, "change_id"), MASK_KEEP);
    assert_int_equal(rule_of(&made, &masking, sqitch, "planner_name"), MASK_TEXT);
    assert_int_equal(rule_of(&made, &masking, sqitch, "planner_email"), MASK_EMAIL);
    assert_int_not_equal(rule_of(&made, &masking, sqitch, "note"), MASK_KEEP);
    assert_int_equal(rule_of(&made, &masking, liquibase, "id"), MASK_KEEP);
    assert_int_equal(rule_of(&made, &masking, liquibase, "author"), MASK_EMAIL);
    assert_int_equal(rule_of(&made, &masking, typeorm, "name"), MASK_KEEP);
    assert_int_equal(rule_of(&made, &masking, birds, "name"), MASK_TEXT);
    assert_int_equal(rule_of(&made, &masking, birds, "species"), MASK_TEXT);
    assert_int_equal(rule_of(&made, &masking, permission, "codename"), MASK_KEEP);
    assert_int_equal(rule_of(&made, &masking, permission, "name"), MASK_KEEP);
    assert_int_equal(rule_of(&made, &masking, content_type, "model"), MASK_TEXT);

    make_plan(&made,
              "version: 1\n"
              "keep:\n"
              "  - public.databasechangelog.author\n"
              "tables:\n"
              "  public.django_migrations:\n"
              "    columns:\n"
              "      name: text\n",
              &masking);
    assert_int_equal(rule_of(&made, &masking, django, "name"), MASK_TEXT);
    assert_int_equal(rule_of(&made, &masking, django, "app"), MASK_KEEP);
    assert_int_equal(rule_of(&made, &masking, liquibase, "author"), MASK_KEEP);
    rh_arena_free(made.arena);
}

static void test_masking_hears_the_user_first(void **state)
{
    struct made made = make_catalog();
    size_t users = add_table(&made, "users"), logins = add_table(&made, "logins");
    struct masking masking;
    (void)state;

    add_column(&made, users, "email", "text");
    add_column(&made, users, "code", "text");
    add_column(&made, users, "note", "text");
    add_column(&made, logins, "who", "text");
    add_column(&made, logins, "country", "text");
    make_plan(&made,
              "version: 1\n"
              "keep:\n"
              "  - public.logins.*\n"
              "tables:\n"
              "  public.users:\n"
              "    columns:\n"
              "      code: {rule: hash, parameter: 12}\n"
              "      email: {domain: person, keep_values: [nobody@example.org]}\n"
              "  public.logins:\n"
              "    columns:\n"
              "      who: {rule: text, domain: person}\n",
              &masking);
    const struct masked_column *code = decision_of(&made, &masking, users, "code");
    assert_int_equal(code->rule, MASK_HASH);
    assert_string_equal(code->parameter, "12");
    assert_string_equal(code->reason, "masking.yaml:7");
    assert_int_equal(decision_of(&made, &masking, logins, "country")->rule, MASK_KEEP);
    assert_string_equal(decision_of(&made, &masking, logins, "country")->reason, "masking.yaml:3");
    /* The declared rule wins over the detected one, for the whole domain; sentinels are the
     * domain's. */
    const struct masked_column *email = decision_of(&made, &masking, users, "email");
    assert_int_equal(email->rule, MASK_TEXT);
    assert_string_equal(email->domain, "person");
    assert_string_equal(decision_of(&made, &masking, logins, "who")->kept_values.items[0],
                        "nobody@example.org");
    assert_int_equal(decision_of(&made, &masking, users, "note")->rule, MASK_FREE_TEXT);
    rh_arena_free(made.arena);
}

static void test_masking_keeps_the_unclassified_when_told_to(void **state)
{
    struct made made = make_catalog();
    size_t users = add_table(&made, "users");
    struct masking masking;
    (void)state;

    add_column(&made, users, "thing", "text");
    add_column(&made, users, "email", "text");
    make_plan(&made, "version: 1\ndefaults:\n  unclassified: keep\n", &masking);
    assert_int_equal(decision_of(&made, &masking, users, "thing")->rule, MASK_KEEP);
    assert_string_equal(decision_of(&made, &masking, users, "thing")->reason, "masking.yaml:3");
    assert_int_equal(decision_of(&made, &masking, users, "email")->rule, MASK_EMAIL);
    rh_arena_free(made.arena);
}

static void test_masking_believes_values(void **state)
{
    struct made made = make_catalog();
    size_t things = add_table(&made, "things");
    struct mask_sighting sightings[2] = {{.table = 0, .column = 1}, {.table = 0, .column = 2}};
    struct masking masking;
    struct err err = RH_ERR_INIT;
    (void)state;

    add_column(&made, things, "a", "text");
    add_column(&made, things, "b", "text");
    for (int i = 0; i < 10; i++) {
        rh_mask_sight(&sightings[0], TEXT_LITERAL("someone@example.org"));
        rh_mask_sight(&sightings[1], i == 3 ? TEXT_LITERAL("call me at someone@example.org, please")
                                            : TEXT_LITERAL("all is well"));
    }
    assert_int_equal(rh_masking_plan(&made.catalog, NULL, sightings, 2, made.arena, &masking, &err),
                     RH_OK);
    assert_int_equal(decision_of(&made, &masking, things, "a")->rule, MASK_EMAIL);
    assert_string_equal(decision_of(&made, &masking, things, "a")->reason,
                        "values look like e-mail");
    assert_int_equal(decision_of(&made, &masking, things, "b")->rule, MASK_FREE_TEXT);
    assert_true(decision_of(&made, &masking, things, "b")->is_personal);
    rh_arena_free(made.arena);
}

static void test_masking_refuses_two_rules_for_one_domain(void **state)
{
    struct made made = make_catalog();
    size_t users = add_table(&made, "users"), orders = add_table(&made, "orders");
    struct masking masking;
    (void)state;

    add_column(&made, users, "code", "text");
    add_column(&made, orders, "user_code", "text");
    add_foreign_key(&made, orders, "user_code", users, "code");
    make_plan(&made,
              "version: 1\ntables:\n"
              "  public.users: {columns: {code: text}}\n"
              "  public.orders: {columns: {user_code: email}}\n",
              &masking);
    const char *sentence = find_problem(&masking, "code", true, "public.orders.user_code");
    assert_non_null(sentence);
    assert_non_null(strstr(sentence, "masking.yaml:3"));
    assert_non_null(strstr(sentence, "masking.yaml:4"));
    rh_arena_free(made.arena);
}

static void test_masking_names_what_does_not_exist(void **state)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"version: 1\ntables: {public.user: {columns: {email: keep}}}",
         "masking.yaml:2:34: no table \"public.user\" in database \"shop\"; did you mean "
         "\"public.users\"?"},
        {"version: 1\ntables: {public.users: {columns: {emial: keep}}}",
         "masking.yaml:2:35: no column \"emial\" in table public.users; did you mean \"email\"?"},
        {"version: 1\nkeep: [users.email]",
         "masking.yaml:2:8: \"users.email\" names no column of database \"shop\"; write it as in "
         "\"public.users.email\""},
        {"version: 1\ntables: {public.seen: {columns: {email: keep}}}",
         "masking.yaml:2:34: public.seen is no table: its rows are not copied, so there is "
         "nothing to decide"},
        {"version: 1\ndomains: {d: {columns: [public.users.nope]}}",
         "masking.yaml:2:25: no column \"nope\" in table public.users"},
        {"version: 1\ntables:\n  public.users: {columns: {email: keep}}\n"
         "  '\"public\".users': {columns: {email: keep}}",
         "masking.yaml:4:32: no table \"\"public\".users\" in database \"shop\"; did you mean "
         "\"public.users\"?"},
        {"version: 1\nreferences: [{from: public.users(email), to: public.users}]",
         "masking.yaml:2:46: \"public.users\" is no list of columns; write it as in "
         "\"public.comments(post_id)\""},
    };
    struct made made = make_catalog();
    size_t users = add_table(&made, "users"), seen = add_table(&made, "seen");
    (void)state;

    add_column(&made, users, "email", "text");
    add_column(&made, seen, "email", "text");
    made.catalog.tables.items[seen].kind = 'v';
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct masking_rules *rules;
        struct masking masking;
        struct err err = RH_ERR_INIT;
        assert_int_equal(rh_masking_rules_parse("masking.yaml", rh_text(cases[i].yaml), made.arena,
                                                &rules, &err),
                         RH_OK);
        enum err_code code = rh_masking_declare(rules, &made.catalog, made.arena, &err);
        if (!code)
            code = rh_masking_plan(&made.catalog, rules, NULL, 0, made.arena, &masking, &err);
        assert_int_equal(code, RH_ERR_USAGE);
        assert_string_equal(err.message, cases[i].message);
    }
    rh_arena_free(made.arena);
}

static void test_masking_makes_options_of_composites(void **state)
{
    struct made made = make_catalog();
    size_t users = add_table(&made, "users");
    struct catalog_column *column = add_column(&made, users, "contact", "public.contact");
    struct mask_master_key key = {{0}};
    struct masking masking;
    (void)state;

    column->type_kind = 'c';
    *RH_PUSH(made.arena, &column->attributes) = (struct catalog_attribute){
        .name = "mail", .base_type = "text", .type_kind = 'b'};
    struct catalog_attribute *place = RH_PUSH(made.arena, &column->attributes);
    *place = (struct catalog_attribute){
        .name = "places", .base_type = "public.place", .type_kind = 'c', .is_array = true};
    *RH_PUSH(made.arena, &place->attributes) = (struct catalog_attribute){
        .name = "number", .base_type = "int4", .type_kind = 'b'};
    *RH_PUSH(made.arena, &place->attributes) = (struct catalog_attribute){
        .name = "street", .base_type = "varchar", .type_kind = 'b'};
    *RH_PUSH(made.arena, &column->attributes) = (struct catalog_attribute){
        .name = "salary", .base_type = "numeric", .type_kind = 'b', .precision = 8, .scale = 2};
    add_column(&made, users, "price", "numeric(10,2)");
    struct catalog_column *wage = add_column(&made, users, "wage", "public.amount");
    wage->base_type = "numeric";
    wage->precision = 8;
    wage->scale = 3;
    make_plan(&made, "version: 1\ntables: {public.users: {columns: {price: number}}}", &masking);
    const struct masked_column *contact = decision_of(&made, &masking, users, "contact");
    assert_int_equal(contact->rule, MASK_TEXT);
    struct mask_map_options options = rh_masking_map_options(&made.catalog, contact, &key,
                                                             made.arena);
    assert_ptr_equal(options.key, &key);
    assert_string_equal(options.encoding, "UTF8");
    assert_int_equal(options.attribute_count, 3);
    assert_int_equal(options.attributes[0].rule, MASK_EMAIL);
    assert_string_equal(options.attributes[0].domain, "public.users.contact");
    assert_true(options.attributes[1].is_array);
    assert_int_equal(options.attributes[1].attribute_count, 2);
    assert_int_equal(options.attributes[1].attributes[0].rule, MASK_KEEP);
    assert_int_equal(options.attributes[1].attributes[1].rule, MASK_TEXT);
    assert_int_equal(options.attributes[2].rule, MASK_NUMBER);
    assert_int_equal(options.attributes[2].precision, 8);
    assert_int_equal(options.attributes[2].scale, 2);
    options = rh_masking_map_options(&made.catalog, decision_of(&made, &masking, users, "price"),
                                     &key, made.arena);
    assert_int_equal(options.precision, 10);
    assert_int_equal(options.scale, 2);
    options = rh_masking_map_options(&made.catalog, decision_of(&made, &masking, users, "wage"),
                                     &key, made.arena);
    assert_int_equal(options.rule, MASK_NUMBER);
    assert_int_equal(options.precision, 8);
    assert_int_equal(options.scale, 3);
    rh_arena_free(made.arena);
}

static void test_masking_empties_money_and_ranges_that_say_something_personal(void **state)
{
    struct made made = make_catalog();
    size_t staff = add_table(&made, "staff");
    struct masking masking;
    (void)state;

    add_column(&made, staff, "salary", "money");
    add_column(&made, staff, "gehalt", "money not null");
    add_column(&made, staff, "price", "money not null");
    static const char *const names[] = {"salary_band", "born", "weights"};
    for (size_t i = 0; i < 3; i++) {
        struct catalog_column *range = add_column(&made, staff, names[i], "public.own_range");
        range->type_kind = 'r';
        *RH_PUSH(made.arena, &range->attributes) = (struct catalog_attribute){
            .name = "", .base_type = "float8", .type_kind = 'b'};
    }
    make_plan(&made, NULL, &masking);
    assert_int_equal(decision_of(&made, &masking, staff, "salary")->rule, MASK_NULL);
    assert_string_equal(decision_of(&made, &masking, staff, "salary")->reason, "name says income");
    assert_non_null(find_problem(&masking, "salary", false, "its values become NULL"));
    assert_non_null(find_problem(&masking, "gehalt", true, "write keep"));
    assert_int_equal(decision_of(&made, &masking, staff, "price")->rule, MASK_KEEP);
    assert_int_equal(decision_of(&made, &masking, staff, "salary_band")->rule, MASK_NULL);
    assert_int_equal(decision_of(&made, &masking, staff, "born")->rule, MASK_NULL);
    assert_int_equal(decision_of(&made, &masking, staff, "weights")->rule, MASK_KEEP);
    assert_int_equal(count_fatal(&masking), 1);
    rh_arena_free(made.arena);
}

static void test_masking_paths_are_of_the_column_that_has_them(void **state)
{
    struct made made = make_catalog();
    size_t one = add_table(&made, "one"), two = add_table(&made, "two"),
           part = add_table(&made, "part");
    struct masking masking;
    (void)state;

    add_column(&made, one, "a", "jsonb");
    add_column(&made, two, "b", "jsonb");
    add_column(&made, two, "c", "jsonb");
    add_column(&made, part, "a", "jsonb");
    *RH_PUSH(made.arena, &made.catalog.tables.items[part].parents) = one;
    made.catalog.tables.items[part].parent = one;
    make_plan(&made,
              "version: 1\n"
              "tables:\n"
              "  public.one:\n"
              "    columns:\n"
              "      a: {rule: json, domain: d, paths: {$.note: keep}}\n"
              "  public.two:\n"
              "    columns:\n"
              "      b: {rule: json, domain: e, paths: {$.salary: number}}\n"
              "      c: {rule: json, domain: e}\n",
              &masking);
    assert_int_equal(count_fatal(&masking), 0);
    assert_string_equal(decision_of(&made, &masking, one, "a")->paths.items[0].path, "$.note");
    /* Nobody declared the heir. */
    assert_int_equal(decision_of(&made, &masking, part, "a")->paths.count, 1);
    assert_string_equal(decision_of(&made, &masking, part, "a")->paths.items[0].path, "$.note");
    assert_string_equal(decision_of(&made, &masking, two, "b")->paths.items[0].path, "$.salary");
    assert_int_equal(decision_of(&made, &masking, two, "c")->paths.count, 0);
    make_plan(&made,
              "version: 1\n"
              "domains:\n"
              "  d: {columns: [public.one.a, public.two.b]}\n"
              "tables:\n"
              "  public.one: {columns: {a: {rule: json, paths: {$.note: keep}}}}\n"
              "  public.two: {columns: {b: {rule: json, paths: {$.salary: number}}}}\n",
              &masking);
    assert_string_equal(decision_of(&made, &masking, one, "a")->paths.items[0].path, "$.note");
    assert_int_equal(decision_of(&made, &masking, two, "b")->paths.count, 1);
    assert_string_equal(decision_of(&made, &masking, two, "b")->paths.items[0].path, "$.salary");
    assert_int_equal(count_fatal(&masking), 1);
    assert_non_null(find_problem(&masking, "a", true, "public.one.a or of public.two.b"));
    rh_arena_free(made.arena);
}

static void test_masking_refuses_two_parameters_for_one_domain(void **state)
{
    struct made made = make_catalog();
    size_t users = add_table(&made, "users");
    struct masking masking;
    (void)state;

    add_column(&made, users, "a", "text");
    add_column(&made, users, "b", "text");
    add_column(&made, users, "c", "text");
    make_plan(&made,
              "version: 1\n"
              "tables:\n"
              "  public.users:\n"
              "    columns:\n"
              "      a: {rule: hash, domain: d, parameter: 12}\n"
              "      b: {rule: hash, domain: d, parameter: 12}\n"
              "      c: {rule: hash, domain: d, parameter: 16}\n",
              &masking);
    assert_int_equal(count_fatal(&masking), 1);
    assert_non_null(find_problem(&masking, "c", true, "masking.yaml:5 and masking.yaml:7"));
    rh_arena_free(made.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masking_denies_what_nobody_classified),
        cmocka_unit_test(
            test_masking_says_what_to_write_for_an_unknown_type_that_cannot_be_emptied),
        cmocka_unit_test(test_masking_keeps_surrogate_keys_and_masks_natural_ones),
        cmocka_unit_test(
            test_masking_leaves_numbers_of_the_database_alone_whatever_they_are_called),
        cmocka_unit_test(test_masking_keeps_categories_for_a_reason_of_the_schema_only),
        cmocka_unit_test(test_masking_does_not_touch_extensions_and_generated_columns),
        cmocka_unit_test(test_masking_keeps_what_migration_tools_go_by),
        cmocka_unit_test(test_masking_hears_the_user_first),
        cmocka_unit_test(test_masking_keeps_the_unclassified_when_told_to),
        cmocka_unit_test(test_masking_believes_values),
        cmocka_unit_test(test_masking_refuses_two_rules_for_one_domain),
        cmocka_unit_test(test_masking_names_what_does_not_exist),
        cmocka_unit_test(test_masking_makes_options_of_composites),
        cmocka_unit_test(test_masking_empties_money_and_ranges_that_say_something_personal),
        cmocka_unit_test(test_masking_paths_are_of_the_column_that_has_them),
        cmocka_unit_test(test_masking_refuses_two_parameters_for_one_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
