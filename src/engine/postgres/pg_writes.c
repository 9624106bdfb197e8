/*
 * Rows as an application could write them: each in a transaction of its own, so that the server's
 * own counts (pg_stat_xact_user_tables) say which tables triggers and foreign keys wrote to with
 * it, and so that deferred constraints are asked too.
 */
#include "engine/postgres/pg_writes_int.h"

#include "engine/postgres/pg_engine_int.h"
#include "engine/postgres/pg_sql_int.h"

#include "engine/postgres/pg_sql.inc.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Parents of parents: rows made for the sake of others. */
#define DEPTH_MAX 4
/* Values tried for one former check. */
#define CANDIDATES_MAX 60

#define WRITE_SESSION_SQL                                                                  \
    "SET jit = off; SET lock_timeout = '5s'; SET statement_timeout = '20s'; "              \
    "SET default_transaction_isolation = 'read committed'; SET log_min_messages = panic; " \
    "SET idle_in_transaction_session_timeout = 0; SET quote_all_identifiers = off"

struct writing {
    struct connection *connection;
    struct arena *arena;
    struct mono deadline;
    struct writes *writes;
    int number;
    const struct freedom *freedoms;
    size_t freedom_count;
};

/* --- tables --------------------------------------------------------------------------------------
 */

/* Columns of writable_table.sql. */
enum {
    NAME,
    NUMBER,
    TYPE,
    BASE,
    CATEGORY,
    LENGTH,
    IS_REQUIRED,
    HAS_DEFAULT,
    IS_COMPUTED,
    IS_KEY,
    LABEL,
    UNIQUES,
    PARENT,
    PARENT_COLUMN,
    TABLE_ID
};

static const char *dup_value(struct arena *arena, const struct rows *rows, size_t row,
                             size_t column)
{
    const char *value = rh_rows_value(rows, row, column);
    return value ? rh_arena_strdup(arena, value) : NULL;
}

static void take_uniques(const char *text, struct writable_column *column, struct arena *arena)
{
    json_t *list = text ? json_loads(text, 0, NULL) : NULL;
    for (size_t i = 0; i < json_array_size(list); i++)
        *RH_PUSH(arena, &column->uniques) = json_integer_value(json_array_get(list, i));
    json_decref(list);
}

/* A plain row for the sake of one column is asked for where that column is new. */
static bool is_new(const struct writing *writing, const char *table, const char *column)
{
    for (size_t i = 0; i < writing->freedom_count; i++) {
        const struct freedom *freedom = &writing->freedoms[i];
        if (freedom->kind == FREEDOM_PLAIN && freedom->column &&
            strcmp(freedom->column, column) == 0 && strcmp(freedom->table, table) == 0)
            return true;
    }
    return false;
}

static void take_columns(const struct rows *rows, struct writable_table *table, struct arena *arena)
{
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        struct writable_column *column = RH_PUSH(arena, &table->columns);
        column->name = dup_value(arena, rows, i, NAME);
        column->number = (int)rh_rows_int(rows, i, NUMBER, 0);
        column->type = dup_value(arena, rows, i, TYPE);
        column->base = dup_value(arena, rows, i, BASE);
        column->category = *rh_rows_value(rows, i, CATEGORY);
        column->length = rh_rows_int(rows, i, LENGTH, 0);
        column->is_required = rh_rows_bool(rows, i, IS_REQUIRED);
        column->has_default = rh_rows_bool(rows, i, HAS_DEFAULT);
        column->is_computed = rh_rows_bool(rows, i, IS_COMPUTED);
        column->is_key = rh_rows_bool(rows, i, IS_KEY);
        column->label = dup_value(arena, rows, i, LABEL);
        column->parent = dup_value(arena, rows, i, PARENT);
        column->parent_column = dup_value(arena, rows, i, PARENT_COLUMN);
        take_uniques(rh_rows_value(rows, i, UNIQUES), column, arena);
        table->id = rh_rows_int(rows, i, TABLE_ID, 0);
    }
}

static enum err_code query(struct writing *writing, const char *sql, struct rows **ret_rows,
                           struct err *err)
{
    return rh_pg_query(writing->connection, sql, NULL, 0, writing->deadline, ret_rows, err);
}

