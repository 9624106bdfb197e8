#include "model/result_digest.h"

#include <xxhash.h>

static void chain(uint8_t ordered[static WORKLOAD_DIGEST_BYTES],
                  const uint8_t row_hash[static WORKLOAD_DIGEST_BYTES])
{
    uint8_t both[2 * WORKLOAD_DIGEST_BYTES];
    memcpy(both, ordered, WORKLOAD_DIGEST_BYTES);
    memcpy(both + WORKLOAD_DIGEST_BYTES, row_hash, WORKLOAD_DIGEST_BYTES);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(both, sizeof(both)));
    _Static_assert(sizeof(canonical.digest) == WORKLOAD_DIGEST_BYTES, "a digest is 128 bits");
    memcpy(ordered, canonical.digest, WORKLOAD_DIGEST_BYTES);
}

void rh_result_digest_row(struct result_digest *digest,
                          const uint8_t row_hash[static WORKLOAD_DIGEST_BYTES])
{
    /* The least significant byte comes first. */
    unsigned carry = 0;
    for (size_t i = 0; i < WORKLOAD_DIGEST_BYTES; i++) {
        unsigned sum = (unsigned)digest->unordered[i] + row_hash[i] + carry;
        digest->unordered[i] = (uint8_t)sum;
        carry = sum >> 8;
    }
    chain(digest->ordered, row_hash);
}

bool rh_result_digest_ordered_of(const uint8_t unordered[static WORKLOAD_DIGEST_BYTES],
                                 int64_t returned,
                                 uint8_t ret_ordered[static WORKLOAD_DIGEST_BYTES])
{
    if (returned < 0 || returned > 1)
        return false;
    memset(ret_ordered, 0, WORKLOAD_DIGEST_BYTES);
    if (returned == 1)
        chain(ret_ordered, unordered);
    return true;
}
