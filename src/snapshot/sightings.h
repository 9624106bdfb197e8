/*
 * A look at a few values of each column, so that what a column holds is not told by its name alone.
 * Reads a handful of pages of each table, as a reader does, in the caller's transaction; a table
 * that takes too long is left and said so. Values go into counters and nowhere else.
 */
#ifndef RH_SNAPSHOT_SIGHTINGS_H
#define RH_SNAPSHOT_SIGHTINGS_H

#include "engine/engine.h"
#include "mask/masking.h"

struct sightings_options {
    int64_t budget_us;       /* of all tables; 0: SIGHTINGS_BUDGET_US */
    int64_t table_budget_us; /* of one; 0: SIGHTINGS_TABLE_BUDGET_US */
};
#define SIGHTINGS_BUDGET_US 60000000
#define SIGHTINGS_TABLE_BUDGET_US 2000000

struct sightings {
    VEC(struct mask_sighting) items;
    VEC(const char *) not_observed; /* sentences */
};

/*
 * `connection` is inside a read-only transaction that the caller began; it is left as it was, also
 * where a table was given up (savepoints). Blocking, up to the deadline; an error is only what ends
 * the connection or the transaction.
 */
enum err_code rh_sightings_read(const struct engine *engine, struct connection *connection,
                                const struct catalog *catalog,
                                const struct sightings_options *options, struct mono deadline,
                                struct arena *arena, struct sightings *ret_sightings,
                                struct err *err) RH_MUST_CHECK;

#endif
