/*
 * The states of a sandbox before and after the migration, and how they differ.
 *
 * Read where the migration runs, not from a clone of the prepared sandbox afterwards, though then
 * only the tables it touched would have to be read: the clone would need a stop, a copy of the data
 * directory and a start before every run (0.15 s and more for an empty one, its whole size again on
 * disk where files cannot be shared), and which tables were touched would be taken from the trace,
 * whose gaps are what the states are there to find. So both moments read everything, within a
 * budget; what the budget left out before is left out after, and told. Our reading also warms
 * caches and sets hint bits, as the traffic of a production server would have done. Where the
 * prepared sandbox comes from the cache, what an earlier run read of it before is taken instead
 * (starting_point.h), and the report says that nothing was read here.
 *
 * None of it counts into the times of the run. A state that cannot be read makes no run fail: the
 * result then says why nothing was compared.
 */
#ifndef RH_REHEARSAL_STATES_H
#define RH_REHEARSAL_STATES_H

#include "engine/engine.h"
#include "model/result.h"
#include "sandbox/sandbox.h"

struct states {
    struct schema_state schema;
    struct data_state data;
    const char *schema_reason, *data_reason; /* why there is none; NULL: there is */
};

/* Reading on a connection of the caller's, whose session's settings it changes. */
struct states_reading {
    const struct engine *engine;
    struct connection *connection;
    const struct connection_parameters *others; /* further connections, as the same role */
    int connections;                            /* at most, at once; 0: as many as pay */
    const char *skips_data;                     /* why the data is not read; NULL: it is */
    const struct states *previous;              /* the state this one will be compared with; NULL */
};
/* Fails only when the user or the clock ended the run. */
enum err_code rh_states_read_on(const struct states_reading *reading, struct arena *arena,
                                struct states *ret_states, struct err *err) RH_MUST_CHECK;

/* Before the migration. Fails only when the user or the clock ended the run. */
enum err_code rh_states_read(const struct sandbox *sandbox, const struct engine *engine,
                             struct progress *progress, struct arena *arena,
                             struct states *ret_states, struct err *err) RH_MUST_CHECK;
/* To be compared by names alone: ids differ between any two runs, and between clusters that have
   only their template in common. Shares all but the lineage with `states`. */
struct states rh_states_by_name(const struct states *states);
/* Of a clone, to be compared with `before`: the same keys and samples. */
enum err_code rh_states_read_again(const struct states *before, const struct sandbox *sandbox,
                                   const struct engine *engine, struct progress *progress,
                                   struct arena *arena, struct states *ret_states,
                                   struct err *err) RH_MUST_CHECK;
/* After it: reads again and fills schema_differences and data_differences of the result. *ret_after
   (may be NULL): what was read, in the arena of the result. */
enum err_code rh_states_compare(const struct states *before, const struct sandbox *sandbox,
                                const struct engine *engine, struct progress *progress,
                                struct result *result, struct states *ret_after,
                                struct err *err) RH_MUST_CHECK;

#endif
