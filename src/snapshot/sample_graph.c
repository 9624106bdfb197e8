/*
 * Who decides about whose rows.
 *
 * A table follows one parent: a row is in exactly when the parent's row is, so that whoever is in
 * has all his children. Of several parents it is one that every row has (all columns NOT NULL)
 * before one that some rows lack, and among these the one with most rows: orders rather than
 * countries. Not followed are parents that are kept whole, for they choose nothing; the table
 * itself; and, in a circle, the table that the biggest of the circle would follow last. A table
 * that follows nobody is a root.
 */
#include "snapshot/sample_int.h"

#include "model/ledger.h"
#include "sql/lexer.h"

#include <ctype.h>

static bool holds_rows(const struct catalog_table *table)
{
    return table->kind == 'r';
}

/* The root of the tree of partitions that the table is in. */
static size_t root_of(const struct catalog *catalog, size_t table)
{
    for (size_t steps = 0; steps < catalog->tables.count; steps++) {
        const struct catalog_table *it = &catalog->tables.items[table];
        if (it->parent == CATALOG_NONE || !it->partition_bound)
            return table;
        table = it->parent;
    }
    return table;
}

void rh_sample_nodes(struct sampling *sampling)
{
    const struct catalog *catalog = sampling->catalog;
    struct arena *arena = sampling->scratch;
    size_t count = catalog->tables.count;
    sampling->node_of = rh_arena_alloc_array(arena, count + 1, sizeof(*sampling->node_of));
    sampling->extras = rh_arena_alloc_array(arena, count + 1, sizeof(*sampling->extras));
    for (size_t i = 0; i < count; i++) {
        const struct catalog_table *table = &catalog->tables.items[i];
        bool is_node = (table->kind == 'r' || table->kind == 'p') && root_of(catalog, i) == i;
        sampling->node_of[i] = CATALOG_NONE;
        if (!is_node)
            continue;
        sampling->node_of[i] = sampling->nodes.count;
        *RH_PUSH(arena, &sampling->nodes) = (struct sample_node){
            .table = i, .is_partitioned = table->kind == 'p', .edge = CATALOG_NONE};
    }
    for (size_t i = 0; i < count; i++) {
        const struct catalog_table *table = &catalog->tables.items[i];
        size_t root = root_of(catalog, i);
        if ((table->kind != 'r' && table->kind != 'p') || sampling->node_of[root] == CATALOG_NONE)
            continue;
        struct sample_node *node = &sampling->nodes.items[sampling->node_of[root]];
        sampling->node_of[i] = sampling->node_of[root];
        if (!holds_rows(table))
            continue;
        *RH_PUSH(arena, &node->leaves) = i;
        node->bytes += table->bytes;
        node->rows = table->rows_estimate < 0 || node->rows < 0 ? -1
                                                                : node->rows + table->rows_estimate;
    }
    for (size_t i = 0; i < sampling->nodes.count; i++) {
        struct sample_node *node = &sampling->nodes.items[i];
        node->weight = node->rows >= 0 ? node->rows : node->bytes / SAMPLE_ROW_BYTES;
    }
    for (size_t i = 0; i < catalog->foreign_keys.count; i++) {
        const struct catalog_foreign_key *key = &catalog->foreign_keys.items[i];
        if (key->child_columns.count == key->parent_columns.count)
            rh_sample_edge_add(sampling, key->name, key->child, key->parent,
                               key->child_columns.items, key->parent_columns.items,
                               key->child_columns.count, !key->is_declared);
    }
}

static const char *column_name(const struct sampling *sampling, size_t table, int number)
{
    const struct catalog_column *column = rh_catalog_column(rh_sampling_table(sampling, table),
                                                            number);
    return column ? column->name : "";
}

/* Partitions may have the same columns under other numbers. */
static bool same_columns(const struct sampling *sampling, size_t table, const int *columns,
                         size_t count, size_t other_table, const int *other)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(column_name(sampling, table, columns[i]),
                   column_name(sampling, other_table, other[i])) != 0)
            return false;
    return true;
}

