/*
 * What a way back did not bring back: the differences between the state before a migration and the
 * one after it was undone, told as losses. Pure.
 *
 * Left out are a migration tool's own ledgers (they record that there was a way and a way back) and
 * sequences that went on: no rollback ever sets one back. Results lie in `arena` and point into the
 * states.
 */
#ifndef RH_COMPARE_ROUND_TRIP_H
#define RH_COMPARE_ROUND_TRIP_H

#include "model/round_trip.h"

struct round_trip_states {
    const struct schema_state *schema_before, *schema_after;
    const struct data_state *data_before, *data_after; /* both NULL: data are not compared */
    bool has_ledgers; /* a tool ran, which may keep a ledger of its own */
    /* Of tables that others wrote to meanwhile nothing but lost rows and values counts. Identities.
       After writes that is so of all tables: what is computed from rows may rightly differ. */
    const char *const *written_to;
    size_t written_to_count;
};

/* Adds to trip->differences and trip->notes. */
void rh_compare_round_trip(const struct round_trip_states *states, bool after_writes,
                           struct arena *arena, struct round_trip *trip);
/* The same for a database restored elsewhere: names alone identify, owners are roles of there. */
void rh_compare_restored(const struct round_trip_states *states, struct arena *arena,
                         struct restore_test *test);

/* From what was found; not for trips that were not made. */
enum round_trip_verdict rh_round_trip_verdict_of(const struct round_trip *trip);

#endif
