/*
 * Conditions as SQL. They run with an empty search_path (pg_dump's sessions have one), in
 * PostgreSQL 13 to 18, for every role: functions of pg_catalog alone, and operators of extensions
 * by their schema. Values of rows are not in them.
 *
 * A hash is that of the type's hash index support ("Hash Support Functions", manual 38.16.3),
 * seeded: equal values of a type have equal hashes, whatever they look like (1.0 and 1.00), in
 * every version. Columns are chained, each one's hash being the seed of the next.
 */
#include "snapshot/sample_int.h"

#include "base/quote.h"

/* int8's ends as texts: -9223372036854775808 is a numeric for the parser. */
#define LOWEST "'-9223372036854775808'::pg_catalog.int8"

const char *rh_sample_from(const struct sampling *sampling, size_t table)
{
    const struct catalog_table *it = rh_sampling_table(sampling, table);
    return it->kind == 'p' ? it->identity
                           : rh_arena_printf(sampling->scratch, "ONLY %s", it->identity);
}

/* --- hashes --- */

/* How a column is hashed; those of one family hash equal values alike. @C@ is the column, @S@ the
   seed. Booleans and some others have no seeded function in every version. */
static const struct hash_rule {
    const char *base_type, *family, *sql;
} hash_rules[] = {
    {"int2", "int", "pg_catalog.hashint8extended(@C@::pg_catalog.int8, @S@)"},
    {"int4", "int", "pg_catalog.hashint8extended(@C@::pg_catalog.int8, @S@)"},
    {"int8", "int", "pg_catalog.hashint8extended(@C@::pg_catalog.int8, @S@)"},
    {"oid", "oid", "pg_catalog.hashoidextended(@C@, @S@)"},
    {"text", "text", "pg_catalog.hashtextextended(@C@::pg_catalog.text, @S@)"},
    {"varchar", "text", "pg_catalog.hashtextextended(@C@::pg_catalog.text, @S@)"},
    {"bpchar", "bpchar", "pg_catalog.hashbpcharextended(@C@, @S@)"},
    {"name", "name", "pg_catalog.hashnameextended(@C@, @S@)"},
    {"uuid", "uuid", "pg_catalog.uuid_hash_extended(@C@, @S@)"},
    {"numeric", "numeric", "pg_catalog.hash_numeric_extended(@C@, @S@)"},
    {"bool", "bool", "pg_catalog.hashint4extended(@C@::pg_catalog.int4, @S@)"},
    {"float4", "float", "pg_catalog.hashfloat8extended(@C@::pg_catalog.float8, @S@)"},
    {"float8", "float", "pg_catalog.hashfloat8extended(@C@::pg_catalog.float8, @S@)"},
    {"date", "date", "pg_catalog.timestamp_hash_extended(@C@::pg_catalog.timestamp, @S@)"},
    {"timestamp", "timestamp", "pg_catalog.timestamp_hash_extended(@C@, @S@)"},
    {"timestamptz", "timestamptz",
     "pg_catalog.timestamp_hash_extended(pg_catalog.timezone('UTC', @C@), @S@)"},
    {"time", "time", "pg_catalog.time_hash_extended(@C@, @S@)"},
    {"timetz", "timetz", "pg_catalog.timetz_hash_extended(@C@, @S@)"},
    {"interval", "interval", "pg_catalog.interval_hash_extended(@C@, @S@)"},
    {"inet", "inet", "pg_catalog.hashinetextended(@C@, @S@)"},
    {"cidr", "inet", "pg_catalog.hashinetextended(@C@, @S@)"},
    {"macaddr", "macaddr", "pg_catalog.hashmacaddrextended(@C@, @S@)"},
    {"jsonb", "jsonb", "pg_catalog.jsonb_hash_extended(@C@, @S@)"},
};
static const struct hash_rule enum_rule = {"", "", "pg_catalog.hashenumextended(@C@, @S@)"};
static const struct hash_rule text_rule = {
    "", "", "pg_catalog.hashtextextended(@C@::pg_catalog.text, @S@)"};

