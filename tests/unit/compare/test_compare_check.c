#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "compare/compare_check.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct check_output output_of(const char *const *cells, size_t rows, size_t columns)
{
    static const char *names[] = {"a", "b", "c"};
    struct check_output output = {.ran = true, .planned = -1, .row_count = (int64_t)rows};
    struct check_digest digest;

    output.columns.items = names;
    output.columns.count = columns;
    rh_check_digest_init(&digest);
    for (size_t i = 0; i < rows; i++) {
        rh_check_digest_row(&digest, cells + i * columns, columns);
        rh_check_digest_key(&digest, cells + i * columns, 1);
    }
    if (rows == 1 && columns == 1 && rh_check_is_number(cells[0]))
        output.number = cells[0];
    rh_check_digest_take(&digest, &output);
    return output;
}
#define OUTPUT(columns, ...)                      \
    output_of((const char *const[]){__VA_ARGS__}, \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *) / (columns), (columns))

static enum check_outcome outcome_of(enum check_expect expect, const char *limit,
                                     struct check_output before, struct check_output after)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct check check = {
        .name = "c", .expect = expect, .limit = limit, .before = before, .after = after};

    rh_compare_check(&check, arena);
    assert_true((check.reason != NULL) == (check.outcome != CHECK_PASSED));
    return check.outcome;
}

static void test_compare_check_digests_tell_rows_apart(void **state)
{
    (void)state;
    struct check_output rows = OUTPUT(2, "a", "bc", "x", NULL);
    assert_string_equal(rows.digest, OUTPUT(2, "x", NULL, "a", "bc").digest);
    assert_string_not_equal(rows.ordered_digest, OUTPUT(2, "x", NULL, "a", "bc").ordered_digest);
    assert_string_not_equal(rows.digest, OUTPUT(2, "ab", "c", "x", NULL).digest);
    assert_string_not_equal(rows.digest, OUTPUT(2, "a", "bc", "x", "").digest);
    /* Equal rows do not cancel. */
    assert_string_not_equal(OUTPUT(1, "a", "a", "b").digest, OUTPUT(1, "b", "c", "c").digest);
    assert_string_not_equal(OUTPUT(1, "a", "a").digest, OUTPUT(1, "a", "a", "a", "a").digest);
    assert_int_equal(strlen(rows.digest), 32);
}

static void test_compare_check_numbers_are_decimal(void **state)
{
    (void)state;
    static const char *const numbers[] = {"0", "-12", "3.50", "9223372036854775807", "1e+20", ".5"};
    static const char *const others[] = {"",  "12 kg",      "0x10", "NaN",  "Infinity",
                                         "-", "2026-11-20", "t",    "1,204"};
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (!rh_check_is_number(numbers[i]))
            fail_msg("%s is a number", numbers[i]);
    for (size_t i = 0; i < COUNT(others); i++)
        if (rh_check_is_number(others[i]))
            fail_msg("%s is no number", others[i]);
    assert_false(rh_check_is_number(NULL));
}

static void test_compare_check_same_is_about_rows_whatever_their_order(void **state)
{
    (void)state;
    struct check_output rows = OUTPUT(1, "x", "y"), more = OUTPUT(1, "x", "y", "y");
    struct check_output other = OUTPUT(1, "x", "z");
    assert_int_equal(outcome_of(CHECK_SAME, NULL, rows, rows), CHECK_PASSED);
    assert_int_equal(outcome_of(CHECK_SAME, NULL, rows, more), CHECK_FAILED);
    assert_int_equal(outcome_of(CHECK_SAME, NULL, rows, other), CHECK_FAILED);
    assert_int_equal(outcome_of(CHECK_CHANGED, NULL, rows, other), CHECK_PASSED);
    assert_int_equal(outcome_of(CHECK_CHANGED, NULL, rows, rows), CHECK_FAILED);
    /* The chain covers keys alone, where there are any: another one is another order. */
    assert_int_equal(outcome_of(CHECK_SAME, NULL, rows, OUTPUT(1, "y", "x")), CHECK_FAILED);
    /* The same rows under other columns. */
    struct check_output renamed = rows;
    static const char *names[] = {"z"};
    renamed.columns.items = names;
    assert_int_equal(outcome_of(CHECK_SAME, NULL, rows, renamed), CHECK_FAILED);
}

