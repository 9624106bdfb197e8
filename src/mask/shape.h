/*
 * The shape of a column, before and behind its mask: what a planner, a lock or an index sees of
 * values without reading them. Counted while originals and pseudonyms pass in pairs, and again
 * while the restored rows are read. Holds no value, only keyed hashes. Pure.
 */
#ifndef RH_MASK_SHAPE_H
#define RH_MASK_SHAPE_H

#include "base/arena.h"
#include "base/text.h"
#include "mask/value_sample.h"

/* Lengths up to 64 bytes are told apart, longer ones by powers of two. */
#define SHAPE_LENGTHS 96

struct shape_counts {
    int64_t nulls, values, bytes;
    int64_t lengths[SHAPE_LENGTHS];
};

struct shape {
    uint64_t seed; /* of the hashes: another in each snapshot */
    struct shape_counts before, after;
    struct value_sample values;     /* by the original; `other` of the pseudonym */
    struct value_sample pseudonyms; /* of those, once all have passed; `other` of the original */
    int64_t torn;      /* occurrences of a value that became something else than the first time */
    int64_t unsampled; /* values too long to be hashed: lengths alone are compared */
    bool is_sealed;
};

/* At most `max` distinct values are told apart exactly; of more, a sample of about as many. */
void rh_shape_init(struct shape *shape, size_t max, uint64_t seed);
void rh_shape_deinit(struct shape *shape);
/* data NULL: SQL NULL. */
void rh_shape_pass(struct shape *shape, struct text original, struct text masked);
void rh_shape_pass_long(struct shape *shape, int64_t bytes);
/* Of the restored column. */
void rh_shape_find(struct shape *shape, struct text masked);
void rh_shape_find_long(struct shape *shape, int64_t bytes);

struct shape_verdict {
    bool is_exact;    /* every distinct value was counted, not a sample of them */
    int64_t distinct; /* of the originals; estimated when not exact */
    bool nulls_same, lengths_same, distinct_same, frequencies_same;
    int64_t merged;       /* pseudonyms that stand for more than one original */
    const char *sentence; /* what differs; NULL: nothing */
};
/* After the last rh_shape_find. Lengths count where the rule keeps them. */
struct shape_verdict rh_shape_judge(struct shape *shape, bool keeps_lengths, struct arena *arena);

#endif