/* NULL: only its text can be hashed. */
static const struct hash_rule *rule_of(const struct catalog_column *column)
{
    if (column->is_array)
        return NULL;
    if (column->type_kind == 'e')
        return &enum_rule;
    for (size_t i = 0; i < sizeof(hash_rules) / sizeof(*hash_rules); i++)
        if (strcmp(hash_rules[i].base_type, column->base_type) == 0)
            return &hash_rules[i];
    return NULL;
}

/* Whether equal values of both have equal hashes. */
static bool hash_alike(const struct catalog_column *one, const struct catalog_column *other)
{
    const struct hash_rule *a = rule_of(one), *b = rule_of(other);
    if (!a || !b || a == &enum_rule || b == &enum_rule)
        return a && a == b && strcmp(one->base_type, other->base_type) == 0;
    return strcmp(a->family, b->family) == 0;
}

static const char *hash(const struct sampling *sampling, const struct hash_rule *rule,
                        const char *column, const char *seed)
{
    struct buf RH_CLEANUP_BUF out;
    rh_buf_init(&out, SIZE_MAX);
    for (const char *at = rule->sql; *at; at++) {
        bool is_mark = at[0] == '@';
        if (is_mark)
            rh_buf_add_str(&out, at[1] == 'C' ? column : seed);
        else
            rh_buf_add_char(&out, *at);
        at += is_mark ? 2 : 0;
    }
    return rh_text_dup(sampling->scratch, rh_buf_text(&out));
}

static const char *first_seed(const struct sampling *sampling)
{
    return rh_arena_printf(sampling->scratch, "'%lld'::pg_catalog.int8",
                           (long long)(int64_t)sampling->options->seed);
}

static const struct catalog_column *column_of(const struct sampling *sampling, size_t table,
                                              int number)
{
    return rh_catalog_column(rh_sampling_table(sampling, table), number);
}

/* The key that names a row; NULL when the table has none. */
static const struct catalog_key *key_of(const struct catalog_table *table)
{
    const struct catalog_key *found = NULL;
    for (size_t i = 0; i < table->keys.count; i++) {
        const struct catalog_key *key = &table->keys.items[i];
        bool is_usable = key->is_unique && !key->is_exclusion && !key->predicate &&
                         key->columns.count > 0;
        for (size_t c = 0; c < key->columns.count && is_usable; c++) {
            const struct catalog_column *column = rh_catalog_column(table, key->columns.items[c]);
            is_usable = column && column->not_null;
        }
        if (is_usable && (!found || key->is_primary))
            found = key;
    }
    return found;
}

/* Of a table without a key: of all columns that hash as they are, else of all as text. Each has a
   seed of its own and may be NULL, so they are not chained. */
static const char *row_hash(const struct sampling *sampling, const struct catalog_table *table)
{
    const char *sum = NULL;
    for (int as_text = 0; as_text < 2 && !sum; as_text++) {
        for (size_t i = 0; i < table->columns.count; i++) {
            const struct catalog_column *column = &table->columns.items[i];
            const struct hash_rule *rule = rule_of(column);
            if (column->is_generated || !(rule || as_text))
                continue;
            uint64_t own = sampling->options->seed + i;
            const char *seed = rh_arena_printf(sampling->scratch, "'%lld'::pg_catalog.int8",
                                               (long long)(int64_t)own);
            sum = rh_arena_printf(sampling->scratch, "%s%scoalesce(%s, 0)", sum ? sum : "(",
                                  sum ? " # " : "",
                                  hash(sampling, rule ? rule : &text_rule, column->quoted, seed));
        }
    }
    return sum ? rh_arena_printf(sampling->scratch, "%s)", sum) : first_seed(sampling);
}

