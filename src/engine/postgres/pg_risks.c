/*
 * Risks that the catalogues, the counters and the keys show: statistics that went, rows changed per
 * table, sequences behind their column, integers that run out.
 */
#include "engine/postgres/pg_risks_int.h"

#include "engine/postgres/pg_sql.inc.h"

#include <stdlib.h>
#include <string.h>

/* A session that ended has told its counters before it is gone from pg_stat_activity; it takes a
   moment after its client closed the connection (some milliseconds), and before 15 the file of the
   counters is written at most twice a second (PGSTAT_STAT_INTERVAL). */
#define OTHERS_WAIT_US 3000000
#define OTHERS_PAUSE_SQL "SELECT pg_sleep(0.005)"
#define OTHERS_PAUSE_BEFORE_15_SQL "SELECT pg_sleep(0.05)"
/* One column's highest value: by an index, or of a small table. */
#define HIGHEST_TIMEOUT "2s"
#define QUERY_MAX (64 * 1024)

const char *rh_pg_risk_text(const struct rows *rows, size_t row, size_t column, struct arena *arena)
{
    const char *value = rh_rows_value(rows, row, column);
    return value ? rh_arena_strdup(arena, value) : NULL;
}

/* --- marks ---------------------------------------------------------------------------------------
 */

static enum err_code read_statistics(struct connection *connection, struct arena *arena,
                                     struct mono deadline, struct risk_marks *marks,
                                     struct err *err)
{
    enum { TABLE_ID, NUMBER, IS_EXTENDED, TABLE, NAME, ROWS, ROOT };
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    int major = rh_pg_server_version(connection) / 10000;
    enum err_code code = rh_pg_query(connection, rh_pg_sql_for(PG_SQL_RISK_STATISTICS, major), NULL,
                                     0, deadline, &rows, err);
    for (size_t i = 0; !code && i < rh_rows_count(rows); i++)
        *RH_PUSH(arena, &marks->statistics) = (struct statistics_mark){
            .table_id = rh_rows_int(rows, i, TABLE_ID, 0),
            .number = rh_rows_int(rows, i, NUMBER, 0),
            .is_extended = rh_rows_bool(rows, i, IS_EXTENDED),
            .table = rh_pg_risk_text(rows, i, TABLE, arena),
            .root = rh_pg_risk_text(rows, i, ROOT, arena),
            .name = rh_pg_risk_text(rows, i, NAME, arena),
            .rows = rh_rows_int(rows, i, ROWS, 0)};
    return code;
}

static enum err_code read_activity(struct connection *connection, struct arena *arena,
                                   struct mono deadline, struct risk_marks *marks, struct err *err)
{
    enum { TABLE_ID, TABLE, ROOT, INSERTED, UPDATED, DELETED, WAYS };
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    int major = rh_pg_server_version(connection) / 10000;
    enum err_code code = rh_pg_query(connection, rh_pg_sql_for(PG_SQL_RISK_ACTIVITY, major), NULL,
                                     0, deadline, &rows, err);
    for (size_t i = 0; !code && i < rh_rows_count(rows); i++)
        *RH_PUSH(arena, &marks->activity) = (struct activity_mark){
            .table_id = rh_rows_int(rows, i, TABLE_ID, 0),
            .table = rh_pg_risk_text(rows, i, TABLE, arena),
            .root = rh_pg_risk_text(rows, i, ROOT, arena),
            .inserted = rh_rows_int(rows, i, INSERTED, 0),
            .updated = rh_rows_int(rows, i, UPDATED, 0),
            .deleted = rh_rows_int(rows, i, DELETED, 0),
            .ways = rh_pg_risk_text(rows, i, WAYS, arena)};
    if (!code)
        marks->has_activity = true;
    return code;
}

