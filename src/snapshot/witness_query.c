#include "snapshot/witness_int.h"

#include "base/quote.h"
#include "snapshot/server_words.h"
#include "sql/phrase.h"

#include <strings.h>

#define ROW "tableoid::pg_catalog.int8 AS id, ctid AS place"
#define TIDS_HAVE_ORDER 14 /* min(tid), max(tid) */
#define LONG_COLUMNS_MAX 64

static const struct catalog_table *table_of(const struct witness *witness)
{
    return &witness->sampling->catalog->tables.items[witness->table];
}

static struct arena *arena_of(const struct witness *witness)
{
    return witness->sampling->scratch;
}

/* With inheriting tables, unless ONLY stands in the statement: NOT NULL, checks, types. */
static const char *from_all(const struct witness *witness)
{
    if (witness->source)
        return rh_arena_printf(arena_of(witness), "(%s) AS rehearse_rows", witness->source);
    return witness->validation && witness->validation->only
               ? rh_sample_from(witness->sampling, witness->table)
               : table_of(witness)->identity;
}

/* The table's own rows: keys, references. */
static const char *from_own(const struct witness *witness)
{
    if (witness->source)
        return rh_arena_printf(arena_of(witness), "(%s) AS rehearse_rows", witness->source);
    return rh_sample_from(witness->sampling, witness->table);
}

/* The column that a name as written means; NULL. */
static const struct catalog_column *column_of(const struct witness *witness, size_t table,
                                              const char *written)
{
    const char *raw = written ? rh_sample_name(witness->sampling, written) : NULL;
    return raw ? rh_catalog_column_named(&witness->sampling->catalog->tables.items[table], raw)
               : NULL;
}

static const char *join(struct arena *arena, const char *list, const char *separator,
                        const char *item)
{
    return *list ? rh_arena_printf(arena, "%s%s%s", list, separator, item) : item;
}

/* --- duplicates --- */

static const char *key_list(const struct witness *witness, const struct demand *demand)
{
    const char *list = "";
    for (size_t i = 0; i < demand->keys.count; i++)
        list = join(arena_of(witness), list, ", ", demand->keys.items[i].expression);
    return list;
}

static const char *participants(const struct witness *witness, const struct demand *demand)
{
    struct arena *arena = arena_of(witness);
    const char *condition = demand->condition ? rh_arena_printf(arena, "(%s\n)", demand->condition)
                                              : "";
    for (size_t i = 0; i < demand->keys.count && !demand->nulls_equal; i++)
        condition = join(
            arena, condition, " AND ",
            rh_arena_printf(arena, "(%s) IS NOT NULL", demand->keys.items[i].expression));
    return *condition ? condition : "true";
}

/* An entry of an index may be too long for it ("Index size limits", 54000). */
static enum err_code ask_longest_key(struct witness *witness, const struct demand *demand,
                                     struct err *err)
{
    struct arena *arena = arena_of(witness);
    const char *size = "";
    struct sample_plan *plan = witness->sampling->plan;
    size_t known = plan->not_covered.count;
    for (size_t i = 0; i < demand->keys.count; i++)
        size = join(arena, size, " + ",
                    rh_arena_printf(arena, "coalesce(pg_catalog.pg_column_size(%s), 0)",
                                    demand->keys.items[i].expression));
    enum err_code code = rh_witness_ask(
        witness,
        rh_arena_printf(arena, "longest (%s) of %s", key_list(witness, demand),
                        table_of(witness)->identity),
        rh_arena_printf(arena,
                        "SELECT id, place FROM (SELECT " ROW
                        " FROM %s%s%s ORDER BY %s DESC LIMIT 1) "
                        "AS rehearse_longest",
                        from_own(witness), demand->condition ? " WHERE " : "",
                        demand->condition ? demand->condition : "", size),
        1, err);
    /* an expression that fails is asked about for itself */
    if (plan->not_covered.count > known &&
        strstr(plan->not_covered.items[known], SERVER_VALUE_FAILS))
        plan->not_covered.count = known;
    return code;
}

