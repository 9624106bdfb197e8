#include "snapshot/sample_int.h"

#include "base/quote.h"
#include "snapshot/server_words.h"

#include <stdlib.h>

/* As pg_dump's sessions are (setup_connection, pg_dump.c); besides, plans that do not surprise. */
#define SESSION_SQL                                                \
    "SELECT pg_catalog.set_config('search_path', '', true),"       \
    " pg_catalog.set_config('datestyle', 'ISO', true),"            \
    " pg_catalog.set_config('intervalstyle', 'postgres', true),"   \
    " pg_catalog.set_config('extra_float_digits', '3', true),"     \
    " pg_catalog.set_config('row_security', 'off', true),"         \
    " pg_catalog.set_config('synchronize_seqscans', 'off', true)," \
    " pg_catalog.set_config('jit', 'off', true)"
/* What the role would have: ours was changed by whoever read the catalogue. */
#define OWN_PATH_SQL                                                        \
    "SELECT pg_catalog.set_config('search_path', (SELECT s.reset_val FROM " \
    "pg_catalog.pg_settings AS s WHERE s.name = 'search_path'), true), "    \
    "pg_catalog.current_setting('statement_timeout')"

bool rh_sample_failed_at_partition(const struct sampling *sampling, struct err *err)
{
    size_t partition = rh_sample_unreadable_partition(sampling);
    /* "cannot access temporary or unlogged relations during recovery" (plancat.c) */
    if (strcmp(err->sqlstate, "0A000") != 0 || partition == CATALOG_NONE)
        return false;
    rh_err_set(err, RH_ERR_USAGE,
               "the sample needs rows of a partitioned table whose partition %s is unlogged, and "
               "this is a standby",
               sampling->catalog->tables.items[partition].identity);
    rh_err_hint(err, "Only the primary has its rows: sample from the primary.");
    return true;
}

enum err_code rh_sample_query(struct sampling *sampling, const char *sql,
                              const char *const *parameters, int parameter_count,
                              struct rows **ret_rows, struct err *err)
{
    enum err_code code = sampling->engine->query(
        sampling->connection, sql, parameters, parameter_count, sampling->deadline, ret_rows, err);
    if (code != RH_OK && rh_sample_failed_at_partition(sampling, err))
        return err->code;
    if (code != RH_OK) {
        rh_server_words_hide_values(err);
        rh_err_while(err, "while choosing the rows of the sample");
    }
    return code;
}

enum err_code rh_sample_prepare(struct sampling *sampling, struct err *err)
{
    struct rows *rows RH_CLEANUP_ROWS = NULL, *own RH_CLEANUP_ROWS = NULL;
    sampling->major = sampling->engine->server_version(sampling->connection) / 10000;
    enum err_code code = rh_sample_query(sampling, OWN_PATH_SQL, NULL, 0, &own, err);
    if (code == RH_OK)
        code = rh_sample_query(sampling,
                               "SELECT pg_catalog.unnest(pg_catalog.current_schemas(false))", NULL,
                               0, &rows, err);
    if (code != RH_OK)
        return code;
    sampling->search_path = rh_arena_strdup(sampling->scratch, rh_rows_value(own, 0, 0));
    sampling->statement_timeout = rh_arena_strdup(sampling->scratch, rh_rows_value(own, 0, 1));
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        const char *schema = rh_rows_value(rows, i, 0);
        *RH_PUSH(sampling->scratch, &sampling->schemas) = rh_arena_strdup(sampling->scratch,
                                                                          schema ? schema : "");
    }
    return rh_sample_query(sampling, SESSION_SQL, NULL, 0, NULL, err);
}

/* --- questions that may fail --- */

static const char *reason_of(struct sampling *sampling, struct err *err)
{
    if (strcmp(err->sqlstate, "57014") == 0)
        return "it took too long";
    if (rh_sample_failed_at_partition(sampling, err))
        return "it needs rows of an unlogged partition, which a standby does not have";
    rh_server_words_hide_values(err);
    return rh_arena_printf(sampling->arena, "%s", err->message);
}

