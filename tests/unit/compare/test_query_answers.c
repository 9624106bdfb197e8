#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare/query_answers.h"
#include "model/workload.h"

#include <stdio.h>

/* Answers of two columns, id and value; a number stands for what is in them. */
static struct query_answer answer(struct arena *arena, int64_t rows, uint64_t id, uint64_t value)
{
    struct query_answer answer = {.rows = rows, .has_columns = true};
    *RH_PUSH(arena, &answer.columns) = (struct answer_column){
        .name = "id", .type = 23, .values = {id}, .in_order = {id}};
    *RH_PUSH(arena, &answer.columns) = (struct answer_column){
        .name = "value", .type = 25, .values = {value}, .in_order = {value}};
    answer.row_set[0] = id * 1000 + value;
    return answer;
}

static struct query_answer failure(const char *sqlstate)
{
    struct query_answer answer = {0};
    snprintf(answer.sqlstate, sizeof(answer.sqlstate), "%s", sqlstate);
    return answer;
}

static struct query_comparison compare(struct arena *arena, struct query_observation *items,
                                       size_t count, unsigned flags)
{
    struct query_comparison query = {.flags = flags};
    const struct query_observations observations = {items, count};
    rh_query_answers_compare(&observations, arena, &query);
    return query;
}

static void test_answers_alike(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_answer a = answer(arena, 3, 1, 2);
    struct query_observation one = {{a, a, a}, false};
    struct query_comparison query = compare(arena, &one, 1, 0);
    assert_int_equal(query.results.change, RESULT_SAME);
    assert_int_equal(query.results.compared, 1);
    assert_int_equal(query.errors.count, 0);
    assert_false(rh_query_answer_is_suspect(&one, 0));
}

static void test_answers_other_values_are_named_by_column(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_answer a = answer(arena, 3, 1, 2), b = answer(arena, 3, 1, 9);
    struct query_observation one = {{a, a, b}, false};
    struct query_comparison query = compare(arena, &one, 1, 0);
    assert_int_equal(query.results.change, RESULT_VALUES_CHANGED);
    assert_int_equal(query.results.columns.count, 1);
    assert_string_equal(query.results.columns.items[0], "value");
    assert_true(rh_query_answer_is_suspect(&one, 0));
    struct query_observation items[] = {one, one, {{a, a, a}, false}, one};
    query = compare(arena, items, 4, 0);
    assert_int_equal(query.results.compared, 4);
    assert_int_equal(query.results.differing, 3);
    one.is_undetermined = true;
    query = compare(arena, &one, 1, 0);
    assert_int_equal(query.results.change, RESULT_NOT_COMPARED);
    assert_int_equal(query.results.undetermined, 1);
}

static void test_answers_what_the_twins_differ_in_is_masked(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_observation items[] = {
        {{answer(arena, 3, 1, 2), answer(arena, 3, 1, 5), answer(arena, 3, 1, 8)}, false},
        {{answer(arena, 3, 1, 2), answer(arena, 3, 1, 2), answer(arena, 3, 1, 8)}, false},
    };
    struct query_comparison query = compare(arena, items, 2, 0);
    assert_int_equal(query.results.change, RESULT_SAME);
    assert_int_equal(query.results.masked.count, 1);
    items[0].answers[SIDE_CANDIDATE] = answer(arena, 3, 7, 8);
    query = compare(arena, items, 2, 0);
    assert_int_equal(query.results.change, RESULT_VALUES_CHANGED);
    assert_string_equal(query.results.columns.items[0], "id");
}

static void test_answers_order_counts_only_where_it_is_asked_for(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_answer a = answer(arena, 3, 1, 2), b = answer(arena, 3, 1, 2);
    b.columns.items[0].in_order[0] = 77;
    struct query_observation one = {{a, a, b}, false};
    assert_int_equal(compare(arena, &one, 1, 0).results.change, RESULT_SAME);
    assert_int_equal(compare(arena, &one, 1, PATTERN_ORDERS_ROWS).results.change,
                     RESULT_ORDER_CHANGED);
}

static void test_answers_rows_that_no_longer_belong_together(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_answer a = answer(arena, 3, 1, 2), b = answer(arena, 3, 1, 2);
    b.row_set[0] = 5;
    struct query_observation one = {{a, a, b}, false};
    assert_int_equal(compare(arena, &one, 1, 0).results.change, RESULT_VALUES_CHANGED);
}

static void test_answers_number_of_rows(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_answer a = answer(arena, 3, 1, 2), b = answer(arena, 4, 1, 2);
    struct query_observation one = {{a, a, b}, false};
    struct query_comparison query = compare(arena, &one, 1, PATTERN_LIMITS_UNORDERED);
    assert_int_equal(query.results.change, RESULT_ROWS_CHANGED);
    assert_int_equal(query.results.rows_after, 4);
    assert_int_equal(compare(arena, &one, 1, PATTERN_IS_VOLATILE).results.change,
                     RESULT_NOT_COMPARED);
    one = (struct query_observation){{a, b, a}, false};
    assert_int_equal(compare(arena, &one, 1, 0).results.change, RESULT_SAME);
}

static void test_answers_unordered_limit_leaves_values_open(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_answer a = answer(arena, 3, 1, 2), b = answer(arena, 3, 8, 9);
    struct query_observation one = {{a, a, b}, false};
    struct query_comparison query = compare(arena, &one, 1, PATTERN_LIMITS_UNORDERED);
    assert_int_equal(query.results.change, RESULT_NOT_COMPARED);
    assert_non_null(query.results.reason);
}