static enum err_code ask_duplicates(struct witness *witness, const struct demand *demand,
                                    struct err *err)
{
    struct arena *arena = arena_of(witness);
    const char *keys = key_list(witness, demand), *query;
    const char *groups = rh_arena_printf(
        arena,
        "FROM %s WHERE %s GROUP BY %s HAVING pg_catalog.count(*) > 1 ORDER BY "
        "pg_catalog.count(*) DESC LIMIT %d",
        from_own(witness), participants(witness, demand), keys, WITNESS_GROUPS_MAX);
    const char *what = rh_arena_printf(arena, "duplicates of %s (%s)", table_of(witness)->identity,
                                       keys);
    if (table_of(witness)->kind != 'p' && witness->sampling->major >= TIDS_HAVE_ORDER)
        query = rh_arena_printf(
            arena,
            "SELECT '%lld'::pg_catalog.int8 AS id, v.place FROM (SELECT pg_catalog.min(ctid) AS a, "
            "pg_catalog.max(ctid) AS b %s) AS g, LATERAL (VALUES (a), (b)) AS v (place)",
            (long long)table_of(witness)->id, groups);
    else
        query = rh_arena_printf(
            arena,
            "SELECT pg_catalog.split_part(v.row_, ' ', 1)::pg_catalog.int8 AS id, "
            "pg_catalog.split_part(v.row_, ' ', 2)::pg_catalog.tid AS place FROM (SELECT "
            "pg_catalog.min(tableoid::pg_catalog.int8 || ' ' || ctid) AS a, "
            "pg_catalog.max(tableoid::pg_catalog.int8 || ' ' || ctid) AS b %s) AS g, LATERAL "
            "(VALUES (a), (b)) AS v (row_)",
            groups);
    return rh_witness_ask(witness, what, query, (int64_t)2 * WITNESS_GROUPS_MAX, err);
}

/* --- conflicts with another row --- */

static enum err_code ask_conflicts(struct witness *witness, const struct demand *demand,
                                   struct err *err)
{
    struct arena *arena = arena_of(witness);
    const char *columns = "", *condition = "";
    for (size_t i = 0; i < demand->keys.count; i++) {
        const struct demand_key *key = &demand->keys.items[i];
        columns = rh_arena_printf(arena, "%s, %s AS rehearse_%zu", columns, key->expression, i);
        condition = rh_arena_printf(arena, "%s AND a.rehearse_%zu %s b.rehearse_%zu", condition, i,
                                    key->operator? key->operator: "=", i);
    }
    const char *rows = rh_arena_printf(arena, "(SELECT " ROW "%s FROM %s WHERE %s)", columns,
                                       from_own(witness), participants(witness, demand));
    const char *query = rh_arena_printf(
        arena,
        "SELECT v.id, v.place FROM (SELECT a.id AS a_id, a.place AS a_place, b.id AS b_id, b.place "
        "AS b_place FROM %s AS a JOIN %s AS b ON (a.id, a.place) <> (b.id, b.place)%s LIMIT %d) AS "
        "p, LATERAL (VALUES (a_id, a_place), (b_id, b_place)) AS v (id, place)",
        rows, rows, condition, WITNESS_GROUPS_MAX);
    return rh_witness_ask(witness,
                          rh_arena_printf(arena, "conflicts of %s (%s)",
                                          table_of(witness)->identity, key_list(witness, demand)),
                          query, (int64_t)2 * WITNESS_GROUPS_MAX, err);
}

/* --- rows for which a condition holds --- */

static enum err_code ask_condition(struct witness *witness, const char *what, const char *from,
                                   const char *condition, struct err *err)
{
    return rh_witness_ask(
        witness, what,
        rh_arena_printf(arena_of(witness), "SELECT " ROW " FROM %s WHERE %s", from, condition),
        WITNESS_ROWS_MAX, err);
}

static enum err_code ask_nulls(struct witness *witness, const char *column, struct err *err)
{
    struct arena *arena = arena_of(witness);
    return ask_condition(
        witness, rh_arena_printf(arena, "NULLs of %s.%s", table_of(witness)->identity, column),
        from_all(witness), rh_arena_printf(arena, "%s IS NULL", column), err);
}

static enum err_code ask_check(struct witness *witness, const char *expression, struct err *err)
{
    struct arena *arena = arena_of(witness);
    const char *name = table_of(witness)->identity;
    size_t not_covered = witness->sampling->plan->not_covered.count;
    bool may_search = !witness->source;
    enum err_code code = ask_condition(
        witness, rh_arena_printf(arena, "rows of %s against the check", name), from_all(witness),
        rh_arena_printf(arena, "(%s\n) IS FALSE", expression), err);
    /* unknown is as good as true, but failing is not */
    if (code == RH_OK && may_search && witness->sampling->plan->not_covered.count > not_covered) {
        witness->sampling->plan->not_covered.count = not_covered;
        code = rh_witness_fails(witness,
                                rh_arena_printf(arena, "rows of %s that fail the check", name),
                                expression, NULL, err);
    }
    return code;
}

