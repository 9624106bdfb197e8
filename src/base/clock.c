#include "base/clock.h"

#include "base/err.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)
#define US_PER_MIN (60 * US_PER_S)
#define US_PER_H (60 * US_PER_MIN)

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    if (clock_gettime(id, &now) != 0)
        RH_PANIC("clock %d cannot be read", (int)id);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

struct mono rh_clock_mono(void)
{
    return (struct mono){read_clock(CLOCK_MONOTONIC)};
}

struct wall rh_clock_wall(void)
{
    return (struct wall){read_clock(CLOCK_REALTIME)};
}

struct mono rh_clock_after(struct mono start, int64_t delta_us)
{
    if (start.us == RH_NEVER.us)
        return RH_NEVER;
    struct mono result;
    if (__builtin_add_overflow(start.us, delta_us, &result.us))
        return delta_us > 0 ? RH_NEVER : (struct mono){INT64_MIN};
    return result;
}

struct mono rh_clock_earlier(struct mono a, struct mono b)
{
    return a.us < b.us ? a : b;
}

bool rh_clock_passed(struct mono deadline)
{
    return deadline.us != RH_NEVER.us && rh_clock_mono().us >= deadline.us;
}

int rh_clock_poll_ms(struct mono deadline)
{
    if (deadline.us == RH_NEVER.us)
        return -1;
    int64_t now_us = rh_clock_mono().us;
    if (deadline.us <= now_us)
        return 0;
    int64_t left_us = deadline.us - now_us;
    int64_t ms = left_us / US_PER_MS + (left_us % US_PER_MS != 0 ? 1 : 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Floor division: instants before 1970 keep their milliseconds positive. */
static time_t split_wall(struct wall at, int *ret_ms)
{
    int64_t seconds = at.us / US_PER_S;
    int64_t rest_us = at.us % US_PER_S;
    if (rest_us < 0) {
        seconds--;
        rest_us += US_PER_S;
    }
    *ret_ms = (int)(rest_us / US_PER_MS);
    return (time_t)seconds;
}

void rh_clock_rfc3339(struct wall at, char out[static 32])
{
    int ms;
    time_t seconds = split_wall(at, &ms);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL || strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &utc) == 0) {
        snprintf(out, 32, "invalid");
        return;
    }
    size_t len = strlen(out);
    snprintf(out + len, 32 - len, ".%03dZ", ms);
}

void rh_clock_compact(struct wall at, char out[static 20])
{
    int ms;
    time_t seconds = split_wall(at, &ms);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL || strftime(out, 20, "%Y%m%dT%H%M%SZ", &utc) == 0)
        snprintf(out, 20, "invalid");
}

/* `digits` of them, which make a number in [least, most], and what is behind them. */
static bool take_field(const char **rest, int digits, char behind, int least, int most,
                       int *ret_value)
{
    int value = 0;
    for (int i = 0; i < digits; i++, (*rest)++) {
        if (**rest < '0' || **rest > '9')
            return false;
        value = 10 * value + (**rest - '0');
    }
    *ret_value = value;
    if (value < least || value > most || (behind && **rest != behind))
        return false;
    *rest += behind != 0;
    return true;
}

bool rh_clock_parse_rfc3339(const char *stamp, struct wall *ret_at)
{
    struct tm utc = {0};
    int year, month, ms = 0;
    if (!take_field(&stamp, 4, '-', 0, 9999, &year) || !take_field(&stamp, 2, '-', 1, 12, &month) ||
        !take_field(&stamp, 2, 'T', 1, 31, &utc.tm_mday) ||
        !take_field(&stamp, 2, ':', 0, 23, &utc.tm_hour) ||
        !take_field(&stamp, 2, ':', 0, 59, &utc.tm_min) ||
        !take_field(&stamp, 2, 0, 0, 60, &utc.tm_sec))
        return false;
    if (*stamp == '.') {
        stamp++;
        if (!take_field(&stamp, 3, 0, 0, 999, &ms))
            return false;
    }
    if (strcmp(stamp, "Z") != 0)
        return false;
    utc.tm_year = year - 1900;
    utc.tm_mon = month - 1;
    ret_at->us = (int64_t)timegm(&utc) * US_PER_S + ms * US_PER_MS;
    return true;
}

/* value/unit with one decimal below ten thousand units, cut (not rounded up into the next unit). */
static void format_tenths(int64_t value, int64_t unit, const char *name, char out[static 24])
{
    int64_t tenths = value / (unit / 10);
    if (tenths % 10 == 0)
        snprintf(out, 24, "%" PRId64 " %s", tenths / 10, name);
    else
        snprintf(out, 24, "%" PRId64 ".%" PRId64 " %s", tenths / 10, tenths % 10, name);
}

