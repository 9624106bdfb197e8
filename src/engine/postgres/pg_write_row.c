#include "engine/postgres/pg_writes_int.h"

#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct row {
    const struct writable_table *table;
    const struct freedom *freedom;
    int number, variant;
    struct arena *arena;
    const char **values; /* per column; NULL: left to its default */
    bool *is_fresh;
    const char *joins;     /* further row sources */
    const char *condition; /* on the row that is copied */
    const char *reason;
};

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

static bool is_text(const struct writable_column *column)
{
    static const char *const names[] = {"text", "varchar", "bpchar", "citext", "name", NULL};
    return is_one_of(column->base, names);
}

static bool is_number(const struct writable_column *column)
{
    static const char *const names[] = {"int2",    "int4",   "int8",   "oid",
                                        "numeric", "float4", "float8", NULL};
    return is_one_of(column->base, names);
}

static bool is_timestamp(const struct writable_column *column)
{
    return strcmp(column->base, "timestamptz") == 0 || strcmp(column->base, "timestamp") == 0;
}

static const char *cut(const struct row *row, const struct writable_column *column,
                       const char *text)
{
    return column->length > 0
               ? rh_arena_printf(row->arena, "left(%s, %lld)", text, (long long)column->length)
               : text;
}

/* --- fresh values --------------------------------------------------------------------------------
 */

static const char *fresh_number(const struct row *row, const char *table, const char *column)
{
    return rh_arena_printf(row->arena,
                           row->variant < 2 ? "(SELECT coalesce(max(%s), 0) + 1 FROM %s)"
                                            : "(SELECT coalesce(min(%s), 0) - 1 FROM %s)",
                           column, table);
}

static const char *fresh_text(const struct row *row, const struct writable_column *column)
{
    if (row->variant == 0 && row->table->has_rows)
        return cut(row, column,
                   rh_arena_printf(row->arena, "('r%d' || coalesce(t.%s, ''))", row->number,
                                   column->name));
    return cut(row, column, rh_arena_printf(row->arena, "md5('rehearse%d')", row->number));
}

/* A value that no row has, or that is very unlikely to be there; NULL when the type has too few. */
static const char *fresh(const struct row *row, const struct writable_column *column)
{
    struct arena *arena = row->arena;
    const char *table = row->table->identity, *name = column->name;
    if (is_number(column))
        return fresh_number(row, table, name);
    if (is_text(column))
        return fresh_text(row, column);
    if (strcmp(column->base, "uuid") == 0)
        return rh_arena_printf(arena, "md5('rehearse%d')::uuid", row->number);
    if (is_timestamp(column) && row->variant > 0)
        return rh_arena_printf(arena, "(timestamp '2001-01-01' + %d * interval '1 hour')",
                               row->number);
    if (is_timestamp(column))
        return rh_arena_printf(arena,
                               "(SELECT coalesce(max(%s), now()) + interval '1 second' FROM %s "
                               "WHERE isfinite(%s))",
                               name, table, name);
    if (strcmp(column->base, "date") == 0)
        return rh_arena_printf(arena,
                               "(SELECT coalesce(max(%s), current_date) + 1 FROM %s WHERE "
                               "isfinite(%s))",
                               name, table, name);
    if (strcmp(column->base, "bytea") == 0)
        return rh_arena_printf(arena, "decode(md5('rehearse%d'), 'hex')", row->number);
    if (strcmp(column->base, "inet") == 0 || strcmp(column->base, "cidr") == 0)
        return rh_arena_printf(arena, "(inet '192.0.2.0' + %d)", row->number);
    if (strcmp(column->base, "jsonb") == 0)
        return rh_arena_printf(arena, "to_jsonb('rehearse%d'::text)", row->number);
    if (strcmp(column->base, "interval") == 0)
        return rh_arena_printf(arena, "(%d * interval '1 second')", row->number);
    if (strcmp(column->base, "tstzrange") == 0 || strcmp(column->base, "tsrange") == 0 ||
        strcmp(column->base, "daterange") == 0)
        return rh_arena_printf(arena, "'[%d-01-01,%d-02-01)'", 2200 + row->number,
                               2200 + row->number);
    if (strcmp(column->base, "int4range") == 0 || strcmp(column->base, "int8range") == 0 ||
        strcmp(column->base, "numrange") == 0)
        return rh_arena_printf(arena, "'[%d,%d)'", 2000000000 + 2 * row->number,
                               2000000001 + 2 * row->number);
    return NULL;
}

