/* Columns that are compared have one rule and one key. */
#include "catalog_fixture.h"

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* Against a flood fill over the same edges. */
static void test_domains_unions_are_the_connected_parts_in_any_order(void **state)
{
    enum { ITEMS = 60, EDGES = 45, ROUNDS = 50 };
    (void)state;

    for (uint64_t round = 0; round < ROUNDS; round++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct unions forward = rh_unions_new(ITEMS, arena), backward = rh_unions_new(ITEMS, arena);
        size_t edges[EDGES][2], label[ITEMS];
        uint64_t seed = round + 1;
        for (size_t i = 0; i < EDGES; i++) {
            edges[i][0] = next_random(&seed) % ITEMS;
            edges[i][1] = next_random(&seed) % ITEMS;
        }
        for (size_t i = 0; i < EDGES; i++) {
            rh_unions_join(&forward, edges[i][0], edges[i][1]);
            rh_unions_join(&backward, edges[EDGES - 1 - i][1], edges[EDGES - 1 - i][0]);
        }
        for (size_t i = 0; i < ITEMS; i++)
            label[i] = i;
        for (bool is_changed = true; is_changed;) {
            is_changed = false;
            for (size_t i = 0; i < EDGES; i++) {
                size_t a = label[edges[i][0]], b = label[edges[i][1]], least = a < b ? a : b;
                is_changed |= a != b;
                label[edges[i][0]] = label[edges[i][1]] = least;
            }
        }
        /* The root is the first member, so that its name is that of the domain. */
        for (size_t i = 0; i < ITEMS; i++) {
            assert_int_equal(rh_unions_find(&forward, i), label[i]);
            assert_int_equal(rh_unions_find(&backward, i), label[i]);
        }
    }
}

/* Random foreign keys between random text columns: whatever the graph, what it joins is masked
 * alike. */
static void test_domains_of_random_schemas_have_one_rule_and_one_name(void **state)
{
    enum { TABLES = 12, COLUMNS = 5, ROUNDS = 30 };
    static const char *const names[] = {"email", "phone", "thing", "note", "first_name"};
    (void)state;

    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct made made = make_catalog();
        struct masking masking;
        uint64_t seed = round + 7;
        for (size_t t = 0; t < TABLES; t++) {
            size_t table = add_table(&made, rh_arena_printf(made.arena, "t%02zu", t));
            for (size_t c = 0; c < COLUMNS; c++)
                add_column(&made, table, names[c],
                           next_random(&seed) % 3 == 0 ? "varchar(20)" : "text");
        }
        for (size_t i = 0; i < 15; i++) {
            size_t child = next_random(&seed) % TABLES, parent = next_random(&seed) % TABLES;
            const char *a = names[next_random(&seed) % COLUMNS],
                       *b = names[next_random(&seed) % COLUMNS];
            add_foreign_key(&made, child, a, parent, b);
        }
        make_plan(&made, NULL, &masking);
        for (size_t i = 0; i < made.catalog.foreign_keys.count; i++) {
            const struct catalog_foreign_key *key = &made.catalog.foreign_keys.items[i];
            const struct masked_column *child = rh_masking_column(&masking, key->child,
                                                                  key->child_columns.items[0]),
                                       *parent = rh_masking_column(&masking, key->parent,
                                                                   key->parent_columns.items[0]);
            assert_int_equal(child->rule, parent->rule);
            assert_string_equal(child->domain, parent->domain);
            assert_int_equal(child->max_characters, parent->max_characters);
            assert_int_equal(child->is_personal, parent->is_personal);
        }
        /* Each column is in exactly one domain, which is named by its first member. */
        size_t members = 0;
        for (size_t d = 0; d < masking.domains.count; d++) {
            const struct masking_domain *domain = &masking.domains.items[d];
            members += domain->members.count;
            const struct masked_column *first = &masking.columns.items[domain->members.items[0]];
            const struct catalog_table *table = &made.catalog.tables.items[first->table];
            assert_string_equal(domain->name,
                                rh_arena_printf(made.arena, "%s.%s", table->identity,
                                                rh_catalog_column(table, first->column)->quoted));
            assert_true(domain->members.count == 1 || domain->reasons.count > 0);
        }
        assert_int_equal(members, masking.columns.count);
        rh_arena_free(made.arena);
    }
}

static void add_join(struct made *made, const char *view, size_t left, const char *left_column,
                     size_t right, const char *right_column)
{
    struct catalog_join *join = RH_PUSH(made->arena, &made->catalog.joins);
    join->view = view;
    join->left_table = left;
    join->right_table = right;
    join->left_column = rh_catalog_column_named(&made->catalog.tables.items[left], left_column)
                            ->number;
    join->right_column = rh_catalog_column_named(&made->catalog.tables.items[right], right_column)
                             ->number;
}

