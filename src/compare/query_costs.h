/*
 * What in a plan costs more than its result is worth: large tables read whole, rows that went
 * through the disk. Pure.
 */
#ifndef RH_COMPARE_QUERY_COSTS_H
#define RH_COMPARE_QUERY_COSTS_H

#include "model/new_queries.h"

/* Rows that make a table large: some milliseconds to read. */
#define QUERY_COST_SCAN_ROWS 10000.0

/* Of EXPLAIN (ANALYZE, FORMAT JSON), the array or the object in it; the largest first, each subject
   once. Texts lie in the arena. */
void rh_query_costs(const json_t *explain, struct arena *arena, struct query_costs *ret_costs);
/* A scan of them threw away most of what it read: an index might find the rest. */
bool rh_query_costs_want_index(const struct query_costs *costs);

#endif
