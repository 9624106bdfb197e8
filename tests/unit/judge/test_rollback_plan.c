/* The plan of a rollback: commands in their order, and what only a backup brings back. */
#include "judge_unit.h"

#include "judge/rollback_plan.h"

struct plan_story {
    struct story *story;
    struct schema_state before;
    struct data_state data;
    struct rollback_plan plan;
};

static struct plan_story *plan_story(void **state)
{
    struct story *story = *state;
    struct plan_story *made = RH_NEW(story->arena, struct plan_story);
    made->story = story;
    story->result.schema_differences.was_compared = true;
    story->result.data_differences.was_compared = true;
    return made;
}

/* Attributes in pairs, ended by NULL. */
static void add_before(struct plan_story *plan, const char *kind, const char *identity,
                       const char *parent, int64_t sub, const char *const *attributes)
{
    struct arena *arena = plan->story->arena;
    struct state_object *object = RH_PUSH(arena, &plan->before.objects);
    *object = (struct state_object){
        .kind = kind, .identity = identity, .parent = parent, .sub_id = sub};
    for (; attributes && attributes[0]; attributes += 2)
        *RH_PUSH(arena, &object->attributes) = (struct state_attribute){attributes[0],
                                                                        attributes[1]};
}
#define ATTRIBUTES(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct schema_difference *differ(struct plan_story *plan, enum difference_change change,
                                        const char *kind, const char *identity, const char *parent)
{
    struct schema_difference *difference = RH_PUSH(plan->story->arena,
                                                   &plan->story->result.schema_differences.list);
    *difference = (struct schema_difference){.change = change,
                                             .kind = kind,
                                             .identity = identity,
                                             .parent = parent,
                                             .sentence = "it differs"};
    return difference;
}

static void change(struct plan_story *plan, const char *kind, const char *identity,
                   const char *parent, const char *name, const char *before, const char *after)
{
    struct schema_difference *difference = differ(plan, DIFFERENCE_CHANGED, kind, identity, parent);
    *RH_PUSH(plan->story->arena, &difference->attributes) = (struct attribute_change){name, before,
                                                                                      after};
}

/* One line each: the command, or "kind: text". */
static void expect(struct plan_story *plan, const char *const *lines)
{
    rh_rollback_plan_make(&plan->story->result, &plan->before, &plan->data, plan->story->arena,
                          &plan->plan);
    size_t count = 0;
    for (; count < plan->plan.items.count; count++) {
        const struct plan_item *item = &plan->plan.items.items[count];
        const char *line = item->sql ? item->sql
                                     : rh_arena_printf(plan->story->arena, "%s: %s",
                                                       rh_plan_item_name(item->kind), item->text);
        if (!lines[count])
            fail_msg("unexpected: %s", line);
        assert_string_equal(line, lines[count]);
    }
    if (lines[count])
        fail_msg("missing: %s", lines[count]);
}
#define EXPECT(plan, ...) expect((plan), (const char *const[]){__VA_ARGS__, NULL})

static void test_plan_drops_what_was_added_parts_first(void **state)
{
    struct plan_story *plan = plan_story(state);
    differ(plan, DIFFERENCE_ADDED, "schema", "app", NULL);
    differ(plan, DIFFERENCE_ADDED, "type", "public.mood", NULL);
    differ(plan, DIFFERENCE_ADDED, "table", "public.t", NULL);
    differ(plan, DIFFERENCE_ADDED, "table column", "public.u.\"A.b\"", "public.u");
    differ(plan, DIFFERENCE_ADDED, "index", "public.i", "public.u");
    struct schema_difference *key = differ(plan, DIFFERENCE_ADDED, "table constraint",
                                           "fk on public.u", "public.u");
    *RH_PUSH(plan->story->arena, &key->attributes) = (struct attribute_change){
        "definition", NULL, "FOREIGN KEY (a) REFERENCES public.t(id)"};
    differ(plan, DIFFERENCE_ADDED, "function", "public.f(integer)", NULL);
    differ(plan, DIFFERENCE_ADDED, "view", "public.v", NULL);
    differ(plan, DIFFERENCE_ADDED, "trigger", "g on public.u", "public.u");
    EXPECT(plan, "DROP TRIGGER g ON public.u", "DROP VIEW public.v",
           "ALTER TABLE public.u DROP CONSTRAINT fk", "DROP INDEX CONCURRENTLY public.i",
           "ALTER TABLE public.u DROP COLUMN \"A.b\"", "DROP TABLE public.t",
           "DROP FUNCTION public.f(integer)", "DROP TYPE public.mood", "DROP SCHEMA app");
    assert_true(plan->plan.is_complete && plan->plan.is_lossless);
}

