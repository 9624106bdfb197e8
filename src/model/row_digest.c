#include "model/row_digest.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(ROW_DIGEST_SECRET_BYTES == XXH3_SECRET_DEFAULT_SIZE, "the secret's size");

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

static void add_hash(struct result_digest *digest, XXH128_hash_t row)
{
    uint8_t bytes[WORKLOAD_DIGEST_BYTES];

    for (size_t i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(row.low64 >> 8 * i);
        bytes[8 + i] = (uint8_t)(row.high64 >> 8 * i);
    }
    rh_result_digest_row(digest, bytes);
}

void rh_row_digest_add(struct result_digest *digest, const struct row_digest_key *key,
                       struct text row)
{
    add_hash(digest, XXH3_128bits_withSecret(row.data, row.len, key->secret, sizeof(key->secret)));
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

void rh_row_digest_stream_end(struct row_digest_stream *stream, struct result_digest *digest)
{
    add_hash(digest, XXH3_128bits_digest(stream->state));
}
