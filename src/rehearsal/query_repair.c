#include "rehearsal/query_repair.h"

#include "base/quote.h"
#include "rehearsal/queries_int.h"
#include "sql/predicate_columns.h"

#include <stdlib.h>
#include <string.h>

#define BUILD_US INT64_C(600000000)
#define INDEXES_TRIED 3
#define INDEX_COLUMNS_MAX 3
#define TRIED_INDEX "rehearse_tried"
#define NODES_DEEP 100

/* --- names ------------------------------------------------------------------------------------ */

static const char *identifier(struct arena *arena, const char *name)
{
    return rh_quote_name_where_needed(arena, name);
}

const char *rh_queries_table_of(struct arena *arena, const json_t *node)
{
    const char *name = json_string_value(json_object_get(node, "Relation Name"));
    const char *schema = json_string_value(json_object_get(node, "Schema"));
    if (!name)
        return NULL;
    return schema
               ? rh_arena_printf(arena, "%s.%s", identifier(arena, schema), identifier(arena, name))
               : identifier(arena, name);
}

/* What the server refuses is no repair. */
static enum err_code alter(const struct query_repair *repair, const char *sql, bool *ret_may_stand,
                           struct err *err)
{
    struct err refused = RH_ERR_INIT;
    enum err_code code = rh_paired_alter(repair->paired, sql, BUILD_US, ret_may_stand, &refused);
    if (code && code != RH_ERR_SERVER) {
        *err = refused;
        return code;
    }
    return RH_OK;
}

/* --- ANALYZE ---------------------------------------------------------------------------------- */

struct tables {
    const char **items;
    size_t count, capacity;
};

static void find_tables(struct arena *arena, const json_t *node, int depth, struct tables *tables)
{
    const char *table = rh_queries_table_of(arena, node);
    const json_t *child;
    size_t i;
    if (depth > NODES_DEEP)
        return;
    for (i = 0; table && i < tables->count; i++)
        if (strcmp(tables->items[i], table) == 0)
            table = NULL;
    if (table)
        *RH_PUSH(arena, tables) = table;
    json_array_foreach(json_object_get(node, "Plans"), i, child)
        find_tables(arena, child, depth + 1, tables);
}

static const json_t *root_of(const json_t *plan)
{
    return json_object_get(json_array_get(plan, 0), "Plan");
}

static enum err_code try_analyze(const struct query_repair *repair, struct query_retry *ret_retry,
                                 struct err *err)
{
    struct tables tables = {0};
    bool is_any = false;
    enum err_code code = RH_OK;
    find_tables(repair->arena, root_of(repair->plan), 0, &tables);
    for (size_t i = 0; !code && i < tables.count; i++) {
        bool is_done;
        code = alter(repair, rh_arena_printf(repair->arena, "ANALYZE %s", tables.items[i]),
                     &is_done, err);
        is_any |= is_done;
    }
    if (code || !is_any)
        return code;
    return repair->measure(repair->context, ret_retry, err);
}

/* --- an index --------------------------------------------------------------------------------- */

/* The scan that threw away the most rows, and what is known of what it looked for. */
struct costly_scan {
    const json_t *node;
    double wasted;
};

static double number_of(const json_t *node, const char *key)
{
    const json_t *value = json_object_get(node, key);
    return json_is_number(value) ? json_number_value(value) : 0;
}

static void find_scan(const json_t *node, int depth, struct costly_scan *worst)
{
    const json_t *child;
    size_t i;
    if (depth > NODES_DEEP)
        return;
    if (json_object_get(node, "Relation Name") && !json_object_get(node, "Operation")) {
        double loops = number_of(node, "Actual Loops");
        double wasted = loops * (number_of(node, "Rows Removed by Filter") +
                                 number_of(node, "Rows Removed by Index Recheck") +
                                 number_of(node, "Actual Rows"));
        if (wasted > worst->wasted)
            *worst = (struct costly_scan){node, wasted};
    }
    json_array_foreach(json_object_get(node, "Plans"), i, child) find_scan(child, depth + 1, worst);
}

