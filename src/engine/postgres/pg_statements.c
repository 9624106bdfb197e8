#include "engine/postgres/pg_engine_int.h"

#include <stdlib.h>
#include <string.h>

/* Rows that are held at once: texts may be long. */
#define FETCH "FETCH 500 FROM rehearse_statements"
/* A longer text is no pattern that anybody reads. */
#define QUERY_BYTES_MAX 262144
#define HIDDEN_TEXT "<insufficient privilege>"
#define SQLSTATE_NOT_LOADED "55000"

enum { FACT_DATABASE, FACT_VERSION, FACT_SCHEMA, FACT_READS_ALL, FACT_COLUMNS, FACT_HAS_INFO };
enum { COLUMN_QUERY, COLUMN_CALLS, COLUMN_TOTAL, COLUMN_ROWS, COLUMN_MIN, COLUMN_MAX, COLUMN_ALL };

static enum err_code not_there(const struct rows *facts, struct err *err)
{
    rh_err_set(err, RH_ERR_ENVIRONMENT, "the database \"%s\" has no extension pg_stat_statements",
               rh_rows_value(facts, 0, FACT_DATABASE));
    rh_err_hint(err, "Name the database that has it in the URL (the statements of all databases "
                     "of a server can be seen from any), or have its owner run CREATE EXTENSION "
                     "pg_stat_statements; the server needs it in shared_preload_libraries, too.");
    return err->code;
}

static bool has_column(const char *columns, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = columns; at && (at = strstr(at, name)); at += len)
        if ((at == columns || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

static double number(const struct rows *rows, size_t row, size_t column)
{
    const char *value = rh_rows_value(rows, row, column);
    return value ? strtod(value, NULL) : 0;
}

/* Statements inside functions are counted again in what called them; where the server tells them
   apart (14 and later), only what clients sent counts. */
static const char *statements_sql(struct arena *arena, const struct rows *facts, size_t most)
{
    const char *columns = rh_rows_value(facts, 0, FACT_COLUMNS);
    const char *prefix = has_column(columns, "total_exec_time") ? "exec_time" : "time";
    return rh_arena_printf(
        arena,
        "DECLARE rehearse_statements NO SCROLL CURSOR FOR SELECT CASE WHEN octet_length(query) "
        "<= %d THEN query END, calls, total_%s, rows, min_%s, max_%s, count(*) OVER () FROM "
        "%s.pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = "
        "current_database())%s ORDER BY total_%s DESC LIMIT %zu",
        QUERY_BYTES_MAX, prefix, prefix, prefix, rh_rows_value(facts, 0, FACT_SCHEMA),
        has_column(columns, "toplevel") ? " AND toplevel" : "", prefix, most);
}

static void take(const struct rows *rows, engine_statement_fn *fn, void *context,
                 struct engine_statements *statements)
{
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        const struct engine_statement statement = {
            .query = rh_rows_value(rows, i, COLUMN_QUERY),
            .calls = number(rows, i, COLUMN_CALLS),
            .total_us = number(rows, i, COLUMN_TOTAL) * 1000,
            .rows = number(rows, i, COLUMN_ROWS),
            .min_us = number(rows, i, COLUMN_MIN) * 1000,
            .max_us = number(rows, i, COLUMN_MAX) * 1000,
        };
        statements->left_out = rh_rows_int(rows, i, COLUMN_ALL, 0);
        if (!statement.query || strcmp(statement.query, HIDDEN_TEXT) == 0) {
            statements->hidden++;
            continue;
        }
        statements->taken++;
        fn(context, &statement);
    }
}

static enum err_code read_all(struct connection *connection, const char *sql, struct mono deadline,
                              engine_statement_fn *fn, void *context,
                              struct engine_statements *statements, struct err *err)
{
    enum err_code code = rh_pg_query(connection, sql, NULL, 0, deadline, NULL, err);
    for (bool is_end = false; !code && !is_end;) {
        RH_CLEANUP_ROWS struct rows *rows = NULL;
        code = rh_pg_query(connection, FETCH, NULL, 0, deadline, &rows, err);
        is_end = code || rh_rows_count(rows) == 0;
        if (!is_end)
            take(rows, fn, context, statements);
    }
    int64_t seen = statements->taken + statements->hidden;
    statements->left_out = statements->left_out > seen ? statements->left_out - seen : 0;
    return code;
}

/* Since when, and whether some were evicted meanwhile: from 1.9 (PostgreSQL 14) on. */
static enum err_code read_info(struct connection *connection, const struct rows *facts,
                               struct arena *arena, struct mono deadline,
                               struct engine_statements *statements, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    if (!rh_rows_bool(facts, 0, FACT_HAS_INFO))
        return RH_OK;
    enum err_code code = rh_pg_query(
        connection,
        rh_arena_printf(arena,
                        "SELECT dealloc, extract(epoch FROM clock_timestamp() - stats_reset) * "
                        "1000000 FROM %s.pg_stat_statements_info",
                        rh_rows_value(facts, 0, FACT_SCHEMA)),
        NULL, 0, deadline, &rows, err);
    if (!code && rh_rows_count(rows) > 0) {
        statements->forgotten = rh_rows_int(rows, 0, 0, -1);
        statements->window_us = rh_rows_value(rows, 0, 1) ? number(rows, 0, 1) : -1;
    }
    return code;
}

enum err_code rh_pg_read_statements(struct connection *connection, size_t most,
                                    struct mono deadline, engine_statement_fn *fn, void *context,
                                    struct arena *arena, struct engine_statements *ret_statements,
                                    struct err *err)
{
    struct engine_statements statements = {.forgotten = -1, .window_us = -1};
    RH_CLEANUP_ROWS struct rows *facts = NULL;
    enum err_code code = rh_pg_query(connection,
                                     "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = "
                                     "'60s'; SET LOCAL lock_timeout = '5s'",
                                     NULL, 0, deadline, NULL, err);
    if (!code)
        code = rh_pg_ask(connection, ENGINE_QUERY_STATEMENT_FACTS, NULL, 0, deadline, &facts, err);
    if (!code && !rh_rows_value(facts, 0, FACT_SCHEMA))
        code = not_there(facts, err);
    if (!code)
        code = read_all(connection, statements_sql(arena, facts, most), deadline, fn, context,
                        &statements, err);
    if (!code)
        code = read_info(connection, facts, arena, deadline, &statements, err);
    if (code == RH_ERR_SERVER && strcmp(err->sqlstate, SQLSTATE_NOT_LOADED) == 0) {
        rh_err_set(err, RH_ERR_ENVIRONMENT,
                   "the server has not loaded pg_stat_statements, so it counted nothing");
        rh_err_hint(err, "Add it to shared_preload_libraries and restart the server.");
        return err->code;
    }
    if (code)
        return code;
    statements.database = rh_arena_strdup(arena, rh_rows_value(facts, 0, FACT_DATABASE));
    statements.server_version = rh_arena_strdup(arena, rh_rows_value(facts, 0, FACT_VERSION));
    statements.reads_all = rh_rows_bool(facts, 0, FACT_READS_ALL);
    *ret_statements = statements;
    return rh_pg_query(connection, "ROLLBACK", NULL, 0, deadline, NULL, err);
}
