#include "rehearsal/new_queries.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "rehearsal/migrated_clone.h"
#include "rehearsal/new_queries_run.h"
#include "sql/query_file.h"

#include <stdio.h>

#define CONNECT_US INT64_C(30000000)
/* A query for parameters, and for an answer to it that does not come. */
#define PARAMETERS_US INT64_C(30000000)
#define GRACE_US INT64_C(10000000)
/* Of one of their values: more is no parameter that people send. */
#define VALUE_BYTES_MAX ((size_t)64 * 1024)

enum err_code rh_new_queries_open(const char *const *paths, size_t count, struct arena *arena,
                                  struct new_queries *ret_queries, struct err *err)
{
    struct new_queries queries = {0};
    for (size_t i = 0; i < count; i++) {
        struct text text;
        enum err_code code = rh_file_read(paths[i], QUERY_FILE_BYTES_MAX, arena, &text, err);
        if (code)
            rh_err_while(err, "while reading the queries of \"%s\"", paths[i]);
        if (!code)
            code = rh_query_file_parse(paths[i], text, arena, &queries, err);
        if (code)
            return code;
    }
    *ret_queries = queries;
    return RH_OK;
}

/* --- parameters that are a query's rows ------------------------------------------------------- */

static const char *say_refused(struct arena *arena, const struct err *why)
{
    return rh_arena_printf(arena, "the query for its parameters fails%s%s",
                           why->sqlstate[0] ? ": SQLSTATE " : "", why->sqlstate);
}

static const char *take_rows(struct arena *arena, const struct rows *rows, struct new_query *query)
{
    size_t columns = rh_rows_columns(rows), bytes = 0;
    if (columns != query->placeholders)
        return rh_arena_printf(arena,
                               "the query for its parameters gives %zu columns for $1 to "
                               "$%zu",
                               columns, query->placeholders);
    for (size_t row = 0; row < rh_rows_count(rows); row++) {
        struct query_values values = {0};
        for (size_t i = 0; i < columns; i++) {
            const char *value = rh_rows_value(rows, row, i);
            bytes = value ? strlen(value) : 0;
            if (bytes > VALUE_BYTES_MAX)
                return "the query for its parameters gives a value that is too large";
            *RH_PUSH(arena, &values.values) = value ? rh_arena_strdup(arena, value) : NULL;
        }
        *RH_PUSH(arena, &query->parameters) = values;
    }
    return query->parameters.count == 0 ? "the query for its parameters gives no row" : NULL;
}

/* Read-only, and in a transaction that is rolled back. `ret_reason`: why it has none; NULL. */
static enum err_code ask_parameters(const struct engine *engine, struct connection *connection,
                                    struct arena *arena, struct new_query *query,
                                    const char **ret_reason, struct err *err)
{
    struct mono deadline = rh_clock_after(rh_clock_mono(), PARAMETERS_US + GRACE_US);
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct err why = RH_ERR_INIT;
    char begin[128];
    snprintf(begin, sizeof(begin), "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = %d",
             (int)(PARAMETERS_US / 1000));
    enum err_code code = engine->query(connection, begin, NULL, 0, deadline, NULL, &why);
    if (!code)
        code = engine->query_single(
            connection,
            rh_arena_printf(arena, "SELECT * FROM (%s\n) AS parameters LIMIT %d",
                            query->parameters_sql, NEW_QUERY_PARAMETERS_MAX),
            deadline, &rows, &why);
    if (!code)
        *ret_reason = take_rows(arena, rows, query);
    else if (code == RH_ERR_SERVER)
        *ret_reason = say_refused(arena, &why);
    if (code && code != RH_ERR_SERVER) {
        *err = why;
        return code;
    }
    return engine->query(connection, "ROLLBACK", NULL, 0, deadline, NULL, err);
}

static enum err_code fill_parameters(struct rehearsal *rehearsal, const struct sandbox *clone,
                                     struct err *err)
{
    const struct engine *engine = rehearsal->options->sandbox.engine;
    struct new_queries *queries = &rehearsal->result.new_queries;
    struct connection *connection = NULL;
    enum err_code code = RH_OK;

    for (size_t i = 0; !code && i < queries->list.count; i++) {
        struct new_query *query = &queries->list.items[i];
        if (!query->parameters_sql)
            continue;
        if (!connection) {
            struct connection_parameters role = rh_sandbox_superuser(clone);
            code = engine->connect(&role, rh_clock_after(rh_clock_mono(), CONNECT_US), &connection,
                                   err);
        }
        if (!code)
            code = ask_parameters(engine, connection, rehearsal->arena, query, &query->reason, err);
    }
    engine->close(connection);
    return code;
}

/* --- the stage -------------------------------------------------------------------------------- */

static enum err_code run(struct rehearsal *rehearsal, struct sandbox **ret_clone, struct err *err)
{
    struct upstream_host host;
    struct upstream upstream;
    struct new_queries_options options = {
        .budget_us = rehearsal->options->workload.compare_budget_us};
    enum err_code code = rh_migrated_clone(rehearsal, ret_clone, err);
    rh_progress_phase(rehearsal->options->progress, "run the new queries");
    if (!code)
        code = fill_parameters(rehearsal, *ret_clone, err);
    if (code)
        return code;
    options.place = rh_migrated_place(*ret_clone, &host, &upstream);
    options.role = rh_sandbox_migration_role(*ret_clone).user;
    return rh_new_queries_measure(&options, &rehearsal->result.new_queries, rehearsal->arena, err);
}

enum err_code rh_new_queries_stage(struct rehearsal *rehearsal, struct err *err)
{
    struct new_queries *queries = &rehearsal->result.new_queries;
    struct sandbox *clone = NULL;
    struct err why = RH_ERR_INIT;

    if (queries->list.count == 0)
        return RH_OK;
    queries->why_not = rh_rehearsal_why_not_again(rehearsal);
    if (queries->why_not)
        return RH_OK;
    enum err_code code = run(rehearsal, &clone, &why);
    rh_sandbox_destroy(clone);
    if (!code)
        return RH_OK;
    if (rh_interrupt_check(err))
        return err->code;
    queries->why_not = rh_arena_strdup(rehearsal->arena, why.message);
    return RH_OK;
}