/* --- any value -----------------------------------------------------------------------------------
 */

static const char *value_of(const struct row *row, const struct writable_column *column)
{
    static const struct {
        const char *base, *value;
    } values[] = {
        {"bool", "true"},
        {"timestamptz", "now()"},
        {"timestamp", "now()"},
        {"date", "current_date"},
        {"time", "time '12:00'"},
        {"timetz", "timetz '12:00+00'"},
        {"interval", "interval '1 day'"},
        {"json", "'{}'"},
        {"jsonb", "'{}'"},
        {"xml", "'<a/>'"},
        {"inet", "'192.0.2.1'"},
        {"cidr", "'192.0.2.0/24'"},
        {"macaddr", "'02:00:00:00:00:01'"},
        {"money", "1"},
        {"bit", "B'1'"},
        {"varbit", "B'1'"},
        {"bytea", "'\\x00'"},
        {"tsvector", "'rehearse'"},
        {"tsquery", "'rehearse'"},
        {"point", "'(0,0)'"},
        {"box", "'(1,1),(0,0)'"},
        {"hstore", "''"},
        {"uuid", "'00000000-0000-4000-8000-000000000000'"},
    };
    if (column->label)
        return column->label;
    if (is_number(column))
        return row->variant == 0 ? "1" : row->variant == 1 ? "0" : "100";
    if (is_text(column))
        return cut(row, column,
                   row->variant == 0   ? "'rehearse'::text"
                   : row->variant == 1 ? "'rehearse@example.org'::text"
                                       : "'A'::text");
    if (column->category == 'A')
        return "'{}'";
    if (column->category == 'R')
        return "'empty'";
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (strcmp(column->base, values[i].base) == 0)
            return values[i].value;
    return NULL;
}

/* --- words of a definition -----------------------------------------------------------------------
 */

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80);
}

static bool mentions(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name))
        if ((at == text || !is_name_byte(at[-1])) && !is_name_byte(at[len]))
            return true;
    return false;
}

/* "a > 0" of CHECK ((a > 0)) and what may follow. */
static const char *check_expression(const char *definition, struct arena *arena)
{
    const char *open = strchr(definition, '('), *close = strrchr(definition, ')');
    return open && close && close > open
               ? rh_arena_strndup(arena, open + 1, (size_t)(close - open) - 1)
               : NULL;
}

/* "public.users" of REFERENCES public.users(id) ...; the names in its parentheses are *ret_columns.
 */
static const char *referenced(const char *definition, struct arena *arena, const char **ret_columns)
{
    const char *words = strstr(definition, " REFERENCES ");
    const char *start = words ? words + strlen(" REFERENCES ") : NULL;
    const char *open = start ? strchr(start, '(') : NULL, *close = open ? strchr(open, ')') : NULL;
    if (!close)
        return NULL;
    *ret_columns = rh_arena_strndup(arena, open + 1, (size_t)(close - open) - 1);
    return rh_arena_strndup(arena, start, (size_t)(open - start));
}

/* --- the freedom ---------------------------------------------------------------------------------
 */

static const char *longer(const struct row *row, const struct writable_column *column)
{
    const char *open = strchr(row->freedom->definition, '(');
    long length = (open ? strtol(open + 1, NULL, 10) : 1) + 1;
    return row->variant == 0 && row->table->has_rows
               ? rh_arena_printf(row->arena, "rpad('r%d' || coalesce(t.%s, ''), %ld, 'x')",
                                 row->number, column->name, length)
               : rh_arena_printf(row->arena, "rpad('r%d', %ld, 'x')", row->number, length);
}

