#include "unit.h"

#include "base/clock.h"

#include <inttypes.h>
#include <limits.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void test_clock_deadlines(void **state)
{
    (void)state;
    struct mono now = rh_clock_mono();
    assert_true(rh_clock_passed(now));
    assert_false(rh_clock_passed(rh_clock_after(now, 60000000)));
    assert_false(rh_clock_passed(RH_NEVER));
    assert_int_equal(rh_clock_after(RH_NEVER, -5).us, RH_NEVER.us);
    assert_int_equal(rh_clock_after(now, INT64_MAX).us, RH_NEVER.us);
    assert_int_equal(rh_clock_earlier(now, RH_NEVER).us, now.us);
    assert_int_equal(rh_clock_earlier(RH_NEVER, now).us, now.us);
}

static void test_clock_poll_ms_rounds_up(void **state)
{
    (void)state;
    assert_int_equal(rh_clock_poll_ms(RH_NEVER), -1);
    assert_int_equal(rh_clock_poll_ms((struct mono){0}), 0);
    assert_int_equal(rh_clock_poll_ms((struct mono){INT64_MAX - 1}), INT_MAX);
    int ms = rh_clock_poll_ms(rh_clock_after(rh_clock_mono(), 10000500));
    assert_in_range(ms, 9000, 10001);
}

static void test_clock_parses_its_own_stamps(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "2026-11-20",
        "2026-11-20T10:49:12",
        "2026-11-20 10:49:12Z",
        "2026-13-20T10:49:12Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T10:49:12.1Z",
        "2026-11-20T10:49:12.123+01:00",
        "2026-11-20T10:49:12.123Zx",
        "-026-11-20T10:49:12Z",
    };
    static const int64_t stamps[] = {0, INT64_C(1795171752123000), INT64_C(951782400000000), -1000};
    struct wall at = {7};
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_false(rh_clock_parse_rfc3339(wrong[i], &at));
    assert_int_equal(at.us, 7);
    for (size_t i = 0; i < COUNT(stamps); i++) {
        char text[32];
        rh_clock_rfc3339((struct wall){stamps[i]}, text);
        assert_true(rh_clock_parse_rfc3339(text, &at));
        assert_int_equal(at.us, stamps[i]);
    }
    assert_true(rh_clock_parse_rfc3339("2026-11-20T10:49:12Z", &at));
    assert_int_equal(at.us, INT64_C(1795171752000000));
}

static void test_clock_formats_wall_time(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *rfc3339, *compact;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z", "19700101T000000Z"},
        {INT64_C(1795171752123456), "2026-11-20T10:49:12.123Z", "20261120T104912Z"},
        {INT64_C(951782400000000), "2000-02-29T00:00:00.000Z", "20000229T000000Z"},
        {-1, "1969-12-31T23:59:59.999Z", "19691231T235959Z"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[32];
        rh_clock_rfc3339((struct wall){cases[i].us}, out);
        assert_string_equal(out, cases[i].rfc3339);
        char compact[20];
        rh_clock_compact((struct wall){cases[i].us}, compact);
        assert_string_equal(compact, cases[i].compact);
    }
    char out[32];
    rh_clock_rfc3339((struct wall){INT64_MAX}, out); /* year 294247 does not fit: no overflow */
    assert_true(strlen(out) < sizeof out);
}

static void test_duration_format_table(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "0 us"},
        {340, "340 us"},
        {999, "999 us"},
        {1000, "1 ms"},
        {12345, "12.3 ms"},
        {999999, "999.9 ms"},
        {1000000, "1 s"},
        {4200000, "4.2 s"},
        {59999999, "59.9 s"},
        {60000000, "1m00s"},
        {902000000, "15m02s"},
        {INT64_C(3599999999), "59m59s"},
        {INT64_C(3600000000), "1h00m"},
        {INT64_C(11040000000), "3h04m"},
        {-340, "-340 us"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[24];
        rh_duration_format(cases[i].us, out);
        assert_string_equal(out, cases[i].text);
    }
    char out[24];
    rh_duration_format(INT64_MAX, out);
    rh_duration_format(INT64_MIN, out);
    assert_true(strlen(out) < sizeof out);
}

