/*
 * Rows that no condition selects but that must be there: parents. The first round asks for those of
 * everything that the conditions select, the next ones for those of the rows that the round before
 * added, and nothing else ("semi-naive"); it ends when a round adds none, whatever circles there
 * are, because rows are finite. A foreign key that its table follows needs no first round: whoever
 * it selects has his parent by construction.
 */
#include "snapshot/sample_int.h"

#include "base/quote.h"
#include "snapshot/server_words.h"
#include "sql/calls.h"
#include "sql/lexer.h"

#define ROWS_AT_ONCE 50000 /* of a round, in one question: 0.7 MB of text */
#define TABLES_AT_ONCE 50  /* of which a first row is asked for in one question */
#define PLAN_TIMEOUT_US 10000000
#define HEAVY_TIMEOUT_US 500000 /* of one key: it is among the commonest, the first one will do */

/* --- conditions of the user --- */

/* Closed in itself: what is put around it stays around it. */
static bool is_one_expression(const char *sql)
{
    struct text text = rh_text(sql);
    struct sql_lexer lexer = rh_sql_lexer(text);
    struct sql_token token;
    int depth = 0;
    bool has_any = false;
    while (rh_sql_lexer_next(&lexer, &token)) {
        has_any = has_any || rh_sql_token_is_significant(&token);
        depth += token.kind == SQL_TOKEN_OPEN;
        depth -= token.kind == SQL_TOKEN_CLOSE;
        if (depth < 0 || token.is_unterminated || token.kind == SQL_TOKEN_SEMICOLON)
            return false;
    }
    return has_any && depth == 0;
}

enum err_code rh_sample_check_conditions(struct sampling *sampling, struct err *err)
{
    for (size_t i = 0; i < sampling->nodes.count; i++) {
        const struct sample_node *node = &sampling->nodes.items[i];
        const char *identity = rh_sampling_table(sampling, node->table)->identity;
        if (!node->condition)
            continue;
        if (!is_one_expression(node->condition)) {
            rh_err_set(err, RH_ERR_USAGE, "--where %s: this is not one condition", identity);
            rh_err_hint(err, "Write what would stand behind WHERE, without a semicolon.");
            return err->code;
        }
        /* We ask in one transaction, each of pg_dump's sessions in its own. */
        const char *changing = rh_sql_changing_word(rh_text(node->condition), sampling->scratch);
        if (changing) {
            rh_err_set(err, RH_ERR_USAGE,
                       "--where %s: %s means something else in each session that asks", identity,
                       changing);
            rh_err_hint(err, "Write the time itself: created_at > '2026-10-21'.");
            return err->code;
        }
        const char *sql = rh_arena_printf(sampling->scratch, "EXPLAIN SELECT FROM %s WHERE (%s\n)",
                                          rh_sample_from(sampling, node->table), node->condition);
        struct err failure = RH_ERR_INIT;
        enum err_code code = sampling->engine->query_single(sampling->connection, sql,
                                                            sampling->deadline, NULL, &failure);
        if (code == RH_ERR_SERVER && rh_sample_failed_at_partition(sampling, &failure))
            code = failure.code;
        if (code == RH_ERR_SERVER) {
            rh_server_words_hide_values(&failure);
            rh_err_set(err, RH_ERR_USAGE, "--where %s: %s", identity, failure.message);
            rh_err_hint(err,
                        "The condition is used with an empty search_path, as pg_dump's sessions "
                        "have it: write schema.function().");
            return err->code;
        }
        if (code != RH_OK) {
            *err = failure;
            return code;
        }
    }
    return RH_OK;
}

/* --- plans --- */

enum err_code rh_sample_check_edges(struct sampling *sampling, size_t first, struct err *err)
{
    const char *search_path = sampling->search_path;
    enum err_code code = RH_OK;
    sampling->search_path = ""; /* as the conditions will have it */
    for (size_t i = first; i < sampling->edges.count && code == RH_OK; i++) {
        struct sample_edge *edge = &sampling->edges.items[i];
        struct rows *plan RH_CLEANUP_ROWS = NULL;
        const char *why = NULL;
        if (edge->is_vouched)
            continue;
        const char *children = rh_arena_printf(sampling->scratch, "(SELECT %s FROM %s)",
                                               rh_sample_child_columns(sampling, edge, 0),
                                               rh_sample_from(sampling, edge->child_table));
        code = rh_sample_probe(sampling,
                               rh_arena_printf(sampling->scratch, "EXPLAIN SELECT FROM %s WHERE %s",
                                               rh_sample_from(sampling, edge->parent_table),
                                               rh_sample_is_parent(sampling, edge, children, 0)),
                               PLAN_TIMEOUT_US, &plan, &why, err);
        edge->is_void = why != NULL;
        if (why)
            *RH_PUSH(sampling->arena, &sampling->plan->notes) = rh_arena_printf(
                sampling->arena, "what %s refers to in %s is not looked for: %s",
                rh_sampling_table(sampling, edge->child_table)->identity,
                rh_sampling_table(sampling, edge->parent_table)->identity, why);
    }
    sampling->search_path = search_path;
    return code;
}

