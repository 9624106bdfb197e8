/*
 * A query whose ORDER BY is followed by random(): where it gives other rows, or the same in another
 * order, what it asks for leaves that open. For asking, never for sending in a client's name. Pure.
 */
#ifndef RH_SQL_TIE_BREAK_H
#define RH_SQL_TIE_BREAK_H

#include "base/arena.h"
#include "base/text.h"

/* False: no ORDER BY at its top, or several statements. Read from the tokens. */
bool rh_sql_break_ties(struct text query, struct arena *arena, struct text *ret_query);

#endif
