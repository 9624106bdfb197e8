/*
 * Originals that must not be found again. While personal values pass, a keyed hash of each is kept;
 * afterwards texts of every kind are looked through for survivors: whole values, the leaves and
 * words of longer ones. Holds no value. Pure.
 */
#ifndef RH_MASK_LEAK_H
#define RH_MASK_LEAK_H

#include "base/text.h"
#include "mask/value_sample.h"

/* 48 bytes for each: at most 50 MB. More distinct values than that are sampled, which is said. */
#define LEAK_VALUES_MAX ((size_t)1024 * 1024)
/* Shorter ones are found everywhere by chance. */
#define LEAK_VALUE_MIN 6
/* Longer parts of a text are not looked up. */
#define LEAK_PART_MAX 512

struct leak_filter {
    uint64_t seed;              /* of the hashes: another in each snapshot */
    struct value_sample values; /* `other`: the caller's number of the column it came from */
};

struct leak_hits {
    int64_t looked_up; /* whole values and parts of them */
    int64_t certain;   /* so long that they are there by no chance */
    int64_t possible;  /* an order number may be what a telephone number was */
    uint64_t column;   /* of the first certain one, else of the first */
};

void rh_leak_init(struct leak_filter *filter, uint64_t seed);
void rh_leak_deinit(struct leak_filter *filter);
/* A whole value. What says too little to be told from chance (short, one common word, a small
   number) is not kept. */
void rh_leak_add(struct leak_filter *filter, uint64_t column, struct text original);
/* Of a value with leaves. */
struct leaf_plan {
    bool is_xml;           /* else JSON, an array, a row, an hstore */
    bool numbers_may_stay; /* those without quotes */
    bool any_may_stay;     /* by rules for paths */
};
/* The leaves of a text (not the keys of JSON and hstore, not the names of XML), but those that the
   plan lets stay and that `masked` still has in their place. */
void rh_leak_add_leaves(struct leak_filter *filter, uint64_t column, const struct leaf_plan *plan,
                        struct text original, struct text masked);
/* Whether a leaf that has to be masked says enough to be told from chance. */
bool rh_leak_has_telling_leaf(const struct leaf_plan *plan, struct text original);
/* Looks `text` up, or where it is not there the parts of it, and adds to *hits. */
void rh_leak_find(const struct leak_filter *filter, struct text text, struct leak_hits *hits);
/* Whether rh_leak_add would keep it. */
bool rh_leak_is_telling(struct text value);
/* As rh_shape_verdict's is_exact. */
bool rh_leak_is_whole(const struct leak_filter *filter);

#endif