bool rh_sample_edge_add(struct sampling *sampling, const char *name, size_t child_table,
                        size_t parent_table, const int *columns, const int *parent_columns,
                        size_t count, bool is_vouched)
{
    size_t child = sampling->node_of[child_table], parent = sampling->node_of[parent_table];
    struct arena *arena = sampling->scratch;
    if (child == CATALOG_NONE || parent == CATALOG_NONE || count == 0)
        return false;
    for (size_t i = 0; i < sampling->edges.count; i++) {
        struct sample_edge *edge = &sampling->edges.items[i];
        bool is_wider = edge->child_table == sampling->nodes.items[child].table ||
                        edge->child_table == child_table;
        if (edge->child != child || edge->parent != parent || edge->columns.count != count ||
            !same_columns(sampling, child_table, columns, count, edge->child_table,
                          edge->columns.items) ||
            !same_columns(sampling, parent_table, parent_columns, count, edge->parent_table,
                          edge->parent_columns.items))
            continue;
        if (is_wider)
            return false;
        if (child_table == sampling->nodes.items[child].table) {
            /* that of the whole table takes the place of its partition's */
            edge->child_table = child_table;
            for (size_t c = 0; c < count; c++)
                edge->columns.items[c] = columns[c];
            return false;
        }
    }
    struct sample_edge edge = {.name = name,
                               .child = child,
                               .parent = parent,
                               .child_table = child_table,
                               .parent_table = parent_table,
                               .is_mandatory = true,
                               .is_vouched = is_vouched};
    for (size_t i = 0; i < count; i++) {
        const struct catalog_column *column = rh_catalog_column(
            rh_sampling_table(sampling, child_table), columns[i]);
        if (!column ||
            !rh_catalog_column(rh_sampling_table(sampling, parent_table), parent_columns[i]))
            return false;
        *RH_PUSH(arena, &edge.columns) = columns[i];
        *RH_PUSH(arena, &edge.parent_columns) = parent_columns[i];
        edge.is_mandatory = edge.is_mandatory && column->not_null;
    }
    *RH_PUSH(arena, &sampling->edges) = edge;
    return true;
}

/* --- names --- */

/* The parts of a name as written, as the catalogue has them; 0 when it is none. */
static size_t name_parts(struct arena *arena, const char *written, const char *parts[3])
{
    struct text text = rh_text(written);
    struct sql_lexer lexer = rh_sql_lexer(text);
    struct sql_token token;
    size_t count = 0;
    bool wants_part = true;
    while (rh_sql_lexer_next(&lexer, &token)) {
        struct text word = {text.data + token.offset, token.len};
        if (!rh_sql_token_is_significant(&token))
            continue;
        bool is_quoted = token.kind == SQL_TOKEN_QUOTED_IDENTIFIER;
        if (wants_part != (is_quoted || token.kind == SQL_TOKEN_WORD) ||
            (!wants_part && !rh_text_is(word, ".")) || (wants_part && count == 3))
            return 0;
        if (wants_part) {
            char *part = rh_arena_alloc(arena, word.len + 1);
            size_t len = 0;
            for (size_t i = is_quoted; i + is_quoted < word.len; i++) {
                part[len++] = is_quoted ? word.data[i] : (char)tolower((unsigned char)word.data[i]);
                if (is_quoted && word.data[i] == '"')
                    i++;
            }
            parts[count++] = part;
        }
        wants_part = !wants_part;
    }
    return wants_part ? 0 : count;
}

static bool is_table(const struct catalog_table *table)
{
    return table->kind == 'r' || table->kind == 'p';
}

size_t rh_sample_find_raw(const struct sampling *sampling, const char *schema, const char *name)
{
    const struct catalog *catalog = sampling->catalog;
    size_t found = CATALOG_NONE;
    for (size_t s = 0; !schema && s < sampling->schemas.count; s++) {
        const struct catalog_table *table = rh_catalog_find(catalog, sampling->schemas.items[s],
                                                            name);
        if (table && is_table(table))
            return (size_t)(table - catalog->tables.items);
    }
    for (size_t i = 0; i < catalog->tables.count; i++) {
        const struct catalog_table *table = &catalog->tables.items[i];
        if (!is_table(table) || strcmp(table->name, name) != 0 ||
            (schema && strcmp(table->schema, schema) != 0))
            continue;
        if (found != CATALOG_NONE)
            return CATALOG_NONE;
        found = i;
    }
    return found;
}

