#include "snapshot/sample_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_row_set_holds_each_row_once(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct row_set set = {0};
    for (uint64_t i = 1; i <= 10000; i++)
        assert_true(rh_row_set_add(&set, (i * 7919 % 10007) << 16 | 3, arena));
    for (uint64_t i = 1; i <= 10000; i++)
        assert_false(rh_row_set_add(&set, (i * 7919 % 10007) << 16 | 3, arena));
    assert_int_equal(set.rows.count, 10000);
    assert_false(rh_row_set_has(&set, UINT64_C(5) << 16 | 4));
    rh_row_set_sort(&set);
    for (size_t i = 1; i < set.rows.count; i++)
        assert_true(set.rows.items[i - 1] < set.rows.items[i]);
}

static void test_row_parse_reads_places(void **state)
{
    (void)state;
    const char *text = "(4294967295,65535)rest";
    assert_true(rh_row_parse(&text) == (UINT64_C(4294967295) << 16 | 65535));
    assert_string_equal(text, "rest");
    static const char *const bad[] = {
        "",       "(",    "()",   "(1)",  "(1,0)", "(1,65536)", "(4294967296,1)",
        "(-1,1)", "(1,2", "1,2)", "(1;2)"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *rest = bad[i];
        assert_int_equal(rh_row_parse(&rest), 0);
        assert_ptr_equal(rest, bad[i]);
    }
}

/* The length of what follows was looked at for every row: a million of them took hours. */
static void test_row_parse_takes_time_by_the_row(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct row_set set = {0};
    for (uint64_t i = 1; i <= 1000000; i++)
        rh_row_set_add(&set, i << 16 | 1, arena);
    const char *text = rh_row_set_array(&set, 0, set.rows.count, arena);
    size_t found = 0;
    while (*text) {
        if (rh_row_parse(&text))
            found++;
        else
            text++;
    }
    assert_int_equal(found, 1000000);
}

static void test_row_set_array_is_a_tid_array(void **state)
{
    (void)state;
    struct arena *arena RH_CLEANUP_ARENA = rh_arena_new();
    struct row_set set = {0};
    assert_string_equal(rh_row_set_array(&set, 0, 0, arena), "{}");
    rh_row_set_add(&set, UINT64_C(7) << 16 | 1, arena);
    rh_row_set_add(&set, UINT64_C(4294967295) << 16 | 65535, arena);
    assert_string_equal(rh_row_set_array(&set, 0, 2, arena), "{\"(7,1)\",\"(4294967295,65535)\"}");
    assert_string_equal(rh_row_set_array(&set, 1, 2, arena), "{\"(4294967295,65535)\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_row_set_holds_each_row_once),
                                       cmocka_unit_test(test_row_parse_reads_places),
                                       cmocka_unit_test(test_row_parse_takes_time_by_the_row),
                                       cmocka_unit_test(test_row_set_array_is_a_tid_array)};
    return cmocka_run_group_tests_name("sample_rows", tests, NULL, NULL);
}
