#include "workload/log_record.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

/* --- times ------------------------------------------------------------------------------------ */

static bool take_digits(struct text text, size_t *at, size_t count, int *ret_number)
{
    int number = 0;
    for (size_t i = 0; i < count; i++, (*at)++) {
        if (*at >= text.len || text.data[*at] < '0' || text.data[*at] > '9')
            return false;
        number = number * 10 + (text.data[*at] - '0');
    }
    *ret_number = number;
    return true;
}

static bool take_char(struct text text, size_t *at, char c)
{
    if (*at >= text.len || text.data[*at] != c)
        return false;
    (*at)++;
    return true;
}

/* " UTC", "+02", "-03:30", "Z": the offset in seconds; a name that is not known is UTC's. */
static int take_zone(struct text text, size_t *at)
{
    size_t start = *at, i = *at;
    if (i < text.len && text.data[i] == ' ')
        i++;
    if (i < text.len && (text.data[i] == '+' || text.data[i] == '-')) {
        int sign = text.data[i++] == '-' ? -1 : 1, hours = 0, minutes = 0;
        if (!take_digits(text, &i, 2, &hours))
            return 0;
        size_t more = i;
        if (take_char(text, &more, ':') && take_digits(text, &more, 2, &minutes))
            i = more;
        *at = i;
        return sign * (hours * 3600 + minutes * 60);
    }
    size_t end = i;
    while (end < text.len && ((text.data[end] >= 'A' && text.data[end] <= 'Z') ||
                              (text.data[end] >= 'a' && text.data[end] <= 'z') ||
                              text.data[end] == '/' || text.data[end] == '_'))
        end++;
    *at = end > i ? end : start;
    return 0;
}

bool rh_log_time(struct text text, int64_t *ret_at_us, size_t *ret_len)
{
    struct tm tm = {0};
    size_t at = 0;
    int year, month, fraction = 0;
    if (!take_digits(text, &at, 4, &year) || !take_char(text, &at, '-') ||
        !take_digits(text, &at, 2, &month) || !take_char(text, &at, '-') ||
        !take_digits(text, &at, 2, &tm.tm_mday) ||
        (!take_char(text, &at, ' ') && !take_char(text, &at, 'T')) ||
        !take_digits(text, &at, 2, &tm.tm_hour) || !take_char(text, &at, ':') ||
        !take_digits(text, &at, 2, &tm.tm_min) || !take_char(text, &at, ':') ||
        !take_digits(text, &at, 2, &tm.tm_sec))
        return false;
    if (take_char(text, &at, '.')) {
        int digits = 0, digit;
        for (; digits < 6 && take_digits(text, &at, 1, &digit); digits++)
            fraction = fraction * 10 + digit;
        for (; digits < 6; digits++)
            fraction *= 10;
    }
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    int offset_s = take_zone(text, &at);
    *ret_at_us = ((int64_t)timegm(&tm) - offset_s) * 1000000 + fraction;
    *ret_len = at;
    return true;
}

/* --- csvlog ----------------------------------------------------------------------------------- */

/* Columns of csvlog ("Using CSV-Format Log Output"): 23, and more with later versions. */
#define CSV_COLUMNS_MIN 23
#define CSV_COLUMNS_MAX 40
enum csv_column {
    CSV_TIME,
    CSV_USER,
    CSV_DATABASE,
    CSV_PID,
    CSV_SESSION = 5,
    CSV_SEVERITY = 11,
    CSV_SQLSTATE,
    CSV_MESSAGE,
    CSV_DETAIL,
    CSV_QUERY = 19,
    CSV_APPLICATION = 22
};

bool rh_log_csv_is_open(struct text row)
{
    bool is_open = false;
    for (size_t i = 0; i < row.len; i++)
        is_open ^= row.data[i] == '"';
    return is_open;
}

