#include "engine/postgres/pg_engine_int.h"
#include "engine/postgres/pg_sql_int.h"

#include <string.h>

#include "engine/postgres/pg_sql.inc.h"

/* Columns of source_lacks.sql. */
enum { LACK_KIND, LACK_WHAT, LACK_REMEDY };

/*
 * The session outlives the dump, idle in its transaction: servers that end such sessions would take
 * the snapshot with them. Of row security we want to hear: with it on, rows would be missing
 * without a word (manual, "row_security").
 */
#define SESSION_SQL                                                                           \
    PG_PLAIN_SESSION_SQL "SET default_transaction_read_only = on; SET row_security = off; "   \
                         "SET client_min_messages = error; SET quote_all_identifiers = off; " \
                         "SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; "       \
                         "SET TimeZone = 'UTC'; SET extra_float_digits = 1; "                 \
                         "SET bytea_output = 'hex'"
#define BEGIN_SQL "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"

/* Since 14, where the server's system can; elsewhere it is refused. */
static bool check_client(struct connection *connection, struct mono deadline)
{
    struct err ignored = RH_ERR_INIT;

    return rh_pg_server_version(connection) >= 140000 &&
           !rh_pg_query(connection, "SET client_connection_check_interval = '2s'", NULL, 0,
                        deadline, NULL, &ignored);
}

enum err_code rh_pg_source_begin(struct connection *connection,
                                 const struct source_options *options, struct arena *arena,
                                 struct mono deadline, struct source_facts *ret_facts,
                                 struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    /* transaction_timeout would end the transaction from version 17 on. */
    const char *sql = rh_arena_printf(
        arena, SESSION_SQL "; SET lock_timeout = %lld; SET statement_timeout = 0%s; " BEGIN_SQL,
        (long long)(options->lock_timeout_us / 1000),
        rh_pg_server_version(connection) >= 170000 ? "; SET transaction_timeout = 0" : "");
    bool checks_client = check_client(connection, deadline);
    enum err_code code = rh_pg_query(connection, sql, NULL, 0, deadline, NULL, err);

    if (!code)
        code = rh_pg_query(connection,
                           "SELECT pg_export_snapshot(), current_user, pg_is_in_recovery(), "
                           "rolsuper FROM pg_roles WHERE rolname = current_user",
                           NULL, 0, deadline, &rows, err);
    if (code)
        return code;
    if (rh_rows_count(rows) != 1)
        return rh_err_set(err, RH_ERR_SERVER, "the server did not export a snapshot");
    *ret_facts = (struct source_facts){
        .snapshot = rh_arena_strdup(arena, rh_rows_value(rows, 0, 0)),
        .role = rh_arena_strdup(arena, rh_rows_value(rows, 0, 1)),
        .is_standby = rh_rows_bool(rows, 0, 2),
        .is_superuser = rh_rows_bool(rows, 0, 3),
        .checks_client = checks_client,
    };
    return RH_OK;
}

enum err_code rh_pg_source_lacks(struct connection *connection, struct arena *arena,
                                 struct mono deadline, struct source_lacks *ret_lacks,
                                 struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct source_lacks lacks = {0};
    int major = rh_pg_server_version(connection) / 10000;
    enum err_code code = rh_pg_query(connection, rh_pg_sql_for(PG_SQL_SOURCE_LACKS, major), NULL, 0,
                                     deadline, &rows, err);

    for (size_t i = 0; !code && i < rh_rows_count(rows); i++)
        *RH_PUSH(arena, &lacks.items) = (struct source_lack){
            .what = rh_arena_strdup(arena, rh_rows_value(rows, i, LACK_WHAT)),
            .remedy = rh_arena_strdup(arena, rh_rows_value(rows, i, LACK_REMEDY)),
            .is_large_object = strcmp(rh_rows_value(rows, i, LACK_KIND), "large object") == 0,
        };
    if (!code)
        *ret_lacks = lacks;
    return code;
}
