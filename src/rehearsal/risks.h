/*
 * Risks of a migration that succeeds: gathers the questions that its trace and the differences of
 * the states raise, has them answered, and fills result->risks.
 *
 * Before the run one catalogue query and the counters are read. After it the migrated database is
 * asked; a clone of the starting point is started only when something must be known of the data as
 * they were (the type of a column changed, a sequence is behind). None of it counts into the times
 * of the run, and a question that goes without an answer makes no run fail.
 */
#ifndef RH_REHEARSAL_RISKS_H
#define RH_REHEARSAL_RISKS_H

#include "rehearsal/rehearsal_int.h"

struct risks_before {
    struct risk_marks marks;
    const char *reason; /* why there are none; NULL: there are */
};

/* Before the migration, of rehearsal->sandbox. Fails only when the user or the clock ended the run.
 */
enum err_code rh_risks_mark(struct rehearsal *rehearsal, struct risks_before *ret_before,
                            struct err *err) RH_MUST_CHECK;
/* After it; trace and differences of the result are there. */
enum err_code rh_risks_ask(struct rehearsal *rehearsal, const struct risks_before *before,
                           struct err *err) RH_MUST_CHECK;

#endif
