/* What belongs to the tables of a catalogue, or joins them; and its short lists. */
#include "engine/postgres/pg_catalog_int.h"
#include "sql/joins.h"

#include "engine/postgres/pg_sql.inc.h"

#include <stdlib.h>
#include <string.h>

/* Layout of VEC(int). */
struct int_list {
    int *items;
    size_t count, capacity;
};

/* "1,2,3"; NULL: none. */
static struct int_list numbers_of(struct catalog_reading *reading, const char *text)
{
    struct int_list list = {0};

    while (text && *text) {
        char *end;
        *RH_PUSH(reading->arena, &list) = (int)strtol(text, &end, 10);
        text = *end == ',' ? end + 1 : "";
    }
    return list;
}
#define TAKE_NUMBERS(reading, vec, text)                       \
    do {                                                       \
        struct int_list list_ = numbers_of((reading), (text)); \
        (vec)->items = list_.items;                            \
        (vec)->count = list_.count;                            \
        (vec)->capacity = list_.capacity;                      \
    } while (0)

enum err_code rh_pg_catalog_read_keys(struct catalog_reading *reading, struct err *err)
{
    enum {
        TABLE_ID,
        ID,
        NAME,
        IS_PRIMARY,
        IS_UNIQUE,
        IS_EXCLUSION,
        IS_CONSTRAINT,
        NULLS_NOT_DISTINCT,
        DEFINITION,
        PREDICATE,
        NUMBER,
        EXPRESSION
    };
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = rh_pg_catalog_ask(reading, PG_SQL_CATALOG_KEYS, &rows, err);
    struct catalog_key *key = NULL;
    int64_t key_id = 0;

    for (size_t i = 0; !code && i < rh_rows_count(rows); i++) {
        struct catalog_table *table = rh_pg_catalog_table(reading,
                                                          rh_rows_int(rows, i, TABLE_ID, 0));
        if (!table)
            continue;
        if (!key || rh_rows_int(rows, i, ID, 0) != key_id) {
            key = RH_PUSH(reading->arena, &table->keys);
            key_id = rh_rows_int(rows, i, ID, 0);
            key->name = rh_pg_catalog_text(reading, rows, i, NAME);
            key->is_primary = rh_rows_bool(rows, i, IS_PRIMARY);
            key->is_unique = rh_rows_bool(rows, i, IS_UNIQUE);
            key->is_exclusion = rh_rows_bool(rows, i, IS_EXCLUSION);
            key->is_constraint = rh_rows_bool(rows, i, IS_CONSTRAINT);
            key->nulls_not_distinct = rh_rows_bool(rows, i, NULLS_NOT_DISTINCT);
            key->definition = rh_pg_catalog_text(reading, rows, i, DEFINITION);
            key->predicate = rh_pg_catalog_text(reading, rows, i, PREDICATE);
        }
        *RH_PUSH(reading->arena, &key->columns) = (int)rh_rows_int(rows, i, NUMBER, 0);
        const char *expression = rh_pg_catalog_text(reading, rows, i, EXPRESSION);
        if (expression)
            *RH_PUSH(reading->arena, &key->expressions) = expression;
    }
    return code;
}

enum {
    CHECK_TABLE_ID,
    CHECK_TYPE_ID,
    CHECK_NAME,
    CHECK_EXPRESSION,
    CHECK_COLUMNS,
    CHECK_VALIDATED,
    CHECK_NO_INHERIT
};

static struct catalog_check check_of(struct catalog_reading *reading, const struct rows *rows,
                                     size_t row)
{
    return (struct catalog_check){
        .name = rh_pg_catalog_text(reading, rows, row, CHECK_NAME),
        .expression = rh_pg_catalog_text(reading, rows, row, CHECK_EXPRESSION),
        .is_validated = rh_rows_bool(rows, row, CHECK_VALIDATED),
        .no_inherit = rh_rows_bool(rows, row, CHECK_NO_INHERIT)};
}

/* A domain's check stands with each table that has columns of the domain, and names those. */
static void add_domain_check(struct catalog_reading *reading, const struct rows *rows, size_t row,
                             int64_t domain_id)
{
    struct catalog_check *check = NULL;
    size_t table = CATALOG_NONE;

    for (size_t i = 0; i < reading->column_types.count; i++) {
        const struct catalog_column_type *column = &reading->column_types.items[i];
        if (!rh_pg_catalog_is_domain(reading, column->type_id, domain_id))
            continue;
        if (!check || column->table != table) {
            table = column->table;
            check = RH_PUSH(reading->arena, &reading->catalog->tables.items[table].checks);
            *check = check_of(reading, rows, row);
        }
        *RH_PUSH(reading->arena, &check->columns) = column->number;
    }
}

enum err_code rh_pg_catalog_read_checks(struct catalog_reading *reading, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = rh_pg_catalog_ask(reading, PG_SQL_CATALOG_CHECKS, &rows, err);

    for (size_t i = 0; !code && i < rh_rows_count(rows); i++) {
        int64_t table_id = rh_rows_int(rows, i, CHECK_TABLE_ID, 0);
        struct catalog_table *table = rh_pg_catalog_table(reading, table_id);
        if (!table_id) {
            add_domain_check(reading, rows, i, rh_rows_int(rows, i, CHECK_TYPE_ID, 0));
        } else if (table) {
            struct catalog_check *check = RH_PUSH(reading->arena, &table->checks);
            *check = check_of(reading, rows, i);
            TAKE_NUMBERS(reading, &check->columns, rh_rows_value(rows, i, CHECK_COLUMNS));
        }
    }
    return code;
}

