#include "compare/query_costs.h"

#include "compare/query_plans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of what a scan read so much is kept at most, where an index would be worth trying. */
#define INDEX_SHARE_MAX 0.1

static const char *text_of(const json_t *node, const char *key)
{
    return json_string_value(json_object_get(node, key));
}

static double number_of(const json_t *node, const char *key)
{
    const json_t *value = json_object_get(node, key);
    return json_is_number(value) ? json_number_value(value) : 0;
}

static void add(struct arena *arena, struct query_costs *costs, const struct query_cost *cost)
{
    for (size_t i = 0; i < costs->list.count; i++) {
        struct query_cost *known = &costs->list.items[i];
        if (known->kind != cost->kind || strcmp(known->subject, cost->subject) != 0)
            continue;
        if (cost->scanned > known->scanned || cost->bytes > known->bytes)
            *known = *cost;
        return;
    }
    *RH_PUSH(arena, &costs->list) = *cost;
}

static void add_scan(struct arena *arena, const json_t *node, struct query_costs *costs)
{
    const char *type = text_of(node, "Node Type"), *relation = text_of(node, "Relation Name");
    if (!type || !relation || strcmp(type, "Seq Scan") != 0)
        return;
    double loops = fmax(number_of(node, "Actual Loops"), 1);
    double kept = loops * number_of(node, "Actual Rows");
    double scanned = kept + loops * number_of(node, "Rows Removed by Filter");
    if (scanned < QUERY_COST_SCAN_ROWS)
        return;
    const struct query_cost cost = {.kind = QUERY_COST_SCAN,
                                    .subject = rh_arena_strdup(arena, relation),
                                    .scanned = llround(scanned),
                                    .kept = llround(kept)};
    add(arena, costs, &cost);
}

/* EXPLAIN tells kilobytes: of an external sort, of hash joins in batches, of hashed groups. */
static void add_spill(struct arena *arena, const json_t *node, struct query_costs *costs)
{
    const char *type = text_of(node, "Node Type"), *space = text_of(node, "Sort Space Type");
    double kilobytes = number_of(node, "Disk Usage");
    if (space && strcmp(space, "Disk") == 0)
        kilobytes = fmax(kilobytes, number_of(node, "Sort Space Used"));
    if (number_of(node, "Hash Batches") > 1) {
        double batches = number_of(node, "Hash Batches");
        kilobytes = fmax(kilobytes, number_of(node, "Peak Memory Usage") * (batches - 1));
    }
    if (!type || kilobytes <= 0)
        return;
    const struct query_cost cost = {.kind = QUERY_COST_SPILL,
                                    .subject = rh_arena_strdup(arena, type),
                                    .bytes = llround(kilobytes * 1024)};
    add(arena, costs, &cost);
}

static void walk(struct arena *arena, const json_t *node, int depth, struct query_costs *costs)
{
    const json_t *child;
    size_t i;
    if (!json_is_object(node) || depth > PLAN_DEPTH_MAX)
        return;
    add_scan(arena, node, costs);
    add_spill(arena, node, costs);
    json_array_foreach(json_object_get(node, "Plans"), i, child)
        walk(arena, child, depth + 1, costs);
}

static int by_size(const void *a, const void *b)
{
    const struct query_cost *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->scanned != y->scanned)
        return x->scanned > y->scanned ? -1 : 1;
    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

void rh_query_costs(const json_t *explain, struct arena *arena, struct query_costs *ret_costs)
{
    struct query_costs costs = {0};
    if (json_is_array(explain))
        explain = json_array_get(explain, 0);
    walk(arena, json_object_get(explain, "Plan"), 0, &costs);
    if (costs.list.count > 1)
        qsort(costs.list.items, costs.list.count, sizeof(*costs.list.items), by_size);
    *ret_costs = costs;
}

bool rh_query_costs_want_index(const struct query_costs *costs)
{
    for (size_t i = 0; i < costs->list.count; i++) {
        const struct query_cost *cost = &costs->list.items[i];
        if (cost->kind == QUERY_COST_SCAN &&
            (double)cost->kept <= INDEX_SHARE_MAX * (double)cost->scanned)
            return true;
    }
    return false;
}
