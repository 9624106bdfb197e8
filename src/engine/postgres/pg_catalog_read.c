/*
 * The catalogue: what a database holds that is to be copied (model/catalog.h). A dozen queries,
 * each for everything at once, joined here by ids.
 */
#include "engine/postgres/pg_catalog_int.h"

#include "engine/postgres/pg_sql.inc.h"

#include <stdlib.h>
#include <string.h>

/* Names in one sentence about what cannot be seen; the others are counted. */
#define NAMED_MAX 8

const char *rh_pg_catalog_text(struct catalog_reading *reading, const struct rows *rows, size_t row,
                               size_t column)
{
    const char *value = rh_rows_value(rows, row, column);
    return value ? rh_arena_strdup(reading->arena, value) : NULL;
}

struct catalog_table *rh_pg_catalog_table(struct catalog_reading *reading, int64_t id)
{
    struct catalog *catalog = reading->catalog;
    size_t low = 0, high = reading->by_id.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct catalog_table *table = &catalog->tables.items[reading->by_id.items[middle]];
        if (table->id == id)
            return table;
        if (table->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct catalog_column *rh_pg_catalog_column(struct catalog_table *table, int number)
{
    size_t low = 0, high = table->columns.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->columns.items[middle].number == number)
            return &table->columns.items[middle];
        if (table->columns.items[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

enum err_code rh_pg_catalog_ask(struct catalog_reading *reading, const struct pg_sql *variants,
                                struct rows **ret_rows, struct err *err)
{
    return rh_pg_query(reading->connection, rh_pg_sql_for(variants, reading->major), NULL, 0,
                       reading->deadline, ret_rows, err);
}

static void add_not_observed(struct catalog_reading *reading, const char *sentence)
{
    *RH_PUSH(reading->arena, &reading->catalog->not_observed) = sentence;
}

static enum err_code read_database(struct catalog_reading *reading, struct err *err)
{
    enum {
        SERVER_VERSION,
        DATABASE,
        ENCODING,
        IS_STANDBY,
        DATABASE_BYTES,
        SYSTEM_IDENTIFIER,
        WAL_POSITION,
        TAKEN_AT_US,
        LARGE_OBJECTS,
        LARGE_OBJECT_BYTES,
        SEQUENCES,
        MATERIALIZED_VIEWS,
        SEES_SETTINGS,
        SEES_REPLICAS,
        ROLE
    };
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct catalog *catalog = reading->catalog;
    enum err_code code = rh_pg_catalog_ask(reading, PG_SQL_CATALOG_DATABASE, &rows, err);

    if (code)
        return code;
    if (rh_rows_count(rows) != 1)
        return rh_err_set(err, RH_ERR_PROTOCOL, "the server does not say what its database is");
    catalog->server_version = rh_pg_catalog_text(reading, rows, 0, SERVER_VERSION);
    catalog->server_major = reading->major;
    catalog->database = rh_pg_catalog_text(reading, rows, 0, DATABASE);
    catalog->encoding = rh_pg_catalog_text(reading, rows, 0, ENCODING);
    catalog->is_standby = rh_rows_bool(rows, 0, IS_STANDBY);
    catalog->database_bytes = rh_rows_int(rows, 0, DATABASE_BYTES, 0);
    catalog->system_identifier = rh_pg_catalog_text(reading, rows, 0, SYSTEM_IDENTIFIER);
    catalog->wal_position = rh_pg_catalog_text(reading, rows, 0, WAL_POSITION);
    catalog->taken_at_us = rh_rows_int(rows, 0, TAKEN_AT_US, 0);
    catalog->large_objects = rh_rows_int(rows, 0, LARGE_OBJECTS, -1);
    catalog->large_object_bytes = rh_rows_int(rows, 0, LARGE_OBJECT_BYTES, -1);
    catalog->sequences = rh_rows_int(rows, 0, SEQUENCES, 0);
    catalog->materialized_views = rh_rows_int(rows, 0, MATERIALIZED_VIEWS, 0);
    const char *role = rh_pg_catalog_text(reading, rows, 0, ROLE);
    if (!catalog->system_identifier)
        add_not_observed(reading, rh_arena_printf(reading->arena,
                                                  "the system identifier: role %s may not call "
                                                  "pg_control_system()",
                                                  role));
    if (!rh_rows_bool(rows, 0, SEES_SETTINGS))
        add_not_observed(reading, rh_arena_printf(reading->arena,
                                                  "settings that only a superuser sees: role %s is "
                                                  "no member of pg_read_all_settings",
                                                  role));
    if (!rh_rows_bool(rows, 0, SEES_REPLICAS))
        add_not_observed(reading, rh_arena_printf(reading->arena,
                                                  "replicas, their state and lag: role %s is no "
                                                  "member of pg_read_all_stats",
                                                  role));
    return RH_OK;
}

/* Takes the first number off a list like "1,2,3". */
static int64_t next_number(const char **rest)
{
    char *end;
    int64_t number = strtoll(*rest, &end, 10);

    *rest = *end == ',' ? end + 1 : "";
    return number;
}

static int compare_ids(const void *a, const void *b, void *context)
{
    const struct catalog *catalog = context;
    int64_t left = catalog->tables.items[*(const size_t *)a].id,
            right = catalog->tables.items[*(const size_t *)b].id;
    return left < right ? -1 : left > right;
}

static enum err_code read_tables(struct catalog_reading *reading, struct err *err)
{
    enum {
        ID,
        SCHEMA,
        NAME,
        IDENTITY,
        KIND,
        OWNER,
        PARENTS,
        PARTITION_KEY,
        PARTITION_COLUMNS,
        PARTITION_BOUND,
        IS_UNLOGGED,
        ROW_SECURITY,
        ROW_SECURITY_FORCED,
        IS_FILTERED,
        MAY_USE_SCHEMA,
        MAY_LOCK,
        EXTENSION,
        IS_EXTENSION_CONFIGURATION,
        ROWS_ESTIMATE,
        PAGES,
        BYTES
    };
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct catalog *catalog = reading->catalog;
    enum err_code code = rh_pg_catalog_ask(reading, PG_SQL_CATALOG_TABLES, &rows, err);

    if (code)
        return code;
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        struct catalog_table *table = RH_PUSH(reading->arena, &catalog->tables);
        table->id = rh_rows_int(rows, i, ID, 0);
        table->schema = rh_pg_catalog_text(reading, rows, i, SCHEMA);
        table->name = rh_pg_catalog_text(reading, rows, i, NAME);
        table->identity = rh_pg_catalog_text(reading, rows, i, IDENTITY);
        table->kind = rh_rows_value(rows, i, KIND)[0];
        table->owner = rh_pg_catalog_text(reading, rows, i, OWNER);
        table->parent = CATALOG_NONE;
        table->partition_key = rh_pg_catalog_text(reading, rows, i, PARTITION_KEY);
        const char *numbers = rh_rows_value(rows, i, PARTITION_COLUMNS);
        while (numbers && *numbers)
            *RH_PUSH(reading->arena, &table->partition_columns) = (int)next_number(&numbers);
        table->partition_bound = rh_pg_catalog_text(reading, rows, i, PARTITION_BOUND);
        table->is_unlogged = rh_rows_bool(rows, i, IS_UNLOGGED);
        table->row_security = rh_rows_bool(rows, i, ROW_SECURITY);
        table->row_security_forced = rh_rows_bool(rows, i, ROW_SECURITY_FORCED);
        table->rows_visible = !rh_rows_bool(rows, i, IS_FILTERED);
        table->may_select = rh_rows_bool(rows, i, MAY_USE_SCHEMA);
        table->may_lock = rh_rows_bool(rows, i, MAY_LOCK) && table->may_select;
        table->extension = rh_pg_catalog_text(reading, rows, i, EXTENSION);
        table->is_extension_configuration = rh_rows_bool(rows, i, IS_EXTENSION_CONFIGURATION);
        table->rows_estimate = rh_rows_int(rows, i, ROWS_ESTIMATE, -1);
        table->pages = rh_rows_int(rows, i, PAGES, 0);
        table->bytes = rh_rows_int(rows, i, BYTES, 0);
    }
    for (size_t i = 0; i < catalog->tables.count; i++)
        *RH_PUSH(reading->arena, &reading->by_id) = i;
    if (reading->by_id.count > 0)
        qsort_r(reading->by_id.items, reading->by_id.count, sizeof(reading->by_id.items[0]),
                compare_ids, catalog);
    for (size_t i = 0; i < catalog->tables.count; i++) {
        struct catalog_table *table = &catalog->tables.items[i];
        const char *parents = rh_rows_value(rows, i, PARENTS);
        while (parents && *parents) {
            const struct catalog_table *parent = rh_pg_catalog_table(reading,
                                                                     next_number(&parents));
            if (parent)
                *RH_PUSH(reading->arena,
                         &table->parents) = (size_t)(parent - catalog->tables.items);
        }
        if (table->parents.count > 0)
            table->parent = table->parents.items[0];
    }
    return RH_OK;
}

static enum err_code read_columns(struct catalog_reading *reading, struct err *err)
{
    enum {
        TABLE_ID,
        NUMBER,
        NAME,
        QUOTED,
        TYPE,
        TYPE_ID,
        MODIFIER,
        NOT_NULL,
        IS_GENERATED,
        IS_IDENTITY,
        DEFAULT_EXPRESSION,
        COLLATION,
        IS_DETERMINISTIC,
        MAY_SELECT
    };
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = rh_pg_catalog_ask(reading, PG_SQL_CATALOG_COLUMNS, &rows, err);

    for (size_t i = 0; !code && i < rh_rows_count(rows); i++) {
        struct catalog_table *table = rh_pg_catalog_table(reading,
                                                          rh_rows_int(rows, i, TABLE_ID, 0));
        if (!table)
            continue;
        struct catalog_column *column = RH_PUSH(reading->arena, &table->columns);
        int64_t type_id = rh_rows_int(rows, i, TYPE_ID, 0);
        column->number = (int)rh_rows_int(rows, i, NUMBER, 0);
        column->name = rh_pg_catalog_text(reading, rows, i, NAME);
        column->quoted = rh_pg_catalog_text(reading, rows, i, QUOTED);
        column->type = rh_pg_catalog_text(reading, rows, i, TYPE);
        column->not_null = rh_rows_bool(rows, i, NOT_NULL);
        column->is_generated = rh_rows_bool(rows, i, IS_GENERATED);
        column->is_identity = rh_rows_bool(rows, i, IS_IDENTITY);
        column->default_expression = rh_pg_catalog_text(reading, rows, i, DEFAULT_EXPRESSION);
        column->collation = rh_pg_catalog_text(reading, rows, i, COLLATION);
        column->is_deterministic = rh_rows_bool(rows, i, IS_DETERMINISTIC);
        column->may_select = table->may_select && rh_rows_bool(rows, i, MAY_SELECT);
        column->null_fraction = -1;
        column->average_width = -1;
        rh_pg_catalog_resolve(reading, type_id, (int)rh_rows_int(rows, i, MODIFIER, -1), column);
        *RH_PUSH(reading->arena, &reading->column_types) = (struct catalog_column_type){
            (size_t)(table - reading->catalog->tables.items), column->number, type_id};
    }
    return code;
}

static enum err_code read_statistics(struct catalog_reading *reading, struct err *err)
{
    enum { TABLE_ID, NUMBER, NULL_FRACTION, DISTINCT, AVERAGE_WIDTH };
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = rh_pg_catalog_ask(reading, PG_SQL_CATALOG_STATISTICS, &rows, err);

    for (size_t i = 0; !code && i < rh_rows_count(rows); i++) {
        struct catalog_table *table = rh_pg_catalog_table(reading,
                                                          rh_rows_int(rows, i, TABLE_ID, 0));
        struct catalog_column *column = table ? rh_pg_catalog_column(
                                                    table, (int)rh_rows_int(rows, i, NUMBER, 0))
                                              : NULL;
        if (!column)
            continue;
        column->null_fraction = strtod(rh_rows_value(rows, i, NULL_FRACTION), NULL);
        column->distinct = strtod(rh_rows_value(rows, i, DISTINCT), NULL);
        column->average_width = (int)rh_rows_int(rows, i, AVERAGE_WIDTH, -1);
    }
    return code;
}

/* "rows of public.a, public.b and 3 more: why". */
static void tell_tables(struct catalog_reading *reading, const size_t *tables, size_t count,
                        const char *why)
{
    struct buf sentence RH_CLEANUP_BUF;

    rh_buf_init(&sentence, 4096);
    if (count == 0)
        return;
    rh_buf_add_str(&sentence, "rows of ");
    for (size_t i = 0; i < count && i < NAMED_MAX; i++)
        rh_buf_printf(&sentence, "%s%s", i > 0 ? ", " : "",
                      reading->catalog->tables.items[tables[i]].identity);
    if (count > NAMED_MAX)
        rh_buf_printf(&sentence, " and %zu more", count - NAMED_MAX);
    rh_buf_printf(&sentence, ": %s", why);
    add_not_observed(reading, rh_text_dup(reading->arena, rh_buf_text(&sentence)));
}

/* What the role reads of each table follows from what it may do with each of its columns. */
static void settle_visibility(struct catalog_reading *reading)
{
    struct catalog *catalog = reading->catalog;
    VEC(size_t) denied = {0}, unlockable = {0}, filtered = {0};

    for (size_t i = 0; i < catalog->tables.count; i++) {
        struct catalog_table *table = &catalog->tables.items[i];
        bool is_filtered = !table->rows_visible;
        for (size_t j = 0; j < table->columns.count; j++)
            if (!table->columns.items[j].may_select && !table->columns.items[j].is_generated)
                table->may_select = false;
        table->rows_visible = table->may_select && !is_filtered;
        bool is_read = (table->kind == 'r' || table->kind == 'p' || table->kind == 'm') &&
                       (!table->extension || table->is_extension_configuration);
        if (!is_read)
            continue;
        if (!table->may_select)
            *RH_PUSH(reading->arena, &denied) = i;
        else if (!table->may_lock)
            *RH_PUSH(reading->arena, &unlockable) = i;
        if (is_filtered)
            *RH_PUSH(reading->arena, &filtered) = i;
    }
    tell_tables(reading, denied.items, denied.count,
                "the role has no SELECT on every column, or no USAGE on the schema");
    tell_tables(reading, unlockable.items, unlockable.count,
                "the role has SELECT on the columns but not on the table, so that pg_dump may not "
                "lock it");
    tell_tables(reading, filtered.items, filtered.count,
                "row security hides rows from the role, which is neither the owner nor has "
                "BYPASSRLS");
}

enum err_code rh_pg_read_catalog(struct connection *connection, struct arena *arena,
                                 struct mono deadline, struct catalog *ret_catalog, struct err *err)
{
    struct catalog catalog = {0};
    struct catalog_reading reading = {.connection = connection,
                                      .arena = arena,
                                      .deadline = deadline,
                                      .major = rh_pg_server_version(connection) / 10000,
                                      .catalog = &catalog};
    enum err_code code = rh_pg_query(connection,
                                     "SET LOCAL search_path = pg_catalog; "
                                     "SET LOCAL quote_all_identifiers = off; SET LOCAL jit = off",
                                     NULL, 0, deadline, NULL, err);

    if (!code)
        code = read_database(&reading, err);
    if (!code)
        code = read_tables(&reading, err);
    if (!code)
        code = rh_pg_catalog_read_types(&reading, err);
    if (!code)
        code = read_columns(&reading, err);
    if (!code)
        code = read_statistics(&reading, err);
    if (!code)
        code = rh_pg_catalog_read_keys(&reading, err);
    if (!code)
        code = rh_pg_catalog_read_checks(&reading, err);
    if (!code)
        code = rh_pg_catalog_read_foreign_keys(&reading, err);
    if (!code)
        code = rh_pg_catalog_read_joins(&reading, err);
    if (!code)
        code = rh_pg_catalog_read_lists(&reading, err);
    if (code && strcmp(err->sqlstate, "55P03") == 0)
        rh_err_hint(err,
                    "Somebody holds or awaits a table in ACCESS EXCLUSIVE mode: let it end, or "
                    "wait longer with lock_timeout.");
    if (code)
        rh_err_while(err, "while reading the catalogue");
    else
        settle_visibility(&reading);
    if (!code)
        *ret_catalog = catalog;
    return code;
}
