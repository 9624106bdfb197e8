/*
 * Comments that say something of the statement behind them: "-- key: value"; and what the files
 * that have them share. Pure.
 */
#ifndef RH_SQL_DIRECTIVE_H
#define RH_SQL_DIRECTIVE_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>

/* False for any other comment. Both are without blanks at their ends. */
bool rh_sql_directive_split(struct text comment, struct text *ret_key, struct text *ret_value);
/* Whatever the case of its letters. */
bool rh_sql_directive_is(struct text key, const char *name);
/* RH_ERR_USAGE at path:line:column. */
enum err_code rh_sql_directive_fail(const char *path, struct text text, size_t offset,
                                    const char *what, const char *hint, struct err *err);
/* *text loses its byte-order mark. RH_ERR_USAGE where it is no UTF-8, or has a zero byte. */
enum err_code rh_sql_directive_open(const char *path, struct text *text,
                                    struct err *err) RH_MUST_CHECK;

#endif
