#include "model/row_digest.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(ROW_DIGEST_SECRET_BYTES == XXH3_SECRET_DEFAULT_SIZE, "the secret's size");
_Static_assert(WORKLOAD_DIGEST_BYTES == sizeof(XXH128_canonical_t), "a digest is an XXH3 128");

struct row_digest_stream {
    const struct row_digest_key *key;
    XXH3_state_t *state;
};

void rh_row_digest_key_init(struct row_digest_key *key,
                            const uint8_t bytes[static WORKLOAD_DIGEST_KEY_BYTES])
{
    XXH_errorcode code = XXH3_generateSecret(key->secret, sizeof(key->secret), bytes,
                                             WORKLOAD_DIGEST_KEY_BYTES);
    RH_ASSERT(code == XXH_OK);
}

static void add_hash(struct row_digest *digest, const struct row_digest_key *key, XXH128_hash_t row)
{
    uint64_t chained[4] = {digest->ordered[0], digest->ordered[1], row.low64, row.high64};

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (size_t i = 0; i < 4; i++)
        chained[i] = __builtin_bswap64(chained[i]);
#endif
    XXH128_hash_t chain = XXH3_128bits_withSecret(chained, sizeof(chained), key->secret,
                                                  sizeof(key->secret));
    digest->unordered[0] += row.low64;
    digest->unordered[1] += row.high64 + (digest->unordered[0] < row.low64);
    digest->ordered[0] = chain.low64;
    digest->ordered[1] = chain.high64;
    digest->rows++;
}

void rh_row_digest_add(struct row_digest *digest, const struct row_digest_key *key, struct text row)
{
    add_hash(digest, key,
             XXH3_128bits_withSecret(row.data, row.len, key->secret, sizeof(key->secret)));
}

static void store(const uint64_t words[2], uint8_t out[static WORKLOAD_DIGEST_BYTES])
{
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, (XXH128_hash_t){.low64 = words[0], .high64 = words[1]});
    memcpy(out, canonical.digest, WORKLOAD_DIGEST_BYTES);
}

void rh_row_digest_store(const struct row_digest *digest, struct workload_result *result)
{
    result->has_digest = true;
    store(digest->unordered, result->unordered);
    store(digest->ordered, result->ordered);
}

/* --- in pieces ------------------------------------------------------------------------------- */

struct row_digest_stream *rh_row_digest_stream_new(const struct row_digest_key *key)
{
    struct row_digest_stream *stream = calloc(1, sizeof(*stream));

    if (!stream || !(stream->state = XXH3_createState()))
        RH_PANIC("out of memory for a row's hash");
    stream->key = key;
    return stream;
}

void rh_row_digest_stream_free(struct row_digest_stream *stream)
{
    if (!stream)
        return;
    XXH3_freeState(stream->state);
    free(stream);
}

void rh_row_digest_stream_begin(struct row_digest_stream *stream)
{
    XXH3_128bits_reset_withSecret(stream->state, stream->key->secret, sizeof(stream->key->secret));
}

void rh_row_digest_stream_feed(struct row_digest_stream *stream, struct text piece)
{
    XXH3_128bits_update(stream->state, piece.data, piece.len);
}

void rh_row_digest_stream_end(struct row_digest_stream *stream, struct row_digest *digest)
{
    add_hash(digest, stream->key, XXH3_128bits_digest(stream->state));
}
