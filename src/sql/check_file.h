/*
 * A file of checks -> its checks. Plain SQL: each statement is one query, and comments before it
 * say what is expected of it.
 *
 *     -- name: every order has a customer
 *     -- expect: zero
 *     SELECT count(*) FROM orders o LEFT JOIN customers c ON c.id = o.customer_id WHERE c.id IS
 * NULL;
 *
 * Expectations: same (the default), changed, zero, rows, and <= 10 with <, >=, >, =, != as well. A
 * file that calls plan(), no_plan() or finish() is a pgTAP file: one check, run as it is. Pure.
 */
#ifndef RH_SQL_CHECK_FILE_H
#define RH_SQL_CHECK_FILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "model/check.h"

/* What people write by hand; generated files of this size are not read by anyone. */
#define CHECK_FILE_BYTES_MAX ((size_t)1024 * 1024)

/*
 * Adds the checks of `text`, read from `path`. Whatever is wrong with it (an unknown or a second
 * expectation, a check without a query, psql commands, statements that are no query) is
 * RH_ERR_USAGE with "path:line:column" and what to do. `checks` is touched on success only.
 */
enum err_code rh_check_file_parse(const char *path, struct text text, struct arena *arena,
                                  struct checks *checks, struct err *err) RH_MUST_CHECK;

#endif
