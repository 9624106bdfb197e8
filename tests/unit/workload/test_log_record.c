#include "../base/unit.h"

#include "workload/log_record.h"

static void test_log_time_knows_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t at_us; /* -1: none */
        size_t length;
    } cases[] = {
        {"2026-11-20 10:49:12.123 UTC [7]", INT64_C(1795171752123000), 27},
        {"2026-11-20 10:49:12 UTC", INT64_C(1795171752000000), 23},
        {"2026-11-20T10:49:12.5Z", INT64_C(1795171752500000), 22},
        {"2026-11-20 12:49:12.123 +02 x", INT64_C(1795171752123000), 27},
        {"2026-11-20 07:19:12-03:30:", INT64_C(1795171752000000), 25},
        {"2026-11-20 10:49:12 ", INT64_C(1795171752000000), 19},
        {"2026-11-2", -1, 0},
        {"", -1, 0},
        {"LOG:  x", -1, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t at_us = -1;
        size_t length = 0;
        bool is_time = rh_log_time(rh_text(cases[i].text), &at_us, &length);
        assert_int_equal(is_time, cases[i].at_us >= 0);
        if (is_time && (at_us != cases[i].at_us || length != cases[i].length))
            fail_msg("%s: %lld, %zu", cases[i].text, (long long)at_us, length);
    }
}

static void test_log_csv_record_reads_quotes(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct log_record record;
    struct text row = rh_text(
        "2026-11-20 10:49:12.123 UTC,\"an\"\"na\",\"shop\",77,\"[local]\",67.4d,3,\"SELECT\","
        "2026-11-20 10:49:00 UTC,3/4,0,LOG,00000,\"duration: 0.1 ms  statement: SELECT \"\"a\"\",\n"
        "'x'\",\"parameters: $1 = 'y'\",,,,,,,,\"till\",\"client backend\",,0");
    assert_false(rh_log_csv_is_open(row));
    assert_true(rh_log_csv_is_open((struct text){row.data, 40}) ||
                rh_log_csv_is_open((struct text){row.data, 34}));
    assert_true(rh_log_csv_record(arena, row, &record));
    assert_string_equal(record.user, "an\"na");
    assert_string_equal(record.session, "67.4d");
    assert_string_equal(record.application_name, "till");
    assert_true(rh_text_is(record.message, "duration: 0.1 ms  statement: SELECT \"a\",\n'x'"));
    assert_true(rh_text_is(record.detail, "parameters: $1 = 'y'"));
    assert_false(rh_log_csv_record(arena, rh_text("a,b,c"), &record));
    assert_false(rh_log_csv_record(arena, rh_text(",,,,,,,,,,,,,,,,,,,,,,,,,"), &record));
    assert_false(rh_log_csv_record(arena, rh_text("\"\"\"\"\"\"\""), &record));
    assert_true(rh_log_csv_record(
        arena, rh_text("2026-11-20 10:49:12.123 +0530,,,77,,67.4d,3,,,,0,LOG,,,,,,,,,,,\"\",,0"),
        &record));
    /* Of a stderr log. */
    assert_false(rh_log_csv_record(
        arena,
        rh_text("2026-11-20 10:49:12.123 UTC [77] LOG:  duration: 0.1 ms  statement: SELECT a, b, "
                "c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z FROM t"),
        &record));
}

static void check_quoted(const char *text, const char *value, const char *rest, bool is_closed)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct text left = rh_text(text), taken;
    assert_int_equal(rh_log_quoted(arena, &left, '\'', &taken), is_closed);
    if (!rh_text_is(taken, value) || !rh_text_is(left, rest))
        fail_msg("%s: \"%.*s\", \"%.*s\"", text, (int)taken.len, taken.data, (int)left.len,
                 left.data);
}

static void test_log_quoted_takes_what_is_between_quotes(void **state)
{
    (void)state;
    check_quoted("'a', 'b'", "a", ", 'b'", true);
    check_quoted("'it''s'''", "it's'", "", true);
    check_quoted("''", "", "", true);
    check_quoted("''''", "'", "", true);
    check_quoted("'", "", "", false);
    check_quoted("'a''", "a'", "", false);
}

/* Each value had room for all that followed it: 30,000 parameters took gigabytes. */
static void test_log_quoted_takes_the_memory_of_its_value(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_BUF struct buf detail;
    struct text rest, value;
    rh_buf_init(&detail, 1024 * 1024);
    for (int i = 0; i < 30000; i++)
        rh_buf_add_str(&detail, "'value',");
    for (rest = rh_buf_text(&detail); rest.len > 0; rest.data++, rest.len--)
        assert_true(rh_log_quoted(arena, &rest, '\'', &value));
    if (rh_arena_used_bytes(arena) > 4 * detail.len)
        fail_msg("%zu bytes for %zu", rh_arena_used_bytes(arena), detail.len);
}

static void test_log_json_record_reads_keys(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct log_record record;
    assert_true(rh_log_json_record(
        arena,
        rh_text("{\"timestamp\":\"2026-11-20 10:49:12.123 UTC\",\"user\":\"anna\",\"pid\":77,"
                "\"error_severity\":\"ERROR\",\"state_code\":\"22012\",\"message\":\"division\\nby"
                " zero\",\"statement\":\"SELECT 1/0\"}"),
        &record));
    assert_string_equal(record.session, "77");
    assert_string_equal(record.sqlstate, "22012");
    assert_true(rh_text_is(record.message, "division\nby zero"));
    assert_true(rh_text_is(record.statement, "SELECT 1/0"));
    assert_int_equal(record.detail.len, 0);
    assert_false(rh_log_json_record(arena, rh_text("{\"a\":1}"), &record));
    assert_false(rh_log_json_record(arena, rh_text("{"), &record));
    assert_false(rh_log_json_record(arena, rh_text("[1]"), &record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_time_knows_forms),
        cmocka_unit_test(test_log_csv_record_reads_quotes),
        cmocka_unit_test(test_log_quoted_takes_what_is_between_quotes),
        cmocka_unit_test(test_log_quoted_takes_the_memory_of_its_value),
        cmocka_unit_test(test_log_json_record_reads_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
