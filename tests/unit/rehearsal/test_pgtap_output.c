#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rehearsal/pgtap_output.h"

static struct check_output parse(struct arena *arena, const char *text)
{
    struct check_output output = {0};
    rh_pgtap_output_parse(rh_text(text), arena, &output);
    return output;
}

static void test_pgtap_output_reads_plan_and_tests(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct check_output output = parse(arena, "1..4\n"
                                              "ok 1 - users has an email\r\n"
                                              "not ok 2 - email is unique\n"
                                              "# Failed test 2: \"email is unique\"\n"
                                              "ok 3\n"
                                              "some other query's row\n"
                                              "not ok\n"
                                              "# Looks like you failed 2 tests of 4\n");
    assert_int_equal(output.planned, 4);
    assert_int_equal(output.passed, 2);
    assert_int_equal(output.failed, 2);
    assert_int_equal(output.tests.count, 4);
    assert_string_equal(output.tests.items[0].description, "users has an email");
    assert_false(output.tests.items[1].ok);
    assert_int_equal(output.tests.items[2].number, 3);
    assert_string_equal(output.tests.items[2].description, "");
    assert_int_equal(output.tests.items[3].number, 4);
    assert_null(output.bail_out);
}

static void test_pgtap_output_reads_directives(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct check_output output = parse(arena, "not ok 1 - one day # TODO not yet\n"
                                              "ok 2 - other # skip no ICU here\n"
                                              "not ok 3 - issue \\# 12 is open\n"
                                              "not ok 4 - color #336699\n"
                                              "1..4\n");
    assert_int_equal(output.planned, 4);
    assert_int_equal(output.passed, 2);
    assert_int_equal(output.failed, 2);
    assert_true(output.tests.items[0].is_todo);
    assert_string_equal(output.tests.items[0].description, "one day");
    assert_string_equal(output.tests.items[0].reason, "not yet");
    assert_true(output.tests.items[1].is_skipped);
    assert_string_equal(output.tests.items[1].reason, "no ICU here");
    assert_string_equal(output.tests.items[2].description, "issue \\# 12 is open");
    assert_string_equal(output.tests.items[3].description, "color #336699");
}

static void test_pgtap_output_stops_where_it_bails_out(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct check_output output = parse(arena, "1..3\nok 1 - a\nBail out!  no tables\nok 2 - b\n");
    assert_string_equal(output.bail_out, "no tables");
    assert_int_equal(output.passed, 1);
}

static void test_pgtap_output_takes_only_tap(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct check_output output = parse(arena, "okay\nnot okay\nnotok 1\n    ok 1 - in a subtest\n"
                                              "    1..1\n1..x\nok 1 - the sum\n");
    assert_int_equal(output.planned, -1);
    assert_int_equal(output.passed, 1);
    assert_int_equal(output.failed, 0);
    assert_string_equal(output.tests.items[0].description, "the sum");
    assert_int_equal(parse(arena, "").planned, -1);
    assert_int_equal(parse(arena, "1..0 # SKIP no extension").planned, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pgtap_output_reads_plan_and_tests),
        cmocka_unit_test(test_pgtap_output_reads_directives),
        cmocka_unit_test(test_pgtap_output_stops_where_it_bails_out),
        cmocka_unit_test(test_pgtap_output_takes_only_tap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
