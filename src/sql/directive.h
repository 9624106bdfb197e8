/*
 * Comments that say something of the statement behind them, "-- key: value", and files of
 * statements with them. Pure.
 */
#ifndef RH_SQL_DIRECTIVE_H
#define RH_SQL_DIRECTIVE_H

#include "base/err.h"
#include "sql/split.h"

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

struct directive_file {
    const char *path;
    struct text text; /* opened as above */
    struct arena *arena;
    const char *thing;       /* what a statement is here: "check" */
    const char *const *keys; /* those that mean something; NULL at the end */
    const char *psql_hint;   /* what to do where something needs psql */
    /* A comment before the next statement, whatever its key; then that statement. */
    enum err_code (*comment)(void *context, size_t offset, struct text key, struct text value);
    enum err_code (*statement)(void *context, const struct sql_statement *statement);
    void *context;
};
/* Calls back for all of it in order. RH_ERR_USAGE: there is no statement, one needs psql, or a
   comment with one of the keys stands behind a statement on its line, within one (a name may), or
   before none. Else what the callbacks return. */
enum err_code rh_sql_directive_read(const struct directive_file *file,
                                    struct err *err) RH_MUST_CHECK;

#endif
