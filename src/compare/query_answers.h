/*
 * What the sides answered to the same executions: errors by SQLSTATE, numbers of rows, columns,
 * values. What differs between the twins is no evidence, column by column; neither is what a query
 * leaves open (any rows of an unordered LIMIT, ties). Pure.
 */
#ifndef RH_COMPARE_QUERY_ANSWERS_H
#define RH_COMPARE_QUERY_ANSWERS_H

#include "model/comparison.h"

struct query_observations {
    struct query_observation *items;
    size_t count;
};

/* Whether candidate and baseline differ in rows where the twins agree: to be asked before, so that
   such an execution can be tried for is_undetermined. `flags` are PATTERN_*. */
bool rh_query_answer_is_suspect(const struct query_observation *observation, unsigned flags);

/* Fills errors and results, and the sides' numbers of errors, of query->flags' pattern. */
void rh_query_answers_compare(const struct query_observations *observations, struct arena *arena,
                              struct query_comparison *query);

#endif
