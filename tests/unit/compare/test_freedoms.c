/* What a migration newly allows, from the differences it made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare/freedoms.h"

#include <stdio.h>
#include <string.h>

struct story {
    struct arena *arena;
    struct schema_state migrated;
    struct schema_differences schema;
    struct data_differences data;
};

static struct state_object *add_object(struct story *story, const char *kind, const char *identity,
                                       const char *parent, const char *attribute, const char *value)
{
    struct state_object *object = RH_PUSH(story->arena, &story->migrated.objects);
    *object = (struct state_object){.kind = kind, .identity = identity, .parent = parent};
    if (attribute)
        *RH_PUSH(story->arena, &object->attributes) = (struct state_attribute){attribute, value};
    return object;
}

static int set_up(void **state)
{
    struct arena *arena = rh_arena_new();
    struct story *story = RH_NEW(arena, struct story);
    story->arena = arena;
    add_object(story, "table", "public.t", NULL, NULL, NULL);
    add_object(story, "table column", "public.t.a", "public.t", "type", "public.mood");
    *state = story;
    return 0;
}

static int tear_down(void **state)
{
    rh_arena_free(((struct story *)*state)->arena);
    return 0;
}

static struct schema_difference *differ(struct story *story, enum difference_change change,
                                        const char *kind, const char *identity, const char *parent,
                                        const char *attribute, const char *before,
                                        const char *after)
{
    struct schema_difference *difference = RH_PUSH(story->arena, &story->schema.list);
    *difference = (struct schema_difference){
        .change = change, .kind = kind, .identity = identity, .parent = parent};
    if (attribute)
        *RH_PUSH(story->arena, &difference->attributes) = (struct attribute_change){attribute,
                                                                                    before, after};
    return difference;
}

/* "null a", one after the other; the plain row of the table always comes first. */
static void expect(struct story *story, const char *expected)
{
    struct freedoms found;
    char text[1024] = "";
    rh_freedoms_find(&story->schema, &story->data, &story->migrated, story->arena, &found);
    for (size_t i = 0; i < found.count; i++) {
        const struct freedom *freedom = &found.items[i];
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "%s%s%s%s%s%s", i ? "; " : "",
                 rh_freedom_name(freedom->kind), freedom->column ? " " : "",
                 freedom->column ? freedom->column : "", freedom->definition ? " " : "",
                 freedom->definition ? freedom->definition : "");
        assert_string_equal(freedom->table, "public.t");
    }
    assert_string_equal(text, expected);
}

static void column(struct story *story, const char *attribute, const char *before,
                   const char *after)
{
    differ(story, DIFFERENCE_CHANGED, "table column", "public.t.a", "public.t", attribute, before,
           after);
}

static void test_freedoms_of_a_column_that_may_be_null(void **state)
{
    column(*state, "not null", "yes", NULL);
    expect(*state, "plain; null a");
}

static void test_freedoms_none_of_a_column_that_must_not_be_null(void **state)
{
    column(*state, "not null", NULL, "yes");
    expect(*state, "plain");
}

static void test_freedoms_of_types(void **state)
{
    static const char *const types[][3] = {
        {"character varying(40)", "character varying(80)",
         "plain; longer value a character "
         "varying(40)"},
        {"character varying(40)", "text", "plain; longer value a character varying(40)"},
        {"character varying(40)", "character varying(20)", "plain"},
        {"text", "character varying(40)", "plain"},
        {"integer", "bigint", "plain; bigger value a integer"},
        {"bigint", "integer", "plain"},
        {"integer", "numeric", "plain; bigger value a integer"},
        {"numeric(6,2)", "numeric(10,2)", "plain; bigger value a numeric(6,2)"},
        {"numeric(6,2)", "numeric(6,0)", "plain; bigger value a numeric(6,2)"},
        {"numeric(6,2)", "numeric(5,2)", "plain"},
        {"integer", "text", "plain; value of the new type a integer"},
        {"uuid", "text", "plain; value of the new type a uuid"},
        {"text", "integer", "plain"},
    };
    struct story *story = *state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        story->schema.list.count = 0;
        column(story, "type", types[i][0], types[i][1]);
        expect(story, types[i][2]);
    }
}