const char *rh_sample_key_hash(const struct sampling *sampling, size_t node)
{
    const struct catalog_table *table = rh_sampling_table(sampling,
                                                          sampling->nodes.items[node].table);
    const struct catalog_key *key = key_of(table);
    const char *seed = first_seed(sampling);
    for (size_t i = 0; key && i < key->columns.count; i++) {
        const struct catalog_column *column = rh_catalog_column(table, key->columns.items[i]);
        const struct hash_rule *rule = rule_of(column);
        seed = hash(sampling, rule ? rule : &text_rule, column->quoted, seed);
    }
    return key ? seed : row_hash(sampling, table);
}

bool rh_sample_has_key(const struct sampling *sampling, size_t node)
{
    return key_of(rh_sampling_table(sampling, sampling->nodes.items[node].table)) != NULL;
}

/* --- columns of foreign keys --- */

/* A column of the child as it compares with the parent's: by the parent's collation. */
static const char *child_column(const struct sampling *sampling, const struct sample_edge *edge,
                                size_t i)
{
    const struct catalog_column *child = column_of(sampling, edge->child_table,
                                                   edge->columns.items[i]);
    const struct catalog_column *parent = column_of(sampling, edge->parent_table,
                                                    edge->parent_columns.items[i]);
    if (!child->collation || !parent->collation || strcmp(child->collation, parent->collation) == 0)
        return child->quoted;
    return rh_arena_printf(sampling->scratch, "(%s COLLATE %s)", child->quoted, parent->collation);
}

const char *rh_sample_child_columns(const struct sampling *sampling, const struct sample_edge *edge,
                                    size_t first)
{
    const char *list = "";
    for (size_t i = 0; i < edge->columns.count; i++)
        list = rh_arena_printf(sampling->scratch, "%s%s%s AS rehearse_%zu", list, i ? ", " : "",
                               child_column(sampling, edge, i), first + i);
    return list;
}

static const char *parent_columns(const struct sampling *sampling, const struct sample_edge *edge,
                                  bool is_named)
{
    const char *list = "";
    for (size_t i = 0; i < edge->parent_columns.count; i++) {
        const struct catalog_column *column = column_of(sampling, edge->parent_table,
                                                        edge->parent_columns.items[i]);
        list = is_named ? rh_arena_printf(sampling->scratch, "%s%s%s AS rehearse_%zu", list,
                                          i ? ", " : "", column->quoted, i)
                        : rh_arena_printf(sampling->scratch, "%s%s%s", list, i ? ", " : "",
                                          column->quoted);
    }
    return list;
}

/* The schema of an extension's type, quoted, whose operators are not the server's own; NULL: the
   server's. Enums, ranges and composites are compared by the server's. */
static const char *operator_schema(const struct sampling *sampling,
                                   const struct catalog_column *column)
{
    const char *dot = strrchr(column->base_type, '.');
    if (!dot || column->type_kind != 'b' || column->is_array)
        return NULL;
    return rh_quote_name(sampling->scratch, rh_arena_strndup(sampling->scratch, column->base_type,
                                                             (size_t)(dot - column->base_type)));
}

/* "rehearse_rows.rehearse_0 = a AND ...", of columns of the other side. */
static const char *match(const struct sampling *sampling, const struct sample_edge *edge,
                         bool is_child, size_t first)
{
    const char *condition = "";
    for (size_t i = 0; i < edge->columns.count; i++) {
        const struct catalog_column *parent = column_of(sampling, edge->parent_table,
                                                        edge->parent_columns.items[i]);
        const char *schema = operator_schema(sampling, parent);
        condition = rh_arena_printf(
            sampling->scratch, "%s%srehearse_rows.rehearse_%zu %s %s", condition, i ? " AND " : "",
            first + i, schema ? rh_arena_printf(sampling->scratch, "OPERATOR(%s.=)", schema) : "=",
            is_child ? child_column(sampling, edge, i) : parent->quoted);
    }
    return condition;
}

const char *rh_sample_child_match(const struct sampling *sampling, const struct sample_edge *edge)
{
    return match(sampling, edge, true, 0);
}

static bool has_own_operators(const struct sampling *sampling, const struct sample_edge *edge)
{
    for (size_t i = 0; i < edge->columns.count; i++)
        if (operator_schema(sampling,
                            column_of(sampling, edge->parent_table, edge->parent_columns.items[i])))
            return true;
    return false;
}

