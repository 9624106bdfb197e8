/*
 * What a migration newly allows, from the differences it made: each freedom is a kind of row that
 * could not be written before, and that a way back may trip over. One plain row for every table
 * that was touched comes first. Pure; results lie in `arena` and point into the differences.
 */
#ifndef RH_COMPARE_FREEDOMS_H
#define RH_COMPARE_FREEDOMS_H

#include "model/round_trip.h"

/* A release that loosens more than that is told by its first hundred; each is a row to be made. */
#define FREEDOMS_MAX 100

struct freedoms {
    struct freedom *items;
    size_t count, capacity;
};

/* `migrated`: the schema after the migration, whose names are used. */
void rh_freedoms_find(const struct schema_differences *schema, const struct data_differences *data,
                      const struct schema_state *migrated, struct arena *arena,
                      struct freedoms *ret_freedoms);

#endif
