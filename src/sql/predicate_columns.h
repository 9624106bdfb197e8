/*
 * The columns that a condition, as EXPLAIN (VERBOSE) writes one, compares: what an index would have
 * to begin with. Pure. Read from the tokens; what is not understood is left out.
 */
#ifndef RH_SQL_PREDICATE_COLUMNS_H
#define RH_SQL_PREDICATE_COLUMNS_H

#include "base/arena.h"
#include "base/text.h"

/* As CREATE INDEX takes them, each once: "customer_id", "lower(email)". */
struct index_elements {
    const char **items;
    size_t count, capacity;
};

struct predicate_columns {
    struct index_elements equal, ranges;
    bool has_or; /* its parts need not hold together: no single index serves them all */
};

/* Of `condition` those of the relation `alias`; unqualified ones too. Adds to *columns. */
void rh_sql_predicate_columns(struct text condition, const char *alias, struct arena *arena,
                              struct predicate_columns *columns);

#endif
