/*
 * What a leaf looks like, and the map for what looks so. A leaf that is an e-mail address gets the
 * map of e-mail addresses, as a column of them does, so that with one domain they join.
 */
#ifndef RH_MASK_MASK_LEAF_KINDS_H
#define RH_MASK_MASK_LEAF_KINDS_H

#include "mask/mask_leaves.h"

enum leaf_kind {
    LEAF_TEXT, /* first: also the map for what is broken */
    LEAF_EMAIL,
    LEAF_URL,
    LEAF_PHONE,
    LEAF_UUID,
    LEAF_CARD,
    LEAF_IBAN,
    LEAF_INET,
    LEAF_DATE, /* of its first LEAF_DATE_BYTES; a time of day behind them stays */
    LEAF_KIND_COUNT,
};
#define LEAF_DATE_BYTES 10 /* 2026-11-20 */

/* Maps that are being gathered for rh_leaves_new; freed when it does not come to that. */
struct leaf_maps {
    VEC(struct mask_map *) list;
};
void rh_leaf_maps_free(struct leaf_maps *maps);
/* Adds LEAF_KIND_COUNT maps in the order of enum leaf_kind. `domain` NULL: that of `map`. */
enum err_code rh_leaf_maps_add_kinds(struct leaf_maps *maps, const struct mask_map *map,
                                     const char *domain, struct arena *arena,
                                     struct err *err) RH_MUST_CHECK;
enum err_code rh_leaf_maps_add(struct leaf_maps *maps, const struct mask_map *map,
                               enum mask_rule rule, const char *domain, struct arena *arena,
                               struct err *err) RH_MUST_CHECK;

/* The `open` of a kind that has these maps and no others: makes map->own of `format` and `own`. */
enum err_code rh_leaf_kinds_open(struct mask_map *map, const struct leaf_format *format,
                                 const void *own, struct mask_map **ret_kinds, struct arena *arena,
                                 struct err *err) RH_MUST_CHECK;

/* `maps`: the LEAF_KIND_COUNT of one domain. */
enum leaf_kind rh_leaf_kind(struct mask_map *const *maps, struct text value);
/* Whether the name of a member is data: an address, an identifier, a run of digits. */
bool rh_leaf_key_is_data(struct mask_map *const *maps, struct text key, enum leaf_kind *ret_kind);
/* Whether `value` begins with a date, and holds nothing but a time of day behind it. */
bool rh_leaf_is_date(struct text value);
/* Four numbers up to 255 with dots between, and no zeros in front. */
bool rh_leaf_is_ipv4(struct text value);
/* Whether a whole number, perhaps with a sign, may be the number of a payment card. */
bool rh_leaf_is_card_number(struct text number);
/* Whether the name of a member says that its number is a person's: phone, ssn, iban... */
bool rh_leaf_key_names_number(struct text key);

#endif