/* --- references --- */

static enum err_code ask_orphans(struct witness *witness, const struct demand *demand,
                                 struct err *err)
{
    struct arena *arena = arena_of(witness);
    struct sampling *sampling = witness->sampling;
    size_t parent = rh_sample_find_table(sampling, demand->referenced);
    const char *what = rh_arena_printf(arena, "orphans of %s that look for %s",
                                       table_of(witness)->identity, demand->referenced);
    if (parent == CATALOG_NONE) {
        rh_witness_not_covered(witness, what, "the table referred to is not there yet");
        return RH_OK;
    }
    const struct catalog_table *other = &sampling->catalog->tables.items[parent];
    VEC(int) columns = {0}, referenced = {0};
    const char *is_set = "", *match = "", *mixed = "";
    for (size_t i = 0; i < demand->columns.count; i++) {
        const struct catalog_column *column = column_of(witness, witness->table,
                                                        demand->columns.items[i]);
        const struct catalog_column *target = NULL;
        if (demand->referenced_columns.count > i)
            target = column_of(witness, parent, demand->referenced_columns.items[i]);
        for (size_t k = 0; demand->referenced_columns.count == 0 && k < other->keys.count; k++)
            if (other->keys.items[k].is_primary && other->keys.items[k].columns.count > i)
                target = rh_catalog_column(other, other->keys.items[k].columns.items[i]);
        if (!column || !target) {
            rh_witness_not_covered(witness, what, "a column is not there yet");
            return RH_OK;
        }
        *RH_PUSH(arena, &columns) = column->number;
        *RH_PUSH(arena, &referenced) = target->number;
        is_set = join(arena, is_set, " AND ",
                      rh_arena_printf(arena, "rehearse_child.%s IS NOT NULL", column->quoted));
        mixed = join(arena, mixed, " OR ",
                     rh_arena_printf(arena, "rehearse_child.%s IS NOT NULL", column->quoted));
        match = join(arena, match, " AND ",
                     rh_arena_printf(arena, "rehearse_parent.%s = rehearse_child.%s",
                                     target->quoted, column->quoted));
    }
    /* Else the sample would have orphans of its own making. */
    rh_sample_edge_add(sampling, demand->name ? demand->name : "of the migration", witness->table,
                       parent, columns.items, referenced.items, columns.count, false);
    const char *orphan = rh_arena_printf(
        arena, "(%s AND NOT EXISTS (SELECT FROM %s AS rehearse_parent WHERE %s))", is_set,
        rh_sample_from(sampling, parent), match);
    if (demand->is_full)
        orphan = rh_arena_printf(arena, "(%s OR ((%s) AND NOT (%s)))", orphan, mixed, is_set);
    return ask_condition(witness, what,
                         witness->source
                             ? rh_arena_printf(arena, "(%s) AS rehearse_child", witness->source)
                             : rh_arena_printf(arena, "%s AS rehearse_child", from_own(witness)),
                         orphan, err);
}

/* --- types --- */

/* n of "varchar(n)", "char (n)", ...; 0 for other types. */
static int64_t length_of(const char *type, struct arena *arena)
{
    static const char *const names[] = {"varchar", "character", "char", "bpchar", "nchar"};
    struct phrase phrase;
    int64_t length = 0;
    if (!rh_phrase_read(&phrase, rh_text(type), arena, VALIDATION_TOKENS_MAX))
        return 0;
    bool is_text = false;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        is_text = is_text || rh_phrase_is_word(&phrase, 0, names[i]);
    size_t open = rh_phrase_is_word(&phrase, 1, "varying") ? 2 : 1;
    const char *inside = is_text ? rh_phrase_inside_parentheses(&phrase, open) : NULL;
    return inside && rh_text_parse_int64(rh_text_trim(rh_text(inside)), &length) && length > 0
               ? length
               : 0;
}

#define HAS_SOFT_INPUT 16 /* pg_input_is_valid() */

