/*
 * A value that is compared with a member of a document (data->'address'->>'street' = $1), masked as
 * it would be where it stands: in a document that holds nothing else, by the map of the column, and
 * taken out of it again. Pure.
 */
#ifndef RH_WORKLOAD_VALUE_MEMBER_H
#define RH_WORKLOAD_VALUE_MEMBER_H

#include "mask/mask_map.h"

/* Of a column's name as sql/pattern.h gives it: where its members begin ("->..."); NULL: it has
   none. */
const char *rh_value_members(const char *name);
/* `map` is that of a json or jsonb column. False: NULL, also for what is no document where one is
   compared. *ret_masked lies in `arena`. */
bool rh_value_member_mask(struct mask_map *map, const char *members, struct text value,
                          struct arena *arena, struct text *ret_masked);

#endif