static const char *bigger(const struct row *row)
{
    const char *type = row->freedom->definition;
    const char *open = strchr(type, '('), *comma = strchr(type, ',');
    if (strcmp(type, "smallint") == 0)
        return rh_arena_printf(row->arena, "%d", 32768 + row->number);
    if (strcmp(type, "integer") == 0)
        return rh_arena_printf(row->arena, "%lld", 2147483648LL + row->number);
    if (strcmp(type, "bigint") == 0)
        return rh_arena_printf(row->arena, "(9223372036854775808::numeric + %d)", row->number);
    if (strcmp(type, "real") == 0)
        return rh_arena_printf(row->arena, "%d.5e38", 4 + row->number);
    if (!open)
        return NULL;
    long digits = strtol(open + 1, NULL, 10) - (comma ? strtol(comma + 1, NULL, 10) : 0);
    return rh_arena_printf(row->arena, "(power(10::numeric, %ld) + %d)", digits, row->number);
}

/* Values that checks are about; the n-th for a column of this type, NULL behind the last. */
static const char *check_candidate(const struct row *row, const struct writable_column *column,
                                   int n)
{
    static const char *const numbers[] = {"-1", "0", "1", "30000", "1000000000", "-1000000000"};
    static const char *const texts[] = {"''", "'x'", "'rehearse'", "repeat('x', 300)", "' '"};
    static const char *const dates[] = {"'1900-01-01'", "'2999-12-31'"};
    static const char *const bools[] = {"false", "true"};
    size_t count = 0;
    const char *const *list = NULL;
    if (n-- == 0)
        return column->is_required ? "DEFAULT" : "NULL";
#define LIST(names) (list = (names), count = sizeof(names) / sizeof((names)[0]))
    if (is_number(column))
        LIST(numbers);
    else if (is_text(column))
        LIST(texts);
    else if (is_timestamp(column) || strcmp(column->base, "date") == 0)
        LIST(dates);
    else if (strcmp(column->base, "bool") == 0)
        LIST(bools);
#undef LIST
    (void)row;
    return (size_t)n < count ? list[n] : NULL;
}

/* Sets the value that is candidate number `candidate` over all columns of the check. */
static bool set_check_candidate(struct row *row, int candidate)
{
    for (size_t i = 0; i < row->table->columns.count; i++) {
        const struct writable_column *column = &row->table->columns.items[i];
        if (column->is_computed || !mentions(row->freedom->definition, column->name))
            continue;
        for (int n = 0;; n++) {
            const char *value = check_candidate(row, column, n);
            if (!value)
                break;
            if (candidate-- > 0)
                continue;
            if (strcmp(value, "DEFAULT") != 0) {
                row->values[i] = value;
                row->is_fresh[i] = true;
            }
            return true;
        }
    }
    return false;
}

static void set_orphan(struct row *row)
{
    const char *columns = "", *parent = referenced(row->freedom->definition, row->arena, &columns);
    const char *list = check_expression(row->freedom->definition, row->arena);
    for (size_t i = 0; parent && list && i < row->table->columns.count; i++) {
        const struct writable_column *column = &row->table->columns.items[i];
        /* The first of its columns: no parent has it, so no parent has them all. */
        if (strncmp(list, column->name, strlen(column->name)) != 0 ||
            is_name_byte(list[strlen(column->name)]))
            continue;
        const char *first = rh_arena_strndup(row->arena, columns, strcspn(columns, ","));
        row->values[i] = is_number(column) && row->variant < 2 && strcmp(parent, "") != 0
                             ? rh_arena_printf(row->arena,
                                               "(SELECT coalesce(max(%s), 0) + %d FROM %s)", first,
                                               1000 + row->number, parent)
                         : is_text(column)
                             ? cut(row, column,
                                   rh_arena_printf(row->arena, "md5('orphan%d')", row->number))
                             : fresh(row, column);
        row->is_fresh[i] = row->values[i] != NULL;
    }
}