static enum err_code ask_type(struct witness *witness, const struct demand *demand, struct err *err)
{
    struct arena *arena = arena_of(witness);
    const char *name = table_of(witness)->identity;
    const struct catalog_column *column = column_of(witness, witness->table, demand->column);
    if (!column) {
        rh_witness_not_covered(witness,
                               rh_arena_printf(arena, "values of %s.%s", name, demand->column),
                               "the column is not there yet");
        return RH_OK;
    }
    const char *value = demand->expression ? demand->expression : column->quoted;
    const char *what = rh_arena_printf(arena, "values of %s.%s that are no %s", name,
                                       column->quoted, demand->type);
    int64_t length = length_of(demand->type, arena);
    /* too long but for blanks, which are cut off without a word ("Character Types", manual 8.3) */
    if (length)
        return ask_condition(
            witness, what, from_all(witness),
            rh_arena_printf(arena,
                            "pg_catalog.char_length((%s)::pg_catalog.text) > %lld AND "
                            "pg_catalog.rtrim(pg_catalog.substr((%s)::pg_catalog.text, %lld), ' ') "
                            "<> ''",
                            value, (long long)length, value, (long long)length + 1),
            err);
    size_t found = witness->sampling->extras_count;
    enum err_code code = rh_witness_fails(
        witness, what, rh_arena_printf(arena, "(%s)::%s", value, demand->type), NULL, err);
    if (code != RH_OK || witness->sampling->extras_count == found ||
        witness->sampling->major < HAS_SOFT_INPUT || column->type_category != 'S')
        return code;
    /* there is one: then more of them, where the server can tell without failing */
    return ask_condition(
        witness, rh_arena_printf(arena, "more %s", what), from_all(witness),
        rh_arena_printf(arena, "NOT pg_catalog.pg_input_is_valid(%s::pg_catalog.text, %s)",
                        column->quoted, rh_quote_literal(arena, demand->type)),
        err);
}

/* --- partitions --- */

static bool is_end(const char *value, struct arena *arena)
{
    struct phrase phrase;
    return rh_phrase_read(&phrase, rh_text(value), arena, VALIDATION_TOKENS_MAX) &&
           (rh_phrase_is_word(&phrase, 0, "minvalue") || rh_phrase_is_word(&phrase, 0, "maxvalue"));
}

/* Whether a row comes before (or at, or behind) the values, the first of which decides: "Range
   Partitioning", CREATE TABLE. MINVALUE and MAXVALUE end the comparison. */
static const char *compare_row(const struct demand *keys, const char *const *values, size_t count,
                               struct arena *arena)
{
    const char *left = "", *right = "";
    size_t n = 0;
    while (n < count && n < keys->keys.count && !is_end(values[n], arena))
        n++;
    for (size_t i = 0; i < n; i++) {
        left = join(arena, left, ", ", keys->keys.items[i].expression);
        right = join(arena, right, ", ", values[i]);
    }
    if (n == 0)
        return NULL;
    return rh_arena_printf(arena, "(%s) @ (%s)", left, right);
}

static const char *with_operator(struct arena *arena, const char *comparison, const char *operator)
{
    const char *at = strstr(comparison, ") @ (");
    return rh_arena_printf(arena, "%.*s) %s (%s", (int)(at - comparison), comparison, operator,
                           at + strlen(") @ ("));
}

