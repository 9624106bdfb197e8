/* What a way back did not bring back, by sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare/round_trip.h"

#include <string.h>

struct story {
    struct arena *arena;
    struct schema_state schema_before, schema_after;
    struct data_state data_before, data_after;
    struct round_trip_states states;
    struct round_trip trip;
};

static int set_up(void **state)
{
    struct arena *arena = rh_arena_new();
    struct story *story = RH_NEW(arena, struct story);
    story->arena = arena;
    story->schema_before.lineage = story->schema_after.lineage = "7/5";
    story->data_before.lineage = story->data_after.lineage = "7/5";
    story->states = (struct round_trip_states){&story->schema_before,
                                               &story->schema_after,
                                               &story->data_before,
                                               &story->data_after,
                                               false,
                                               NULL,
                                               0};
    *state = story;
    return 0;
}

static int tear_down(void **state)
{
    rh_arena_free(((struct story *)*state)->arena);
    return 0;
}

static void add(struct story *story, struct schema_state *state, const char *kind,
                const char *identity, const char *parent, int64_t id, int64_t sub,
                const char *attribute, const char *value)
{
    struct state_object *object = RH_PUSH(story->arena, &state->objects);
    *object = (struct state_object){
        .kind = kind, .identity = identity, .parent = parent, .id = id, .sub_id = sub};
    if (attribute)
        *RH_PUSH(story->arena, &object->attributes) = (struct state_attribute){attribute, value};
}

static void add_column(struct story *story, struct schema_state *state, const char *name,
                       int64_t number)
{
    add(story, state, "table column", rh_arena_printf(story->arena, "public.t.%s", name),
        "public.t", 7, number, NULL, NULL);
}

static struct table_state *add_table(struct story *story, struct data_state *state,
                                     const char *identity, int64_t rows)
{
    struct table_state *table = RH_PUSH(story->arena, &state->tables);
    *table = (struct table_state){
        .identity = identity, .kind = "table", .id = 7, .rows = rows, .sample_parts = SAMPLE_PARTS};
    return table;
}

static void add_values(struct story *story, struct table_state *table, const char *name, int number,
                       int64_t non_null, uint64_t digest)
{
    *RH_PUSH(story->arena,
             &table->columns) = (struct column_state){name, "text", number, non_null, {0, digest}};
}

static void expect(struct story *story, const char *const *sentences)
{
    rh_compare_round_trip(&story->states, false, story->arena, &story->trip);
    size_t count = 0;
    for (; sentences[count]; count++)
        if (count >= story->trip.differences.count)
            fail_msg("missing: %s", sentences[count]);
        else
            assert_string_equal(story->trip.differences.items[count].sentence, sentences[count]);
    if (story->trip.differences.count > count)
        fail_msg("unexpected: %s", story->trip.differences.items[count].sentence);
}
#define EXPECT(story, ...) expect((story), (const char *const[]){__VA_ARGS__, NULL})
#define EXPECT_NONE(story) expect((story), (const char *const[]){NULL})

static void test_round_trip_says_what_was_lost_left_and_changed(void **state)
{
    struct story *story = *state;
    struct schema_state *before = &story->schema_before, *after = &story->schema_after;
    add(story, before, "index", "public.i", "public.t", 9, 0, "definition", "USING btree (a)");
    add(story, before, "table", "public.t", NULL, 7, 0, "privileges of app", "SELECT");
    add(story, after, "table", "public.t", NULL, 7, 0, "comment", "left");
    add(story, before, "table column", "public.t.a", "public.t", 7, 1, "type", "text");
    add(story, after, "table column", "public.t.a", "public.t", 7, 1, "type", "integer");
    add(story, after, "view", "public.v", NULL, 11, 0, NULL, NULL);
    EXPECT(story, "index public.i on public.t is lost (USING btree (a))",
           "table public.t is left with comment (left)",
           "table public.t lost its privileges of app (SELECT)",
           "column public.t.a: type is integer, was text", "view public.v is left behind");
    assert_int_equal(rh_round_trip_verdict_of(&story->trip), ROUND_TRIP_DIFFERS);
}

static void test_round_trip_tells_reordered_labels(void **state)
{
    struct story *story = *state;
    add(story, &story->schema_before, "type", "public.m", NULL, 7, 0, "labels",
        "'a', 'it''s', 'b'");
    add(story, &story->schema_after, "type", "public.m", NULL, 8, 0, "labels", "'b', 'a', 'it''s'");
    EXPECT(story, "type public.m: labels in another order, 'b', 'a', 'it''s', before 'a', 'it''s', "
                  "'b'");
}

static void test_round_trip_order_of_columns_alone_loses_nothing(void **state)
{
    struct story *story = *state;
    add_column(story, &story->schema_before, "a", 1);
    add_column(story, &story->schema_before, "b", 2);
    add_column(story, &story->schema_before, "c", 3);
    add_column(story, &story->schema_after, "a", 1);
    add_column(story, &story->schema_after, "b", 4);
    add_column(story, &story->schema_after, "c", 3);
    EXPECT(story, "the columns of public.t stand in another order: b was number 2 of 3, and is "
                  "number 3");
    assert_int_equal(rh_round_trip_verdict_of(&story->trip), ROUND_TRIP_LOSSLESS);
}

/* Numbers have gaps where columns were dropped before: only the order counts. */
static void test_round_trip_order_is_that_of_live_columns(void **state)
{
    struct story *story = *state;
    add_column(story, &story->schema_before, "a", 1);
    add_column(story, &story->schema_before, "b", 2);
    add_column(story, &story->schema_after, "a", 3);
    add_column(story, &story->schema_after, "b", 4);
    EXPECT_NONE(story);
}