void rh_duration_format(int64_t us, char out[static 24])
{
    if (us < 0) {
        char positive[24];
        rh_duration_format(us == INT64_MIN ? INT64_MAX : -us, positive);
        snprintf(out, 24, "-%.22s", positive);
        return;
    }
    if (us < US_PER_MS)
        snprintf(out, 24, "%" PRId64 " us", us);
    else if (us < US_PER_S)
        format_tenths(us, US_PER_MS, "ms", out);
    else if (us < US_PER_MIN)
        format_tenths(us, US_PER_S, "s", out);
    else if (us < US_PER_H)
        snprintf(out, 24, "%" PRId64 "m%02" PRId64 "s", us / US_PER_MIN,
                 us % US_PER_MIN / US_PER_S);
    else
        snprintf(out, 24, "%" PRId64 "h%02" PRId64 "m", us / US_PER_H, us % US_PER_H / US_PER_MIN);
}

struct unit {
    const char *name;
    int64_t factor;
};

/*
 * A decimal number with up to nine decimals, times the factor of the unit behind it. Integers only:
 * strtod would follow the locale and accept "inf", "nan" and "0x".
 */
static bool parse_with_unit(const char *s, const struct unit *units, size_t unit_count,
                            int64_t *ret_value)
{
    int64_t whole = 0;
    const char *c = s;
    if (*c < '0' || *c > '9')
        return false;
    for (; *c >= '0' && *c <= '9'; c++) {
        if (__builtin_mul_overflow(whole, INT64_C(10), &whole) ||
            __builtin_add_overflow(whole, (int64_t)(*c - '0'), &whole))
            return false;
    }
    int64_t fraction = 0;
    int64_t scale = 1;
    if (*c == '.') {
        c++;
        if (*c < '0' || *c > '9')
            return false;
        for (; *c >= '0' && *c <= '9'; c++) {
            if (scale >= INT64_C(1000000000))
                return false;
            fraction = fraction * 10 + (*c - '0');
            scale *= 10;
        }
    }
    while (*c == ' ')
        c++;
    for (size_t i = 0; i < unit_count; i++) {
        if (strcmp(c, units[i].name) != 0)
            continue;
        int64_t value;
        if (__builtin_mul_overflow(whole, units[i].factor, &value))
            return false;
        __int128 part = (__int128)fraction * units[i].factor / scale;
        if (__builtin_add_overflow(value, (int64_t)part, &value))
            return false;
        *ret_value = value;
        return true;
    }
    return false;
}

bool rh_duration_parse(const char *s, int64_t *ret_us)
{
    static const struct unit units[] = {
        {"us", 1},         {"ms", US_PER_MS},   {"s", US_PER_S},
        {"m", US_PER_MIN}, {"min", US_PER_MIN}, {"h", US_PER_H},
    };
    if (strcmp(s, "0") == 0) {
        *ret_us = 0;
        return true;
    }
    return parse_with_unit(s, units, sizeof units / sizeof units[0], ret_us);
}

void rh_bytes_format(int64_t bytes, char out[static 24])
{
    static const char *const names[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t count = sizeof names / sizeof names[0];
    if (bytes < 0) {
        char positive[24];
        rh_bytes_format(bytes == INT64_MIN ? INT64_MAX : -bytes, positive);
        snprintf(out, 24, "-%.22s", positive);
        return;
    }
    size_t i = 0;
    int64_t unit = 1;
    while (i + 1 < count && bytes / unit >= 1024) {
        unit *= 1024;
        i++;
    }
    int64_t whole = bytes / unit;
    int64_t tenth = i == 0 ? 0 : bytes % unit * 10 / unit;
    /* One decimal where it says something: "4.2 GB", but "42 GB". */
    if (whole < 10 && tenth != 0)
        snprintf(out, 24, "%" PRId64 ".%" PRId64 " %s", whole, tenth, names[i]);
    else
        snprintf(out, 24, "%" PRId64 " %s", whole, names[i]);
}

bool rh_bytes_parse(const char *s, int64_t *ret_bytes)
{
    /* Powers of 1024 for both spellings, as PostgreSQL's own settings have it. */
    static const struct unit units[] = {
        {"", 1},
        {"B", 1},
        {"kB", INT64_C(1) << 10},
        {"KB", INT64_C(1) << 10},
        {"KiB", INT64_C(1) << 10},
        {"MB", INT64_C(1) << 20},
        {"MiB", INT64_C(1) << 20},
        {"GB", INT64_C(1) << 30},
        {"GiB", INT64_C(1) << 30},
        {"TB", INT64_C(1) << 40},
        {"TiB", INT64_C(1) << 40},
    };
    return parse_with_unit(s, units, sizeof units / sizeof units[0], ret_bytes);
}

void rh_count_format(int64_t count, char out[static 32])
{
    char digits[24];
    uint64_t magnitude = count < 0 ? (uint64_t)0 - (uint64_t)count : (uint64_t)count;
    int len = snprintf(digits, sizeof digits, "%" PRIu64, magnitude);
    char *to = out;
    if (count < 0)
        *to++ = '-';
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
}