/* Whether the plan goes through a list of rows again for every row: a subplan that is neither
   hashed nor an index's. */
static bool has_slow_subplan(const struct rows *plan)
{
    for (size_t i = 0; i < rh_rows_count(plan); i++) {
        const char *line = rh_rows_value(plan, i, 0);
        for (const char *at = line ? strstr(line, "SubPlan") : NULL; at;
             at = strstr(at + 1, "SubPlan"))
            if (strstr(line, "Filter:") && (at - line < 7 || strncmp(at - 7, "hashed ", 7) != 0))
                return true;
    }
    return false;
}

/* A subplan is hashed where its rows, as the planner guesses them, fit in work_mem; they would
   always fit, but its guess of a condition with OR is half of the table. */
enum err_code rh_sample_plan_base(struct sampling *sampling, size_t index, struct err *err)
{
    struct sample_node *node = &sampling->nodes.items[index];
    struct rows *plan RH_CLEANUP_ROWS = NULL;
    rh_sample_base(sampling, index);
    if (!node->looks_up)
        return RH_OK;
    enum err_code code = rh_sample_query(
        sampling,
        rh_arena_printf(sampling->scratch, "EXPLAIN SELECT FROM %s WHERE %s OR ctid = '(0,1)'",
                        rh_sample_from(sampling, node->table), node->base),
        NULL, 0, &plan, err);
    if (code == RH_OK && has_slow_subplan(plan)) {
        node->asks_index = true;
        rh_sample_base(sampling, index);
    }
    return code;
}

/* --- caps --- */

static enum err_code cap_rows(struct sampling *sampling, size_t index, struct err *err)
{
    struct sample_node *node = &sampling->nodes.items[index];
    int64_t max = sampling->options->max_rows;
    struct rows *rows RH_CLEANUP_ROWS = NULL;
    if (max == 0 || rh_sampling_table(sampling, node->table)->is_extension_configuration)
        return RH_OK;
    const char *sql = rh_arena_printf(
        sampling->scratch,
        "SELECT rehearse_hash FROM (SELECT %s AS rehearse_hash FROM %s%s%s) AS rehearse_rows ORDER "
        "BY rehearse_hash OFFSET %lld LIMIT 1",
        rh_sample_key_hash(sampling, index), rh_sample_from(sampling, node->table),
        node->base ? " WHERE " : "", node->base ? node->base : "", (long long)max);
    enum err_code code = rh_sample_query(sampling, sql, NULL, 0, &rows, err);
    if (code != RH_OK || rh_rows_count(rows) == 0)
        return code;
    rh_sample_base_below(sampling, index, rh_rows_int(rows, 0, 0, INT64_MIN));
    node->reason = rh_arena_printf(sampling->arena, "%s%sat most %lld rows",
                                   node->reason ? node->reason : "", node->reason ? ", " : "",
                                   (long long)max);
    return RH_OK;
}

static enum err_code cap_edge(struct sampling *sampling, size_t index, struct err *err)
{
    struct sample_node *node = &sampling->nodes.items[index];
    int64_t max = sampling->options->edge_max_rows;
    struct rows *rows RH_CLEANUP_ROWS = NULL;
    if (max == 0 || node->choice != SAMPLE_FOLLOWER)
        return RH_OK;
    const struct sample_edge *edge = &sampling->edges.items[node->edge];
    const char *columns = "";
    for (size_t i = 0; i < edge->columns.count; i++)
        columns = rh_arena_printf(sampling->scratch, "%s%srehearse_%zu", columns, i ? ", " : "", i);
    const char *sql = rh_arena_printf(
        sampling->scratch,
        "SELECT FROM (SELECT %s FROM %s WHERE %s) AS rehearse_rows GROUP BY %s HAVING "
        "pg_catalog.count(*) > %lld LIMIT 1",
        rh_sample_child_columns(sampling, edge, 0), rh_sample_from(sampling, node->table),
        node->base, columns, (long long)max);
    enum err_code code = rh_sample_query(sampling, sql, NULL, 0, &rows, err);
    if (code != RH_OK || rh_rows_count(rows) == 0)
        return code;
    rh_sample_base_edge_cap(sampling, index, max);
    node->reason = rh_arena_printf(sampling->arena, "%s, at most %lld rows of each", node->reason,
                                   (long long)max);
    return RH_OK;
}