/* The condition of a row that belongs into the partition; NULL when it cannot be told. */
static const char *belongs(const struct witness *witness, const struct catalog_table *parent,
                           const struct demand_bound *bound)
{
    struct arena *arena = arena_of(witness);
    struct demands keys = {0};
    const char *list = "", *condition = "";
    char kind = 0;
    if (!rh_sql_partition_key(parent->partition_key, arena, &kind, &keys))
        return NULL;
    const struct demand *key = &keys.items.items[0];
    for (size_t i = 0; i < key->keys.count; i++)
        list = join(arena, list, ", ", key->keys.items[i].expression);
    if (bound->kind == BOUND_LIST && kind == 'l') {
        bool has_null = false;
        for (size_t i = 0; i < bound->values.count; i++) {
            bool is_null = strcasecmp(bound->values.items[i], "null") == 0;
            has_null = has_null || is_null;
            if (!is_null)
                condition = join(arena, condition, ", ", bound->values.items[i]);
        }
        condition = *condition ? rh_arena_printf(arena, "(%s) IN (%s)", list, condition) : "false";
        return rh_arena_printf(arena, "coalesce(%s, %s)", condition, has_null ? "true" : "false");
    }
    if (bound->kind == BOUND_RANGE && kind == 'r') {
        const char *from = compare_row(key, bound->values.items, bound->values.count, arena);
        const char *to = compare_row(key, bound->to.items, bound->to.count, arena);
        for (size_t i = 0; i < key->keys.count; i++)
            condition = join(
                arena, condition, " AND ",
                rh_arena_printf(arena, "(%s) IS NOT NULL", key->keys.items[i].expression));
        if (from)
            condition = rh_arena_printf(arena, "%s AND %s", condition,
                                        with_operator(arena, from, ">="));
        if (to)
            condition = rh_arena_printf(arena, "%s AND %s", condition,
                                        with_operator(arena, to, "<"));
        return rh_arena_printf(arena, "(%s)", condition);
    }
    if (bound->kind == BOUND_HASH && kind == 'h')
        return rh_arena_printf(
            arena,
            "pg_catalog.satisfies_hash_partition('%lld'::pg_catalog.oid, %s, %s, "
            "%s)",
            (long long)parent->id, bound->modulus, bound->remainder, list);
    return NULL;
}

/* The default partition; CATALOG_NONE. */
static size_t default_of(const struct catalog *catalog, size_t parent)
{
    for (size_t i = 0; i < catalog->tables.count; i++)
        if (catalog->tables.items[i].parent == parent && catalog->tables.items[i].partition_bound &&
            strcmp(catalog->tables.items[i].partition_bound, "DEFAULT") == 0)
            return i;
    return CATALOG_NONE;
}

/* What the parent wants of every partition. */
static enum err_code ask_as_parent(struct witness *witness, const struct catalog_table *parent,
                                   struct err *err)
{
    struct arena *arena = arena_of(witness);
    enum err_code code = RH_OK;
    for (size_t k = 0; k < parent->keys.count && code == RH_OK; k++) {
        const struct catalog_key *key = &parent->keys.items[k];
        struct demand demand = {.kind = DEMAND_UNIQUE, .nulls_equal = key->nulls_not_distinct};
        for (size_t c = 0; c < key->columns.count && key->is_unique && !key->is_exclusion; c++) {
            const struct catalog_column *column = rh_catalog_column(parent, key->columns.items[c]);
            if (column)
                RH_PUSH(arena, &demand.keys)->expression = column->quoted;
        }
        if (demand.keys.count > 0 && demand.keys.count == key->columns.count)
            code = ask_duplicates(witness, &demand, err);
    }
    for (size_t c = 0; c < parent->columns.count && code == RH_OK; c++) {
        const struct catalog_column *own = rh_catalog_column_named(table_of(witness),
                                                                   parent->columns.items[c].name);
        if (parent->columns.items[c].not_null && own && !own->not_null)
            code = ask_nulls(witness, own->quoted, err);
    }
    return code;
}

static enum err_code ask_partition(struct witness *witness, const struct demand *demand,
                                   struct err *err)
{
    struct arena *arena = arena_of(witness);
    struct sampling *sampling = witness->sampling;
    size_t parent = witness->table, other = default_of(sampling->catalog, parent);
    const struct catalog_table *table = table_of(witness);
    const char *what = rh_arena_printf(arena, "rows for the bound of a partition of %s",
                                       table->identity);
    const char *condition = belongs(witness, table, &demand->bound);
    enum err_code code = RH_OK;
    if (!condition && demand->bound.kind != BOUND_DEFAULT) {
        rh_witness_not_covered(witness, what, "the bound was not understood");
        return RH_OK;
    }
    if (other != CATALOG_NONE && condition)
        code = ask_condition(witness,
                             rh_arena_printf(arena,
                                             "rows of the default partition of %s that would "
                                             "have to move",
                                             table->identity),
                             sampling->catalog->tables.items[other].identity, condition, err);
    if (code != RH_OK || demand->kind != DEMAND_ATTACH)
        return code;
    size_t partition = rh_sample_find_table(sampling, demand->name);
    if (partition == CATALOG_NONE) {
        rh_witness_not_covered(witness, what, "the partition is not there yet");
        return RH_OK;
    }
    witness->table = partition;
    if (condition)
        code = ask_condition(
            witness,
            rh_arena_printf(arena, "rows of %s outside of the bound", table_of(witness)->identity),
            table_of(witness)->identity, rh_arena_printf(arena, "(%s) IS NOT TRUE", condition),
            err);
    if (code == RH_OK)
        code = ask_as_parent(witness, table, err);
    witness->table = parent;
    return code;
}