/* A key is a duplicate only when it has values. */
static void set_duplicate(struct row *row)
{
    for (size_t i = 0; i < row->table->columns.count; i++) {
        const struct writable_column *column = &row->table->columns.items[i];
        if (!column->is_required && mentions(row->freedom->definition, column->name))
            row->condition = rh_arena_printf(row->arena, "%s%s%s IS NOT NULL", row->condition,
                                             row->condition[0] ? " AND " : " WHERE ", column->name);
    }
}

static const char *freedom_value(const struct row *row, const struct writable_column *column)
{
    switch (row->freedom->kind) {
    case FREEDOM_NULL:
        return "NULL";
    case FREEDOM_LONGER:
        return longer(row, column);
    case FREEDOM_BIGGER:
        return bigger(row);
    case FREEDOM_OTHER_TYPE:
        return rh_arena_printf(row->arena, "'rehearse %d'", row->number);
    case FREEDOM_LABEL:
        return row->freedom->definition;
    case FREEDOM_PLAIN:
        return value_of(row, column);
    case FREEDOM_CHECK:
    case FREEDOM_DUPLICATE:
    case FREEDOM_ORPHAN:
        return NULL;
    }
    return NULL;
}

static bool set_freedom(struct row *row, int candidate)
{
    if (row->freedom->kind == FREEDOM_CHECK)
        return set_check_candidate(row, candidate);
    if (row->freedom->kind == FREEDOM_ORPHAN)
        set_orphan(row);
    else if (row->freedom->kind == FREEDOM_DUPLICATE)
        set_duplicate(row);
    for (size_t i = 0; row->freedom->column && i < row->table->columns.count; i++) {
        const struct writable_column *column = &row->table->columns.items[i];
        if (strcmp(column->name, row->freedom->column) != 0 || column->is_computed)
            continue;
        row->values[i] = freedom_value(row, column);
        row->is_fresh[i] = row->freedom->kind != FREEDOM_PLAIN &&
                           row->freedom->kind != FREEDOM_LABEL;
    }
    return true;
}

/* --- keys ----------------------------------------------------------------------------------------
 */

static bool takes_part(const struct writable_column *column, int64_t unique)
{
    for (size_t i = 0; i < column->uniques.count; i++)
        if (column->uniques.items[i] == unique)
            return true;
    return false;
}

static int fitness(const struct row *row, size_t index)
{
    const struct writable_column *column = &row->table->columns.items[index];
    if (row->values[index])
        return 0;
    if (column->is_computed && column->has_default)
        return 5;
    if (!column->parent && column->has_default && (is_number(column) || is_text(column)))
        return 4;
    if (!column->parent && fresh(row, column))
        return is_number(column) || is_text(column) ? 3 : 2;
    return column->parent ? 1 : 0;
}

/* A parent that has no such child yet. */
static const char *unused_parent(struct row *row, const struct writable_column *column)
{
    row->joins = rh_arena_printf(
        row->arena,
        "%s LEFT JOIN (SELECT * FROM %s AS u WHERE NOT EXISTS (SELECT FROM "
        "%s AS x WHERE x.%s = u.%s) LIMIT 1) AS u%d ON true",
        row->joins, column->parent, row->table->identity, column->name, column->parent_column,
        column->number);
    return rh_arena_printf(row->arena, "u%d.%s", column->number, column->parent_column);
}

static void freshen(struct row *row, int64_t unique)
{
    size_t best = 0;
    int best_fitness = 0;
    for (size_t i = 0; i < row->table->columns.count; i++) {
        const struct writable_column *column = &row->table->columns.items[i];
        if (!takes_part(column, unique))
            continue;
        if (row->is_fresh[i])
            return;
        if (fitness(row, i) > best_fitness) {
            best = i;
            best_fitness = fitness(row, i);
        }
    }
    if (!best_fitness)
        return; /* the server will say whether it matters */
    const struct writable_column *column = &row->table->columns.items[best];
    row->is_fresh[best] = true;
    bool uses_default = column->is_computed ||
                        (row->variant == 0 && column->has_default && !is_text(column));
    if (!uses_default)
        row->values[best] = column->parent ? unused_parent(row, column) : fresh(row, column);
}

