/*
 * Which columns a query takes for equal: conditions "column = column" of joins, WHERE and USING,
 * and "column IN (SELECT column ...)", at any depth. Best effort, for advice and for grouping
 * columns: what is not plainly a column of a table (an expression, a subquery's output) is left
 * out. Pure.
 */
#ifndef RH_SQL_JOINS_H
#define RH_SQL_JOINS_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>

/* Names as the catalogue has them, not quoted. */
struct sql_join_side {
    const char *schema; /* NULL: by search_path */
    const char *relation, *column;
};

struct sql_join {
    struct sql_join_side left, right;
};

struct sql_joins {
    bool is_parsed;
    VEC(struct sql_join) items;
};

/* `query` is one SELECT, as pg_get_viewdef() writes it; at most SQL_TREE_MAX bytes (sql/facts.h).
   Results lie in `arena`. */
void rh_sql_joins(struct text query, struct arena *arena, struct sql_joins *ret_joins);

#endif
