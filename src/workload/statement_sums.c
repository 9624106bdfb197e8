#include "workload/statement_sums.h"

#include "base/file.h"
#include "sql/pattern.h"
#include "workload/log_record.h"

#include <jansson.h>
#include <stdlib.h>

#define COLUMNS_MAX 100
/* Calls, and microseconds (of thirty thousand years): what is beyond, or infinite, was not counted
   by a server. */
#define SUM_MAX 1e18

enum column { COLUMN_QUERY, COLUMN_CALLS, COLUMN_TIME, COLUMN_COUNT };

/* --- sums by pattern -------------------------------------------------------------------------- */

static void add_sum(struct arena *arena, struct statement_sums *sums, struct text query,
                    double calls, double total_us)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    struct workload_pattern pattern;
    const char *executes;
    if (query.len == 0 || !(calls >= 0 && calls <= SUM_MAX) ||
        !(total_us >= 0 && total_us <= SUM_MAX))
        return;
    rh_sql_pattern(scratch, query, &pattern, &executes);
    if (pattern.flags & PATTERN_CONTROLS)
        return;
    *RH_PUSH(arena,
             &sums->items) = (struct statement_sum){.fingerprint = pattern.fingerprint,
                                                    .query = rh_arena_strdup(arena, pattern.query),
                                                    .calls = calls,
                                                    .total_us = total_us};
}

static int by_fingerprint(const void *a, const void *b)
{
    const struct statement_sum *x = a, *y = b;
    return x->fingerprint < y->fingerprint ? -1 : x->fingerprint > y->fingerprint;
}

static int by_time(const void *a, const void *b)
{
    const struct statement_sum *x = a, *y = b;
    if (x->total_us != y->total_us)
        return x->total_us < y->total_us ? 1 : -1;
    return by_fingerprint(a, b);
}

static void join_sums(struct statement_sums *sums)
{
    struct statement_sum *items = sums->items.items;
    size_t kept = 0;
    if (sums->items.count == 0)
        return;
    qsort(items, sums->items.count, sizeof(*items), by_fingerprint);
    for (size_t i = 1; i < sums->items.count; i++) {
        if (items[i].fingerprint == items[kept].fingerprint) {
            items[kept].calls += items[i].calls;
            items[kept].total_us += items[i].total_us;
        } else {
            items[++kept] = items[i];
        }
    }
    sums->items.count = kept + 1;
    qsort(items, sums->items.count, sizeof(*items), by_time);
}

/* --- CSV and JSON ----------------------------------------------------------------------------- */

static enum column column_of(struct text name)
{
    if (rh_text_is(name, "query"))
        return COLUMN_QUERY;
    if (rh_text_is(name, "calls"))
        return COLUMN_CALLS;
    return rh_text_is(name, "total_exec_time") || rh_text_is(name, "total_time") ? COLUMN_TIME
                                                                                 : COLUMN_COUNT;
}

/* The next row, which may have line ends within quotes. */
static struct text take_row(struct text *rest)
{
    bool is_open = false;
    size_t length = 0;
    while (length < rest->len && (is_open || rest->data[length] != '\n'))
        is_open ^= rest->data[length++] == '"';
    struct text row = {rest->data, length};
    length += length < rest->len;
    rest->data += length;
    rest->len -= length;
    if (row.len > 0 && row.data[row.len - 1] == '\r')
        row.len--;
    return row;
}

static double number_of(struct text text)
{
    char digits[64];
    if (text.len == 0 || text.len >= sizeof(digits))
        return -1;
    memcpy(digits, text.data, text.len);
    digits[text.len] = '\0';
    char *end;
    double number = strtod(digits, &end);
    return *end == '\0' ? number : -1;
}