const char *rh_sample_is_parent(const struct sampling *sampling, const struct sample_edge *edge,
                                const char *rows, size_t first)
{
    struct arena *arena = sampling->scratch;
    const char *list = "";
    if (has_own_operators(sampling, edge))
        return rh_arena_printf(arena, "EXISTS (SELECT FROM %s AS rehearse_rows WHERE %s)", rows,
                               match(sampling, edge, false, first));
    for (size_t i = 0; i < edge->columns.count; i++)
        list = rh_arena_printf(arena, "%s%srehearse_%zu", list, i ? ", " : "", first + i);
    return rh_arena_printf(arena, "(%s) IN (SELECT %s FROM %s AS rehearse_rows)",
                           parent_columns(sampling, edge, false), list, rows);
}

/* --- what selects the rows of a table --- */

static int64_t limit_of(double fraction)
{
    long double limit = (long double)INT64_MIN + (long double)fraction * 18446744073709551616.0L;
    return limit >= (long double)INT64_MAX ? INT64_MAX : (int64_t)limit;
}

/*
 * The planner knows nothing of a function's values: one bound is a third of all rows for it, two
 * are 0.5 % (DEFAULT_INEQ_SEL and DEFAULT_RANGE_INEQ_SEL, selfuncs.h), which is closer, and keeps
 * what it hashes in work_mem.
 */
static const char *is_below(const struct sampling *sampling, const char *hashed, int64_t limit)
{
    if (limit == INT64_MIN)
        return "false";
    return rh_arena_printf(sampling->scratch, "(%s < '%lld'::pg_catalog.int8 AND %s >= " LOWEST ")",
                           hashed, (long long)limit, hashed);
}

static const char *root_base(struct sampling *sampling, size_t index)
{
    struct sample_node *node = &sampling->nodes.items[index];
    const struct catalog_key *key = key_of(rh_sampling_table(sampling, node->table));
    const char *below = node->has_hash ? is_below(sampling, rh_sample_key_hash(sampling, index),
                                                  limit_of(node->fraction))
                                       : NULL;
    /* a line of its own: the user's text may end in a comment */
    const char *condition = node->condition
                                ? rh_arena_printf(sampling->scratch, "(%s\n)", node->condition)
                                : NULL;
    for (size_t i = 0; key && below && !condition && i < key->columns.count; i++)
        *RH_PUSH(sampling->scratch, &node->hash_columns) = key->columns.items[i];
    if (below && condition)
        return rh_arena_printf(sampling->scratch, "(%s AND %s)", condition, below);
    return below ? below : condition;
}

/* The child's column that refers to the parent's; 0 when none does that hashes alike. */
static int child_of(const struct sampling *sampling, const struct sample_edge *edge, int column)
{
    for (size_t i = 0; i < edge->columns.count; i++) {
        const struct catalog_column *child = column_of(sampling, edge->child_table,
                                                       edge->columns.items[i]);
        const struct catalog_column *parent = column_of(sampling, edge->parent_table, column);
        if (edge->parent_columns.items[i] == column && parent && hash_alike(child, parent))
            return edge->columns.items[i];
    }
    return 0;
}

/* The parent's decision, made of the child's own columns; NULL when they do not hold it. */
static const char *own_decision(struct sampling *sampling, struct sample_node *node)
{
    const struct sample_edge *edge = &sampling->edges.items[node->edge];
    const struct sample_node *parent = &sampling->nodes.items[edge->parent];
    const char *seed = first_seed(sampling);
    for (size_t i = 0; i < parent->hash_columns.count; i++) {
        int number = child_of(sampling, edge, parent->hash_columns.items[i]);
        if (number == 0)
            return NULL;
        const struct catalog_column *column = column_of(sampling, node->table, number);
        for (size_t c = 0; c < edge->columns.count; c++)
            if (edge->parent_columns.items[c] == parent->hash_columns.items[i])
                seed = hash(sampling, rule_of(column), child_column(sampling, edge, c), seed);
    }
    if (parent->hash_columns.count == 0)
        return NULL;
    /* a row without a parent decides for itself, which its children cannot know */
    for (size_t i = 0; edge->is_mandatory && i < parent->hash_columns.count; i++)
        *RH_PUSH(sampling->scratch, &node->hash_columns) = child_of(sampling, edge,
                                                                    parent->hash_columns.items[i]);
    return is_below(sampling, seed, limit_of(node->fraction));
}

