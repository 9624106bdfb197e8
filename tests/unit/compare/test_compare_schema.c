/* Schema states and how they differ, by sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare/compare.h"

#include <string.h>

struct states {
    struct arena *arena;
    struct schema_state before, after;
    struct schema_differences differences;
};

static int set_up(void **state)
{
    struct arena *arena = rh_arena_new();
    struct states *states = RH_NEW(arena, struct states);
    states->arena = arena;
    states->before.lineage = states->after.lineage = "7/5";
    *state = states;
    return 0;
}

static int tear_down(void **state)
{
    rh_arena_free(((struct states *)*state)->arena);
    return 0;
}

/* Attributes in pairs, by name, ended by NULL. */
static struct state_object *add(struct states *states, struct schema_state *state, const char *kind,
                                const char *identity, const char *parent, int64_t id, int64_t sub,
                                const char *const *attributes)
{
    struct state_object *object = RH_PUSH(states->arena, &state->objects);
    *object = (struct state_object){
        .kind = kind, .identity = identity, .parent = parent, .id = id, .sub_id = sub};
    for (; attributes && attributes[0]; attributes += 2)
        *RH_PUSH(states->arena, &object->attributes) = (struct state_attribute){attributes[0],
                                                                                attributes[1]};
    return object;
}
#define ATTRIBUTES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void add_users(struct states *states, struct schema_state *state, const char *name,
                      int64_t id)
{
    struct arena *arena = states->arena;
    add(states, state, "table", name, NULL, id, 0, NULL);
    add(states, state, "table column", rh_arena_printf(arena, "%s.id", name), name, id, 1,
        ATTRIBUTES("not null", "yes", "type", "integer"));
    add(states, state, "table column", rh_arena_printf(arena, "%s.email", name), name, id, 2,
        ATTRIBUTES("type", "text"));
    add(states, state, "table constraint", rh_arena_printf(arena, "users_pkey on %s", name), name,
        id + 1, 0, ATTRIBUTES("definition", "PRIMARY KEY (id)"));
}

static void expect(struct states *states, const char *const *sentences)
{
    size_t count = 0;
    rh_compare_schema(&states->before, &states->after, states->arena, &states->differences);
    assert_true(states->differences.was_compared);
    for (size_t i = 0; i < states->differences.list.count; i++) {
        if (!sentences[i])
            fail_msg("unexpected: %s", states->differences.list.items[i].sentence);
        assert_string_equal(states->differences.list.items[i].sentence, sentences[i]);
        count++;
    }
    if (sentences[count])
        fail_msg("missing: %s", sentences[count]);
}
#define EXPECT(states, ...) expect(states, (const char *const[]){__VA_ARGS__, NULL})
#define EXPECT_NONE(states) expect(states, (const char *const[]){NULL})
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void test_compare_schema_is_silent_when_nothing_changed(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, "public.users", 100);
    add_users(states, &states->after, "public.users", 100);
    EXPECT_NONE(states);
}

static void test_compare_schema_says_attributes_before_and_after(void **state)
{
    struct states *states = *state;
    add(states, &states->before, "table column", "public.users.age", "public.users", 1, 2,
        ATTRIBUTES("default", "1", "type", "integer"));
    add(states, &states->after, "table column", "public.users.age", "public.users", 1, 2,
        ATTRIBUTES("not null", "yes", "type", "bigint"));
    EXPECT(states, "column public.users.age: default was 1, now none; not null now yes; type was "
                   "integer, now bigint");
    assert_int_equal(states->differences.list.items[0].attributes.count, 3);
}

static void test_compare_schema_folds_parts_of_a_dropped_table(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, "public.users", 100);
    EXPECT(states, "table public.users removed, with 3 parts of it");
    assert_int_equal(states->differences.list.items[0].parts, 3);
}

static void test_compare_schema_folds_parts_of_a_new_table(void **state)
{
    struct states *states = *state;
    add_users(states, &states->after, "public.users", 100);
    EXPECT(states, "table public.users added, with 3 parts of it");
}

static void test_compare_schema_tells_a_part_that_went_alone(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, "public.users", 100);
    add_users(states, &states->after, "public.users", 100);
    add(states, &states->before, "index", "public.users_email", "public.users", 200, 0,
        ATTRIBUTES("definition", "USING btree (email)"));
    EXPECT(states, "index public.users_email on public.users removed: USING btree (email)");
}

static void test_compare_schema_knows_a_renamed_table_and_what_follows_it(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, "public.users", 100);
    add_users(states, &states->after, "public.members", 100);
    add(states, &states->before, "trigger", "t on public.users", "public.users", 300, 0,
        ATTRIBUTES("definition", "CREATE TRIGGER t BEFORE UPDATE ON public.users"));
    add(states, &states->after, "trigger", "t on public.members", "public.members", 300, 0,
        ATTRIBUTES("definition", "CREATE TRIGGER t BEFORE UPDATE ON public.members"));
    EXPECT(states, "table public.users is now public.members");
    assert_string_equal(states->differences.list.items[0].identity_before, "public.users");
}