static void test_duration_parse_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"0", 0},
        {"500us", 500},
        {"250ms", 250000},
        {"2s", 2000000},
        {"1.5m", 90000000},
        {"20m", INT64_C(1200000000)},
        {"20min", INT64_C(1200000000)},
        {"1h", INT64_C(3600000000)},
        {"0.001ms", 1},
        {"2 s", 2000000},
        {"0s", 0},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t us = -1;
        assert_true(rh_duration_parse(good[i].text, &us));
        assert_int_equal(us, good[i].us);
    }
    static const char *const bad[] = {
        "",   "5",     "s",    "-2s",   "2 s ", "2sec", "1e3s",           "0x10s",
        "2.", "2..5s", "2.s",  "inf s", " 2s",  "2S",   "9999999999999h", "1.0000000001s",
        "2M", "nan",   "2s3m", "+2s",   "2\ts"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t us = -77;
        if (rh_duration_parse(bad[i], &us))
            fail_msg("\"%s\" was accepted as %" PRId64 " us", bad[i], us);
        assert_int_equal(us, -77);
    }
}

static void test_bytes_format_table(void **state)
{
    (void)state;
    static const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {640, "640 B"},
        {1023, "1023 B"},
        {1024, "1 kB"},
        {12 * 1024, "12 kB"},
        {INT64_C(4509715661), "4.2 GB"},
        {INT64_C(42) << 30, "42 GB"},
        {INT64_C(3) << 40, "3 TB"},
        {INT64_C(5000) << 50, "5000 PB"},
        {-2048, "-2 kB"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[24];
        rh_bytes_format(cases[i].bytes, out);
        assert_string_equal(out, cases[i].text);
    }
    char out[24];
    rh_bytes_format(INT64_MIN, out);
    assert_string_equal(out, "-8191 PB");
}

static void test_bytes_parse_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {
        {"100", 100},
        {"100B", 100},
        {"512kB", 524288},
        {"64MB", INT64_C(67108864)},
        {"1GiB", INT64_C(1073741824)},
        {"1.5GB", INT64_C(1610612736)},
        {"2TB", INT64_C(2199023255552)},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t bytes = -1;
        assert_true(rh_bytes_parse(good[i].text, &bytes));
        assert_int_equal(bytes, good[i].bytes);
    }
    static const char *const bad[] = {
        "", "MB", "-1", "1M", "1mb", "99999999999999999999", "1e6", "9000000000TB"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t bytes;
        if (rh_bytes_parse(bad[i], &bytes))
            fail_msg("\"%s\" was accepted as %" PRId64, bad[i], bytes);
    }
}

static void test_count_format_table(void **state)
{
    (void)state;
    static const struct {
        int64_t count;
        const char *text;
    } cases[] = {
        {0, "0"},
        {999, "999"},
        {1000, "1,000"},
        {1204000, "1,204,000"},
        {-12345, "-12,345"},
        {INT64_MAX, "9,223,372,036,854,775,807"},
        {INT64_MIN, "-9,223,372,036,854,775,808"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[32];
        rh_count_format(cases[i].count, out);
        assert_string_equal(out, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_deadlines),
        cmocka_unit_test(test_clock_poll_ms_rounds_up),
        cmocka_unit_test(test_clock_formats_wall_time),
        cmocka_unit_test(test_clock_parses_its_own_stamps),
        cmocka_unit_test(test_duration_format_table),
        cmocka_unit_test(test_duration_parse_table),
        cmocka_unit_test(test_bytes_format_table),
        cmocka_unit_test(test_bytes_parse_table),
        cmocka_unit_test(test_count_format_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
