/*
 * Every blocker at once: after a first pass that ended with a failed statement, the second pass
 * (trace/second_pass.h) over the same migration on a fresh clone.
 *
 * The trace, its times and what was read of the first pass stay as they are. A second pass that
 * cannot be made, or does not come to its end, makes no run fail: the result says why.
 */
#ifndef RH_REHEARSAL_BLOCKERS_H
#define RH_REHEARSAL_BLOCKERS_H

#include "rehearsal/rehearsal_int.h"

/* Fills rehearsal->result.blockers. Fails only when the user or the clock ended the run. */
enum err_code rh_blockers_find(struct rehearsal *rehearsal, struct err *err) RH_MUST_CHECK;

#endif