enum err_code rh_pg_catalog_read_foreign_keys(struct catalog_reading *reading, struct err *err)
{
    enum { NAME, CHILD_ID, PARENT_ID, CHILD_COLUMNS, PARENT_COLUMNS, MATCH_FULL, IS_VALIDATED };
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    const struct catalog *catalog = reading->catalog;
    enum err_code code = rh_pg_catalog_ask(reading, PG_SQL_CATALOG_FOREIGN_KEYS, &rows, err);

    for (size_t i = 0; !code && i < rh_rows_count(rows); i++) {
        const struct catalog_table *child = rh_pg_catalog_table(reading,
                                                                rh_rows_int(rows, i, CHILD_ID, 0)),
                                   *parent = rh_pg_catalog_table(
                                       reading, rh_rows_int(rows, i, PARENT_ID, 0));
        if (!child || !parent)
            continue;
        struct catalog_foreign_key *key = RH_PUSH(reading->arena, &reading->catalog->foreign_keys);
        key->name = rh_pg_catalog_text(reading, rows, i, NAME);
        key->child = (size_t)(child - catalog->tables.items);
        key->parent = (size_t)(parent - catalog->tables.items);
        TAKE_NUMBERS(reading, &key->child_columns, rh_rows_value(rows, i, CHILD_COLUMNS));
        TAKE_NUMBERS(reading, &key->parent_columns, rh_rows_value(rows, i, PARENT_COLUMNS));
        key->match_full = rh_rows_bool(rows, i, MATCH_FULL);
        key->is_validated = rh_rows_bool(rows, i, IS_VALIDATED);
    }
    return code;
}

/* False: of a view, of the system, or not known to us. */
static bool find_side(const struct catalog *catalog, const struct sql_join_side *side,
                      size_t *ret_table, int *ret_column)
{
    const struct catalog_table *table = side->schema
                                            ? rh_catalog_find(catalog, side->schema, side->relation)
                                            : NULL;
    const struct catalog_column *column = table ? rh_catalog_column_named(table, side->column)
                                                : NULL;
    if (!column)
        return false;
    *ret_table = (size_t)(table - catalog->tables.items);
    *ret_column = column->number;
    return true;
}

enum err_code rh_pg_catalog_read_joins(struct catalog_reading *reading, struct err *err)
{
    enum { IDENTITY, DEFINITION };
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    struct catalog *catalog = reading->catalog;
    enum err_code code = rh_pg_catalog_ask(reading, PG_SQL_CATALOG_VIEWS, &rows, err);

    for (size_t i = 0; !code && i < rh_rows_count(rows); i++) {
        const char *view = rh_pg_catalog_text(reading, rows, i, IDENTITY);
        const char *definition = rh_rows_value(rows, i, DEFINITION);
        struct sql_joins joins = {0};
        rh_sql_joins(rh_text(definition), scratch, &joins);
        for (size_t j = 0; j < joins.items.count; j++) {
            struct catalog_join join = {.view = view};
            if (find_side(catalog, &joins.items.items[j].left, &join.left_table,
                          &join.left_column) &&
                find_side(catalog, &joins.items.items[j].right, &join.right_table,
                          &join.right_column))
                *RH_PUSH(reading->arena, &catalog->joins) = join;
        }
        if (!joins.is_parsed)
            *RH_PUSH(reading->arena, &catalog->not_observed) = rh_arena_printf(
                reading->arena, "what view %s joins: its definition is too long or too new for us",
                view);
        rh_arena_clear(scratch);
    }
    return code;
}

static void take_item(struct catalog_reading *reading, const char *what, const char *const text[5])
{
    struct catalog *catalog = reading->catalog;
    struct arena *arena = reading->arena;

    if (strcmp(what, "extension") == 0)
        *RH_PUSH(arena, &catalog->extensions) = (struct catalog_extension){text[0], text[1],
                                                                           text[2]};
    else if (strcmp(what, "role") == 0)
        *RH_PUSH(arena, &catalog->roles) = text[0];
    else if (strcmp(what, "setting") == 0)
        *RH_PUSH(arena, &catalog->settings) = (struct catalog_setting){text[0], text[1],
                                                                       text[2] ? text[2] : ""};
    else if (strcmp(what, "collation") == 0)
        *RH_PUSH(arena, &catalog->collations) = (struct catalog_collation){
            text[0], text[1], text[2] ? text[2] : "", text[3], text[4]};
    else if (strcmp(what, "replica") == 0)
        *RH_PUSH(arena, &catalog->replicas) = (struct catalog_replica){
            text[0] ? text[0] : "", text[1] ? text[1] : "", text[2] ? text[2] : "",
            text[3] ? strtoll(text[3], NULL, 10) : -1};
}

enum err_code rh_pg_catalog_read_lists(struct catalog_reading *reading, struct err *err)
{
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = rh_pg_catalog_ask(reading, PG_SQL_CATALOG_LISTS, &rows, err);

    for (size_t i = 0; !code && i < rh_rows_count(rows); i++) {
        const char *text[5];
        for (size_t j = 0; j < 5; j++)
            text[j] = rh_pg_catalog_text(reading, rows, i, j + 1);
        take_item(reading, rh_rows_value(rows, i, 0), text);
    }
    return code;
}
