/*
 * Steps without effect, and values that became NULL: asked of the migrated database, in
 * transactions that are rolled back. What a step wanted is made beside what is there, in a schema
 * of ours, empty, and the two are compared by the catalogue.
 */
#include "engine/postgres/pg_risks_int.h"

#include "base/quote.h"
#include "engine/postgres/pg_sql.inc.h"

#include <string.h>

#define STEP_TIMEOUT "5s"
#define STEP_SESSION_SQL                                                                     \
    "RESET ALL; SET jit = off; SET log_statement = none; SET log_min_messages = panic; SET " \
    "log_min_error_statement = panic; SET lock_timeout = '2s'; SET statement_timeout = "     \
    "'" STEP_TIMEOUT "'"
/* Ours for as long as the transaction lasts. */
#define PROBE_SCHEMA "rehearse_probe"
#define PROBE_TABLE PROBE_SCHEMA ".wanted"

struct step_work {
    struct connection *connection;
    const char *role;
    struct arena *arena;
    struct mono deadline;
    struct skipped_risk *step;
};

static enum err_code run(struct step_work *work, const char *sql, struct err *err)
{
    return rh_pg_query(work->connection, sql, NULL, 0, work->deadline, NULL, err);
}

static void differs(struct step_work *work, const char *sentence)
{
    *RH_PUSH(work->arena, &work->step->differences) = sentence;
}

/* Whatever the search_path is, names in a result are qualified. */
#define QUALIFIED_SQL                                                                          \
    "(SELECT quote_ident(n.nspname) || '.' || quote_ident(r.relname) FROM pg_class AS r JOIN " \
    "pg_namespace AS n ON n.oid = r.relnamespace WHERE r.oid = to_regclass($1))"

/* --- IF NOT EXISTS -------------------------------------------------------------------------------
 */

static enum err_code compare_tables(struct step_work *work, const char *column, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    int major = rh_pg_server_version(work->connection) / 10000;
    RH_CLEANUP_ROWS struct rows *ids = NULL;
    const char *const names[] = {work->step->relation};
    enum err_code code = rh_pg_query(
        work->connection,
        "SELECT to_regclass($1)::oid::text, to_regclass('" PROBE_TABLE
        "')::oid::text, " QUALIFIED_SQL
        ", (SELECT CASE c.relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a "
        "materialized view' WHEN 'S' THEN 'a sequence' WHEN 'i' THEN 'an index' WHEN 'f' THEN 'a "
        "foreign table' END FROM "
        "pg_class AS c WHERE c.oid = to_regclass($1))",
        names, 1, work->deadline, &ids, err);
    if (code)
        return code;
    if (!rh_rows_value(ids, 0, 0)) {
        work->step->not_asked = "what it met is no longer there";
        return RH_OK;
    }
    work->step->relation = rh_pg_risk_text(ids, 0, 2, work->arena);
    if (rh_rows_value(ids, 0, 3)) {
        differs(work, rh_arena_printf(work->arena, "it is %s", rh_rows_value(ids, 0, 3)));
        return RH_OK;
    }
    const char *const parameters[] = {rh_rows_value(ids, 0, 0), rh_rows_value(ids, 0, 1), column};
    code = rh_pg_query(work->connection, rh_pg_sql_for(PG_SQL_RISK_DEFINITION, major), parameters,
                       3, work->deadline, &rows, err);
    for (size_t i = 0; !code && i < rh_rows_count(rows); i++)
        differs(work, rh_pg_risk_text(rows, i, 0, work->arena));
    return code;
}

static const char *say_again(struct step_work *work)
{
    return rh_arena_printf(work->arena, "%s " PROBE_TABLE " %s", work->step->before_relation,
                           work->step->after_relation);
}

static enum err_code try_table(struct step_work *work, struct err *err)
{
    enum err_code code = run(work, say_again(work), err);
    return code ? code : compare_tables(work, NULL, err);
}

static enum err_code try_column(struct step_work *work, struct err *err)
{
    struct arena *arena = work->arena;
    enum err_code code = run(
        work,
        rh_arena_printf(arena,
                        "CREATE TABLE " PROBE_TABLE
                        " (LIKE %s INCLUDING DEFAULTS); ALTER TABLE " PROBE_TABLE
                        " DROP COLUMN %s CASCADE",
                        work->step->relation, work->step->column),
        err);
    if (!code)
        code = run(work, say_again(work), err);
    return code ? code : compare_tables(work, work->step->column, err);
}