size_t rh_sample_find_table(const struct sampling *sampling, const char *written)
{
    const char *parts[3] = {0};
    size_t count = name_parts(sampling->scratch, written, parts);
    if (count == 0)
        return CATALOG_NONE;
    return rh_sample_find_raw(sampling, count > 1 ? parts[count - 2] : NULL, parts[count - 1]);
}

const char *rh_sample_name(const struct sampling *sampling, const char *written)
{
    const char *parts[3] = {0};
    size_t count = name_parts(sampling->scratch, written, parts);
    return count ? parts[count - 1] : NULL;
}

bool rh_sample_same_name(const struct sampling *sampling, const char *one, const char *other)
{
    const char *a[3] = {0}, *b[3] = {0};
    size_t a_count = name_parts(sampling->scratch, one, a);
    size_t b_count = name_parts(sampling->scratch, other, b);
    if (a_count == 0 || b_count == 0 || strcmp(a[a_count - 1], b[b_count - 1]) != 0)
        return false;
    return a_count == 1 || b_count == 1 || strcmp(a[a_count - 2], b[b_count - 2]) == 0;
}

/* --- choice --- */

static enum err_code find_node(const struct sampling *sampling, const char *option,
                               const char *written, size_t *ret_node, struct err *err)
{
    size_t table = rh_sample_find_table(sampling, written);
    if (table == CATALOG_NONE) {
        rh_err_set(err, RH_ERR_USAGE, "%s: there is no table \"%s\", or there are several", option,
                   written);
        rh_err_hint(err, "Write schema.table as the database has it.");
        return err->code;
    }
    size_t node = sampling->node_of[table];
    if (sampling->nodes.items[node].table != table) {
        rh_err_set(err, RH_ERR_USAGE, "%s: \"%s\" is a partition", option, written);
        rh_err_hint(err, "Name the partitioned table %s: its partitions are chosen from alike.",
                    rh_sampling_table(sampling, sampling->nodes.items[node].table)->identity);
        return err->code;
    }
    *ret_node = node;
    return RH_OK;
}

static bool is_fraction(double fraction)
{
    return fraction >= 0 && fraction <= 1; /* a NaN is none */
}

static enum err_code read_options(struct sampling *sampling, struct err *err)
{
    const struct sample_options *options = sampling->options;
    if (!is_fraction(options->fraction))
        return rh_err_set(err, RH_ERR_USAGE, "--sample: the share must be from 0%% to 100%%");
    if (options->max_rows < 0 || options->edge_max_rows < 0)
        return rh_err_set(err, RH_ERR_USAGE, "--max-rows: cannot keep fewer than no rows");
    for (size_t i = 0; i < options->shares.count; i++) {
        const struct sample_share *share = &options->shares.items[i];
        size_t node = 0;
        if (!is_fraction(share->fraction))
            return rh_err_set(err, RH_ERR_USAGE,
                              "--sample: the share of \"%s\" must be from 0%% to 100%%",
                              share->table);
        enum err_code code = find_node(sampling, "--sample", share->table, &node, err);
        if (code != RH_OK)
            return code;
        sampling->nodes.items[node].has_share = true;
        sampling->nodes.items[node].fraction = share->fraction;
    }
    for (size_t i = 0; i < options->conditions.count; i++) {
        const struct sample_condition *condition = &options->conditions.items[i];
        size_t node = 0;
        enum err_code code = find_node(sampling, "--where", condition->table, &node, err);
        if (code != RH_OK)
            return code;
        struct sample_node *it = &sampling->nodes.items[node];
        it->condition = it->condition ? rh_arena_printf(sampling->scratch, "(%s\n) AND (%s\n)",
                                                        it->condition, condition->sql)
                                      : condition->sql;
    }
    return RH_OK;
}