bool rh_log_quoted(struct arena *arena, struct text *rest, char quote, struct text *ret_value)
{
    size_t end = 1, doubled = 0, len = 0;
    for (; end < rest->len; end++) {
        if (rest->data[end] != quote)
            continue;
        if (end + 1 >= rest->len || rest->data[end + 1] != quote)
            break;
        doubled++;
        end++;
    }
    bool is_closed = end < rest->len;
    char *value = rh_arena_alloc(arena, end - doubled);
    for (size_t i = 1; i < end; i++) {
        value[len++] = rest->data[i];
        i += rest->data[i] == quote;
    }
    rest->data += end + is_closed;
    rest->len -= end + is_closed;
    *ret_value = (struct text){value, len};
    return is_closed;
}

struct text rh_log_csv_field(struct arena *arena, struct text *rest)
{
    if (rest->len == 0 || rest->data[0] != '"') {
        const char *comma = rest->len == 0 ? NULL : memchr(rest->data, ',', rest->len);
        size_t len = comma ? (size_t)(comma - rest->data) : rest->len;
        struct text field = {rest->data, len};
        len += comma != NULL;
        rest->data += len;
        rest->len -= len;
        return field;
    }
    struct text field;
    (void)rh_log_quoted(arena, rest, '"', &field); /* of a row that was cut: as far as it goes */
    if (rest->len > 0 && rest->data[0] == ',') {
        rest->data++;
        rest->len--;
    }
    return field;
}

bool rh_log_csv_record(struct arena *arena, struct text row, struct log_record *ret_record)
{
    struct text fields[CSV_COLUMNS_MAX];
    size_t count = 0, length;
    while (row.len > 0 && count < CSV_COLUMNS_MAX)
        fields[count++] = rh_log_csv_field(arena, &row);
    if (count < CSV_COLUMNS_MIN)
        return false;
    struct log_record record = {
        .session = rh_text_dup(arena,
                               fields[CSV_SESSION].len ? fields[CSV_SESSION] : fields[CSV_PID]),
        .user = rh_text_dup(arena, fields[CSV_USER]),
        .database = rh_text_dup(arena, fields[CSV_DATABASE]),
        .application_name = rh_text_dup(arena, fields[CSV_APPLICATION]),
        .severity = rh_text_dup(arena, fields[CSV_SEVERITY]),
        .sqlstate = rh_text_dup(arena, fields[CSV_SQLSTATE]),
        .message = fields[CSV_MESSAGE],
        .detail = fields[CSV_DETAIL],
        .statement = fields[CSV_QUERY],
    };
    record.has_time = rh_log_time(fields[CSV_TIME], &record.at_us, &length);
    /* A line of a stderr log begins with a time as well, and its statement may have many commas. */
    if (!record.has_time ||
        memchr(fields[CSV_TIME].data + length, ' ', fields[CSV_TIME].len - length))
        return false;
    *ret_record = record;
    return true;
}

/* --- jsonlog ---------------------------------------------------------------------------------- */

static struct text json_field(struct arena *arena, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return rh_text(rh_arena_strndup(arena, json_is_string(value) ? json_string_value(value) : "",
                                    json_string_length(value)));
}

bool rh_log_json_record(struct arena *arena, struct text line, struct log_record *ret_record)
{
    json_t *object = json_loadb(line.data, line.len, 0, NULL);
    struct log_record record = {0};
    size_t length;
    if (!json_is_object(object)) {
        json_decref(object);
        return false;
    }
    record.session = json_field(arena, object, "session_id").data;
    if (record.session[0] == '\0')
        record.session = rh_arena_printf(
            arena, "%lld", (long long)json_integer_value(json_object_get(object, "pid")));
    record.user = json_field(arena, object, "user").data;
    record.database = json_field(arena, object, "dbname").data;
    record.application_name = json_field(arena, object, "application_name").data;
    record.severity = json_field(arena, object, "error_severity").data;
    record.sqlstate = json_field(arena, object, "state_code").data;
    record.message = json_field(arena, object, "message");
    record.detail = json_field(arena, object, "detail");
    record.statement = json_field(arena, object, "statement");
    record.has_time = rh_log_time(json_field(arena, object, "timestamp"), &record.at_us, &length);
    json_decref(object);
    if (!record.has_time)
        return false;
    *ret_record = record;
    return true;
}