static const char *is_null(const struct sampling *sampling, const struct sample_edge *edge,
                           const char *test, const char *word)
{
    const char *condition = "";
    for (size_t i = 0; i < edge->columns.count; i++)
        condition = rh_arena_printf(
            sampling->scratch, "%s%s%s %s", condition, i ? word : "",
            column_of(sampling, edge->child_table, edge->columns.items[i])->quoted, test);
    return condition;
}

static const char *follower_base(struct sampling *sampling, size_t index)
{
    struct arena *arena = sampling->scratch;
    struct sample_node *node = &sampling->nodes.items[index];
    const struct sample_edge *edge = &sampling->edges.items[node->edge];
    const struct sample_node *parent = &sampling->nodes.items[edge->parent];
    const char *decision = own_decision(sampling, node);
    const char *columns = "";
    node->looks_up = !decision;
    if (!decision) {
        for (size_t i = 0; i < edge->columns.count; i++)
            columns = rh_arena_printf(arena, "%s%s%s", columns, i ? ", " : "",
                                      child_column(sampling, edge, i));
        bool is_hashed = !node->asks_index &&
                         (double)parent->weight * parent->fraction <= SAMPLE_HASHED_ROWS_MAX;
        const char *from = rh_sample_from(sampling, edge->parent_table);
        decision = is_hashed && !has_own_operators(sampling, edge)
                       ? rh_arena_printf(arena, "(%s) IN (SELECT %s FROM %s WHERE %s)", columns,
                                         parent_columns(sampling, edge, false), from, parent->base)
                       : rh_arena_printf(arena,
                                         "EXISTS (SELECT FROM (SELECT %s FROM %s WHERE %s) AS "
                                         "rehearse_rows WHERE %s)",
                                         parent_columns(sampling, edge, true), from, parent->base,
                                         match(sampling, edge, true, 0));
        /* a hash table is searched from end to end for a key that is NULL in part */
        if (!edge->is_mandatory && edge->columns.count > 1)
            decision = rh_arena_printf(arena, "(%s AND %s)",
                                       is_null(sampling, edge, "IS NOT NULL", " AND "), decision);
    }
    if (edge->is_mandatory)
        return decision;
    return rh_arena_printf(
        arena, "(%s OR ((%s) AND %s))", decision, is_null(sampling, edge, "IS NULL", " OR "),
        is_below(sampling, rh_sample_key_hash(sampling, index), limit_of(node->fraction)));
}

void rh_sample_base(struct sampling *sampling, size_t index)
{
    struct sample_node *node = &sampling->nodes.items[index];
    switch (node->choice) {
    case SAMPLE_ROOT:
        node->base = root_base(sampling, index);
        return;
    case SAMPLE_FOLLOWER:
        node->base = follower_base(sampling, index);
        return;
    case SAMPLE_WHOLE:
    case SAMPLE_OMITTED:
        node->base = NULL;
        return;
    }
}

void rh_sample_base_below(struct sampling *sampling, size_t index, int64_t limit)
{
    struct sample_node *node = &sampling->nodes.items[index];
    const char *below = is_below(sampling, rh_sample_key_hash(sampling, index), limit);
    node->base = node->base ? rh_arena_printf(sampling->scratch, "(%s AND %s)", node->base, below)
                            : below;
    node->hash_columns.count = 0;
}

