/*
 * A bounded sample of the distinct values of a stream, by their hashes: kept are those below a
 * threshold that halves whenever too many are kept. So which values are in it does not depend on
 * their order or frequency, a kept one is counted from its first occurrence to its last, and while
 * all fit the sample is all of them. Holds no value. Pure.
 */
#ifndef RH_MASK_VALUE_SAMPLE_H
#define RH_MASK_VALUE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sampled_value {
    uint64_t hash;         /* never 0: that is an empty place */
    uint64_t other;        /* the caller's: of the pseudonym, say */
    uint32_t count, after; /* occurrences; the second is the caller's; both end at UINT32_MAX */
};

struct value_sample {
    struct sampled_value *places;
    size_t place_count; /* a power of two, at least twice `count` */
    size_t count, max;
    uint64_t below; /* kept are hashes up to this one; UINT64_MAX: all */
};

/* `max` values at most, of sizeof(struct sampled_value) bytes, twice over. */
void rh_value_sample_init(struct value_sample *sample, size_t max);
void rh_value_sample_deinit(struct value_sample *sample);
/* Counts one occurrence; NULL when the value is not in the sample. Valid until the next one. */
struct sampled_value *rh_value_sample_count(struct value_sample *sample, uint64_t hash);
/* NULL: not in the sample. */
struct sampled_value *rh_value_sample_find(const struct value_sample *sample, uint64_t hash);
bool rh_value_sample_is_whole(const struct value_sample *sample);
/* The share of all distinct values that is in it: 1, 0.5, 0.25, ... */
double rh_value_sample_share(const struct value_sample *sample);

#endif