/* Conditions of joins stand above the scan; all of the plan's are looked at, for its alias. */
static void find_columns(struct arena *arena, const json_t *node, int depth, const json_t *scan,
                         struct predicate_columns *own, struct predicate_columns *joined,
                         const char **ret_sort)
{
    static const char *const conditions[] = {"Hash Cond", "Merge Cond", "Join Filter"};
    const char *alias = json_string_value(json_object_get(scan, "Alias"));
    const json_t *child;
    size_t i;
    if (depth > NODES_DEEP || !alias)
        return;
    for (i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        const char *text = json_string_value(json_object_get(node, conditions[i]));
        if (text)
            rh_sql_predicate_columns(rh_text(text), alias, arena, joined);
    }
    const char *filter = node == scan ? json_string_value(json_object_get(node, "Filter")) : NULL;
    if (filter)
        rh_sql_predicate_columns(rh_text(filter), alias, arena, own);
    const char *key = json_string_value(json_array_get(json_object_get(node, "Sort Key"), 0));
    const char *dot = key ? strchr(key, '.') : NULL;
    if (dot && (size_t)(dot - key) == strlen(alias) && strncmp(key, alias, strlen(alias)) == 0 &&
        !strpbrk(dot, "()"))
        *ret_sort = dot + 1;
    json_array_foreach(json_object_get(node, "Plans"), i, child)
        find_columns(arena, child, depth + 1, scan, own, joined, ret_sort);
}

static const char *join_elements(struct arena *arena, const struct index_elements *elements,
                                 const char *last)
{
    const char *text = "";
    for (size_t i = 0; i < elements->count && i < INDEX_COLUMNS_MAX; i++) {
        bool is_call = strchr(elements->items[i], '(') != NULL;
        text = rh_arena_printf(arena, is_call ? "%s%s(%s)" : "%s%s%s", text, text[0] ? ", " : "",
                               elements->items[i]);
    }
    for (size_t i = 0; last && i < elements->count; i++)
        if (strcmp(elements->items[i], last) == 0)
            last = NULL;
    return last ? rh_arena_printf(arena, "%s%s%s", text, text[0] ? ", " : "", last) : text;
}