/* False in *ret_ended when somebody is still there after the wait. */
static enum err_code wait_for_others(struct connection *connection, struct arena *arena,
                                     struct mono deadline, bool *ret_ended, struct err *err)
{
    enum { OTHERS, IS_FRESH, NOW, SINCE };
    struct mono until = rh_clock_after(rh_clock_mono(), OTHERS_WAIT_US);
    int major = rh_pg_server_version(connection) / 10000;
    const char *since = NULL;
    for (*ret_ended = false;;) {
        RH_CLEANUP_ROWS struct rows *rows = NULL;
        enum err_code code = rh_pg_query(connection, rh_pg_sql_for(PG_SQL_RISK_OTHERS, major),
                                         &since, 1, deadline, &rows, err);
        if (code)
            return code;
        bool are_gone = rh_rows_int(rows, 0, OTHERS, 1) == 0;
        if (are_gone && !since)
            since = rh_pg_risk_text(rows, 0, NOW, arena);
        /* Known only once they were seen to be gone: what the counters are younger than. */
        if (are_gone && rh_rows_bool(rows, 0, IS_FRESH) &&
            (major >= 15 || rh_rows_value(rows, 0, SINCE))) {
            *ret_ended = true;
            return RH_OK;
        }
        if (rh_clock_passed(until))
            return RH_OK;
        code = rh_pg_query(connection, major >= 15 ? OTHERS_PAUSE_SQL : OTHERS_PAUSE_BEFORE_15_SQL,
                           NULL, 0, deadline, NULL, err);
        if (code)
            return code;
    }
}

enum err_code rh_pg_read_risk_marks(struct connection *connection, struct arena *arena,
                                    struct mono deadline, struct risk_marks *ret_marks,
                                    struct err *err)
{
    struct risk_marks marks = {0};
    enum err_code code = rh_pg_query(connection, PG_STATE_SESSION_SQL, NULL, 0, deadline, NULL,
                                     err);
    if (!code)
        code = read_statistics(connection, arena, deadline, &marks, err);
    if (!code)
        code = read_activity(connection, arena, deadline, &marks, err);
    if (code)
        rh_err_while(err, "while reading statistics and counters");
    else
        *ret_marks = marks;
    return code;
}

/* Lists of names and numbers; the tables of one database, each with at most 1600 columns. */
#define ARRAY_MAX (16 * 1024 * 1024)

static enum err_code find_lost_statistics(struct connection *connection,
                                          const struct risk_marks *before, struct arena *arena,
                                          struct mono deadline, struct risks *risks,
                                          struct err *err)
{
    enum { PLACE, TABLE, NAME };
    enum { PARAMETERS = 5 };
    struct buf arrays[PARAMETERS];
    const char *parameters[PARAMETERS];
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = RH_OK;
    for (int p = 0; p < PARAMETERS; p++) {
        rh_buf_init(&arrays[p], ARRAY_MAX);
        rh_buf_add_char(&arrays[p], '{');
    }
    for (size_t i = 0; i < before->statistics.count; i++) {
        const struct statistics_mark *mark = &before->statistics.items[i];
        const char *comma = i ? "," : "";
        rh_buf_printf(&arrays[0], "%s%lld", comma, (long long)mark->table_id);
        rh_buf_printf(&arrays[1], "%s%lld", comma, (long long)mark->number);
        rh_buf_printf(&arrays[2], "%s%s", comma, mark->is_extended ? "t" : "f");
        rh_pg_add_element(&arrays[3], mark->table);
        rh_pg_add_element(&arrays[4], mark->name);
    }
    bool has_failed = false;
    for (int p = 0; p < PARAMETERS; p++) {
        rh_buf_add_char(&arrays[p], '}');
        has_failed = has_failed || arrays[p].failed;
        parameters[p] = arrays[p].data;
    }
    int major = rh_pg_server_version(connection) / 10000;
    if (has_failed)
        code = rh_err_set(err, RH_ERR_LIMIT, "too many columns have statistics");
    else if (before->statistics.count > 0)
        code = rh_pg_query(connection, rh_pg_sql_for(PG_SQL_RISK_STATISTICS_LOST, major),
                           parameters, PARAMETERS, deadline, &rows, err);
    for (size_t i = 0; !code && i < rh_rows_count(rows); i++) {
        size_t place = (size_t)rh_rows_int(rows, i, PLACE, 1) - 1;
        if (place >= before->statistics.count)
            continue;
        const struct statistics_mark *mark = &before->statistics.items[place];
        *RH_PUSH(arena, &risks->statistics) = (struct statistics_risk){
            .table = rh_pg_risk_text(rows, i, TABLE, arena),
            .root = mark->root,
            .name = rh_pg_risk_text(rows, i, NAME, arena),
            .is_extended = mark->is_extended,
            .rows = mark->rows};
    }
    for (int p = 0; p < PARAMETERS; p++)
        rh_buf_deinit(&arrays[p]);
    return code;
}