static void test_answers_columns_added_gone_and_of_another_type(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_answer a = answer(arena, 3, 1, 2), more = answer(arena, 3, 1, 2),
                        other = answer(arena, 3, 1, 2);
    *RH_PUSH(arena, &more.columns) = (struct answer_column){.name = "tier"};
    other.columns.items[0].type = 20;
    struct query_observation one = {{a, a, more}, false};
    struct query_comparison query = compare(arena, &one, 1, 0);
    assert_int_equal(query.results.change, RESULT_COLUMNS_ADDED);
    assert_string_equal(query.results.columns.items[0], "tier");
    one = (struct query_observation){{more, more, a}, false};
    assert_int_equal(compare(arena, &one, 1, 0).results.change, RESULT_COLUMNS_CHANGED);
    one = (struct query_observation){{a, a, other}, false};
    query = compare(arena, &one, 1, 0);
    assert_int_equal(query.results.change, RESULT_TYPES_CHANGED);
    assert_int_equal(query.results.columns.count, 1);
    assert_string_equal(query.results.columns.items[0], "id");
    struct query_answer *after = &one.answers[SIDE_CANDIDATE];
    after->columns.items[0].in_order[0]++;
    assert_int_equal(compare(arena, &one, 1, PATTERN_ORDERS_ROWS).results.change,
                     RESULT_ORDER_CHANGED);
    after->columns.items[0].values[0]++;
    after->row_set[0]++;
    assert_int_equal(compare(arena, &one, 1, 0).results.change, RESULT_COLUMNS_CHANGED);
    /* Where other values would be chance, the type is what is left to compare. */
    assert_int_equal(compare(arena, &one, 1, PATTERN_LIMITS_UNORDERED).results.change,
                     RESULT_TYPES_CHANGED);
    one.is_undetermined = true;
    assert_int_equal(compare(arena, &one, 1, 0).results.change, RESULT_TYPES_CHANGED);
}

/* What is graver is named alone, whichever execution shows it. */
static void test_answers_the_gravest_change_names_its_columns(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_answer a = answer(arena, 3, 1, 2), retyped = answer(arena, 3, 1, 2),
                        both = answer(arena, 3, 1, 9);
    retyped.columns.items[0].type = both.columns.items[0].type = 20;
    struct query_observation items[] = {
        {{a, a, retyped}, false}, {{a, a, both}, false}, {{a, a, retyped}, false}};
    struct query_comparison query = compare(arena, items, 3, 0);
    assert_int_equal(query.results.change, RESULT_VALUES_CHANGED);
    assert_int_equal(query.results.differing, 3);
    assert_int_equal(query.results.columns.count, 1);
    assert_string_equal(query.results.columns.items[0], "value");
}

static void test_answers_errors_new_resolved_existing(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_answer a = answer(arena, 3, 1, 2);
    struct query_observation items[] = {
        {{a, a, failure("42703")}, false},
        {{failure("22012"), failure("22012"), failure("22012")}, false},
        {{failure("23505"), failure("23505"), a}, false},
        {{a, failure("40001"), failure("40001")}, false}, /* chance */
    };
    struct query_comparison query = compare(arena, items, 4, 0);
    assert_int_equal(query.errors.count, 3);
    assert_int_equal(query.errors.items[0].change, ERROR_NEW);
    assert_int_equal(query.errors.items[1].change, ERROR_EXISTING);
    assert_int_equal(query.errors.items[2].change, ERROR_RESOLVED);
    assert_int_equal(query.sides[SIDE_CANDIDATE].errors, 3);
    assert_int_equal(query.results.change, RESULT_NOT_COMPARED);
}

/* What fails on the baseline is not broken by the migration because it fails otherwise now. */
static void test_answers_another_error_than_before_is_not_new(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_answer a = answer(arena, 3, 1, 2);
    struct query_observation items[] = {
        {{failure("42P01"), failure("42P01"), failure("42703")}, false},
        {{a, a, failure("42703")}, false},
    };
    struct query_comparison query = compare(arena, items, 1, 0);
    assert_int_equal(query.errors.count, 2);
    assert_int_equal(query.errors.items[0].change, ERROR_RESOLVED);
    assert_int_equal(query.errors.items[1].change, ERROR_EXISTING);
    query = compare(arena, items, 2, 0);
    assert_int_equal(query.errors.items[1].change, ERROR_NEW);
}

static void test_answers_columns_that_are_asked_for_no_more(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct query_answer a = answer(arena, 3, 1, 2), less = answer(arena, 3, 1, 2);
    less.columns.count = 1;
    less.row_set[0] = 77;
    struct query_observation one = {{a, a, less}, false};
    assert_int_equal(compare(arena, &one, 1, 0).results.change, RESULT_COLUMNS_CHANGED);
    a.columns.items[1].is_left_out = true;
    assert_int_equal(compare(arena, &one, 1, 0).results.change, RESULT_SAME);
    less.columns.items[0].values[0] = 9;
    assert_int_equal(compare(arena, &one, 1, 0).results.change, RESULT_VALUES_CHANGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_alike),
        cmocka_unit_test(test_answers_other_values_are_named_by_column),
        cmocka_unit_test(test_answers_what_the_twins_differ_in_is_masked),
        cmocka_unit_test(test_answers_order_counts_only_where_it_is_asked_for),
        cmocka_unit_test(test_answers_rows_that_no_longer_belong_together),
        cmocka_unit_test(test_answers_number_of_rows),
        cmocka_unit_test(test_answers_unordered_limit_leaves_values_open),
        cmocka_unit_test(test_answers_columns_added_gone_and_of_another_type),
        cmocka_unit_test(test_answers_the_gravest_change_names_its_columns),
        cmocka_unit_test(test_answers_errors_new_resolved_existing),
        cmocka_unit_test(test_answers_another_error_than_before_is_not_new),
        cmocka_unit_test(test_answers_columns_that_are_asked_for_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
