/*
 * The way back of a migration that ran well, rehearsed on clones: up and down at once; up, rows
 * written, and down; or, where nobody gave a way back, our own plan. Fills result->round_trip.
 *
 * Each clone is destroyed before the next is made. With --timeout the phases share what is left of
 * it, and one for which no time is left says so; nothing of this ends a run by its clock.
 */
#ifndef RH_REHEARSAL_WAY_BACK_H
#define RH_REHEARSAL_WAY_BACK_H

#include "rehearsal/rehearsal_int.h"
#include "rehearsal/states.h"

/* After the states were compared, before the result is judged. What goes wrong on a clone is a
   reason in the result; fails only when the user ended the run. */
enum err_code rh_way_back_rehearse(struct rehearsal *rehearsal, const struct states *before,
                                   struct err *err) RH_MUST_CHECK;

#endif