/* --- constraints and indexes that are there --- */

static enum err_code ask_valid(struct witness *witness, const char *written, struct err *err)
{
    struct arena *arena = arena_of(witness);
    const struct catalog *catalog = witness->sampling->catalog;
    const struct catalog_table *table = table_of(witness);
    for (size_t i = 0; i < catalog->foreign_keys.count; i++) {
        const struct catalog_foreign_key *key = &catalog->foreign_keys.items[i];
        if (key->child != witness->table ||
            !rh_sample_same_name(witness->sampling, written, key->name))
            continue;
        struct demand demand = {.kind = DEMAND_REFERENCE,
                                .referenced = catalog->tables.items[key->parent].identity,
                                .is_full = key->match_full,
                                .name = key->name};
        for (size_t c = 0; c < key->child_columns.count; c++) {
            *RH_PUSH(
                arena,
                &demand.columns) = rh_catalog_column(table, key->child_columns.items[c])->quoted;
            *RH_PUSH(arena, &demand.referenced_columns) = rh_catalog_column(
                                                              &catalog->tables.items[key->parent],
                                                              key->parent_columns.items[c])
                                                              ->quoted;
        }
        return ask_orphans(witness, &demand, err);
    }
    for (size_t i = 0; i < table->checks.count; i++) {
        struct phrase phrase;
        const struct catalog_check *check = &table->checks.items[i];
        if (!rh_sample_same_name(witness->sampling, written, check->name) ||
            !rh_phrase_read(&phrase, rh_text(check->expression), arena, VALIDATION_TOKENS_MAX))
            continue;
        /* pg_get_constraintdef() prints CHECK (...) [NOT VALID] */
        const char *expression = rh_phrase_inside_parentheses(&phrase, 1);
        if (expression)
            return ask_check(witness, expression, err);
    }
    /* Added by the migration itself, and asked about where that was. */
    return RH_OK;
}

static enum err_code ask_key_index(struct witness *witness, const char *written, struct err *err)
{
    const struct catalog_table *table = table_of(witness);
    enum err_code code = RH_OK;
    for (size_t i = 0; i < table->keys.count; i++) {
        const struct catalog_key *key = &table->keys.items[i];
        if (!rh_sample_same_name(witness->sampling, written, key->name))
            continue;
        for (size_t c = 0; c < key->columns.count && code == RH_OK; c++) {
            const struct catalog_column *column = rh_catalog_column(table, key->columns.items[c]);
            if (column && !column->not_null)
                code = ask_nulls(witness, column->quoted, err);
        }
    }
    return code;
}

/* --- rows that a statement writes --- */

static enum err_code ask_written(struct witness *witness, const struct demand *demand,
                                 struct err *err)
{
    struct arena *arena = arena_of(witness);
    struct sampling *sampling = witness->sampling;
    const char *condition = demand->condition ? demand->condition : "true";
    const char *from = demand->alias
                           ? rh_arena_printf(arena, "%s AS %s", from_all(witness), demand->alias)
                           : from_all(witness);
    enum err_code code = ask_condition(
        witness,
        rh_arena_printf(arena, "rows of %s that it %s", table_of(witness)->identity,
                        demand->kind == DEMAND_DELETED_ROWS ? "deletes" : "changes"),
        rh_arena_printf(arena, "(SELECT tableoid, ctid FROM %s WHERE %s\n) AS rehearse_rows", from,
                        condition),
        "true", err);
    for (size_t i = 0; i < sampling->edges.count && code == RH_OK; i++) {
        const struct sample_edge *edge = &sampling->edges.items[i];
        if (edge->parent_table != witness->table || demand->kind != DEMAND_DELETED_ROWS ||
            edge->is_void)
            continue;
        const char *child = rh_sample_from(sampling, edge->child_table);
        const char *columns = "";
        for (size_t c = 0; c < edge->columns.count; c++) {
            const struct catalog_column *parent = rh_catalog_column(table_of(witness),
                                                                    edge->parent_columns.items[c]);
            columns = rh_arena_printf(arena, "%s, %s AS rehearse_%zu", columns, parent->quoted, c);
        }
        columns += *columns ? 2 : 0;
        code = ask_condition(
            witness,
            rh_arena_printf(arena, "rows of %s that refer to what it deletes",
                            sampling->catalog->tables.items[edge->child_table].identity),
            child,
            rh_arena_printf(arena,
                            "EXISTS (SELECT FROM (SELECT %s FROM %s WHERE %s\n) AS "
                            "rehearse_rows WHERE %s)",
                            columns, from, condition, rh_sample_child_match(sampling, edge)),
            err);
    }
    return code;
}

