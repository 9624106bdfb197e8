/*
 * The queries that a release brings with it, in a run: read from the user's files, and run on a
 * clone with the migration in it. Fills result.new_queries.
 */
#ifndef RH_REHEARSAL_NEW_QUERIES_H
#define RH_REHEARSAL_NEW_QUERIES_H

#include "rehearsal/rehearsal_int.h"

/* RH_ERR_USAGE, before anything is started: a file cannot be read, or something in it is wrong. */
enum err_code rh_new_queries_open(const char *const *paths, size_t count, struct arena *arena,
                                  struct new_queries *ret_queries, struct err *err) RH_MUST_CHECK;
/* Does nothing where there are none. Errors are the user's interrupt and the clock of the run
   alone: whatever else fails is a reason in the result. */
enum err_code rh_new_queries_stage(struct rehearsal *rehearsal, struct err *err) RH_MUST_CHECK;

#endif