/* "orders_customer_id_created_at_idx", as the server would call it, cut to its 63 bytes. */
static const char *index_name(struct arena *arena, const char *relation, const char *columns)
{
    char *name = rh_arena_printf(arena, "%.30s_%.24s", relation, columns);
    size_t to = 0;
    for (const char *c = name; *c; c++) {
        bool is_word = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ||
                       (*c >= 'A' && *c <= 'Z');
        if (is_word)
            name[to++] = *c;
        else if (to > 0 && name[to - 1] != '_')
            name[to++] = '_';
    }
    while (to > 0 && name[to - 1] == '_')
        to--;
    name[to] = '\0';
    for (char *c = name; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    return rh_arena_printf(arena, "%s_idx", name);
}

/* What was built goes whatever happened, also where the user has had enough. */
static enum err_code drop(const struct query_repair *repair, const char *index, enum err_code code,
                          struct err *err)
{
    struct err left = RH_ERR_INIT;
    enum err_code dropped = rh_paired_undo(
        repair->paired, rh_arena_printf(repair->arena, "DROP INDEX IF EXISTS %s", index), &left);
    if (!dropped)
        return code;
    if (!code)
        *err = left;
    rh_err_while(err, "while taking the index %s away again, which is left on the candidate",
                 index);
    return err->code;
}

static enum err_code try_index(const struct query_repair *repair, const json_t *scan,
                               const char *columns, struct index_proposal *ret_proposal,
                               bool *ret_repaired, struct err *err)
{
    struct arena *arena = repair->arena;
    const char *table = rh_queries_table_of(arena, scan);
    const char *relation = json_string_value(json_object_get(scan, "Relation Name"));
    const char *schema = json_string_value(json_object_get(scan, "Schema"));
    const char *tried = schema
                            ? rh_arena_printf(arena, "%s." TRIED_INDEX, identifier(arena, schema))
                            : TRIED_INDEX;
    struct index_proposal proposal = {.table = table, .build_us = -1, .bytes = -1};
    const char *bytes = NULL;
    bool may_stand;
    struct mono begun = rh_clock_mono();
    enum err_code code = alter(
        repair, rh_arena_printf(arena, "CREATE INDEX " TRIED_INDEX " ON %s (%s)", table, columns),
        &may_stand, err);
    if (!may_stand)
        return code;
    proposal.build_us = rh_clock_mono().us - begun.us;
    if (!code)
        code = repair->measure(repair->context, &proposal.retry, err);
    if (!code)
        code = rh_paired_ask(
            repair->paired, SIDE_CANDIDATE,
            rh_arena_printf(arena, "SELECT pg_catalog.pg_relation_size(%s::pg_catalog.regclass)",
                            rh_quote_literal(arena, tried)),
            arena, &bytes, err);
    if (bytes)
        proposal.bytes = strtoll(bytes, NULL, 10);
    if ((code = drop(repair, tried, code, err)))
        return code;
    proposal.sql = rh_arena_printf(arena, "CREATE INDEX CONCURRENTLY %s ON %s (%s);",
                                   index_name(arena, relation, columns), table, columns);
    /* The repair's plan names the index as it was tried. */
    if (proposal.retry.difference) {
        const char *at = strstr(proposal.retry.difference, TRIED_INDEX);
        if (at)
            proposal.retry.difference = rh_arena_printf(
                arena, "%.*s%s%s", (int)(at - proposal.retry.difference), proposal.retry.difference,
                index_name(arena, relation, columns), at + strlen(TRIED_INDEX));
    }
    *ret_repaired = proposal.retry.is_repaired;
    if (proposal.retry.is_repaired || !ret_proposal->retry.was_tried)
        *ret_proposal = proposal;
    return RH_OK;
}

static enum err_code try_indexes(const struct query_repair *repair,
                                 struct index_proposal *ret_proposal, struct err *err)
{
    struct arena *arena = repair->arena;
    struct costly_scan worst = {0};
    struct predicate_columns own = {0}, joined = {0};
    const char *sort = NULL, *candidates[INDEXES_TRIED];
    size_t count = 0;
    bool is_repaired = false;
    enum err_code code = RH_OK;
    const json_t *root = root_of(repair->plan);

    find_scan(root, 0, &worst);
    if (!worst.node)
        return RH_OK;
    find_columns(arena, root, 0, worst.node, &own, &joined, &sort);
    const char *range = own.ranges.count > 0 ? own.ranges.items[0] : NULL;
    const char *all[] = {
        own.has_or ? "" : join_elements(arena, &own.equal, NULL),
        own.has_or ? "" : join_elements(arena, &own.equal, range ? range : sort),
        join_elements(arena, &joined.equal, NULL),
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        bool is_new = all[i][0] != '\0';
        for (size_t j = 0; j < count; j++)
            is_new &= strcmp(candidates[j], all[i]) != 0;
        if (is_new)
            candidates[count++] = all[i];
    }
    for (size_t i = 0; !code && !is_repaired && i < count; i++)
        code = try_index(repair, worst.node, candidates[i], ret_proposal, &is_repaired, err);
    return code;
}

enum err_code rh_query_repair(const struct query_repair *repair, struct query_retry *ret_analyze,
                              struct index_proposal *ret_proposal, struct err *err)
{
    enum err_code code = try_analyze(repair, ret_analyze, err);
    if (!code && !ret_analyze->is_repaired)
        code = try_indexes(repair, ret_proposal, err);
    return code;
}