static void test_plan_gives_names_back_behind_what_uses_the_new_ones(void **state)
{
    struct plan_story *plan = plan_story(state);
    differ(plan, DIFFERENCE_RENAMED, "table", "public.new", NULL)->identity_before = "app.old";
    differ(plan, DIFFERENCE_RENAMED, "table column", "public.new.b", "public.new")
        ->identity_before = "app.old.a";
    differ(plan, DIFFERENCE_ADDED, "table column", "public.new.c", "public.new");
    EXPECT(plan, "ALTER TABLE public.new DROP COLUMN c",
           "ALTER TABLE public.new RENAME COLUMN b TO a", "ALTER TABLE public.new RENAME TO old",
           "ALTER TABLE public.old SET SCHEMA app");
}

static void test_plan_makes_a_table_again_with_all_its_parts(void **state)
{
    struct plan_story *plan = plan_story(state);
    add_before(plan, "table", "public.t", NULL, 0,
               ATTRIBUTES("comment", "it's ours", "owner", "someone", "privileges of app",
                          "INSERT, SELECT with grant option", "row security", "enabled"));
    add_before(plan, "table column", "public.t.b", "public.t", 2,
               ATTRIBUTES("collation", "\"C\"", "default", "'x'::text", "type", "text"));
    add_before(plan, "table column", "public.t.a", "public.t", 1,
               ATTRIBUTES("identity", "always", "not null", "yes", "type", "integer"));
    add_before(plan, "table constraint", "t_pkey on public.t", "public.t", 0,
               ATTRIBUTES("definition", "PRIMARY KEY (a)"));
    add_before(plan, "index", "public.t_b", "public.t", 0,
               ATTRIBUTES("definition", "UNIQUE USING btree (b) WHERE (a > 0)"));
    differ(plan, DIFFERENCE_REMOVED, "table", "public.t", NULL)->parts = 4;
    EXPECT(plan,
           "CREATE TABLE public.t (a integer GENERATED ALWAYS AS IDENTITY NOT NULL, b text COLLATE "
           "\"C\" DEFAULT 'x'::text)",
           "ALTER TABLE public.t ADD CONSTRAINT t_pkey PRIMARY KEY (a)",
           "CREATE UNIQUE INDEX CONCURRENTLY t_b ON public.t USING btree (b) WHERE (a > 0)",
           "COMMENT ON TABLE public.t IS 'it''s ours'", "GRANT INSERT ON TABLE public.t TO app",
           "GRANT SELECT ON TABLE public.t TO app WITH GRANT OPTION",
           "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY");
}

static void test_plan_adds_a_column_that_must_have_values_in_two_steps(void **state)
{
    struct plan_story *plan = plan_story(state);
    *RH_PUSH(plan->story->arena, &plan->data.tables) = (struct table_state){.identity = "public.t",
                                                                            .rows = 10};
    add_before(plan, "table column", "public.t.a", "public.t", 2,
               ATTRIBUTES("not null", "yes", "type", "text"));
    differ(plan, DIFFERENCE_REMOVED, "table column", "public.t.a", "public.t");
    *RH_PUSH(plan->story->arena,
             &plan->story->result.data_differences.list) = (struct data_difference){
        .subject = DATA_COLUMN,
        .change = DIFFERENCE_REMOVED,
        .table = "public.t",
        .column = "a",
        .non_null_before = 1204};
    EXPECT(plan, "ALTER TABLE public.t ADD COLUMN a text",
           "restore from backup: 1,204 values of public.t.a",
           "ALTER TABLE public.t ALTER COLUMN a SET NOT NULL");
    assert_false(plan->plan.is_lossless);
    assert_true(plan->plan.is_complete);
}

