/* Two ends that should be one: what is told, and what tells nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare/compare_ends.h"

#include <string.h>

struct side {
    struct schema_state schema;
    struct data_state data;
};
struct fixture {
    struct arena *arena;
    struct side expected, actual, twin;
    struct end_difference difference;
};

static int set_up(void **state)
{
    struct arena *arena = rh_arena_new();
    struct fixture *f = RH_NEW(arena, struct fixture);
    f->arena = arena;
    /* Clones of one server: that their ids differ must not matter. */
    f->expected.schema.lineage = f->actual.schema.lineage = f->twin.schema.lineage = "7/5";
    f->expected.data.lineage = f->actual.data.lineage = f->twin.data.lineage = "7/5";
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    rh_arena_free(((struct fixture *)*state)->arena);
    return 0;
}

static struct state_object *add_object(struct fixture *f, struct side *side, const char *kind,
                                       const char *identity, int64_t id)
{
    struct state_object *object = RH_PUSH(f->arena, &side->schema.objects);
    *object = (struct state_object){.kind = kind, .identity = identity, .id = id};
    return object;
}

static struct table_state *add_table(struct fixture *f, struct side *side, const char *identity,
                                     int64_t id, int64_t rows)
{
    struct table_state *table = RH_PUSH(f->arena, &side->data.tables);
    *table = (struct table_state){.identity = identity,
                                  .kind = "table",
                                  .id = id,
                                  .rows = rows,
                                  .sample_parts = SAMPLE_PARTS};
    *RH_PUSH(f->arena, &table->key) = "id";
    *RH_PUSH(f->arena, &table->columns) = (struct column_state){
        .name = "id", .type = "integer", .number = 1, .non_null = rows, .digest = {1, 1}};
    return table;
}

static void add_column(struct fixture *f, struct table_state *table, const char *name,
                       int64_t non_null, uint64_t digest)
{
    *RH_PUSH(f->arena,
             &table->columns) = (struct column_state){.name = name,
                                                      .type = "text",
                                                      .number = (int)table->columns.count + 1,
                                                      .non_null = non_null,
                                                      .digest = {digest, digest}};
}

static void add_sequence(struct fixture *f, struct side *side, int64_t last_value)
{
    *RH_PUSH(f->arena, &side->data.sequences) = (struct sequence_state){
        .identity = "public.t_id_seq", .id = 5, .is_used = true, .last_value = last_value};
}

static struct end_state end_of(const struct side *side)
{
    return (struct end_state){&side->schema, &side->data};
}

static void compare(struct fixture *f, bool has_twin, bool renumbers)
{
    const struct end_state expected = end_of(&f->expected), actual = end_of(&f->actual);
    const struct end_state twin = end_of(&f->twin);
    rh_compare_ends(&expected, &actual, has_twin ? &twin : NULL, renumbers, f->arena,
                    &f->difference);
    assert_true(f->difference.was_compared);
}

static void expect_one(struct fixture *f, const char *sentence)
{
    assert_int_equal(f->difference.count, 1);
    assert_string_equal(f->difference.sentences.items[0], sentence);
}

static void test_compare_ends_names_what_is_missing_and_what_is_left(void **state)
{
    struct fixture *f = *state;
    (void)add_object(f, &f->expected, "table", "public.a", 10);
    (void)add_object(f, &f->actual, "table", "public.b", 10);
    compare(f, false, true);
    assert_int_equal(f->difference.count, 2);
    assert_string_equal(f->difference.sentences.items[0], "table public.a is missing");
    assert_string_equal(f->difference.sentences.items[1], "table public.b is left over");
}

static void test_compare_ends_takes_other_ids_for_the_same(void **state)
{
    struct fixture *f = *state;
    (void)add_object(f, &f->expected, "table", "public.a", 10);
    (void)add_object(f, &f->actual, "table", "public.a", 12);
    (void)add_table(f, &f->expected, "public.a", 10, 3);
    (void)add_table(f, &f->actual, "public.a", 12, 3);
    compare(f, false, true);
    assert_int_equal(f->difference.count, 0);
}

static void test_compare_ends_says_that_an_index_is_invalid(void **state)
{
    struct fixture *f = *state;
    (void)add_object(f, &f->expected, "index", "public.i", 10);
    struct state_object *index = add_object(f, &f->actual, "index", "public.i", 10);
    *RH_PUSH(f->arena, &index->attributes) = (struct state_attribute){"valid", "no"};
    compare(f, false, true);
    expect_one(f, "index public.i is invalid");
}

static void test_compare_ends_counts_rows_once(void **state)
{
    struct fixture *f = *state;
    add_column(f, add_table(f, &f->expected, "public.t", 10, 3), "name", 3, 7);
    add_column(f, add_table(f, &f->actual, "public.t", 10, 6), "name", 6, 8);
    compare(f, false, true);
    expect_one(f, "public.t has 6 rows, not 3");
}

