/*
 * Comments that say something of the statement behind them: "-- key: value". Pure.
 */
#ifndef RH_SQL_DIRECTIVE_H
#define RH_SQL_DIRECTIVE_H

#include "base/text.h"

#include <stdbool.h>

/* False for any other comment. Both are without blanks at their ends. */
bool rh_sql_directive_split(struct text comment, struct text *ret_key, struct text *ret_value);
/* Whatever the case of its letters. */
bool rh_sql_directive_is(struct text key, const char *name);

#endif