static enum err_code read_table(struct writing *writing, const char *identity,
                                struct writable_table *table, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *columns = NULL;
    RH_CLEANUP_ROWS struct rows *any = NULL;
    int major = rh_pg_server_version(writing->connection) / 10000;
    *table = (struct writable_table){.identity = identity};
    /* Names in it are to be qualified; the rows are written with the user's own search_path. */
    enum err_code code = query(writing, "SET search_path = pg_catalog", NULL, err);
    if (!code)
        code = rh_pg_query(writing->connection, rh_pg_sql_for(PG_SQL_WRITABLE_TABLE, major),
                           &identity, 1, writing->deadline, &columns, err);
    if (!code)
        code = query(writing, "RESET search_path", NULL, err);
    if (!code)
        code = query(writing, rh_arena_printf(writing->arena, "SELECT FROM %s LIMIT 1", identity),
                     &any, err);
    if (code)
        return code;
    take_columns(columns, table, writing->arena);
    for (size_t i = 0; i < table->columns.count; i++)
        table->columns.items[i].is_new = is_new(writing, identity, table->columns.items[i].name);
    table->has_rows = rh_rows_count(any) > 0;
    return RH_OK;
}

static struct table_writes *writes_of(struct writing *writing, const struct writable_table *table)
{
    struct writes *writes = writing->writes;
    for (size_t i = 0; i < writes->tables.count; i++)
        if (writes->tables.items[i].id == table->id)
            return &writes->tables.items[i];
    struct table_writes *made = RH_PUSH(writing->arena, &writes->tables);
    made->table = table->identity;
    made->id = table->id;
    made->removed = NOT_OBSERVED;
    for (size_t i = 0; i < table->columns.count; i++) {
        if (!table->columns.items[i].is_key)
            continue;
        *RH_PUSH(writing->arena, &made->key_columns) = table->columns.items[i].name;
        *RH_PUSH(writing->arena, &made->key_numbers) = table->columns.items[i].number;
    }
    return made;
}

/* --- one row -------------------------------------------------------------------------------------
 */

static void touch(struct writing *writing, const char *table)
{
    struct writes *writes = writing->writes;
    for (size_t i = 0; i < writes->touched.count; i++)
        if (strcmp(writes->touched.items[i], table) == 0)
            return;
    *RH_PUSH(writing->arena, &writes->touched) = rh_arena_strdup(writing->arena, table);
}

/* Everything but this one row of this one table. */
static enum err_code note_touched(struct writing *writing, const struct writable_table *table,
                                  struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = query(
        writing,
        rh_arena_printf(
            writing->arena,
            "SELECT format('%%I.%%I', schemaname, relname) FROM pg_stat_xact_user_tables "
            "WHERE n_tup_ins + n_tup_upd + n_tup_del > CASE WHEN relid = %lld AND "
            "n_tup_ins = 1 THEN 1 ELSE 0 END",
            (long long)table->id),
        &rows, err);
    for (size_t i = 0; !code && i < rh_rows_count(rows); i++)
        touch(writing, rh_rows_value(rows, i, 0));
    return code;
}

/* What a trigger or function of the user's says may hold values. */
static const char *say_refusal(struct arena *arena, const struct err *err)
{
    if (strncmp(err->sqlstate, "P0", 2) == 0)
        return "a trigger or function refused it";
    return rh_arena_strdup(arena, err->message);
}

/* The transaction is open; RH_OK with *reason set when the row is not good. */
static enum err_code insert(struct writing *writing, const struct writable_table *table,
                            const char *sql, struct written_row *row, const char **ret_reason,
                            struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct err why = RH_ERR_INIT;
    size_t keys = 0;
    for (size_t i = 0; i < table->columns.count; i++)
        keys += table->columns.items[i].is_key;
    enum err_code code = query(writing, sql, &rows, &why);
    if (code == RH_ERR_SERVER) {
        *ret_reason = say_refusal(writing->arena, &why);
        return RH_OK;
    }
    if (code) {
        *err = why;
        return code;
    }
    if (rh_rows_count(rows) != 1) {
        *ret_reason = "a trigger or rule kept it out";
        return RH_OK;
    }
    if (row->freedom.kind == FREEDOM_CHECK && !rh_rows_bool(rows, 0, keys)) {
        *ret_reason = "no value was found that the former check refuses";
        return RH_OK;
    }
    row->key.count = 0;
    for (size_t i = 0; i < keys; i++)
        *RH_PUSH(writing->arena, &row->key) = dup_value(writing->arena, rows, 0, i);
    return note_touched(writing, table, err);
}