enum { INDEX_KIND, INDEX_TABLE, INDEX_IS_VALID, INDEX_DEFINITION, INDEX_WANTED };

static enum err_code try_index(struct step_work *work, struct err *err)
{
    struct skipped_risk *step = work->step;
    struct arena *arena = work->arena;
    int major = rh_pg_server_version(work->connection) / 10000;
    RH_CLEANUP_ROWS struct rows *made = NULL, *rows = NULL;
    enum err_code code = run(
        work, rh_arena_printf(arena, "CREATE TABLE " PROBE_TABLE " (LIKE %s)", step->relation),
        err);
    if (!code)
        code = run(work, say_again(work), err);
    if (!code)
        code = rh_pg_query(
            work->connection,
            "SELECT max(indexrelid)::oid::text, to_regclass($1)::text, " QUALIFIED_SQL
            " FROM pg_index WHERE indrelid = '" PROBE_TABLE "'::regclass",
            &step->relation, 1, work->deadline, &made, err);
    if (code)
        return code;
    const char *const parameters[] = {step->relation, step->name, rh_rows_value(made, 0, 0)};
    const char *table = rh_rows_value(made, 0, 1);
    const char *qualified = rh_pg_risk_text(made, 0, 2, arena);
    code = rh_pg_query(work->connection, rh_pg_sql_for(PG_SQL_RISK_INDEX, major), parameters, 3,
                       work->deadline, &rows, err);
    if (code)
        return code;
    if (rh_rows_count(rows) != 1) {
        step->not_asked = "what it met is no longer there";
        return RH_OK;
    }
    const char *kind = rh_rows_value(rows, 0, INDEX_KIND);
    const char *found_on = rh_pg_risk_text(rows, 0, INDEX_TABLE, arena);
    const char *definition = rh_rows_value(rows, 0, INDEX_DEFINITION);
    const char *wanted = rh_rows_value(rows, 0, INDEX_WANTED);
    if (strcmp(kind, "index") != 0 || !found_on || !definition || !wanted) {
        differs(work, rh_arena_printf(arena, "it is of another kind: %s", kind));
        return RH_OK;
    }
    if (table && strcmp(found_on, table) != 0)
        differs(work, rh_arena_printf(arena, "it is on %s", found_on));
    else if (strcmp(definition, wanted) != 0)
        differs(work, rh_arena_printf(arena, "it is %s, not %s", definition, wanted));
    if (!rh_rows_bool(rows, 0, INDEX_IS_VALID))
        differs(work, "it is invalid: no query uses it");
    step->relation = qualified ? qualified : step->relation;
    return RH_OK;
}

static enum err_code try_existing(struct step_work *work, struct err *err)
{
    enum err_code code = run(work, "CREATE SCHEMA " PROBE_SCHEMA, err);
    if (code)
        return code;
    if (strcmp(work->step->kind, "index") == 0)
        return try_index(work, err);
    if (strcmp(work->step->kind, "table") == 0)
        return try_table(work, err);
    return try_column(work, err);
}

/* --- IF EXISTS, exception handlers ---------------------------------------------------------------
 */

static enum err_code look_elsewhere(struct step_work *work, struct err *err)
{
    int major = rh_pg_server_version(work->connection) / 10000;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = rh_pg_query(work->connection, rh_pg_sql_for(PG_SQL_RISK_ELSEWHERE, major),
                                     &work->step->name, 1, work->deadline, &rows, err);
    for (size_t i = 0; !code && i < rh_rows_count(rows); i++)
        differs(work, rh_arena_printf(work->arena, "there is %s", rh_rows_value(rows, i, 0)));
    return code;
}

/* What a handler swallowed, run again as the migration's role: the error says itself. */
static enum err_code try_again(struct step_work *work, struct err *err)
{
    enum err_code code = run(
        work,
        rh_arena_printf(work->arena, "SET LOCAL ROLE %s", rh_quote_name(work->arena, work->role)),
        err);
    if (code)
        return code;
    struct err why = RH_ERR_INIT;
    code = run(work, work->step->sql, &why);
    if (code == RH_ERR_SERVER) {
        work->step->sqlstate = rh_arena_strdup(work->arena, why.sqlstate);
        return RH_OK;
    }
    if (code)
        *err = why;
    else
        work->step->not_asked = "it does not fail any more";
    return code;
}

