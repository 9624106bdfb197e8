/* Data states and how they differ, by sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare/compare.h"

#include <string.h>

struct states {
    struct arena *arena;
    struct data_state before, after;
    struct data_differences differences;
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

static struct table_state *add_table(struct states *states, struct data_state *state,
                                     const char *identity, int64_t id, int64_t rows)
{
    struct table_state *table = RH_PUSH(states->arena, &state->tables);
    *table = (struct table_state){.identity = identity,
                                  .kind = "table",
                                  .id = id,
                                  .rows = rows,
                                  .sample_parts = SAMPLE_PARTS};
    return table;
}

static struct column_state *add_column(struct states *states, struct table_state *table,
                                       const char *name, int64_t non_null, uint64_t digest)
{
    struct column_state *column = RH_PUSH(states->arena, &table->columns);
    *column = (struct column_state){.name = name,
                                    .type = "text",
                                    .number = (int)table->columns.count,
                                    .non_null = non_null,
                                    .digest = {digest, ~digest}};
    return column;
}

/* public.users with its key and an email, the digests as given. */
static struct table_state *add_users(struct states *states, struct data_state *state, int64_t rows,
                                     uint64_t ids, int64_t emails, uint64_t digest)
{
    struct table_state *table = add_table(states, state, "public.users", 100, rows);
    add_column(states, table, "id", rows, ids);
    add_column(states, table, "email", emails, digest);
    *RH_PUSH(states->arena, &table->key) = "id";
    return table;
}

static void expect(struct states *states, const char *const *sentences)
{
    size_t count = 0;
    rh_compare_data(&states->before, &states->after, states->arena, &states->differences);
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

static void test_compare_data_is_silent_when_nothing_changed(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, 1000, 1, 900, 2);
    add_users(states, &states->after, 1000, 1, 900, 2);
    EXPECT_NONE(states);
    assert_int_equal(states->differences.tables, 1);
    assert_int_equal(states->differences.rows, 1000);
}

static void test_compare_data_says_what_digests_prove(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, 1000, 1, 900, 2);
    add_users(states, &states->after, 1000, 1, 900, 3);
    EXPECT(states, "public.users.email: values changed");
    assert_int_equal(states->differences.list.items[0].changed_values, -1);
    assert_int_equal(states->differences.list.items[0].vanished_values, 0);
}

static void test_compare_data_counts_values_that_became_null(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, 2000, 1, 2000, 2);
    add_users(states, &states->after, 2000, 1, 796, 3);
    EXPECT(states, "public.users.email: 1,204 became NULL; whether others changed is not known");
    assert_int_equal(states->differences.list.items[0].vanished_values, 1204);
}

static void test_compare_data_says_when_a_column_is_emptied(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, 1000, 1, 1, 2);
    add_users(states, &states->after, 1000, 1, 0, 0);
    EXPECT(states, "public.users.email: all 1 value became NULL");
}

static void test_compare_data_says_rows_and_what_they_cannot_explain(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, 1000, 1, 1000, 2);
    add_users(states, &states->after, 990, 5, 660, 3);
    EXPECT(states, "public.users: 10 rows fewer (1,000, now 990)",
           "public.users.email: at least 330 values vanished, not counting those of rows that "
           "went");
    assert_int_equal(states->differences.list.items[1].vanished_values, 330);
}

static void test_compare_data_cannot_compare_values_of_other_keys(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, 1000, 1, 900, 2);
    add_users(states, &states->after, 1000, 9, 900, 3);
    EXPECT(states, "public.users: values of its key changed, so that its rows cannot be compared");
    assert_int_equal(states->differences.list.items[0].values, VALUES_CHANGED);
    assert_string_equal(states->differences.list.items[0].column, "id");
}

static void test_compare_data_cannot_compare_without_the_key(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, 1000, 1, 900, 2);
    add_users(states, &states->after, 1000, 9, 900, 3)->key.count = 0;
    EXPECT(states, "public.users: its rows cannot be compared, because it has another key now");
    assert_int_equal(states->differences.list.items[0].values, VALUES_UNKNOWN);
}

static void test_compare_data_knows_renames_by_number_and_by_digest(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, 1000, 1, 900, 2);
    add_users(states, &states->after, 1000, 1, 900, 2)->columns.items[1].name = "mail";
    EXPECT(states, "public.users.email is now mail, the same 900 values");
    assert_int_equal(states->differences.list.items[0].change, DIFFERENCE_RENAMED);
    assert_string_equal(states->differences.list.items[0].before, "email");

    /* A new column took the values over. */
    states->after.tables.items[0].columns.items[1].number = 7;
    EXPECT(states, "public.users.email is gone; mail holds the same 900 values");
}

static void test_compare_data_knows_a_renamed_table_of_another_lineage_by_digest(void **state)
{
    struct states *states = *state;
    states->after.lineage = "8/5";
    add_users(states, &states->before, 1000, 1, 900, 2);
    add_users(states, &states->after, 1000, 1, 900, 2)->identity = "public.members";
    EXPECT(states, "public.users is now public.members, with the same rows");
}

