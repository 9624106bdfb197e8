/*
 * Plans as EXPLAIN (FORMAT JSON) gives them: to lines that name nodes, relations and indexes and
 * nothing that costs or constants could change; how two of them differ; what they cost. Pure.
 */
#ifndef RH_COMPARE_QUERY_PLANS_H
#define RH_COMPARE_QUERY_PLANS_H

#include "compare/renames.h"
#include "model/comparison.h"

/* Nodes of one plan; what goes on beyond is not looked at (hundreds of partitions, generated
   unions). */
#define PLAN_LINES_MAX 400
/* Nested deeper than this it is not followed either. */
#define PLAN_DEPTH_MAX 100

/* `explain` is the array, or the object in it. False: it is no plan. Texts lie in the arena. */
bool rh_query_plan_read(const json_t *explain, struct arena *arena, struct query_plan *ret_plan);

/* The same of a candidate's, on which relations and indexes got other names: by those it is the
   same plan as one under the old names. */
bool rh_query_plan_read_renamed(const json_t *explain, const struct renames *renames,
                                struct arena *arena, struct query_plan *ret_plan);

/* What it cost, of EXPLAIN (ANALYZE, BUFFERS). False: it does not say. */
bool rh_query_plan_effort(const json_t *explain, struct arena *arena, struct query_effort *ret);

/* Sets is_compared, is_changed, difference, and marks the lines of both. */
void rh_query_plans_compare(struct query_plans *plans, struct arena *arena);

/* Whether two plans are the same node by node. */
bool rh_query_plan_equals(const struct query_plan *a, const struct query_plan *b);

#endif