static const struct activity_mark *find_activity(const struct risk_marks *marks, int64_t table_id)
{
    size_t low = 0, high = marks->activity.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (marks->activity.items[middle].table_id < table_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < marks->activity.count && marks->activity.items[low].table_id == table_id
               ? &marks->activity.items[low]
               : NULL;
}

enum err_code rh_pg_compare_risk_marks(struct connection *connection,
                                       const struct risk_marks *before, struct arena *arena,
                                       struct mono deadline, struct risks *risks, struct err *err)
{
    struct risk_marks after = {0};
    bool have_ended = false;
    enum err_code code = rh_pg_query(connection, PG_STATE_SESSION_SQL, NULL, 0, deadline, NULL,
                                     err);
    if (!code)
        code = find_lost_statistics(connection, before, arena, deadline, risks, err);
    if (!code)
        code = wait_for_others(connection, arena, deadline, &have_ended, err);
    if (!code && have_ended)
        code = read_activity(connection, arena, deadline, &after, err);
    if (code) {
        rh_err_while(err, "while comparing statistics and counters");
        return code;
    }
    risks->has_activity = before->has_activity && after.has_activity;
    for (size_t i = 0; risks->has_activity && i < after.activity.count; i++) {
        const struct activity_mark *mark = &after.activity.items[i];
        const struct activity_mark *old = find_activity(before, mark->table_id);
        /* A table of the run itself is nobody's yet. */
        if (!old)
            continue;
        struct activity_risk delta = {
            .table = mark->table,
            .root = mark->root,
            .ways = mark->ways,
            .inserted = mark->inserted - old->inserted,
            .updated = mark->updated - old->updated,
            .deleted = mark->deleted - old->deleted,
        };
        if (delta.inserted > 0 || delta.updated > 0 || delta.deleted > 0)
            *RH_PUSH(arena, &risks->activity) = delta;
    }
    return RH_OK;
}

/* --- keys ----------------------------------------------------------------------------------------
 */

enum {
    KEY_TABLE,
    KEY_COLUMN,
    KEY_TYPE,
    KEY_ROLE,
    KEY_TYPE_LIMIT,
    KEY_SEQUENCE,
    KEY_INCREMENT,
    KEY_SEQUENCE_LIMIT,
    KEY_SOURCE_TABLE,
    KEY_SOURCE_COLUMN,
    KEY_IS_UNIQUE,
    KEY_IS_CHEAP
};

/* The highest value of a key, and the next number of its sequence; NOT_OBSERVED where there is
   none, or it could not be had in time. */
static enum err_code read_highest(struct connection *connection, const struct rows *keys,
                                  size_t row, struct mono deadline, int64_t *ret_highest,
                                  int64_t *ret_next, struct err *err)
{
    const char *table = rh_rows_value(keys, row, KEY_SOURCE_TABLE);
    const char *column = rh_rows_value(keys, row, KEY_SOURCE_COLUMN);
    const char *sequence = rh_rows_value(keys, row, KEY_SEQUENCE);
    RH_CLEANUP_BUF struct buf sql;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    *ret_highest = *ret_next = NOT_OBSERVED;
    if (!table) {
        table = rh_rows_value(keys, row, KEY_TABLE);
        column = rh_rows_value(keys, row, KEY_COLUMN);
    }
    rh_buf_init(&sql, QUERY_MAX);
    rh_buf_add_str(&sql, "SELECT ");
    if (rh_rows_bool(keys, row, KEY_IS_CHEAP))
        rh_buf_printf(&sql, "(SELECT max(%s) FROM %s)", column, table);
    else
        rh_buf_add_str(&sql, "NULL");
    if (sequence)
        rh_buf_printf(&sql,
                      ", CASE WHEN s.is_called THEN s.last_value + %s ELSE s.last_value END "
                      "FROM %s AS s",
                      rh_rows_value(keys, row, KEY_INCREMENT), sequence);
    else
        rh_buf_add_str(&sql, ", NULL");
    enum err_code code = rh_pg_query(connection, sql.data, NULL, 0, deadline, &rows, err);
    if (code == RH_ERR_SERVER) /* too long, or locked */
        return RH_OK;
    if (!code && rh_rows_count(rows) == 1) {
        *ret_highest = rh_rows_int(rows, 0, 0, NOT_OBSERVED);
        *ret_next = rh_rows_int(rows, 0, 1, NOT_OBSERVED);
    }
    return code;
}

static void take_headroom(const struct rows *keys, size_t row, int64_t highest, int64_t next,
                          struct arena *arena, struct risks *risks)
{
    int64_t limit = rh_rows_int(keys, row, KEY_TYPE_LIMIT, INT64_MAX);
    int64_t sequence_limit = rh_rows_int(keys, row, KEY_SEQUENCE_LIMIT, INT64_MAX);
    const char *table = rh_pg_risk_text(keys, row, KEY_TABLE, arena);
    const char *column = rh_pg_risk_text(keys, row, KEY_COLUMN, arena);
    const char *sequence = rh_pg_risk_text(keys, row, KEY_SEQUENCE, arena);
    int64_t used = sequence && next - 1 > highest ? next - 1 : highest;
    if (used < 0)
        return;
    /* A primary key that a sequence feeds is told once. */
    for (size_t i = 0; i < risks->headroom.count; i++) {
        struct headroom_risk *other = &risks->headroom.items[i];
        if (strcmp(other->table, table) != 0 || strcmp(other->column, column) != 0)
            continue;
        other->used = used > other->used ? used : other->used;
        other->limit = sequence_limit < other->limit ? sequence_limit : other->limit;
        other->sequence = other->sequence ? other->sequence : sequence;
        return;
    }
    const char *source = rh_rows_value(keys, row, KEY_SOURCE_TABLE);
    *RH_PUSH(arena, &risks->headroom) = (struct headroom_risk){
        .table = table,
        .column = column,
        .type = rh_pg_risk_text(keys, row, KEY_TYPE, arena),
        .role = rh_pg_risk_text(keys, row, KEY_ROLE, arena),
        .source = source ? rh_arena_printf(arena, "%s.%s", source,
                                           rh_rows_value(keys, row, KEY_SOURCE_COLUMN))
                         : NULL,
        .used = used,
        .limit = sequence_limit < limit ? sequence_limit : limit,
        .sequence = sequence};
}

static void take_sequence(const struct rows *keys, size_t row, int64_t highest, int64_t next,
                          struct arena *arena, struct risks *risks)
{
    if (!rh_rows_value(keys, row, KEY_SEQUENCE) || !rh_rows_bool(keys, row, KEY_IS_UNIQUE) ||
        rh_rows_int(keys, row, KEY_INCREMENT, 1) <= 0 || next < 0 || next > highest)
        return;
    const char *sequence = rh_pg_risk_text(keys, row, KEY_SEQUENCE, arena);
    const char *table = rh_pg_risk_text(keys, row, KEY_TABLE, arena);
    for (size_t i = 0; i < risks->sequences.count; i++)
        if (strcmp(risks->sequences.items[i].sequence, sequence) == 0 &&
            strcmp(risks->sequences.items[i].table, table) == 0)
            return;
    *RH_PUSH(arena, &risks->sequences) = (struct sequence_risk){
        .sequence = sequence,
        .table = table,
        .column = rh_pg_risk_text(keys, row, KEY_COLUMN, arena),
        .next = next,
        .highest = highest};
}

enum err_code rh_pg_ask_keys(struct connection *connection, const char *const *tables, size_t count,
                             struct arena *arena, struct mono deadline, struct risks *risks,
                             struct err *err)
{
    RH_CLEANUP_BUF struct buf names;
    RH_CLEANUP_ROWS struct rows *keys = NULL;
    int major = rh_pg_server_version(connection) / 10000;
    rh_buf_init(&names, ARRAY_MAX);
    rh_buf_add_char(&names, '{');
    for (size_t i = 0; i < count; i++)
        rh_pg_add_element(&names, tables[i]);
    rh_buf_add_char(&names, '}');
    const char *parameters[] = {names.data};
    enum err_code code = rh_pg_query(
        connection, PG_STATE_SESSION_SQL "; SET statement_timeout = '" HIGHEST_TIMEOUT "'", NULL, 0,
        deadline, NULL, err);
    if (!code)
        code = rh_pg_query(connection, rh_pg_sql_for(PG_SQL_RISK_KEYS, major), parameters, 1,
                           deadline, &keys, err);
    for (size_t i = 0; !code && i < rh_rows_count(keys); i++) {
        int64_t highest, next;
        code = read_highest(connection, keys, i, deadline, &highest, &next, err);
        if (code)
            break;
        take_headroom(keys, i, highest, next, arena, risks);
        take_sequence(keys, i, highest, next, arena, risks);
    }
    if (code)
        rh_err_while(err, "while asking about keys and sequences");
    return code;
}