static bool read_csv(struct arena *arena, struct text content, struct statement_sums *sums)
{
    size_t places[COLUMN_COUNT] = {SIZE_MAX, SIZE_MAX, SIZE_MAX};
    struct text head = take_row(&content);
    for (size_t i = 0; head.len > 0 && i < COLUMNS_MAX; i++) {
        enum column column = column_of(rh_log_csv_field(arena, &head));
        if (column != COLUMN_COUNT)
            places[column] = i;
    }
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        if (places[i] == SIZE_MAX)
            return false;
    }
    while (content.len > 0 && sums->items.count < STATEMENT_SUMS_MAX) {
        RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
        struct text row = take_row(&content), values[COLUMN_COUNT] = {{"", 0}, {"", 0}, {"", 0}};
        for (size_t i = 0; row.len > 0 && i < COLUMNS_MAX; i++) {
            struct text value = rh_log_csv_field(scratch, &row);
            for (size_t j = 0; j < COLUMN_COUNT; j++) {
                if (places[j] == i)
                    values[j] = value;
            }
        }
        add_sum(arena, sums, values[COLUMN_QUERY], number_of(values[COLUMN_CALLS]),
                number_of(values[COLUMN_TIME]) * 1000);
    }
    return true;
}

static bool read_json(struct arena *arena, struct text content, struct statement_sums *sums)
{
    json_t *list = json_loadb(content.data, content.len, JSON_DISABLE_EOF_CHECK, NULL);
    bool has_all = json_is_array(list);
    for (size_t i = 0; i < json_array_size(list) && i < STATEMENT_SUMS_MAX && has_all; i++) {
        const json_t *row = json_array_get(list, i), *query = json_object_get(row, "query"),
                     *calls = json_object_get(row, "calls"),
                     *time = json_object_get(row, "total_exec_time");
        if (time == NULL)
            time = json_object_get(row, "total_time");
        has_all = query != NULL && json_is_number(calls) && json_is_number(time);
        if (has_all && json_is_string(query))
            add_sum(arena, sums, rh_text(json_string_value(query)), json_number_value(calls),
                    json_number_value(time) * 1000);
    }
    json_decref(list);
    return has_all;
}

enum err_code rh_statement_sums_read(const char *path, struct arena *arena,
                                     struct statement_sums *ret_sums, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    struct statement_sums sums = {0};
    struct text content;
    enum err_code code = rh_file_read(path, STATEMENT_SUMS_BYTES_MAX, scratch, &content, err);
    if (code != RH_OK)
        return code;
    struct text start = rh_text_trim(content);
    bool is_json = start.len > 0 && start.data[0] == '[';
    if (!(is_json ? read_json(arena, start, &sums) : read_csv(arena, content, &sums))) {
        rh_err_set(err, RH_ERR_USAGE, "\"%s\" is not an export of pg_stat_statements", path);
        rh_err_hint(err, "Make one: psql -c \"\\copy (SELECT query, calls, total_exec_time FROM "
                         "pg_stat_statements) TO 'sums.csv' CSV HEADER\".");
        return err->code;
    }
    join_sums(&sums);
    *ret_sums = sums;
    return RH_OK;
}

/* --- against a workload ----------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

void rh_statement_sums_cover(struct statement_sums *sums, const struct workload_pattern *patterns,
                             size_t count)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    uint64_t *known = rh_arena_alloc_array(scratch, count + 1, sizeof(*known));
    for (size_t i = 0; i < count; i++)
        known[i] = patterns[i].fingerprint;
    qsort(known, count, sizeof(*known), compare_numbers);
    sums->total_us = sums->covered_us = 0;
    sums->never_seen = 0;
    for (size_t i = 0; i < sums->items.count; i++) {
        struct statement_sum *sum = &sums->items.items[i];
        sum->is_seen = bsearch(&sum->fingerprint, known, count, sizeof(*known), compare_numbers) !=
                       NULL;
        sums->total_us += sum->total_us;
        sums->covered_us += sum->is_seen ? sum->total_us : 0;
        sums->never_seen += !sum->is_seen;
    }
}

double rh_statement_sums_weight(const struct statement_sums *sums, uint64_t fingerprint,
                                int64_t calls)
{
    for (size_t i = 0; i < sums->items.count && calls > 0; i++) {
        if (sums->items.items[i].fingerprint == fingerprint && sums->items.items[i].calls > 0)
            return sums->items.items[i].calls / (double)calls;
    }
    return 1;
}