enum err_code rh_sample_cap(struct sampling *sampling, size_t index, struct err *err)
{
    if (sampling->nodes.items[index].choice == SAMPLE_OMITTED)
        return RH_OK;
    enum err_code code = cap_edge(sampling, index, err);
    return code == RH_OK ? cap_rows(sampling, index, err) : code;
}

/* --- what should be represented --- */

static enum err_code first_rows(struct sampling *sampling, struct err *err)
{
    const struct catalog *catalog = sampling->catalog;
    size_t asked = 0;
    const char *query = "";
    for (size_t i = 0; i <= catalog->tables.count; i++) {
        size_t index = i < catalog->tables.count ? sampling->node_of[i] : CATALOG_NONE;
        bool is_wanted = index != CATALOG_NONE && sampling->nodes.items[index].base &&
                         catalog->tables.items[i].kind == 'r' &&
                         !rh_sample_is_unreadable(sampling, i);
        if (is_wanted)
            query = rh_arena_printf(sampling->scratch,
                                    "%s%s(SELECT tableoid::pg_catalog.int8 AS id, ctid AS place "
                                    "FROM %s LIMIT 1)",
                                    query, asked++ ? " UNION ALL " : "",
                                    rh_sample_from(sampling, i));
        if (asked == 0 || (asked < TABLES_AT_ONCE && i < catalog->tables.count))
            continue;
        struct rows *rows RH_CLEANUP_ROWS = NULL;
        enum err_code code = rh_sample_query(
            sampling, rh_sample_gather(sampling, query, TABLES_AT_ONCE), NULL, 0, &rows, err);
        if (code == RH_OK)
            code = rh_sample_take(sampling, rows, false, NULL, err);
        if (code != RH_OK)
            return code;
        query = "";
        asked = 0;
    }
    return RH_OK;
}

/* One row of the commonest value of each foreign key. The server looks the value up itself. */
static enum err_code heavy_key(struct sampling *sampling, const struct sample_edge *edge,
                               struct err *err)
{
    const struct catalog_table *table = rh_sampling_table(sampling, edge->child_table);
    const struct catalog_column *column = rh_catalog_column(table, edge->columns.items[0]);
    struct arena *arena = sampling->scratch;
    struct rows *rows RH_CLEANUP_ROWS = NULL;
    const char *why = NULL;
    if (edge->columns.count != 1 || column->distinct == 0 || column->distinct == -1)
        return RH_OK; /* never analysed, or every value once */
    const char *sql = rh_arena_printf(
        arena,
        "SELECT tableoid::pg_catalog.int8 AS id, ctid AS place FROM %s WHERE %s = (SELECT "
        "(s.most_common_vals::pg_catalog.text::%s[])[1] FROM pg_catalog.pg_stats AS s WHERE "
        "s.schemaname = %s AND s.tablename = %s AND s.attname = %s AND s.inherited = %s)",
        rh_sample_from(sampling, edge->child_table), column->quoted, column->type,
        rh_quote_literal(arena, table->schema), rh_quote_literal(arena, table->name),
        rh_quote_literal(arena, column->name), table->kind == 'p' ? "true" : "false");
    enum err_code code = rh_sample_probe(sampling, rh_sample_gather(sampling, sql, 1),
                                         HEAVY_TIMEOUT_US, &rows, &why, err);
    if (code == RH_OK && rows)
        code = rh_sample_take(sampling, rows, false, NULL, err);
    return code;
}

enum err_code rh_sample_top_up(struct sampling *sampling, struct err *err)
{
    enum err_code code = first_rows(sampling, err);
    for (size_t i = 0; i < sampling->edges.count && code == RH_OK; i++) {
        const struct sample_edge *edge = &sampling->edges.items[i];
        if (sampling->nodes.items[edge->child].base && edge->is_vouched)
            code = heavy_key(sampling, edge, err);
    }
    return code;
}

/* --- parents --- */

/* Asks for the parents that rows of `table` need, of those that `where` (with its parameter, NULL:
   none) selects; along the edges that are of that very table, or of a partition of it. */
