/*
 * Again and halfway: the migration run a second time where it ran, and, on fresh clones, cut off at
 * chosen places and run again; each end compared with the end of the uninterrupted run.
 *
 * Only after a run that succeeded. What is chosen, and what ended the choice, is in the result.
 */
#ifndef RH_REHEARSAL_REPETITION_H
#define RH_REHEARSAL_REPETITION_H

#include "rehearsal/rehearsal_int.h"
#include "rehearsal/states.h"

/* With CUTS_AUTO no cut begins that would not end within so many times the migration's own duration
   and, for short ones, so long. */
#define CUTS_BUDGET_FACTOR 2
#define CUTS_BUDGET_US (INT64_C(30) * 1000 * 1000)

/*
 * Fills result.repetition. `end` is what the run left, as read. The last to use the candidate: it
 * runs the migration there once more, unless the candidate is to be kept. Blocking. Fails only when
 * the user or the clock of the run ended it.
 */
enum err_code rh_repetition_run(struct rehearsal *rehearsal, const struct states *end,
                                struct err *err) RH_MUST_CHECK;

#endif
