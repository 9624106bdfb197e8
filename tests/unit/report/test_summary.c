#include "report_unit.h"

static void test_summary_is_the_same_with_the_verdict_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < sample_result_count; i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct result *result = result_new(arena);
        sample_results[i].fill(result);
        const char *terminal = report_text(arena, result, 100, true, false, REPORT_NORMAL);
        RH_CLEANUP_BUF struct buf out;
        rh_buf_init(&out, 1 << 20);
        rh_report_summary(result, &out);
        size_t verdict_len = strlen(strstr(terminal, rh_arena_printf(arena, "\n%.20s", out.data))) -
                             1;
        size_t rest_len = strlen(terminal) - verdict_len;
        assert_memory_equal(out.data, terminal + rest_len, verdict_len);
        assert_int_equal(out.data[verdict_len], '\n');
        assert_memory_equal(out.data + verdict_len + 1, terminal, rest_len);
        assert_int_equal(out.len, verdict_len + 1 + rest_len);
        assert_lacks(out.data, "\033");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_summary_is_the_same_with_the_verdict_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