static enum err_code ask_parents(struct sampling *sampling, size_t table, const char *where,
                                 const char *parameter, bool is_first, struct err *err)
{
    struct arena *arena = sampling->scratch;
    size_t index = sampling->node_of[table];
    const struct sample_node *node = &sampling->nodes.items[index];
    const char *columns = "", *query = "";
    size_t named = 0;
    for (size_t i = 0; i < sampling->edges.count; i++) {
        const struct sample_edge *edge = &sampling->edges.items[i];
        const struct sample_node *parent = &sampling->nodes.items[edge->parent];
        bool is_here = edge->child == index && (edge->child_table == table ||
                                                (!is_first && edge->child_table == node->table));
        if (!is_here || edge->is_void || !parent->base ||
            (is_first && node->base && i == node->edge))
            continue;
        columns = rh_arena_printf(arena, "%s%s%s", columns, named ? ", " : "",
                                  rh_sample_child_columns(sampling, edge, named));
        query = rh_arena_printf(
            arena,
            "%s%sSELECT tableoid::pg_catalog.int8 AS id, ctid AS place FROM %s WHERE %s AND (%s) "
            "IS "
            "NOT TRUE",
            query, named ? " UNION ALL " : "", rh_sample_from(sampling, edge->parent_table),
            rh_sample_is_parent(sampling, edge, "rehearse_kept", named), parent->base);
        named += edge->columns.count;
    }
    if (named == 0)
        return RH_OK;
    struct rows *rows RH_CLEANUP_ROWS = NULL;
    const char *sql = rh_arena_printf(
        arena, "WITH rehearse_kept AS MATERIALIZED (SELECT %s FROM %s%s%s) %s", columns,
        rh_sample_from(sampling, table), where ? " WHERE " : "", where ? where : "",
        rh_sample_gather(sampling, query, SAMPLE_EXTRAS_MAX + 1));
    enum err_code code = rh_sample_query(sampling, sql, &parameter, parameter ? 1 : 0, &rows, err);
    return code == RH_OK ? rh_sample_take(sampling, rows, false, NULL, err) : code;
}

/* Rows whose parents are asked for at once, above which their parents are read in order: the
   planner knows nothing of what a hash selects, takes it for 200 keys, and would go through an
   index for each (measured on 15, parents of 1,000,000 rows: 8.9 s so, 2.4 s by a hash join). */
#define INDEXED_ROWS_MAX 200000

static enum err_code allow_nested_loops(struct sampling *sampling, bool is_allowed, struct err *err)
{
    return rh_sample_query(sampling,
                           is_allowed
                               ? "SELECT pg_catalog.set_config('enable_nestloop', 'on', true)"
                               : "SELECT pg_catalog.set_config('enable_nestloop', 'off', true)",
                           NULL, 0, NULL, err);
}

static enum err_code first_round(struct sampling *sampling, struct err *err)
{
    enum err_code code = RH_OK;
    for (size_t i = 0; i < sampling->nodes.count && code == RH_OK; i++) {
        const struct sample_node *node = &sampling->nodes.items[i];
        if (node->choice == SAMPLE_OMITTED || (node->base && strcmp(node->base, "false") == 0))
            continue;
        bool is_large = (double)node->weight * node->fraction > INDEXED_ROWS_MAX;
        if (is_large)
            code = allow_nested_loops(sampling, false, err);
        if (code == RH_OK)
            code = ask_parents(sampling, node->table, node->base, NULL, true, err);
        for (size_t l = 0; node->is_partitioned && l < node->leaves.count && code == RH_OK; l++)
            if (!rh_sample_is_unreadable(sampling, node->leaves.items[l]))
                code = ask_parents(sampling, node->leaves.items[l], node->base, NULL, true, err);
        if (is_large && code == RH_OK)
            code = allow_nested_loops(sampling, true, err);
    }
    return code;
}

/* Parents of the rows that came since it was last asked. *ret_any: there were some. */
static enum err_code next_round(struct sampling *sampling, bool *ret_any, struct err *err)
{
    size_t count = sampling->catalog->tables.count;
    size_t *until = rh_arena_alloc_array(sampling->scratch, count + 1, sizeof(*until));
    enum err_code code = RH_OK;
    *ret_any = false;
    for (size_t i = 0; i < count; i++)
        until[i] = sampling->extras[i].set.rows.count;
    for (size_t i = 0; i < count; i++) {
        struct sample_extras *extras = &sampling->extras[i];
        while (extras->done < until[i] && code == RH_OK) {
            size_t to = until[i] - extras->done > ROWS_AT_ONCE ? extras->done + ROWS_AT_ONCE
                                                               : until[i];
            const char *places = rh_row_set_array(&extras->set, extras->done, to,
                                                  sampling->scratch);
            *ret_any = true;
            extras->done = to;
            code = ask_parents(sampling, i, "ctid = ANY ($1::pg_catalog.tid[])", places, false,
                               err);
        }
    }
    return code;
}

enum err_code rh_sample_close(struct sampling *sampling, struct err *err)
{
    bool is_any = true;
    enum err_code code = first_round(sampling, err);
    while (is_any && code == RH_OK)
        code = next_round(sampling, &is_any, err);
    return code;
}