static void test_compare_schema_knows_a_renamed_schema_and_what_is_in_it(void **state)
{
    struct states *states = *state;
    add(states, &states->before, "function", "old.f()", NULL, 50, 0, NULL);
    add(states, &states->before, "schema", "old", NULL, 40, 0, NULL);
    add(states, &states->after, "function", "new.f()", NULL, 50, 0, NULL);
    add(states, &states->after, "schema", "new", NULL, 40, 0, NULL);
    EXPECT(states, "schema old is now new");
}

static void test_compare_schema_knows_a_renamed_column(void **state)
{
    struct states *states = *state;
    add(states, &states->before, "table column", "public.users.email", "public.users", 1, 2,
        ATTRIBUTES("type", "text"));
    add(states, &states->before, "view", "public.v", NULL, 9, 0,
        ATTRIBUTES("definition", "SELECT users.email FROM public.users"));
    add(states, &states->after, "table column", "public.users.mail", "public.users", 1, 2,
        ATTRIBUTES("type", "varchar"));
    add(states, &states->after, "view", "public.v", NULL, 9, 0,
        ATTRIBUTES("definition", "SELECT users.mail AS email FROM public.users"));
    EXPECT(states, "column public.users.email is now mail; type was text, now varchar");
}

static void add_key(struct states *states, struct schema_state *state, const char *name, int64_t id,
                    const char *definition)
{
    add(states, state, "table constraint", name, "public.users", id, 0,
        ATTRIBUTES("definition", definition));
}

static void test_compare_schema_knows_a_constraint_made_anew_under_another_name(void **state)
{
    struct states *states = *state;
    const char *key = "FOREIGN KEY (id) REFERENCES public.people(id)";
    add_users(states, &states->before, "public.users", 100);
    add_users(states, &states->after, "public.users", 100);
    add_key(states, &states->before, "a_fk on public.users", 200, key);
    add_key(states, &states->after, "b_fk on public.users", 300, key);
    EXPECT(states, "constraint a_fk on public.users is now b_fk on public.users");
}

static void test_compare_schema_takes_another_constraint_for_another_one(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, "public.users", 100);
    add_users(states, &states->after, "public.users", 100);
    add_key(states, &states->before, "a_fk on public.users", 200,
            "FOREIGN KEY (id) REFERENCES a(id)");
    add_key(states, &states->after, "b_fk on public.users", 300,
            "FOREIGN KEY (id) REFERENCES a(id) NOT VALID");
    EXPECT(states, "constraint a_fk on public.users removed: FOREIGN KEY (id) REFERENCES a(id)",
           "constraint b_fk on public.users added: FOREIGN KEY (id) REFERENCES a(id) NOT VALID");
}

static void test_compare_schema_takes_another_lineage_by_names(void **state)
{
    struct states *states = *state;
    states->after.lineage = "8/5";
    add_users(states, &states->before, "public.users", 100);
    add_users(states, &states->after, "public.users", 700);
    add(states, &states->before, "table", "public.a", NULL, 300, 0, NULL);
    add(states, &states->after, "table", "public.b", NULL, 300, 0, NULL);
    EXPECT(states, "table public.a removed", "table public.b added");
}

static void test_compare_schema_knows_a_table_made_anew_and_what_it_lost(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, "public.users", 100);
    states->before.objects.items[0].attributes.items = (struct state_attribute[]){
        {"privileges of app", "SELECT"}};
    states->before.objects.items[0].attributes.count = 1;
    add(states, &states->before, "policy", "own on public.users", "public.users", 105, 0, NULL);
    add_users(states, &states->after, "public.users", 200);
    EXPECT(states,
           "table public.users was dropped and made anew; privileges of app was SELECT, now none",
           "policy own on public.users removed");
    assert_true(states->differences.list.items[1].parent_recreated);
}

static void test_compare_schema_says_a_long_definition_changed(void **state)
{
    struct states *states = *state;
    char before[200], after[200];
    memset(before, 'x', sizeof(before));
    memset(after, 'x', sizeof(after));
    before[198] = 'a';
    before[199] = after[199] = 0;
    add(states, &states->before, "function", "public.f()", NULL, 50, 0,
        ATTRIBUTES("definition", before));
    add(states, &states->after, "function", "public.f()", NULL, 50, 0,
        ATTRIBUTES("definition", after));
    EXPECT(states, "function public.f(): definition changed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_compare_schema_is_silent_when_nothing_changed),
        TEST(test_compare_schema_says_attributes_before_and_after),
        TEST(test_compare_schema_folds_parts_of_a_dropped_table),
        TEST(test_compare_schema_folds_parts_of_a_new_table),
        TEST(test_compare_schema_tells_a_part_that_went_alone),
        TEST(test_compare_schema_knows_a_renamed_table_and_what_follows_it),
        TEST(test_compare_schema_knows_a_renamed_schema_and_what_is_in_it),
        TEST(test_compare_schema_knows_a_renamed_column),
        TEST(test_compare_schema_knows_a_constraint_made_anew_under_another_name),
        TEST(test_compare_schema_takes_another_constraint_for_another_one),
        TEST(test_compare_schema_takes_another_lineage_by_names),
        TEST(test_compare_schema_knows_a_table_made_anew_and_what_it_lost),
        TEST(test_compare_schema_says_a_long_definition_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