static void test_plan_sets_attributes_back(void **state)
{
    struct plan_story *plan = plan_story(state);
    const char *column = "public.t.a", *table = "public.t";
    change(plan, "table column", column, table, "default", "1", "2");
    change(plan, "table column", column, table, "default", NULL, "2");
    change(plan, "table column", column, table, "not null", "yes", NULL);
    change(plan, "table column", column, table, "statistics target", NULL, "500");
    change(plan, "table column", column, table, "options", NULL, "n_distinct=5, x=1");
    change(plan, "table column", column, table, "privileges of app", "SELECT, no UPDATE", "INSERT");
    change(plan, "table", table, NULL, "persistence", NULL, "unlogged");
    change(plan, "sequence", "public.s", NULL, "increment", "1", "5");
    change(plan, "trigger", "g on public.t", table, "enabled", NULL, "no");
    EXPECT(plan, "ALTER TABLE public.t ALTER COLUMN a SET DEFAULT 1",
           "ALTER TABLE public.t ALTER COLUMN a DROP DEFAULT",
           "ALTER TABLE public.t ALTER COLUMN a SET NOT NULL",
           "ALTER TABLE public.t ALTER COLUMN a SET STATISTICS -1",
           "ALTER TABLE public.t ALTER COLUMN a RESET (n_distinct, x)",
           "ALTER TABLE public.t SET LOGGED", "ALTER SEQUENCE public.s INCREMENT 1",
           "ALTER TABLE public.t ENABLE TRIGGER g", "REVOKE INSERT (a) ON TABLE public.t FROM app",
           "GRANT SELECT (a) ON TABLE public.t TO app",
           "REVOKE UPDATE (a) ON TABLE public.t FROM app");
}

static void test_plan_sets_a_type_back_with_its_default_out_of_the_way(void **state)
{
    struct plan_story *plan = plan_story(state);
    add_before(plan, "table column", "public.t.a", "public.t", 1,
               ATTRIBUTES("collation", "\"C\"", "type", "text"));
    struct schema_difference *difference = differ(plan, DIFFERENCE_CHANGED, "table column",
                                                  "public.t.a", "public.t");
    *RH_PUSH(plan->story->arena,
             &difference->attributes) = (struct attribute_change){"default", "'1'::text", "1"};
    *RH_PUSH(plan->story->arena,
             &difference->attributes) = (struct attribute_change){"type", "text", "integer"};
    EXPECT(plan, "ALTER TABLE public.t ALTER COLUMN a DROP DEFAULT",
           "ALTER TABLE public.t ALTER COLUMN a TYPE text COLLATE \"C\" USING a::text",
           "ALTER TABLE public.t ALTER COLUMN a SET DEFAULT '1'::text");
}

static void test_plan_makes_an_enum_anew_without_its_new_label(void **state)
{
    struct plan_story *plan = plan_story(state);
    add_before(plan, "table column", "public.t.a", "public.t", 1,
               ATTRIBUTES("default", "'ok'::public.m", "type", "public.m"));
    change(plan, "type", "public.m", NULL, "labels", "'ok'", "'ok', 'new'");
    EXPECT(plan, "ALTER TYPE public.m RENAME TO m_rolled_back",
           "CREATE TYPE public.m AS ENUM ('ok')",
           "ALTER TABLE public.t ALTER COLUMN a DROP DEFAULT",
           "ALTER TABLE public.t ALTER COLUMN a TYPE public.m USING a::text::public.m",
           "ALTER TABLE public.t ALTER COLUMN a SET DEFAULT 'ok'::public.m",
           "DROP TYPE public.m_rolled_back");
}

