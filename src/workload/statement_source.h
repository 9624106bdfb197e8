/*
 * The sums of pg_stat_statements, asked of a live server: read only, in one session, by a role that
 * needs no more than pg_read_all_stats. Blocking.
 */
#ifndef RH_WORKLOAD_STATEMENT_SOURCE_H
#define RH_WORKLOAD_STATEMENT_SOURCE_H

#include "engine/engine.h"
#include "workload/statement_sums.h"

/* Notes say what cannot be seen. RH_ERR_ENVIRONMENT: the extension is not there, with what is
   missing; RH_ERR_USAGE: nothing was counted that we may see. */
enum err_code rh_statement_sums_ask(const struct engine *engine, const char *url,
                                    struct arena *arena, struct statement_sums *ret_sums,
                                    struct err *err) RH_MUST_CHECK;

#endif
