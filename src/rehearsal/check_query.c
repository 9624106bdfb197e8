#include "rehearsal/check_query.h"

#include "base/clock.h"
#include "compare/compare_check.h"
#include "trace/redact.h"

#include <stdio.h>
#include <string.h>

/* libpq holds a whole answer: so many rows at once, fewer where they are wide. */
#define FETCH_ROWS_FIRST 10
#define FETCH_ROWS_MAX 1000
#define FETCH_BYTES (256 * 1024)
/* The server's own timeout ends a query; this is for one that does not answer at all. */
#define GRACE_US (10 * INT64_C(1000000))
#define LOCK_TIMEOUT_MS 10000
#define COLUMNS_MAX 1664 /* MaxTupleAttributeNumber */

/* Names that are not there: schema, table, column, function, type, parameter (appendix A of the
   manual). */
static bool is_missing(const char *sqlstate)
{
    static const char *const states[] = {"3F000", "42P01", "42703", "42883", "42704", "42P02"};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(sqlstate, states[i]) == 0)
            return true;
    return false;
}

static void take_problem(const struct err *why, struct arena *arena, struct check_output *output)
{
    memcpy(output->sqlstate, why->sqlstate, sizeof(output->sqlstate));
    output->problem = rh_mask_message(arena, why->sqlstate, rh_text(why->message));
    output->is_missing = is_missing(why->sqlstate);
}

struct taking {
    struct check_output *output;
    const struct check *check;
    struct check_digest digest;
    size_t keys[COLUMNS_MAX]; /* columns that ORDER BY names */
    size_t key_count;
    struct arena *arena;
    size_t kept_bytes;
    size_t last_bytes; /* of the rows that came last */
};

static void keep_row(struct taking *taking, const char *const *cells, size_t columns)
{
    struct check_output *output = taking->output;
    size_t bytes = 0;

    for (size_t i = 0; i < columns; i++)
        bytes += cells[i] ? strlen(cells[i]) : 0;
    if (!output->keeps_rows || output->rows.count >= CHECK_ROWS_KEPT ||
        taking->kept_bytes + bytes > CHECK_BYTES_KEPT)
        return;
    taking->kept_bytes += bytes;
    struct check_row *row = RH_PUSH(taking->arena, &output->rows);
    row->cells = rh_arena_alloc_array(taking->arena, columns + 1, sizeof(*row->cells));
    for (size_t i = 0; i < columns; i++)
        row->cells[i] = cells[i] ? rh_arena_strdup(taking->arena, cells[i]) : NULL;
}

/* A name that the result does not have, or has twice, is a column of a table: its order cannot be
   seen in the result. */
static void find_keys(struct taking *taking)
{
    const struct check *check = taking->check;
    const struct check_output *output = taking->output;

    taking->key_count = 0;
    for (size_t i = 0; i < check->order_by.count && i < COLUMNS_MAX; i++) {
        const struct check_key *key = &check->order_by.items[i];
        size_t found = key->position, times = key->position ? 1 : 0;
        for (size_t column = 0; column < output->columns.count && key->name; column++)
            if (strcmp(output->columns.items[column], key->name) == 0) {
                found = column + 1;
                times++;
            }
        if (times != 1 || found > output->columns.count) {
            taking->key_count = 0;
            return;
        }
        taking->keys[taking->key_count++] = found - 1;
    }
}

static void take_rows(struct taking *taking, const struct rows *rows)
{
    struct check_output *output = taking->output;
    size_t columns = rh_rows_columns(rows);
    const char *cells[COLUMNS_MAX], *key[COLUMNS_MAX];

    RH_ASSERT(columns <= COLUMNS_MAX);
    for (size_t i = output->columns.count; i < columns; i++)
        *RH_PUSH(taking->arena, &output->columns) = rh_arena_strdup(taking->arena,
                                                                    rh_rows_column_name(rows, i));
    if (output->row_count == 0)
        find_keys(taking);
    taking->last_bytes = 0;
    for (size_t row = 0; row < rh_rows_count(rows); row++) {
        for (size_t i = 0; i < columns; i++) {
            cells[i] = rh_rows_value(rows, row, i);
            taking->last_bytes += cells[i] ? strlen(cells[i]) : 0;
        }
        rh_check_digest_row(&taking->digest, cells, columns);
        for (size_t i = 0; i < taking->key_count; i++)
            key[i] = cells[taking->keys[i]];
        if (taking->key_count > 0)
            rh_check_digest_key(&taking->digest, key, taking->key_count);
        keep_row(taking, cells, columns);
        output->is_null = output->row_count == 0 && columns == 1 && !cells[0];
        output->number = output->row_count == 0 && columns == 1 && rh_check_is_number(cells[0])
                             ? rh_arena_strdup(taking->arena, cells[0])
                             : NULL;
        output->row_count++;
    }
}