/* --- rows as an UPDATE leaves them --- */

/* The clause that sets the column; NULL. */
static const struct validation_clause *clause_of(const struct witness *witness,
                                                 const struct catalog_column *column)
{
    for (size_t i = 0; i < witness->validation->clauses.count; i++) {
        const struct validation_clause *clause = &witness->validation->clauses.items[i];
        const char *name = rh_sample_name(witness->sampling, clause->name);
        if (name && strcmp(name, column->name) == 0)
            return clause;
    }
    return NULL;
}

static const char *updated_rows(const struct witness *witness, const struct demand *demand)
{
    struct arena *arena = arena_of(witness);
    const struct catalog_table *table = table_of(witness);
    const char *columns = "tableoid, ctid";
    for (size_t i = 0; i < table->columns.count; i++) {
        const struct catalog_column *column = &table->columns.items[i];
        const struct validation_clause *clause = clause_of(witness, column);
        columns = clause ? rh_arena_printf(
                               arena, "%s, CASE WHEN (%s\n) THEN (%s\n)::%s ELSE %s END AS %s",
                               columns, demand->condition ? demand->condition : "true",
                               clause->expression, column->type, column->quoted, column->quoted)
                         : rh_arena_printf(arena, "%s, %s", columns, column->quoted);
    }
    return rh_arena_printf(arena, "SELECT %s FROM %s%s%s", columns, from_all(witness),
                           demand->alias ? " AS " : "", demand->alias ? demand->alias : "");
}

static bool sets_any(const struct witness *witness, const int *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct catalog_column *column = rh_catalog_column(table_of(witness), columns[i]);
        if (columns[i] == 0 || (column && clause_of(witness, column)))
            return true;
    }
    return false;
}

static enum err_code ask_updated_keys(struct witness *witness, struct err *err)
{
    const struct catalog_table *table = table_of(witness);
    enum err_code code = RH_OK;
    for (size_t k = 0; k < table->keys.count && code == RH_OK; k++) {
        const struct catalog_key *key = &table->keys.items[k];
        struct demand demand = {.kind = DEMAND_UNIQUE,
                                .condition = key->predicate,
                                .nulls_equal = key->nulls_not_distinct};
        size_t expression = 0;
        if (!key->is_unique || key->is_exclusion ||
            !sets_any(witness, key->columns.items, key->columns.count))
            continue;
        for (size_t c = 0; c < key->columns.count; c++) {
            const struct catalog_column *column = rh_catalog_column(table, key->columns.items[c]);
            const char *sql = column ? column->quoted
                              : expression < key->expressions.count
                                  ? key->expressions.items[expression++]
                                  : "NULL";
            RH_PUSH(arena_of(witness), &demand.keys)->expression = rh_arena_printf(
                arena_of(witness), column ? "%s" : "(%s)", sql);
        }
        code = ask_duplicates(witness, &demand, err);
    }
    return code;
}