static void test_compare_check_limits_are_met(void **state)
{
    (void)state;
    static const struct {
        enum check_expect expect;
        const char *limit, *number;
        bool is_met;
    } cases[] = {
        {CHECK_ZERO, NULL, "0", true},
        {CHECK_ZERO, NULL, "0.00", true},
        {CHECK_ZERO, NULL, "1", false},
        {CHECK_ROWS, NULL, "0", false},
        {CHECK_ROWS, NULL, "3", true},
        {CHECK_AT_MOST, "10", "10", true},
        {CHECK_AT_MOST, "10", "10.01", false},
        {CHECK_LESS, "10", "10", false},
        {CHECK_AT_LEAST, "-1", "-1", true},
        {CHECK_MORE, "0.5", "0.6", true},
        {CHECK_EQUAL, "9223372036854775807", "9223372036854775806", false},
        {CHECK_EQUAL, "9223372036854775807", "9223372036854775807", true},
        {CHECK_NOT_EQUAL, "7", "7.0", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct check check = {.expect = cases[i].expect, .limit = cases[i].limit};
        struct check_output output = OUTPUT(1, cases[i].number);
        if (rh_check_is_met(&check, &output) != cases[i].is_met)
            fail_msg("%s %s of %s", rh_check_expect_name(cases[i].expect),
                     cases[i].limit ? cases[i].limit : "", cases[i].number);
    }
    /* Rows count where the result is more than a number. */
    struct check zero = {.expect = CHECK_ZERO}, rows = {.expect = CHECK_ROWS};
    struct check_output one_text = OUTPUT(1, "x"), none = output_of(NULL, 0, 2);
    assert_false(rh_check_is_met(&zero, &one_text));
    assert_true(rh_check_is_met(&rows, &one_text));
    assert_true(rh_check_is_met(&zero, &none));
}

static void test_compare_check_failing_before_blames_nobody(void **state)
{
    (void)state;
    struct check_output zero = OUTPUT(1, "0"), three = OUTPUT(1, "3"), nine = OUTPUT(1, "9");
    assert_int_equal(outcome_of(CHECK_ZERO, NULL, zero, zero), CHECK_PASSED);
    assert_int_equal(outcome_of(CHECK_ZERO, NULL, three, zero), CHECK_PASSED);
    assert_int_equal(outcome_of(CHECK_ZERO, NULL, zero, three), CHECK_FAILED);
    assert_int_equal(outcome_of(CHECK_ZERO, NULL, three, three), CHECK_FAILED_BEFORE);
    assert_int_equal(outcome_of(CHECK_ZERO, NULL, nine, three), CHECK_FAILED_BEFORE);
    assert_int_equal(outcome_of(CHECK_ZERO, NULL, three, nine), CHECK_WORSE);
    assert_int_equal(outcome_of(CHECK_AT_LEAST, "10", nine, three), CHECK_WORSE);
}

static void test_compare_check_that_did_not_run_is_no_pass(void **state)
{
    (void)state;
    struct check_output zero = OUTPUT(1, "0"), three = OUTPUT(1, "3");
    struct check_output missing = {
        .problem = "column \"x\" does not exist", .sqlstate = "42703", .is_missing = true};
    struct check_output slow = {.problem = "canceling statement", .sqlstate = "57014"};
    struct check_output lost = {.problem = "connection lost"};
    /* What the migration makes could not be asked before. */
    assert_int_equal(outcome_of(CHECK_ZERO, NULL, missing, zero), CHECK_PASSED);
    assert_int_equal(outcome_of(CHECK_ZERO, NULL, missing, three), CHECK_FAILED);
    assert_int_equal(outcome_of(CHECK_ZERO, NULL, missing, missing), CHECK_UNDECIDED);
    assert_int_equal(outcome_of(CHECK_SAME, NULL, zero, missing), CHECK_FAILED);
    assert_int_equal(outcome_of(CHECK_SAME, NULL, slow, zero), CHECK_UNDECIDED);
    assert_int_equal(outcome_of(CHECK_ZERO, NULL, slow, zero), CHECK_UNDECIDED);
    assert_int_equal(outcome_of(CHECK_ZERO, NULL, zero, lost), CHECK_UNDECIDED);
}

static struct check_output tests(int64_t planned, int64_t passed, int64_t failed)
{
    return (struct check_output){
        .ran = true, .planned = planned, .passed = passed, .failed = failed};
}

static void test_compare_check_tests_pass_all_or_fail(void **state)
{
    (void)state;
    struct check_output bailed = tests(3, 1, 0);
    bailed.bail_out = "gone";
    assert_int_equal(outcome_of(CHECK_TESTS, NULL, tests(3, 3, 0), tests(3, 3, 0)), CHECK_PASSED);
    assert_int_equal(outcome_of(CHECK_TESTS, NULL, tests(3, 3, 0), tests(3, 2, 1)), CHECK_FAILED);
    assert_int_equal(outcome_of(CHECK_TESTS, NULL, tests(3, 3, 0), tests(3, 2, 0)), CHECK_FAILED);
    assert_int_equal(outcome_of(CHECK_TESTS, NULL, tests(3, 3, 0), tests(-1, 3, 0)), CHECK_FAILED);
    assert_int_equal(outcome_of(CHECK_TESTS, NULL, tests(3, 3, 0), bailed), CHECK_FAILED);
    assert_int_equal(outcome_of(CHECK_TESTS, NULL, tests(3, 2, 1), tests(3, 2, 1)),
                     CHECK_FAILED_BEFORE);
    assert_int_equal(outcome_of(CHECK_TESTS, NULL, tests(3, 2, 1), tests(3, 1, 2)), CHECK_WORSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare_check_digests_tell_rows_apart),
        cmocka_unit_test(test_compare_check_numbers_are_decimal),
        cmocka_unit_test(test_compare_check_same_is_about_rows_whatever_their_order),
        cmocka_unit_test(test_compare_check_limits_are_met),
        cmocka_unit_test(test_compare_check_failing_before_blames_nobody),
        cmocka_unit_test(test_compare_check_that_did_not_run_is_no_pass),
        cmocka_unit_test(test_compare_check_tests_pass_all_or_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
