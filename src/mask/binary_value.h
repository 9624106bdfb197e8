/*
 * A value in its type's binary form (what typsend gives and typreceive takes) through the map of
 * its column: types whose binary form is their text (text, varchar, bpchar, json, enums, ...),
 * jsonb, bytea, uuid and integers. Equal to what masking its text gives. Pure.
 */
#ifndef RH_MASK_BINARY_VALUE_H
#define RH_MASK_BINARY_VALUE_H

#include "mask/mask_map.h"
#include "model/catalog.h"

enum binary_value {
    BINARY_VALUE_MASKED,
    BINARY_VALUE_NULL,   /* says the rule */
    BINARY_VALUE_UNKNOWN /* of a type, or in a form, whose bytes nobody here can change */
};

/* *ret_masked is written for BINARY_VALUE_MASKED alone; in `arena`, or the value itself. */
enum binary_value rh_mask_binary_value(struct mask_map *map, const struct catalog_column *column,
                                       struct text value, struct arena *arena,
                                       struct text *ret_masked);
/* An array of such values: map and column are those of an element (`is_array` false). */
enum binary_value rh_mask_binary_array(struct mask_map *map, const struct catalog_column *column,
                                       struct text value, struct arena *arena,
                                       struct text *ret_masked);

#endif