static void test_domains_follow_views_where_nothing_is_lost(void **state)
{
    struct made made = make_catalog();
    size_t users = add_table(&made, "users"), logs = add_table(&made, "logs");
    struct masking masking;
    (void)state;

    add_column(&made, users, "email", "text");
    add_column(&made, users, "status", "text");
    add_column(&made, users, "id", "int4");
    add_column(&made, logs, "who", "text");
    add_column(&made, logs, "what", "text");
    add_column(&made, logs, "ref", "text");
    add_check(&made, users, "status_check", "status", "CHECK ((status = 'a'::text))");
    add_join(&made, "public.v", users, "email", logs, "who");
    add_join(&made, "public.v", users, "status", logs, "what");
    add_join(&made, "public.v", users, "id", logs, "ref");
    make_plan(&made, NULL, &masking);
    const struct masked_column *who = decision_of(&made, &masking, logs, "who");
    assert_int_equal(who->rule, MASK_EMAIL);
    assert_string_equal(who->domain, "public.users.email");
    assert_string_equal(masking.domains.items[0].reasons.items[0], "view public.v");
    /* A view does not unmask what nobody classified. */
    assert_int_equal(decision_of(&made, &masking, logs, "what")->rule, MASK_TEXT);
    assert_int_equal(decision_of(&made, &masking, users, "status")->rule, MASK_KEEP);
    assert_non_null(find_problem(&masking, "status", false, "in the copy they will not match"));
    assert_non_null(find_problem(&masking, "id", false, "rows that matched will not"));
    assert_int_equal(count_fatal(&masking), 0);
    rh_arena_free(made.arena);
}

static void test_domains_join_partitions_and_heirs_by_name(void **state)
{
    struct made made = make_catalog();
    size_t events = add_table(&made, "events"), part = add_table(&made, "events_1");
    size_t left = add_table(&made, "left"), heir = add_table(&made, "heir");
    struct masking masking;
    (void)state;

    made.catalog.tables.items[events].kind = 'p';
    add_column(&made, events, "gone", "int4");
    add_column(&made, events, "email", "text");
    add_column(&made, part, "email", "text");
    add_column(&made, left, "note", "text");
    add_column(&made, heir, "note", "text");
    made.catalog.tables.items[part].parent = events;
    made.catalog.tables.items[part].partition_bound = "DEFAULT";
    *RH_PUSH(made.arena, &made.catalog.tables.items[part].parents) = events;
    *RH_PUSH(made.arena, &made.catalog.tables.items[heir].parents) = part;
    *RH_PUSH(made.arena, &made.catalog.tables.items[heir].parents) = left;
    make_plan(&made, NULL, &masking);
    assert_string_equal(decision_of(&made, &masking, part, "email")->domain, "public.events.email");
    assert_string_equal(masking.domains.items[0].reasons.items[0], "partition of public.events");
    assert_string_equal(decision_of(&made, &masking, heir, "note")->domain, "public.left.note");
    rh_arena_free(made.arena);
}

static void test_domains_are_declared_and_references_too(void **state)
{
    struct made made = make_catalog();
    size_t posts = add_table(&made, "posts"), pages = add_table(&made, "pages"),
           comments = add_table(&made, "comments"), people = add_table(&made, "people");
    struct masking masking;
    (void)state;

    add_column(&made, posts, "slug", "text");
    add_column(&made, pages, "slug", "text");
    add_column(&made, comments, "subject", "text");
    add_column(&made, comments, "author", "text");
    add_column(&made, people, "login", "text");
    make_plan(&made,
              "version: 1\n"
              "domains:\n"
              "  person: {rule: text, columns: [public.comments.author, public.people.login]}\n"
              "references:\n"
              "  - {from: public.comments(subject), to: public.posts(slug), when: kind = 'post'}\n"
              "  - {from: public.comments(subject), to: public.pages(slug), when: kind = 'page'}\n",
              &masking);
    assert_int_equal(made.catalog.foreign_keys.count, 2);
    assert_true(made.catalog.foreign_keys.items[0].is_declared);
    assert_string_equal(made.catalog.foreign_keys.items[1].condition, "kind = 'page'");
    assert_string_equal(decision_of(&made, &masking, pages, "slug")->domain, "public.posts.slug");
    assert_string_equal(decision_of(&made, &masking, people, "login")->domain, "person");
    assert_string_equal(decision_of(&made, &masking, people, "login")->reason,
                        "as public.comments.author: masking.yaml:3");
    rh_arena_free(made.arena);
}

/* A child that the user empties leaves its domain and drags nobody along. */
static void test_domains_leave_out_what_is_emptied(void **state)
{
    struct made made = make_catalog();
    size_t users = add_table(&made, "users"), orders = add_table(&made, "orders");
    struct masking masking;
    (void)state;

    add_column(&made, users, "email", "text not null");
    add_column(&made, orders, "email", "text");
    add_foreign_key(&made, orders, "email", users, "email");
    make_plan(&made, "version: 1\ntables: {public.orders: {columns: {email: 'null'}}}", &masking);
    assert_int_equal(decision_of(&made, &masking, users, "email")->rule, MASK_EMAIL);
    assert_int_equal(decision_of(&made, &masking, orders, "email")->rule, MASK_NULL);
    assert_null(decision_of(&made, &masking, orders, "email")->domain);
    assert_int_equal(count_fatal(&masking), 0);
    rh_arena_free(made.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_domains_unions_are_the_connected_parts_in_any_order),
        cmocka_unit_test(test_domains_of_random_schemas_have_one_rule_and_one_name),
        cmocka_unit_test(test_domains_follow_views_where_nothing_is_lost),
        cmocka_unit_test(test_domains_join_partitions_and_heirs_by_name),
        cmocka_unit_test(test_domains_are_declared_and_references_too),
        cmocka_unit_test(test_domains_leave_out_what_is_emptied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