static void test_compare_ends_tells_other_values(void **state)
{
    struct fixture *f = *state;
    add_column(f, add_table(f, &f->expected, "public.t", 10, 3), "name", 3, 7);
    add_column(f, add_table(f, &f->actual, "public.t", 10, 3), "name", 3, 8);
    compare(f, false, true);
    expect_one(f, "public.t.name holds other values");
}

static void test_compare_ends_sets_aside_what_a_twin_differs_in_too(void **state)
{
    struct fixture *f = *state;
    struct side *sides[] = {&f->expected, &f->actual, &f->twin};
    for (size_t i = 0; i < 3; i++) {
        struct table_state *table = add_table(f, sides[i], "public.t", 10, 3);
        add_column(f, table, "at", 3, 7 + i);
        add_column(f, table, "name", 3, i == 1 ? 9 : 8);
    }
    compare(f, true, true);
    expect_one(f, "public.t.name holds other values");
    assert_int_equal(f->difference.set_aside, 1);
}

static void test_compare_ends_sets_aside_numbers_of_a_sequence_that_went_on(void **state)
{
    struct fixture *f = *state;
    add_column(f, add_table(f, &f->expected, "public.t", 10, 3), "name", 3, 7);
    add_column(f, add_table(f, &f->actual, "public.t", 10, 3), "name", 3, 8);
    add_sequence(f, &f->expected, 3);
    add_sequence(f, &f->actual, 6);
    compare(f, false, true);
    assert_int_equal(f->difference.count, 0);
    assert_int_equal(f->difference.set_aside, 1);
    /* On the same database no row is made anew. */
    compare(f, false, false);
    expect_one(f, "public.t.name holds other values");
}

static void test_compare_ends_counts_still_tell_where_numbers_do_not(void **state)
{
    struct fixture *f = *state;
    add_column(f, add_table(f, &f->expected, "public.t", 10, 3), "name", 3, 7);
    add_column(f, add_table(f, &f->actual, "public.t", 10, 3), "name", 2, 8);
    add_sequence(f, &f->expected, 3);
    add_sequence(f, &f->actual, 6);
    compare(f, false, true);
    expect_one(f, "public.t.name holds 2 values that are not NULL, not 3");
}

static void test_compare_ends_does_not_mind_the_times_in_a_ledger(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"public.flyway_schema_history", "sqitch.events"};
    for (size_t i = 0; i < 2; i++) {
        add_column(f, add_table(f, &f->expected, names[i], 10, 3), "execution_time", 3, 7);
        add_column(f, add_table(f, &f->actual, names[i], 10, 3), "execution_time", 3, 8);
    }
    compare(f, false, true);
    assert_int_equal(f->difference.count, 0);
    assert_int_equal(f->difference.set_aside, 2);
}

static void test_compare_ends_keeps_a_bounded_number_of_sentences(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 50; i++)
        (void)add_object(f, &f->actual, "table", rh_arena_printf(f->arena, "public.t%02d", i), i);
    compare(f, false, true);
    assert_int_equal(f->difference.count, 50);
    assert_int_equal(f->difference.sentences.count, DIFFERENCES_KEPT_MAX);
}

static void test_compare_ends_says_what_was_not_read(void **state)
{
    struct fixture *f = *state;
    (void)add_table(f, &f->expected, "public.t", 10, 3);
    add_table(f, &f->actual, "public.t", 10, 3)->skipped = "no time was left";
    compare(f, false, true);
    assert_int_equal(f->difference.count, 0);
    assert_string_equal(f->difference.reason, "the rows of 1 table were not read");
}

#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_compare_ends_names_what_is_missing_and_what_is_left),
        FIXTURE_TEST(test_compare_ends_takes_other_ids_for_the_same),
        FIXTURE_TEST(test_compare_ends_says_that_an_index_is_invalid),
        FIXTURE_TEST(test_compare_ends_counts_rows_once),
        FIXTURE_TEST(test_compare_ends_tells_other_values),
        FIXTURE_TEST(test_compare_ends_sets_aside_what_a_twin_differs_in_too),
        FIXTURE_TEST(test_compare_ends_sets_aside_numbers_of_a_sequence_that_went_on),
        FIXTURE_TEST(test_compare_ends_counts_still_tell_where_numbers_do_not),
        FIXTURE_TEST(test_compare_ends_does_not_mind_the_times_in_a_ledger),
        FIXTURE_TEST(test_compare_ends_keeps_a_bounded_number_of_sentences),
        FIXTURE_TEST(test_compare_ends_says_what_was_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