static void test_compare_data_says_a_type_that_kept_its_values(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, 1000, 1, 900, 2);
    add_users(states, &states->after, 1000, 1, 900, 2)->columns.items[1].type = "varchar(9)";
    EXPECT(states, "public.users.email (varchar(9), was text): the same values");
    assert_int_equal(states->differences.list.items[0].values, VALUES_SAME);
}

static void test_compare_data_says_columns_and_tables_that_came_and_went(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, 1000, 1, 900, 2);
    add_users(states, &states->after, 1000, 1, 0, 0)->columns.items[1] = (struct column_state){
        .name = "nick", .type = "text", .number = 3};
    add_table(states, &states->before, "public.z", 300, 12);
    add_table(states, &states->after, "public.zz", 301, 0);
    EXPECT(states, "public.users.email is gone, with 900 values",
           "public.users.nick is new, with no value", "public.z is gone, with 12 rows",
           "public.zz is new, with no row");
}

static void test_compare_data_sees_values_change_places_without_a_key(void **state)
{
    struct states *states = *state;
    for (int i = 0; i < 2; i++) {
        struct data_state *side = i ? &states->after : &states->before;
        struct table_state *table = add_table(states, side, "public.log", 5, 10);
        add_column(states, table, "a", 10, 1);
        add_column(states, table, "b", 10, 2);
        table->has_row = true;
        *RH_PUSH(states->arena, &table->row_columns) = "a";
        *RH_PUSH(states->arena, &table->row_columns) = "b";
        table->row.high = i ? 8 : 9;
    }
    EXPECT(states, "public.log: every column holds the same values, but in other rows");
}

static void test_compare_data_says_what_was_not_read(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, 1000, 1, 900, 2);
    add_users(states, &states->after, 1000, 1, 900, 2)->skipped = "not read within the 20 s";
    add_table(states, &states->before, "public.z", 300, 0)->skipped = "a foreign table";
    add_table(states, &states->after, "public.z", 300, 0)->skipped = "a foreign table";
    EXPECT(states, "public.users was not compared: not read within the 20 s");
    assert_int_equal(states->differences.skipped_tables, 2);
    assert_int_equal(states->differences.tables, 0);
}

static void test_compare_data_speaks_of_a_partitioned_table_as_a_whole(void **state)
{
    struct states *states = *state;
    for (int i = 0; i < 2; i++) {
        struct data_state *side = i ? &states->after : &states->before;
        add_table(states, side, "public.e", 10, 100)->kind = "partitioned table";
        add_table(states, side, "public.e1", 11, i ? 40 : 60)->parent = "public.e";
        add_table(states, side, "public.e2", 12, i ? 60 : 40)->parent = "public.e";
    }
    EXPECT_NONE(states); /* rows moved from one partition to the other */
    states->after.tables.items[0].rows = 99;
    states->after.tables.items[2].rows = 59;
    EXPECT(states, "public.e: 1 row fewer (100, now 99)");
}

static void test_compare_data_says_a_sample(void **state)
{
    struct states *states = *state;
    add_users(states, &states->before, 1000, 1, 900, 2)->sample_parts = SAMPLE_PARTS / 4;
    add_users(states, &states->after, 1000, 1, 900, 3)->sample_parts = SAMPLE_PARTS / 4;
    EXPECT(states, "public.users.email: values changed (of a sample of 25 % of the rows)");
    assert_true(states->differences.list.items[0].sampled);
    assert_int_equal(states->differences.sampled_tables, 1);
}

static void test_compare_data_says_sequences_and_large_objects(void **state)
{
    struct states *states = *state;
    *RH_PUSH(states->arena,
             &states->before.sequences) = (struct sequence_state){.identity = "public.s", .id = 4};
    *RH_PUSH(states->arena, &states->after.sequences) = (struct sequence_state){
        .identity = "public.s", .id = 4, .is_used = true, .last_value = 1200};
    states->before.large_objects = 1;
    states->after.large_objects = 3;
    EXPECT(states, "public.s: was not used yet, now 1,200", "1 large object, now 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_compare_data_is_silent_when_nothing_changed),
        TEST(test_compare_data_says_what_digests_prove),
        TEST(test_compare_data_counts_values_that_became_null),
        TEST(test_compare_data_says_when_a_column_is_emptied),
        TEST(test_compare_data_says_rows_and_what_they_cannot_explain),
        TEST(test_compare_data_cannot_compare_values_of_other_keys),
        TEST(test_compare_data_cannot_compare_without_the_key),
        TEST(test_compare_data_knows_renames_by_number_and_by_digest),
        TEST(test_compare_data_knows_a_renamed_table_of_another_lineage_by_digest),
        TEST(test_compare_data_says_a_type_that_kept_its_values),
        TEST(test_compare_data_says_columns_and_tables_that_came_and_went),
        TEST(test_compare_data_sees_values_change_places_without_a_key),
        TEST(test_compare_data_says_what_was_not_read),
        TEST(test_compare_data_speaks_of_a_partitioned_table_as_a_whole),
        TEST(test_compare_data_says_a_sample),
        TEST(test_compare_data_says_sequences_and_large_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
