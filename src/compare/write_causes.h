/*
 * What a table costs those who write to it, beside its rows: indexes, triggers, constraints. What
 * the candidate's table has more of than the baseline's is why its writes became slower. Pure.
 */
#ifndef RH_COMPARE_WRITE_CAUSES_H
#define RH_COMPARE_WRITE_CAUSES_H

#include "base/text.h"

/* Names shown of one kind; the rest is counted. */
#define WRITE_CAUSE_NAMES_SHOWN 5

/*
 * `before` and `after` have a line for each thing that the table has, "KIND<tab>NAME", lines of a
 * kind together. Returns "orders has 3 more indexes: a, b and c; 1 more trigger: d", or NULL where
 * there are no more of any kind. The text lies in the arena. *ret_only_indexes: what it names are
 * indexes alone, and what those cost a write shows in its blocks and WAL records.
 */
const char *rh_write_cause(struct arena *arena, const char *table, struct text before,
                           struct text after, bool *ret_only_indexes);

#endif