static void test_plan_makes_partitions_again_and_follows_the_parent(void **state)
{
    struct plan_story *plan = plan_story(state);
    add_before(plan, "table", "public.p", NULL, 0, ATTRIBUTES("partition key", "RANGE (at)"));
    add_before(plan, "table column", "public.p.at", "public.p", 1, ATTRIBUTES("type", "date"));
    add_before(plan, "table", "public.p1", "public.p", 0,
               ATTRIBUTES("inherits", "public.p", "partition bound", "DEFAULT"));
    add_before(plan, "table column", "public.p1.at", "public.p1", 1,
               ATTRIBUTES("inherited", "yes", "type", "date"));
    differ(plan, DIFFERENCE_REMOVED, "table", "public.p", NULL);
    differ(plan, DIFFERENCE_ADDED, "table column", "public.q.a", "public.q");
    struct schema_difference *child = differ(plan, DIFFERENCE_ADDED, "table column", "public.q1.a",
                                             "public.q1");
    *RH_PUSH(plan->story->arena, &child->attributes) = (struct attribute_change){"inherited", NULL,
                                                                                 "yes"};
    EXPECT(plan, "ALTER TABLE public.q DROP COLUMN a",
           "CREATE TABLE public.p (at date) PARTITION BY RANGE (at)",
           "CREATE TABLE public.p1 PARTITION OF public.p DEFAULT");
}

static void test_plan_leaves_what_it_does_not_know_to_a_person(void **state)
{
    struct plan_story *plan = plan_story(state);
    differ(plan, DIFFERENCE_ADDED, "setting", "role app", NULL);
    *RH_PUSH(plan->story->arena,
             &plan->story->result.data_differences.list) = (struct data_difference){
        .subject = DATA_ROWS, .table = "public.t", .rows_before = 5, .rows_after = 8};
    EXPECT(plan, "by hand: it differs",
           "by hand: delete the 3 rows that the migration added to public.t");
    assert_false(plan->plan.is_complete);
    assert_true(plan->plan.is_lossless);
}

static void test_plan_names_values_that_were_overwritten(void **state)
{
    struct plan_story *plan = plan_story(state);
    struct arena *arena = plan->story->arena;
    struct data_differences *data = &plan->story->result.data_differences;
    *RH_PUSH(arena, &data->list) = (struct data_difference){.subject = DATA_COLUMN,
                                                            .change = DIFFERENCE_CHANGED,
                                                            .table = "public.t",
                                                            .column = "a",
                                                            .values = VALUES_CHANGED};
    *RH_PUSH(arena, &data->list) = (struct data_difference){.subject = DATA_COLUMN,
                                                            .change = DIFFERENCE_CHANGED,
                                                            .table = "public.t",
                                                            .column = "b",
                                                            .non_null_after = 40,
                                                            .values = VALUES_CHANGED};
    *RH_PUSH(arena, &data->list) = (struct data_difference){.subject = DATA_COLUMN,
                                                            .change = DIFFERENCE_CHANGED,
                                                            .table = "public.t",
                                                            .column = "c",
                                                            .values = VALUES_SAME};
    EXPECT(plan, "restore from backup: the former values of public.t.a",
           "restore from backup: which 40 values of public.t.b were NULL");
}

static void test_plan_is_none_where_the_states_were_not_compared(void **state)
{
    struct plan_story *plan = plan_story(state);
    plan->story->result.data_differences.was_compared = false;
    plan->story->result.data_differences.reason = "the run was cut short";
    EXPECT(plan, NULL);
    assert_false(plan->plan.is_made);
    assert_string_equal(plan->plan.reason, "the run was cut short");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(test_plan_drops_what_was_added_parts_first),
        STORY_TEST(test_plan_gives_names_back_behind_what_uses_the_new_ones),
        STORY_TEST(test_plan_makes_a_table_again_with_all_its_parts),
        STORY_TEST(test_plan_adds_a_column_that_must_have_values_in_two_steps),
        STORY_TEST(test_plan_sets_attributes_back),
        STORY_TEST(test_plan_sets_a_type_back_with_its_default_out_of_the_way),
        STORY_TEST(test_plan_makes_an_enum_anew_without_its_new_label),
        STORY_TEST(test_plan_makes_partitions_again_and_follows_the_parent),
        STORY_TEST(test_plan_leaves_what_it_does_not_know_to_a_person),
        STORY_TEST(test_plan_names_values_that_were_overwritten),
        STORY_TEST(test_plan_is_none_where_the_states_were_not_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