void rh_sample_base_edge_cap(struct sampling *sampling, size_t index, int64_t max)
{
    struct sample_node *node = &sampling->nodes.items[index];
    const struct sample_edge *edge = &sampling->edges.items[node->edge];
    const char *columns = "";
    for (size_t i = 0; i < edge->columns.count; i++)
        columns = rh_arena_printf(
            sampling->scratch, "%s%s%s", columns, i ? ", " : "",
            column_of(sampling, edge->child_table, edge->columns.items[i])->quoted);
    /* a row without a parent is nobody's child */
    node->base = rh_arena_printf(
        sampling->scratch,
        "(tableoid, ctid) IN (SELECT tableoid, ctid FROM (SELECT tableoid, ctid, %s AS "
        "rehearse_orphan, pg_catalog.row_number() OVER (PARTITION BY %s ORDER BY %s, tableoid, "
        "ctid) AS rehearse_n FROM %s WHERE %s) AS rehearse_rows WHERE rehearse_n <= '%lld' OR "
        "rehearse_orphan)",
        is_null(sampling, edge, "IS NULL", " OR "), columns, rh_sample_key_hash(sampling, index),
        rh_sample_from(sampling, node->table), node->base ? node->base : "true", (long long)max);
    node->looks_up = true;
    node->hash_columns.count = 0;
}

/* --- the whole condition --- */

/* One subplan of so many rows fits in a work_mem of 4 MB as 13 counts it (nodeSubplan.c); since 14
   a list of constants is hashed whatever its size ("hashed ScalarArrayOp"). */
#define UNNEST_ROWS_MAX 65536
#define HASHES_LISTS 14

/*
 * Whether the rows are found by a query of their own, and fetched by their places: then the planner
 * may go from the few chosen parents through an index to their children, in parallel, and reads
 * nothing else. Beside an OR it can only look every row up, in one process (measured on 15, 1 % of
 * 1,200,000 rows: 646 ms; through an index 112 ms, by a hash join of 800,000 rows 351 ms).
 */
static bool are_fetched(const struct sample_node *node)
{
    return node->looks_up && node->fraction <= SAMPLE_FETCHED_SHARE_MAX &&
           (double)node->weight * node->fraction <= SAMPLE_HASHED_ROWS_MAX;
}

const char *rh_sample_condition(const struct sampling *sampling, size_t table)
{
    struct arena *arena = sampling->arena;
    size_t index = sampling->node_of[table];
    const struct sample_node *node = &sampling->nodes.items[index];
    const struct row_set *extras = &sampling->extras[table].set;
    if (!node->base)
        return NULL;
    bool is_alone = strcmp(node->base, "false") == 0, has_extras = extras->rows.count > 0;
    if (!is_alone && are_fetched(node))
        return rh_arena_printf(
            arena, "ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE %s)%s%s%s)",
            rh_sample_from(sampling, table), node->base, has_extras ? " || '" : "",
            has_extras ? rh_row_set_array(extras, 0, extras->rows.count, sampling->scratch) : "",
            has_extras ? "'::pg_catalog.tid[]" : "");
    if (!has_extras)
        return rh_arena_strdup(arena, node->base);
    if (is_alone || sampling->major >= HASHES_LISTS)
        return rh_arena_printf(arena, "%s%sctid = ANY ('%s'::pg_catalog.tid[])",
                               is_alone ? "" : node->base, is_alone ? "" : " OR ",
                               rh_row_set_array(extras, 0, extras->rows.count, sampling->scratch));
    struct buf RH_CLEANUP_BUF out;
    rh_buf_init(&out, SIZE_MAX);
    rh_buf_add_str(&out, node->base);
    for (size_t from = 0; from < extras->rows.count; from += UNNEST_ROWS_MAX) {
        size_t to = extras->rows.count - from > UNNEST_ROWS_MAX ? from + UNNEST_ROWS_MAX
                                                                : extras->rows.count;
        rh_buf_printf(&out, " OR ctid IN (SELECT pg_catalog.unnest('%s'::pg_catalog.tid[]))",
                      rh_row_set_array(extras, from, to, sampling->scratch));
    }
    return rh_text_dup(arena, rh_buf_text(&out));
}