static bool is_small(const struct sampling *sampling, const struct sample_node *node)
{
    int64_t small = sampling->options->small_rows;
    if (small == 0)
        small = SAMPLE_SMALL_ROWS;
    if (small < 0)
        return false;
    return node->rows >= 0 ? node->rows <= small : node->bytes <= SAMPLE_SMALL_BYTES;
}

bool rh_sample_is_unreadable(const struct sampling *sampling, size_t table)
{
    return sampling->catalog->is_standby && rh_sampling_table(sampling, table)->is_unlogged;
}

size_t rh_sample_unreadable_partition(const struct sampling *sampling)
{
    for (size_t i = 0; i < sampling->nodes.count; i++) {
        const struct sample_node *node = &sampling->nodes.items[i];
        if (!node->is_partitioned || node->choice == SAMPLE_OMITTED)
            continue;
        for (size_t l = 0; l < node->leaves.count; l++)
            if (rh_sample_is_unreadable(sampling, node->leaves.items[l]))
                return node->leaves.items[l];
    }
    return CATALOG_NONE;
}

/* What is clear before anybody follows anybody. */
static void choose_alone(struct sampling *sampling, struct sample_node *node)
{
    const struct catalog_table *table = rh_sampling_table(sampling, node->table);
    if (!node->has_share)
        node->fraction = sampling->options->fraction;
    node->choice = SAMPLE_ROOT;
    node->has_hash = !node->condition || node->has_share;
    bool is_unreadable = node->leaves.count > 0;
    for (size_t i = 0; i < node->leaves.count; i++)
        is_unreadable = is_unreadable && rh_sample_is_unreadable(sampling, node->leaves.items[i]);
    if (is_unreadable) {
        node->choice = SAMPLE_OMITTED;
        node->reason = "unlogged, on a standby";
    } else if (!table->may_select) {
        node->choice = SAMPLE_OMITTED;
        node->reason = "may not be read";
    } else if (table->is_extension_configuration) {
        node->choice = SAMPLE_WHOLE;
        node->reason = "configuration of an extension";
    } else if (node->condition) {
        node->reason = node->has_share && node->fraction < 1 ? "condition and share" : "condition";
        node->has_hash = node->has_hash && node->fraction < 1;
    } else if (node->fraction >= 1) {
        node->choice = SAMPLE_WHOLE;
        node->reason = node->has_share ? "share of its own: all" : NULL;
    } else if (!node->has_share && rh_is_ledger_table(table)) {
        node->choice = SAMPLE_WHOLE;
        node->reason = "a migration tool's ledger";
    } else if (!node->has_share && is_small(sampling, node)) {
        node->choice = SAMPLE_WHOLE;
        node->reason = "small";
    }
    if (node->choice == SAMPLE_WHOLE)
        node->fraction = 1;
}

/* Whether `node` would come to follow itself. */
static bool leads_back(const struct sampling *sampling, size_t node, size_t parent)
{
    for (size_t steps = 0; steps <= sampling->nodes.count; steps++) {
        const struct sample_node *it = &sampling->nodes.items[parent];
        if (parent == node)
            return true;
        if (it->edge == CATALOG_NONE)
            return false;
        parent = sampling->edges.items[it->edge].parent;
    }
    return true;
}

/* Whether following `one` is better than following `other`. */
static bool is_better(const struct sampling *sampling, const struct sample_edge *one,
                      const struct sample_edge *other)
{
    if (one->is_mandatory != other->is_mandatory)
        return one->is_mandatory;
    const struct sample_node *a = &sampling->nodes.items[one->parent];
    const struct sample_node *b = &sampling->nodes.items[other->parent];
    if (a->weight != b->weight)
        return a->weight > b->weight;
    return strcmp(one->name, other->name) < 0;
}

static bool is_sampled(const struct sample_node *node)
{
    return node->choice == SAMPLE_ROOT || node->choice == SAMPLE_FOLLOWER;
}

