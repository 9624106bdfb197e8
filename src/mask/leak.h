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

void rh_leak_init(struct leak_filter *filter, uint64_t seed);
void rh_leak_deinit(struct leak_filter *filter);
/* What says too little to be told from chance (short, one common word, all digits of a small
   number) is not kept. */
void rh_leak_add(struct leak_filter *filter, uint64_t column, struct text original);
/* Occurrences in `text`, itself or parts of it; the first one's column in *ret_column. */
int64_t rh_leak_find(const struct leak_filter *filter, struct text text, uint64_t *ret_column);
/* As rh_shape_verdict's is_exact. */
bool rh_leak_is_whole(const struct leak_filter *filter);

#endif