static enum err_code try_row(struct writing *writing, const struct writable_table *table,
                             const char *sql, struct written_row *row, struct err *err)
{
    struct err why = RH_ERR_INIT;
    const char *reason = NULL;
    enum err_code code = query(writing, "BEGIN", NULL, err);
    if (!code)
        code = insert(writing, table, sql, row, &reason, err);
    if (code)
        return code;
    code = query(writing, reason ? "ROLLBACK" : "COMMIT", NULL, &why);
    if (code && code != RH_ERR_SERVER) {
        *err = why;
        return code;
    }
    row->reason = code ? say_refusal(writing->arena, &why) : reason;
    row->is_written = !row->reason;
    return RH_OK;
}

static enum err_code try_variants(struct writing *writing, const struct writable_table *table,
                                  struct written_row *row, struct err *err)
{
    bool is_check = row->freedom.kind == FREEDOM_CHECK;
    int candidates = is_check ? CANDIDATES_MAX : 1;
    for (int c = 0; c < candidates && !row->is_written; c++)
        for (int v = 0; v < WRITE_VARIANTS && !row->is_written; v++) {
            const char *sql = rh_pg_write_row_sql(table, &row->freedom, writing->number, v, c,
                                                  writing->arena, &row->reason);
            if (!sql) {
                if (is_check && v == 0)
                    c = candidates;
                if (!row->reason)
                    row->reason = "no value was found that the former check refuses";
                break;
            }
            enum err_code code = try_row(writing, table, sql, row, err);
            if (code)
                return code;
        }
    return RH_OK;
}

static enum err_code write_one(struct writing *writing, const struct freedom *freedom, int depth,
                               bool *ret_written, struct err *err);

/* Rows of the tables that this one refers to: without them there is none here. */
static enum err_code write_parents(struct writing *writing, const struct writable_table *table,
                                   int depth, bool *ret_any, struct err *err)
{
    for (size_t i = 0; i < table->columns.count; i++) {
        const char *parent = table->columns.items[i].parent;
        if (!parent || strcmp(parent, table->identity) == 0)
            continue;
        const struct freedom plain = {.kind = FREEDOM_PLAIN, .table = parent};
        bool written = false;
        enum err_code code = write_one(writing, &plain, depth + 1, &written, err);
        if (code)
            return code;
        *ret_any |= written;
    }
    return RH_OK;
}

static enum err_code write_one(struct writing *writing, const struct freedom *freedom, int depth,
                               bool *ret_written, struct err *err)
{
    struct writable_table table;
    struct written_row row = {.freedom = *freedom};
    enum err_code code = read_table(writing, freedom->table, &table, err);
    if (code || table.columns.count == 0)
        return code;
    writing->number++;
    if (freedom->kind == FREEDOM_DUPLICATE && !table.has_rows) {
        const struct freedom plain = {.kind = FREEDOM_PLAIN, .table = freedom->table};
        code = write_one(writing, &plain, depth, &table.has_rows, err);
    }
    if (!code)
        code = try_variants(writing, &table, &row, err);
    bool has_parents = false;
    if (!code && !row.is_written && depth < DEPTH_MAX)
        code = write_parents(writing, &table, depth, &has_parents, err);
    if (!code && !row.is_written && has_parents)
        code = try_variants(writing, &table, &row, err);
    if (code)
        return code;
    if (row.is_written)
        row.reason = NULL;
    *ret_written = row.is_written;
    writing->writes->rows += row.is_written;
    *RH_PUSH(writing->arena, &writes_of(writing, &table)->rows) = row;
    return RH_OK;
}

enum err_code rh_pg_write_rows(struct connection *connection, const struct freedom *freedoms,
                               size_t count, struct arena *arena, struct mono deadline,
                               struct writes *ret_writes, struct err *err)
{
    struct writing writing = {connection, arena, deadline, ret_writes, 0, freedoms, count};
    *ret_writes = (struct writes){0};
    enum err_code code = query(&writing, WRITE_SESSION_SQL, NULL, err);
    for (size_t i = 0; !code && i < count; i++) {
        bool written = false;
        code = write_one(&writing, &freedoms[i], 0, &written, err);
    }
    return code;
}

