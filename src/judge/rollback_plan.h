/*
 * The plan of a rollback, from the evidence of the states before and after: exact commands that
 * undo what the migration did to the schema, and what only a backup brings back. Pure.
 *
 * It undoes what differs, not what was said: a statement that changed nothing needs no undoing. The
 * order is that of dependencies: what was added goes first, what was renamed gets its name back,
 * what was removed is made again.
 */
#ifndef RH_JUDGE_ROLLBACK_PLAN_H
#define RH_JUDGE_ROLLBACK_PLAN_H

#include "model/result.h"

/* From result->schema_differences and data_differences, whose explanations may still be to come;
   `schema` and `data` are the states before. Texts lie in `arena`. */
void rh_rollback_plan_make(const struct result *result, const struct schema_state *schema,
                           const struct data_state *data, struct arena *arena,
                           struct rollback_plan *ret_plan);

#endif
