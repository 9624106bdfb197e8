#include "mask/mask_day_int.h"

#include <stdio.h>

/* The calendar of the server (date2j and j2date in src/backend/utils/adt/datetime.c). */
static int64_t day_of(int64_t year, int month, int day)
{
    if (month > 2) {
        month += 1;
        year += 4800;
    } else {
        month += 13;
        year += 4799;
    }
    const int64_t century = year / 100;
    return year * 365 - 32167 + year / 4 - century + century / 4 + 7834 * month / 256 + day;
}

static void date_of(int64_t julian, int64_t *ret_year, int *ret_month, int *ret_day)
{
    julian += 32044;
    int64_t quad = julian / 146097;
    const int64_t extra = (julian - quad * 146097) * 4 + 3;
    julian += 60 + quad * 3 + extra / 146097;
    quad = julian / 1461;
    julian -= quad * 1461;
    int64_t year = julian * 4 / 1461;
    julian = (year != 0 ? (julian + 305) % 365 : (julian + 306) % 366) + 123;
    year += quad * 4;
    *ret_year = year - 4800;
    quad = julian * 2141 / 65536;
    *ret_day = (int)(julian - 7834 * quad / 256);
    *ret_month = (int)((quad + 10) % 12 + 1);
}

static bool take_digits(struct text *rest, size_t fewest, size_t most, int64_t *ret_number)
{
    int64_t number = 0;
    size_t count = 0;
    while (count < rest->len && count < most && rest->data[count] >= '0' &&
           rest->data[count] <= '9')
        number = number * 10 + (rest->data[count++] - '0');
    rest->data += count;
    rest->len -= count;
    *ret_number = number;
    return count >= fewest;
}

/* Two digits and, if `mark` is not NUL, that in front of them. */
static bool take_two(struct text *rest, char mark)
{
    struct text at = *rest;
    int64_t ignored;
    if ((mark != '\0' && !rh_text_take_char(&at, mark)) || !take_digits(&at, 2, 2, &ignored))
        return false;
    *rest = at;
    return true;
}

/* "Z", "+01", "-0330", "+05:30", "+00:53:28", or nothing. */
static bool is_offset(struct text rest)
{
    if (rest.len == 0 || rh_text_is(rest, "Z"))
        return true;
    if ((!rh_text_take_char(&rest, '+') && !rh_text_take_char(&rest, '-')) ||
        !take_two(&rest, '\0'))
        return false;
    if (take_two(&rest, ':'))
        return rest.len == 0 || (take_two(&rest, ':') && rest.len == 0);
    return rest.len == 0 || (take_two(&rest, '\0') && rest.len == 0);
}

/* The server has six digits behind the seconds; others have up to nine. */
#define FRACTION_DIGITS 9

bool rh_day_is_time(struct text time)
{
    int64_t ignored;
    if ((!rh_text_take_char(&time, ' ') && !rh_text_take_char(&time, 'T')) ||
        !take_two(&time, '\0') || !take_two(&time, ':'))
        return false;
    if (take_two(&time, ':') && rh_text_take_char(&time, '.') &&
        !take_digits(&time, 1, FRACTION_DIGITS, &ignored))
        return false;
    return is_offset(time);
}

/* As the server writes it, with its seconds; it stays. */
static bool is_written_time(struct text time)
{
    if (time.len == 0)
        return true;
    return time.len >= sizeof(" 00:00:00") - 1 && time.data[0] == ' ' && time.data[6] == ':' &&
           time.data[time.len - 1] != 'Z' && rh_day_is_time(time);
}

/* "YYYY-MM-DD" of a year before or after Christ, padded to four digits. */
static int write_date(int64_t julian, char *out, size_t size, bool *ret_is_bc)
{
    int64_t year;
    int month, day;

    date_of(julian, &year, &month, &day);
    *ret_is_bc = year <= 0;
    return snprintf(out, size, "%04lld-%02d-%02d", (long long)(year > 0 ? year : 1 - year), month,
                    day);
}

bool rh_day_read(struct text value, int64_t end, struct day_text *ret_day)
{
    struct text rest = value;
    int64_t year, month, day;
    char again[32];
    bool is_bc = false, is_bc_again;

    if (rh_text_ends_with(rest, " BC")) {
        is_bc = true;
        rest.len -= 3;
    }
    if (!take_digits(&rest, 4, 7, &year) || !rh_text_take_char(&rest, '-') ||
        !take_digits(&rest, 2, 2, &month) || !rh_text_take_char(&rest, '-') ||
        !take_digits(&rest, 2, 2, &day) || month < 1 || month > 12 || day < 1 ||
        !is_written_time(rest))
        return false;
    const int64_t julian = day_of(is_bc ? 1 - year : year, (int)month, (int)day);
    if (julian < 0 || julian >= end)
        return false;
    const int len = write_date(julian, again, sizeof(again), &is_bc_again);
    *ret_day = (struct day_text){julian, rest};
    return is_bc == is_bc_again && (size_t)len == (size_t)(rest.data - value.data) &&
           memcmp(again, value.data, (size_t)len) == 0;
}

struct text rh_day_write(const struct day_text *day, struct arena *arena)
{
    char date[32];
    bool is_bc;

    write_date(day->day, date, sizeof(date), &is_bc);
    return rh_text(rh_arena_printf(arena, "%s%.*s%s", date, (int)day->time.len, day->time.data,
                                   is_bc ? " BC" : ""));
}

int64_t rh_day_end(const char *type)
{
    if (type && strcmp(type, "date") == 0)
        return DATE_END_DAY;
    if (!type || strcmp(type, "timestamp") == 0 || strcmp(type, "timestamptz") == 0)
        return TIMESTAMP_END_DAY;
    return 0;
}