/* What the table already demands, of the rows as the statement would leave them. */
static enum err_code ask_updated(struct witness *witness, const struct demand *demand,
                                 struct err *err)
{
    struct sampling *sampling = witness->sampling;
    const struct catalog_table *table = table_of(witness);
    const char *label = witness->label;
    witness->source = updated_rows(witness, demand);
    witness->label = rh_arena_printf(sampling->arena, "%s, afterwards", label);
    enum err_code code = ask_updated_keys(witness, err);
    for (size_t i = 0; i < table->columns.count && code == RH_OK; i++)
        if (table->columns.items[i].not_null && clause_of(witness, &table->columns.items[i]))
            code = ask_nulls(witness, table->columns.items[i].quoted, err);
    for (size_t i = 0; i < table->checks.count && code == RH_OK; i++)
        if (sets_any(witness, table->checks.items[i].columns.items,
                     table->checks.items[i].columns.count))
            code = ask_valid(witness, table->checks.items[i].name, err);
    for (size_t i = 0; i < sampling->catalog->foreign_keys.count && code == RH_OK; i++) {
        const struct catalog_foreign_key *key = &sampling->catalog->foreign_keys.items[i];
        if (key->child == witness->table &&
            sets_any(witness, key->child_columns.items, key->child_columns.count)) {
            int64_t found = witness->found;
            code = ask_valid(witness, key->name, err);
            /* Parents follow the values that rows have, not those that they will get: unless it
               fails anyway, it may do so in the sample alone. */
            if (code == RH_OK && witness->found == found)
                rh_witness_not_covered(
                    witness,
                    rh_arena_printf(arena_of(witness), "the rows of %s that it refers to",
                                    sampling->catalog->tables.items[key->parent].identity),
                    "those of the sample's rows alone would have to be known");
        }
    }
    witness->source = NULL;
    witness->label = label;
    return code;
}

/* --- all of them --- */

enum err_code rh_witness_demand(struct witness *witness, const struct demand *demand,
                                struct err *err)
{
    struct arena *arena = arena_of(witness);
    enum err_code code = RH_OK;
    switch (demand->kind) {
    case DEMAND_INDEXED:
        return ask_longest_key(witness, demand, err);
    case DEMAND_UNIQUE:
        code = ask_longest_key(witness, demand, err);
        return code == RH_OK ? ask_duplicates(witness, demand, err) : code;
    case DEMAND_NOT_NULL:
        return ask_nulls(witness, demand->column, err);
    case DEMAND_CHECK:
        return demand->condition ? ask_check(witness, demand->condition, err) : RH_OK;
    case DEMAND_REFERENCE:
        return ask_orphans(witness, demand, err);
    case DEMAND_EXCLUSION:
        return ask_conflicts(witness, demand, err);
    case DEMAND_TYPE:
        return ask_type(witness, demand, err);
    case DEMAND_EXPRESSION:
        return rh_witness_fails(witness,
                                rh_arena_printf(arena, "rows of %s for which %s fails",
                                                table_of(witness)->identity, demand->expression),
                                demand->expression, demand->condition, err);
    case DEMAND_KEY_INDEX:
        return ask_key_index(witness, demand->name, err);
    case DEMAND_VALID:
        return ask_valid(witness, demand->name, err);
    case DEMAND_ATTACH:
    case DEMAND_PARTITION:
        return ask_partition(witness, demand, err);
    case DEMAND_CHANGED_ROWS:
        code = ask_written(witness, demand, err);
        return code == RH_OK ? ask_updated(witness, demand, err) : code;
    case DEMAND_DELETED_ROWS:
        return ask_written(witness, demand, err);
    case DEMAND_NOT_UNDERSTOOD:
        rh_witness_not_covered(witness, demand->text ? demand->text : "a clause",
                               "the clause was not understood");
        return RH_OK;
    }
    return RH_OK;
}

enum err_code rh_witness_touch(struct witness *witness, struct err *err)
{
    struct arena *arena = arena_of(witness);
    const struct catalog_table *table = table_of(witness);
    const char *size = "";
    size_t columns = 0;
    /* Two: one may be needed, two for whatever must differ. */
    enum err_code code = rh_witness_ask(
        witness, rh_arena_printf(arena, "rows of %s at all", table->identity),
        rh_arena_printf(arena, "SELECT " ROW " FROM %s", from_own(witness)), 2, err);
    for (size_t i = 0; i < table->columns.count && columns < LONG_COLUMNS_MAX; i++) {
        const struct catalog_column *column = &table->columns.items[i];
        bool is_long = column->type_category == 'S' || column->type_category == 'U' ||
                       column->is_array;
        if (!is_long || column->is_generated)
            continue;
        columns++;
        size = join(
            arena, size, " + ",
            rh_arena_printf(arena, "coalesce(pg_catalog.pg_column_size(%s), 0)", column->quoted));
    }
    if (code != RH_OK || columns == 0)
        return code;
    return rh_witness_ask(witness, rh_arena_printf(arena, "longest row of %s", table->identity),
                          rh_arena_printf(arena,
                                          "SELECT id, place FROM (SELECT " ROW
                                          " FROM %s ORDER BY %s DESC LIMIT 1) AS rehearse_longest",
                                          from_own(witness), size),
                          1, err);
}