enum err_code rh_sample_probe(struct sampling *sampling, const char *sql, int64_t timeout_us,
                              struct rows **ret_rows, const char **ret_why, struct err *err)
{
    struct err failure = RH_ERR_INIT;
    struct rows *rows RH_CLEANUP_ROWS = NULL;
    int64_t timeout_ms = timeout_us / 1000 > 0 ? timeout_us / 1000 : 1;
    enum err_code code = rh_sample_query(sampling, "SAVEPOINT rehearse_probe", NULL, 0, NULL, err);
    if (code == RH_OK)
        code = rh_sample_query(
            sampling,
            rh_arena_printf(sampling->scratch,
                            "SELECT pg_catalog.set_config('search_path', %s, true), "
                            "pg_catalog.set_config('statement_timeout', '%lld', true)",
                            rh_quote_literal(sampling->scratch, sampling->search_path),
                            (long long)timeout_ms),
            NULL, 0, NULL, err);
    if (code != RH_OK)
        return code;
    code = sampling->engine->query_single(sampling->connection, sql, sampling->deadline, &rows,
                                          &failure);
    if (code != RH_OK && code != RH_ERR_SERVER) {
        *err = failure;
        return code;
    }
    *ret_why = code == RH_OK ? NULL : reason_of(sampling, &failure);
    /* Not rolled back when it succeeded: the lock that it took keeps its rows in their places. */
    if (code == RH_OK)
        code = rh_sample_query(
            sampling,
            rh_arena_printf(sampling->scratch,
                            "RELEASE SAVEPOINT rehearse_probe; SELECT "
                            "pg_catalog.set_config('search_path', '', true), "
                            "pg_catalog.set_config('statement_timeout', %s, true)",
                            rh_quote_literal(sampling->scratch, sampling->statement_timeout)),
            NULL, 0, NULL, err);
    else
        code = rh_sample_query(
            sampling, "ROLLBACK TO SAVEPOINT rehearse_probe; RELEASE SAVEPOINT rehearse_probe",
            NULL, 0, NULL, err);
    if (code != RH_OK)
        return code;
    *ret_rows = rows;
    rows = NULL;
    return RH_OK;
}

/* --- rows --- */

const char *rh_sample_gather(const struct sampling *sampling, const char *query, int64_t max)
{
    return rh_arena_printf(
        sampling->scratch,
        "SELECT id, pg_catalog.array_agg(place) FROM (SELECT id, place FROM (%s) "
        "AS rehearse_all LIMIT %lld) AS rehearse_found GROUP BY id",
        query, (long long)max);
}

static size_t table_of_id(const struct catalog *catalog, int64_t id)
{
    for (size_t i = 0; i < catalog->tables.count; i++)
        if (catalog->tables.items[i].id == id)
            return i;
    return CATALOG_NONE;
}

static enum err_code too_many(const struct sampling *sampling, size_t table, struct err *err)
{
    char count[32];
    rh_count_format(SAMPLE_EXTRAS_MAX, count);
    const char *name = sampling->catalog->tables.items[table].identity;
    rh_err_set(err, RH_ERR_LIMIT,
               "more than %s rows would have to be added to the sample for the foreign keys' sake, "
               "the last ones of %s",
               count, name);
    rh_err_hint(err,
                "Keep %s whole (--sample %s=100%%), so that no row of it has to be looked for, or "
                "take a smaller share.",
                name, name);
    return err->code;
}

enum err_code rh_sample_take(struct sampling *sampling, const struct rows *rows, bool is_witness,
                             int64_t *ret_rows, struct err *err)
{
    int64_t named = 0;
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        size_t table = table_of_id(sampling->catalog, rh_rows_int(rows, i, 0, 0));
        const char *places = rh_rows_value(rows, i, 1);
        if (table == CATALOG_NONE || sampling->node_of[table] == CATALOG_NONE || !places)
            continue;
        struct sample_extras *extras = &sampling->extras[table];
        while (*places) {
            uint64_t row = rh_row_parse(&places);
            if (row == 0) {
                places++;
                continue;
            }
            named++;
            if (!rh_row_set_add(&extras->set, row, sampling->scratch))
                continue;
            extras->witnesses += is_witness;
            if (++sampling->extras_count > SAMPLE_EXTRAS_MAX)
                return too_many(sampling, table, err);
        }
    }
    if (ret_rows)
        *ret_rows = named;
    return RH_OK;
}