static void test_freedoms_of_a_new_label_in_every_column(void **state)
{
    differ(*state, DIFFERENCE_CHANGED, "type", "public.mood", NULL, "labels", "'sad', 'it''s'",
           "'sad', 'new', 'it''s'");
    expect(*state, "new enum label a 'new'");
}

static void test_freedoms_of_constraints_that_went(void **state)
{
    struct story *story = *state;
    static const char *const definitions[] = {"CHECK ((a > 0))", "UNIQUE (a)",
                                              "FOREIGN KEY (a) REFERENCES public.p(id)"};
    for (size_t i = 0; i < 3; i++)
        differ(story, DIFFERENCE_REMOVED, "table constraint", "c on public.t", "public.t",
               "definition", definitions[i], NULL);
    differ(story, DIFFERENCE_CHANGED, "table constraint", "d on public.t", "public.t", "definition",
           "CHECK ((a > 5))", "CHECK ((a > 3))");
    differ(story, DIFFERENCE_REMOVED, "index", "public.i", "public.t", "definition",
           "UNIQUE USING btree (a)", NULL);
    differ(story, DIFFERENCE_REMOVED, "index", "public.j", "public.t", "definition",
           "USING btree (a)", NULL);
    expect(story, "plain; violates the former check CHECK ((a > 0)); duplicate key UNIQUE (a); no "
                  "such parent FOREIGN KEY (a) REFERENCES public.p(id); violates the former check "
                  "CHECK ((a > 5)); duplicate key UNIQUE USING btree (a)");
}

static void test_freedoms_of_what_is_new(void **state)
{
    struct story *story = *state;
    differ(story, DIFFERENCE_ADDED, "table column", "public.t.a", "public.t", "type", NULL, "text");
    expect(story, "plain; plain a");
    story->schema.list.count = 0;
    differ(story, DIFFERENCE_ADDED, "table", "public.t", NULL, NULL, NULL, NULL);
    *RH_PUSH(story->arena, &story->data.list) = (struct data_difference){.table = "public.t"};
    expect(story, "plain"); /* once */
}

static void test_freedoms_go_to_the_whole_of_a_partitioned_table(void **state)
{
    struct story *story = *state;
    add_object(story, "table", "public.t_1", "public.t", "partition bound", "FOR VALUES IN (1)");
    differ(story, DIFFERENCE_ADDED, "table", "public.t_1", "public.t", NULL, NULL, NULL);
    expect(story, "plain");
}

static void test_freedoms_use_the_name_that_a_table_has_now(void **state)
{
    struct story *story = *state;
    struct schema_difference *renamed = differ(story, DIFFERENCE_RENAMED, "table", "public.t", NULL,
                                               NULL, NULL, NULL);
    renamed->identity_before = "public.old";
    differ(story, DIFFERENCE_REMOVED, "table constraint", "c on public.old", "public.old",
           "definition", "UNIQUE (a)", NULL);
    expect(story, "plain; duplicate key UNIQUE (a)");
}

static void test_freedoms_none_where_the_table_is_gone_or_a_ledger(void **state)
{
    struct story *story = *state;
    add_object(story, "table", "public.alembic_version", NULL, NULL, NULL);
    differ(story, DIFFERENCE_REMOVED, "table", "public.gone", NULL, NULL, NULL, NULL);
    differ(story, DIFFERENCE_ADDED, "table", "public.alembic_version", NULL, NULL, NULL, NULL);
    expect(story, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_freedoms_of_a_column_that_may_be_null),
        TEST(test_freedoms_none_of_a_column_that_must_not_be_null),
        TEST(test_freedoms_of_types),
        TEST(test_freedoms_of_a_new_label_in_every_column),
        TEST(test_freedoms_of_constraints_that_went),
        TEST(test_freedoms_of_what_is_new),
        TEST(test_freedoms_go_to_the_whole_of_a_partitioned_table),
        TEST(test_freedoms_use_the_name_that_a_table_has_now),
        TEST(test_freedoms_none_where_the_table_is_gone_or_a_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
