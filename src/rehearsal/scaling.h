/*
 * Durations of a sample, scaled: where the copy holds a share of production's rows, the migration
 * is rehearsed at two smaller sizes as well, and each statement's duration is carried on to
 * production's row counts, or it is said why not.
 */
#ifndef RH_REHEARSAL_SCALING_H
#define RH_REHEARSAL_SCALING_H

#include "rehearsal/rehearsal_int.h"

/* Fills result.scaling and the statements' in_production. Does nothing where the snapshot is not
   one of ours, or is whole, or no table that the migration touches is larger in production. An
   error only for the user's interrupt and the clock of the run. */
enum err_code rh_scaling_run(struct rehearsal *rehearsal, struct err *err) RH_MUST_CHECK;

#endif
