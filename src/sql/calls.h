/*
 * Names in a piece of SQL, as far as words alone tell: functions that it calls, and whatever else
 * may be one. Pure.
 */
#ifndef RH_SQL_CALLS_H
#define RH_SQL_CALLS_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>

struct sql_call {
    const char *schema; /* what stands before the dot; NULL: nothing */
    const char *name;   /* lower case unless quoted; "U&" when written so, which is not decoded */
    bool has_arguments; /* parentheses follow: else a column, a type, a keyword, an attribute */
    size_t commas;      /* within those parentheses, outside of others */
};

struct sql_calls {
    VEC(struct sql_call) items;
};

/* Every word and quoted identifier of `sql`, in order. */
void rh_sql_calls(struct text sql, struct arena *arena, struct sql_calls *ret_calls);

/*
 * What makes a condition mean something else every time it is asked: the clock, chance, counters,
 * and strings that stand for a time ('now', 'today'). As written, in the arena; NULL: none of what
 * the server brings (users' functions are not known here).
 */
const char *rh_sql_changing_word(struct text sql, struct arena *arena);

#endif
