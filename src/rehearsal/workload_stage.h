/*
 * Production's queries in a run: replayed while the migration runs (rehearsal/traffic.h), and
 * compared on clones with and without it (rehearsal/queries.h). Fills result.traffic and
 * result.workload.
 */
#ifndef RH_REHEARSAL_WORKLOAD_STAGE_H
#define RH_REHEARSAL_WORKLOAD_STAGE_H

#include "rehearsal/rehearsal_int.h"

/* Does nothing where neither a workload nor a blocker is wanted. Errors are the user's interrupt
   and the clock of the run alone: whatever else fails is a reason in the result. */
enum err_code rh_workload_stage(struct rehearsal *rehearsal, struct err *err) RH_MUST_CHECK;
/* Before anything is started; fills `survey`, in `arena`. RH_ERR_USAGE: the workload has nothing
   that could be sent, or a rule of the transform concerns none of it. */
enum err_code rh_workload_check(struct workload_options *options, struct arena *arena,
                                struct err *err) RH_MUST_CHECK;

#endif
