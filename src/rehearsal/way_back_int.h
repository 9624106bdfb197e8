/*
 * What the rehearsals of the way back share: the clones they run on, and their share of the time.
 */
#ifndef RH_REHEARSAL_WAY_BACK_INT_H
#define RH_REHEARSAL_WAY_BACK_INT_H

#include "compare/round_trip.h"
#include "rehearsal/rehearsal_int.h"
#include "rehearsal/states.h"

struct way_back {
    struct rehearsal *rehearsal;
    struct result *result;
    struct round_trip *trip;
    const struct engine *engine;
    struct arena *arena;
    const struct states *before;
    struct states returned; /* the state after up and down at once */
    struct mono run_deadline;
};

/* Whether a phase may begin, with `phases_left` of them, this one counted, and until when. */
bool rh_way_back_has_time(const struct way_back *back, int phases_left, struct mono *ret_deadline);
/* The user's interrupt goes on as it is; what else went wrong is a reason, and RH_OK. */
enum err_code rh_way_back_reason(const struct way_back *back, enum err_code code,
                                 const struct err *why, const char **ret_reason,
                                 struct err *err) RH_MUST_CHECK;
/* Runs steps [first, end) of the migration on a clone, watched by nobody; a failure is an error. */
enum err_code rh_way_back_migrate(const struct way_back *back, struct sandbox *clone, size_t first,
                                  size_t end, struct err *err) RH_MUST_CHECK;
/* What is to be compared of two states; notes what cannot be. */
void rh_way_back_compare(struct way_back *back, const struct states *start,
                         const struct states *end, struct round_trip_states *ret_states);

/* plan_trial.c: the plan on a clone, where it claims to be complete and to lose nothing. */
enum err_code rh_plan_trial_run(struct way_back *back, struct err *err) RH_MUST_CHECK;

#endif
