/*
 * One query of a check, asked once: a cursor in a read-only transaction that is rolled back, read
 * piece by piece, so that a result is as large as it likes. Blocking.
 */
#ifndef RH_REHEARSAL_CHECK_QUERY_H
#define RH_REHEARSAL_CHECK_QUERY_H

#include "engine/engine.h"
#include "model/check.h"

/* As long as one check may take each time. */
#define CHECK_MAX_US (60 * INT64_C(1000000))

/*
 * Fills *ret_output; what the server refuses is in there, not in *err. Fails when the connection
 * is of no use any more. Values are kept with `keeps_values` only. Texts lie in `arena`.
 */
enum err_code rh_check_query(const struct engine *engine, struct connection *connection,
                             const struct check *check, bool keeps_values, struct arena *arena,
                             struct check_output *ret_output, struct err *err) RH_MUST_CHECK;

#endif