static enum err_code ask_step(struct step_work *work, struct err *err)
{
    struct err why = RH_ERR_INIT;
    enum err_code code = run(work, "BEGIN", err);
    if (code)
        return code;
    switch (work->step->skip) {
    case SKIPPED_EXISTS:
        code = try_existing(work, &why);
        break;
    case SKIPPED_MISSING:
        code = look_elsewhere(work, &why);
        break;
    case SKIPPED_SWALLOWED:
        code = try_again(work, &why);
        break;
    }
    if (code && code != RH_ERR_SERVER) {
        *err = why;
        return code;
    }
    if (code)
        work->step->not_asked = rh_arena_printf(
            work->arena, "it cannot be tried once more (SQLSTATE %s)", why.sqlstate);
    return run(work, "ROLLBACK", err);
}

enum err_code rh_pg_ask_skipped(struct connection *connection, const char *role,
                                struct skipped_risk *steps, size_t count, struct arena *arena,
                                struct mono deadline, struct err *err)
{
    enum err_code code = rh_pg_query(connection, STEP_SESSION_SQL, NULL, 0, deadline, NULL, err);
    for (size_t i = 0; !code && i < count; i++) {
        struct step_work work = {connection, role, arena, deadline, &steps[i]};
        code = ask_step(&work, err);
    }
    if (code)
        rh_err_while(err, "while asking about steps without effect");
    return code;
}

/* --- NULL ----------------------------------------------------------------------------------------
 */

/* Columns of table $1, other than $2, that the names $3 (comma-separated) may mean. */
#define SOURCES_SQL                                                                              \
    "SELECT " QUALIFIED_SQL ", array_to_string(array_agg(quote_ident(a.attname) ORDER BY "       \
    "a.attnum), ', '), count(*), string_agg(quote_ident(a.attname) || ' IS NULL', ' OR '), "     \
    "string_agg(quote_ident(a.attname) || ' IS NOT NULL', ' OR ') FROM pg_attribute AS a WHERE " \
    "a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped AND "                  \
    "quote_ident(a.attname) <> $2 AND quote_ident(a.attname) = ANY (string_to_array($3, ','))"

static enum err_code ask_null(struct connection *connection, struct null_risk *item,
                              const char *names, struct arena *arena, struct mono deadline,
                              struct err *err)
{
    enum { TABLE, SOURCES, COUNT, ANY_NULL, ANY_VALUE };
    RH_CLEANUP_ROWS struct rows *sources = NULL, *rows = NULL;
    const char *const parameters[] = {item->table, item->column, names};
    enum err_code code = rh_pg_query(connection, SOURCES_SQL, parameters, 3, deadline, &sources,
                                     err);
    if (code)
        return code;
    if (!rh_rows_value(sources, 0, TABLE)) {
        item->not_asked = "its table is no longer there";
        return RH_OK;
    }
    item->table = rh_pg_risk_text(sources, 0, TABLE, arena);
    if (rh_rows_int(sources, 0, COUNT, 0) < 2) {
        /* What is computed from one NULL is NULL. */
        item->rows = 0;
        return RH_OK;
    }
    item->sources = rh_pg_risk_text(sources, 0, SOURCES, arena);
    const char *sql = rh_arena_printf(
        arena,
        "SELECT count(*) FILTER (WHERE %s IS NOT NULL), count(*) FILTER (WHERE %s IS NULL AND (%s) "
        "AND (%s)) FROM %s",
        item->column, item->column, rh_rows_value(sources, 0, ANY_NULL),
        rh_rows_value(sources, 0, ANY_VALUE), item->table);
    code = rh_pg_query(connection, sql, NULL, 0, deadline, &rows, err);
    if (!code) {
        item->filled = rh_rows_int(rows, 0, 0, 0);
        item->rows = rh_rows_int(rows, 0, 1, 0);
    }
    return code;
}

enum err_code rh_pg_ask_nulls(struct connection *connection, struct null_risk *items, size_t count,
                              struct arena *arena, struct mono deadline, struct err *err)
{
    enum err_code code = rh_pg_query(connection, STEP_SESSION_SQL, NULL, 0, deadline, NULL, err);
    for (size_t i = 0; !code && i < count; i++) {
        struct err why = RH_ERR_INIT;
        const char *names = items[i].sources;
        items[i].filled = items[i].rows = NOT_OBSERVED;
        items[i].sources = NULL;
        code = ask_null(connection, &items[i], names, arena, deadline, &why);
        if (code == RH_ERR_SERVER) {
            items[i].not_asked = rh_arena_printf(
                arena, "the migrated data do not answer it (SQLSTATE %s)", why.sqlstate);
            code = RH_OK;
        } else if (code) {
            *err = why;
        }
    }
    if (code)
        rh_err_while(err, "while asking about values that became NULL");
    return code;
}
