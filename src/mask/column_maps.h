/*
 * The maps of a masking plan: one for each column that changes on the way, made before the first
 * row is read, so that a rule that cannot work is an error then.
 */
#ifndef RH_MASK_COLUMN_MAPS_H
#define RH_MASK_COLUMN_MAPS_H

#include "mask/mask_map.h"
#include "mask/masking.h"
#include "model/catalog.h"

struct column_maps;

/* Catalogue and plan must outlive it; the key must not. */
enum err_code rh_column_maps_new(const struct catalog *catalog, const struct masking *masking,
                                 const struct mask_master_key *key, struct column_maps **ret_maps,
                                 struct err *err) RH_MUST_CHECK;
void rh_column_maps_free(struct column_maps *maps);
/* False when the plan says nothing about that column: then no row of it may pass. *ret_map NULL: it
   stays as it is. */
bool rh_column_maps_find(const struct column_maps *maps, size_t table, int column,
                         struct mask_map **ret_map);

#endif