/* True when it found one to follow. */
static bool choose_parent(struct sampling *sampling, size_t index)
{
    struct sample_node *node = &sampling->nodes.items[index];
    for (size_t i = 0; i < sampling->edges.count; i++) {
        const struct sample_edge *edge = &sampling->edges.items[i];
        if (edge->child != index || edge->is_void || edge->child_table != node->table ||
            edge->parent_table != sampling->nodes.items[edge->parent].table ||
            !is_sampled(&sampling->nodes.items[edge->parent]) ||
            leads_back(sampling, index, edge->parent))
            continue;
        if (node->edge == CATALOG_NONE ||
            is_better(sampling, edge, &sampling->edges.items[node->edge]))
            node->edge = i;
    }
    if (node->edge == CATALOG_NONE)
        return false;
    node->choice = SAMPLE_FOLLOWER;
    node->reason = NULL;
    return true;
}

/* The biggest first: in a circle it is the others who must do without a parent. */
static size_t *by_size(const struct sampling *sampling)
{
    size_t count = sampling->nodes.count;
    size_t *order = rh_arena_alloc_array(sampling->scratch, count + 1, sizeof(*order));
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        int64_t weight = sampling->nodes.items[i].weight;
        for (; at > 0 && sampling->nodes.items[order[at - 1]].weight < weight; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return order;
}

const size_t *rh_sample_order(const struct sampling *sampling)
{
    size_t count = sampling->nodes.count, placed = 0;
    size_t *order = rh_arena_alloc_array(sampling->scratch, count + 1, sizeof(*order));
    bool *is_placed = rh_arena_alloc_array(sampling->scratch, count + 1, sizeof(*is_placed));
    while (placed < count) {
        size_t before = placed;
        for (size_t i = 0; i < count; i++) {
            size_t edge = sampling->nodes.items[i].edge;
            if (is_placed[i] ||
                (edge != CATALOG_NONE && !is_placed[sampling->edges.items[edge].parent]))
                continue;
            is_placed[i] = true;
            order[placed++] = i;
        }
        RH_ASSERT(placed > before);
    }
    return order;
}

static void say_why(struct sampling *sampling, struct sample_node *node)
{
    struct arena *arena = sampling->arena;
    if (node->choice == SAMPLE_FOLLOWER) {
        const struct sample_edge *edge = &sampling->edges.items[node->edge];
        const struct sample_node *parent = &sampling->nodes.items[edge->parent];
        node->fraction = parent->fraction;
        node->reason = rh_arena_printf(arena, "follows %s",
                                       rh_sampling_table(sampling, parent->table)->identity);
    } else if (node->choice == SAMPLE_ROOT && !node->reason) {
        node->reason = rh_arena_printf(arena, "root, %.4g %%", 100 * node->fraction);
    }
}

enum err_code rh_sample_choose(struct sampling *sampling, struct err *err)
{
    enum err_code code = read_options(sampling, err);
    if (code != RH_OK)
        return code;
    for (size_t i = 0; i < sampling->nodes.count; i++)
        choose_alone(sampling, &sampling->nodes.items[i]);
    const size_t *order = by_size(sampling);
    bool is_settled = false;
    while (!is_settled) { /* every round but the last gives a table its parent */
        is_settled = true;
        for (size_t i = 0; i < sampling->nodes.count; i++) {
            struct sample_node *node = &sampling->nodes.items[order[i]];
            /* who was told what to do follows nobody; who is kept whole only because nothing else
               was asked for follows a parent that is sampled */
            bool is_default = node->choice == SAMPLE_WHOLE && !node->reason;
            bool is_free = node->choice == SAMPLE_ROOT && !node->has_share && !node->condition;
            if ((is_free && node->edge == CATALOG_NONE) || is_default)
                is_settled = !choose_parent(sampling, order[i]) && is_settled;
        }
    }
    const size_t *down = rh_sample_order(sampling);
    for (size_t i = 0; i < sampling->nodes.count; i++)
        say_why(sampling, &sampling->nodes.items[down[i]]);
    return RH_OK;
}
