/*
 * Digests of a result, made row by row from the rows' own hashes (which their maker keys, so that
 * they tell nothing of a value).
 *
 * `unordered` is the sum of the hashes, modulo 2^128: equal for the same rows in whatever order.
 * `ordered` is a chain: zeros, then for each row the XXH3 128-bit hash of what the chain was and
 * the row's hash. So of a result of no row or one, the first tells the second, and only that one is
 * stored. Not keyed themselves. Pure.
 */
#ifndef RH_MODEL_RESULT_DIGEST_H
#define RH_MODEL_RESULT_DIGEST_H

#include "model/workload.h"

struct result_digest {
    uint8_t unordered[WORKLOAD_DIGEST_BYTES], ordered[WORKLOAD_DIGEST_BYTES];
};

/* Of no rows: zeros. */
static inline void rh_result_digest_init(struct result_digest *digest)
{
    *digest = (struct result_digest){{0}, {0}};
}
void rh_result_digest_row(struct result_digest *digest,
                          const uint8_t row_hash[static WORKLOAD_DIGEST_BYTES]);
/* What `ordered` is when `returned` rows, 0 or 1, have this sum. False: more rows, nobody can say.
 */
bool rh_result_digest_ordered_of(const uint8_t unordered[static WORKLOAD_DIGEST_BYTES],
                                 int64_t returned,
                                 uint8_t ret_ordered[static WORKLOAD_DIGEST_BYTES]);

#endif
