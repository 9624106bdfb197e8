/*
 * A file of the queries that a release brings with it -> new queries. Plain SQL; comments before a
 * statement say what is known of it, each of them may be left out:
 *
 *     -- name: open orders of a customer
 *     -- parameters: 42, 'open'
 *     -- parameters: SELECT id, 'open' FROM customers LIMIT 100
 *     -- frequency: 20/s
 *     -- repeat: 200
 *     -- limit: 50ms
 *     -- role: shop_app
 *     SELECT * FROM orders WHERE customer_id = $1 AND state = $2;
 *
 * `parameters` may stand there often, each with the values of one execution, or once with a query
 * whose rows are the values. The statement is never asked to be what our parser knows: the server
 * that it is for is newer, perhaps. Pure.
 */
#ifndef RH_SQL_QUERY_FILE_H
#define RH_SQL_QUERY_FILE_H

#include "base/err.h"
#include "base/text.h"
#include "model/new_queries.h"

/* What people write by hand. */
#define QUERY_FILE_BYTES_MAX ((size_t)1024 * 1024)
#define NEW_QUERIES_MAX 1000
/* Sets of values of one query; a parameter query gives its first so many rows. */
#define NEW_QUERY_PARAMETERS_MAX 400
/* More of one query are no better known. */
#define NEW_QUERY_REPEAT_MAX 4000

/*
 * Adds the queries of `text`, read from `path`. Whatever is wrong with it is RH_ERR_USAGE with
 * "path:line:column" and what to do. `queries` is touched on success only.
 */
enum err_code rh_query_file_parse(const char *path, struct text text, struct arena *arena,
                                  struct new_queries *queries, struct err *err) RH_MUST_CHECK;

#endif