/* --- removing ------------------------------------------------------------------------------------
 */

/* The table of that id, else of that name, and its key's columns as they are called now. Nothing
   when they are not there any more. */
#define FIND_TABLE_SQL                                                         \
    "SELECT c.oid::regclass::text, n.number, quote_ident(a.attname) "          \
    "FROM unnest($2::int[]) WITH ORDINALITY AS n (attnum, number) "            \
    "JOIN pg_class AS c ON c.oid = coalesce((SELECT o.oid FROM pg_class AS o " \
    "WHERE o.oid = $1::oid AND o.relkind IN ('r', 'p')), to_regclass($3)) "    \
    "JOIN pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped "     \
    "AND CASE WHEN c.oid = $1::oid THEN a.attnum = n.attnum "                  \
    "ELSE quote_ident(a.attname) = ($4::text[])[n.number] END ORDER BY n.number"

static const char *number_list(struct arena *arena, const struct table_writes *table)
{
    const char *list = "{";
    for (size_t i = 0; i < table->key_numbers.count; i++)
        list = rh_arena_printf(arena, "%s%s%d", list, i ? "," : "", table->key_numbers.items[i]);
    return rh_arena_printf(arena, "%s}", list);
}

static const char *name_list(struct arena *arena, const struct table_writes *table)
{
    struct buf list;
    rh_buf_init(&list, 1024 * 1024);
    rh_buf_add_char(&list, '{');
    for (size_t i = 0; i < table->key_columns.count; i++)
        rh_pg_add_element(&list, table->key_columns.items[i]);
    rh_buf_add_char(&list, '}');
    char *text = rh_text_dup(arena, rh_buf_text(&list));
    rh_buf_deinit(&list);
    return text;
}

static enum err_code remove_from(struct writing *writing, struct table_writes *table,
                                 struct err *err)
{
    struct arena *arena = writing->arena;
    RH_CLEANUP_ROWS struct rows *found = NULL;
    size_t keys = table->key_columns.count;
    const char *const parameters[] = {rh_arena_printf(arena, "%lld", (long long)table->id),
                                      number_list(arena, table), table->table,
                                      name_list(arena, table)};
    if (keys == 0)
        return RH_OK;
    enum err_code code = rh_pg_query(writing->connection, FIND_TABLE_SQL, parameters, 4,
                                     writing->deadline, &found, err);
    if (code || rh_rows_count(found) != keys)
        return code;
    const char *sql = rh_arena_printf(arena, "DELETE FROM %s WHERE ", rh_rows_value(found, 0, 0));
    for (size_t i = 0; i < keys; i++)
        sql = rh_arena_printf(arena, "%s%s%s::text = $%zu", sql, i ? " AND " : "",
                              rh_rows_value(found, i, 2), i + 1);
    sql = rh_arena_printf(arena, "%s RETURNING 1", sql);
    table->removed = 0;
    for (size_t i = 0; !code && i < table->rows.count; i++) {
        const struct written_row *row = &table->rows.items[i];
        RH_CLEANUP_ROWS struct rows *gone = NULL;
        if (!row->is_written)
            continue;
        code = rh_pg_query(writing->connection, sql, row->key.items, (int)keys, writing->deadline,
                           &gone, err);
        if (!code)
            table->removed += (int64_t)rh_rows_count(gone);
    }
    return code;
}

enum err_code rh_pg_remove_rows(struct connection *connection, struct arena *arena,
                                struct mono deadline, struct writes *writes, struct err *err)
{
    struct writing writing = {connection, arena, deadline, writes, 0, NULL, 0};
    enum err_code code = query(&writing, WRITE_SESSION_SQL, NULL, err);
    /* Nothing may follow from it: no trigger, no foreign key's action. */
    if (!code)
        code = query(&writing,
                     "SET session_replication_role = replica; SET search_path = pg_catalog", NULL,
                     err);
    for (size_t i = 0; !code && i < writes->tables.count; i++) {
        struct table_writes *table = &writes->tables.items[i];
        code = remove_from(&writing, table, err);
        if (!code && table->removed == NOT_OBSERVED)
            touch(&writing, table->table);
    }
    return code;
}
