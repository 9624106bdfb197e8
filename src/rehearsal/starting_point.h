/*
 * The starting point of a run: a prepared sandbox, found in the cache or made from snapshot, schema
 * and older migrations; and what is known of it before the migration.
 */
#ifndef RH_REHEARSAL_STARTING_POINT_H
#define RH_REHEARSAL_STARTING_POINT_H

#include "rehearsal/rehearsal_int.h"
#include "rehearsal/states.h"

/* rehearsal->prepared; `uses_cache`: false after an entry turned out to be useless. */
enum err_code rh_starting_point_prepare(struct rehearsal *rehearsal, bool uses_cache,
                                        struct err *err) RH_MUST_CHECK;
/* The candidate. A cached sandbox that no clone can be started of is thrown away and made anew. */
enum err_code rh_starting_point_clone(struct rehearsal *rehearsal, struct err *err) RH_MUST_CHECK;
/* The states of the candidate before the migration: of its base, where an earlier run left them
   there, else read. */
enum err_code rh_starting_point_states(struct rehearsal *rehearsal, struct states *ret_states,
                                       struct err *err) RH_MUST_CHECK;

#endif