static size_t rows_next(size_t rows, size_t bytes)
{
    size_t fitting = bytes > 0 ? rows * (size_t)FETCH_BYTES / bytes : FETCH_ROWS_MAX;

    return fitting < 1 ? 1 : fitting > FETCH_ROWS_MAX ? FETCH_ROWS_MAX : fitting;
}

static enum err_code fetch_all(const struct engine *engine, struct connection *connection,
                               const char *sql, struct mono until, struct taking *taking,
                               struct err *err)
{
    struct mono deadline = rh_clock_after(until, GRACE_US);
    RH_CLEANUP_ROWS struct rows *described = NULL;
    enum err_code code = engine->query(
        connection,
        rh_arena_printf(taking->arena,
                        "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = %lld; "
                        "SET LOCAL lock_timeout = %d; SET LOCAL cursor_tuple_fraction = 1",
                        (long long)(CHECK_MAX_US / 1000), LOCK_TIMEOUT_MS),
        NULL, 0, deadline, NULL, err);

    if (!code)
        code = engine->query_single(
            connection,
            rh_arena_printf(taking->arena, "DECLARE rehearse_check NO SCROLL CURSOR FOR %s", sql),
            deadline, NULL, err);
    size_t wanted = FETCH_ROWS_FIRST;
    for (bool is_end = false; !code && !is_end;) {
        RH_CLEANUP_ROWS struct rows *rows = NULL;
        char fetch[64];
        snprintf(fetch, sizeof(fetch), "FETCH %zu FROM rehearse_check", wanted);
        code = engine->query(connection, fetch, NULL, 0, deadline, &rows, err);
        if (code)
            break;
        take_rows(taking, rows);
        is_end = rh_rows_count(rows) < wanted;
        wanted = rows_next(rh_rows_count(rows), taking->last_bytes);
        if (!is_end && rh_clock_passed(until)) {
            code = rh_err_set(err, RH_ERR_SERVER, "it takes longer than %lld s",
                              (long long)(CHECK_MAX_US / 1000000));
            memcpy(err->sqlstate, "57014", 6); /* query_canceled, as the server would say */
        }
    }
    return code;
}

enum err_code rh_check_query(const struct engine *engine, struct connection *connection,
                             const struct check *check, bool keeps_values, struct arena *arena,
                             struct check_output *ret_output, struct err *err)
{
    struct mono began = rh_clock_mono();
    struct mono until = rh_clock_after(began, CHECK_MAX_US);
    struct check_output output = {.planned = -1, .keeps_rows = keeps_values};
    struct taking taking = {.output = &output, .check = check, .arena = arena};
    struct err why = RH_ERR_INIT;

    rh_check_digest_init(&taking.digest);
    enum err_code code = fetch_all(engine, connection, check->sql, until, &taking, &why);
    output.duration_us = rh_clock_mono().us - began.us;
    if (code && code != RH_ERR_SERVER) {
        *err = why;
        return code;
    }
    if (code) {
        output = (struct check_output){
            .planned = -1, .keeps_rows = keeps_values, .duration_us = output.duration_us};
        take_problem(&why, arena, &output);
    } else {
        output.ran = true;
        rh_check_digest_take(&taking.digest, &output);
    }
    code = engine->query(connection, "ROLLBACK", NULL, 0, rh_clock_after(rh_clock_mono(), GRACE_US),
                         NULL, err);
    if (!code)
        *ret_output = output;
    return code;
}
