/*
 * Two ends that should be one: of a migration that ran through, and of one that was run again. What
 * differs is said from the second one's side. Pure.
 *
 * Objects and tables are compared by their names: ids differ between any two runs. What differs
 * between two uninterrupted runs too (`twin`) tells nothing: the time of day, random numbers.
 * Sequences are not compared: what a transaction that was rolled back took of them is gone for
 * good, by design. Where they went on and `renumbers` says that rows were made anew, these may
 * carry other numbers: values that differ where the counts are equal are set aside. So are values
 * in a migration tool's own table of what it has run: times, durations and the like.
 */
#ifndef RH_COMPARE_COMPARE_ENDS_H
#define RH_COMPARE_COMPARE_ENDS_H

#include "model/repetition.h"
#include "model/state.h"

struct end_state {
    const struct schema_state *schema; /* NULL: not read */
    const struct data_state *data;     /* NULL: not read */
};

/* `twin` may be NULL. Sentences lie in `arena` and need nothing of the states. */
void rh_compare_ends(const struct end_state *expected, const struct end_state *actual,
                     const struct end_state *twin, bool renumbers, struct arena *arena,
                     struct end_difference *difference);

#endif