static void freshen_keys(struct row *row)
{
    for (size_t i = 0; i < row->table->columns.count; i++)
        for (size_t u = 0; u < row->table->columns.items[i].uniques.count; u++)
            freshen(row, row->table->columns.items[i].uniques.items[u]);
}

/* --- the rest ------------------------------------------------------------------------------------
 */

static const char *any_parent(struct row *row, const struct writable_column *column)
{
    row->joins = rh_arena_printf(row->arena,
                                 "%s LEFT JOIN (SELECT * FROM %s LIMIT 1) AS p%d ON true",
                                 row->joins, column->parent, column->number);
    return rh_arena_printf(row->arena, "p%d.%s", column->number, column->parent_column);
}

static bool fill(struct row *row)
{
    for (size_t i = 0; i < row->table->columns.count; i++) {
        const struct writable_column *column = &row->table->columns.items[i];
        if (column->is_computed || row->values[i] || row->is_fresh[i])
            continue;
        if (column->is_new && (!column->is_required || column->has_default))
            continue;
        if (row->table->has_rows)
            row->values[i] = rh_arena_printf(row->arena, "t.%s", column->name);
        else if (column->parent && strcmp(column->parent, row->table->identity) != 0)
            row->values[i] = any_parent(row, column);
        else if (!column->has_default && column->is_required) {
            row->values[i] = value_of(row, column);
            if (!row->values[i])
                row->reason = rh_arena_printf(row->arena, "no value of type %s is known",
                                              column->type);
        }
    }
    return !row->reason;
}

static const char *insert_sql(const struct row *row)
{
    struct arena *arena = row->arena;
    const char *names = "", *values = "", *key = "";
    for (size_t i = 0; i < row->table->columns.count; i++) {
        const struct writable_column *column = &row->table->columns.items[i];
        if (column->is_key)
            key = rh_arena_printf(arena, "%s%s%s::text", key, key[0] ? ", " : "", column->name);
        if (!row->values[i])
            continue;
        names = rh_arena_printf(arena, "%s%s%s", names, names[0] ? ", " : "", column->name);
        values = rh_arena_printf(arena, "%s%s(%s)::%s", values, values[0] ? ", " : "",
                                 row->values[i], column->type);
    }
    const char *source = row->table->has_rows
                             ? rh_arena_printf(
                                   arena, " LEFT JOIN (SELECT * FROM %s%s LIMIT 1) AS t ON true",
                                   row->table->identity, row->condition)
                             : "";
    const char *check = row->freedom->kind == FREEDOM_CHECK
                            ? rh_arena_printf(arena, "%s(%s) IS FALSE", key[0] ? ", " : "",
                                              check_expression(row->freedom->definition, arena))
                        : key[0] ? ""
                                 : "1";
    if (!names[0])
        return rh_arena_printf(arena, "INSERT INTO %s DEFAULT VALUES RETURNING %s%s",
                               row->table->identity, key, check);
    return rh_arena_printf(
        arena, "INSERT INTO %s (%s) SELECT %s FROM (SELECT 1) AS one%s%s RETURNING %s%s",
        row->table->identity, names, values, source, row->joins, key, check);
}

const char *rh_pg_write_row_sql(const struct writable_table *table, const struct freedom *freedom,
                                int number, int variant, int candidate, struct arena *arena,
                                const char **ret_reason)
{
    struct row row = {
        .table = table,
        .freedom = freedom,
        .number = number,
        .variant = variant,
        .arena = arena,
        .values = rh_arena_alloc_array(arena, table->columns.count + 1, sizeof(*row.values)),
        .is_fresh = rh_arena_alloc_array(arena, table->columns.count + 1, sizeof(*row.is_fresh)),
        .joins = "",
        .condition = "",
    };
    if (!set_freedom(&row, candidate))
        return NULL;
    freshen_keys(&row);
    if (!fill(&row)) {
        *ret_reason = row.reason;
        return NULL;
    }
    return insert_sql(&row);
}