static void test_round_trip_counts_values_of_a_column_made_anew(void **state)
{
    struct story *story = *state;
    struct table_state *before = add_table(story, &story->data_before, "public.t", 10);
    struct table_state *after = add_table(story, &story->data_after, "public.t", 10);
    add_values(story, before, "a", 1, 10, 1);
    add_values(story, before, "b", 2, 6, 2);
    add_values(story, before, "c", 3, 5, 3);
    add_values(story, after, "a", 1, 10, 1);
    add_values(story, after, "b", 4, 0, 0);
    add_values(story, after, "c", 5, 2, 9);
    EXPECT(story, "public.t.b lost all 6 values", "public.t.c lost 3 of 5 values");
    assert_true(story->trip.differences.items[0].is_loss);
    assert_int_equal(story->trip.differences.items[0].count, 6);
    assert_int_equal(rh_round_trip_verdict_of(&story->trip), ROUND_TRIP_LOSSY);
}

static void test_round_trip_values_copied_back_are_no_difference(void **state)
{
    struct story *story = *state;
    struct table_state *before = add_table(story, &story->data_before, "public.t", 10);
    struct table_state *after = add_table(story, &story->data_after, "public.t", 10);
    add_values(story, before, "a", 1, 10, 1);
    add_values(story, after, "a", 4, 10, 1);
    EXPECT_NONE(story);
}

static void test_round_trip_rows_and_values(void **state)
{
    struct story *story = *state;
    add_table(story, &story->data_before, "public.t", 10);
    add_table(story, &story->data_after, "public.t", 7);
    EXPECT(story, "public.t lost 3 rows");
}

static void test_round_trip_rows_of_others_do_not_count(void **state)
{
    struct story *story = *state;
    const char *const written_to[] = {"public.t"};
    story->states.written_to = written_to;
    story->states.written_to_count = 1;
    add_table(story, &story->data_before, "public.t", 10);
    add_table(story, &story->data_after, "public.t", 17);
    rh_compare_round_trip(&story->states, true, story->arena, &story->trip);
    assert_int_equal(story->trip.differences.count, 0);
    assert_int_equal(story->trip.notes.count, 0);
}

static void test_round_trip_values_made_of_written_rows_are_a_note(void **state)
{
    struct story *story = *state;
    add_values(story, add_table(story, &story->data_before, "public.t", 10), "a", 1, 10, 1);
    add_values(story, add_table(story, &story->data_after, "public.t", 10), "a", 1, 10, 2);
    rh_compare_round_trip(&story->states, true, story->arena, &story->trip);
    assert_int_equal(story->trip.differences.count, 0);
    assert_string_equal(story->trip.notes.items[0], "public.t.a: its values after the way back "
                                                    "depend on the rows written before");
}

static void test_round_trip_what_is_computed_is_never_lost(void **state)
{
    struct story *story = *state;
    struct table_state *before = add_table(story, &story->data_before, "public.mv", 10);
    struct table_state *after = add_table(story, &story->data_after, "public.mv", 7);
    before->kind = after->kind = "materialized view";
    EXPECT(story, "public.mv lost 3 rows");
    assert_int_equal(rh_round_trip_verdict_of(&story->trip), ROUND_TRIP_DIFFERS);
    story->trip = (struct round_trip){0};
    rh_compare_round_trip(&story->states, true, story->arena, &story->trip);
    assert_int_equal(story->trip.differences.count, 0);
    story->data_after.tables.count = 0;
    EXPECT_NONE(story);
}

static void test_round_trip_sequences_go_on_but_not_back(void **state)
{
    struct story *story = *state;
    *RH_PUSH(story->arena, &story->data_before.sequences) = (struct sequence_state){"public.on", 1,
                                                                                    true, 10};
    *RH_PUSH(story->arena, &story->data_before.sequences) = (struct sequence_state){"public.s", 2,
                                                                                    true, 300};
    *RH_PUSH(story->arena, &story->data_after.sequences) = (struct sequence_state){"public.on", 1,
                                                                                   true, 12};
    *RH_PUSH(story->arena, &story->data_after.sequences) = (struct sequence_state){"public.s", 9,
                                                                                   false, 0};
    EXPECT(story, "sequence public.s was set back, from 300 to its start: values would be given a "
                  "second time");
}

static void test_round_trip_leaves_ledgers_out_when_a_tool_ran(void **state)
{
    struct story *story = *state;
    add(story, &story->schema_after, "table", "public.alembic_version", NULL, 11, 0, NULL, NULL);
    add_table(story, &story->data_after, "public.alembic_version", 1);
    EXPECT(story, "table public.alembic_version is left behind");
    story->trip = (struct round_trip){0};
    story->states.has_ledgers = true;
    EXPECT_NONE(story);
    assert_int_equal(story->trip.notes.count, 1);
}

static void test_round_trip_verdict_is_the_worst(void **state)
{
    (void)state;
    struct round_trip_failure failure = {.message = "no"};
    struct round_trip trip = {0};
    assert_int_equal(rh_round_trip_verdict_of(&trip), ROUND_TRIP_LOSSLESS);
    trip.after_writes.failure = &failure;
    assert_int_equal(rh_round_trip_verdict_of(&trip), ROUND_TRIP_FAILS_AFTER_WRITES);
    trip.at_once.failure = &failure;
    assert_int_equal(rh_round_trip_verdict_of(&trip), ROUND_TRIP_FAILS);
}

static void test_restored_states_compare_by_name_without_owners_and_roles(void **state)
{
    struct story *story = *state;
    struct restore_test test = {0};
    story->schema_after.lineage = story->data_after.lineage = "8/5";
    add(story, &story->schema_before, "role", "app", NULL, 20, 0, NULL, NULL);
    add(story, &story->schema_before, "table", "public.t", NULL, 7, 0, "owner", "app");
    add(story, &story->schema_after, "table", "public.t", NULL, 90, 0, "owner", "other");
    add(story, &story->schema_before, "view", "public.v", NULL, 8, 0, NULL, NULL);
    rh_compare_restored(&story->states, story->arena, &test);
    assert_int_equal(test.differences.count, 1);
    assert_string_equal(test.differences.items[0].sentence, "view public.v is lost");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip_says_what_was_lost_left_and_changed),
        TEST(test_round_trip_tells_reordered_labels),
        TEST(test_round_trip_order_of_columns_alone_loses_nothing),
        TEST(test_round_trip_order_is_that_of_live_columns),
        TEST(test_round_trip_counts_values_of_a_column_made_anew),
        TEST(test_round_trip_values_copied_back_are_no_difference),
        TEST(test_round_trip_rows_and_values),
        TEST(test_round_trip_rows_of_others_do_not_count),
        TEST(test_round_trip_values_made_of_written_rows_are_a_note),
        TEST(test_round_trip_what_is_computed_is_never_lost),
        TEST(test_round_trip_sequences_go_on_but_not_back),
        TEST(test_round_trip_leaves_ledgers_out_when_a_tool_ran),
        cmocka_unit_test(test_round_trip_verdict_is_the_worst),
        TEST(test_restored_states_compare_by_name_without_owners_and_roles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
