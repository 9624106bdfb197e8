#include "model/row_digest.h"

#include "base/big_endian.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(ROW_DIGEST_SECRET_BYTES == XXH3_SECRET_DEFAULT_SIZE, "the secret's size");

/* What of a DataRow comes next. */
enum row_part { PART_COLUMNS, PART_LENGTH, PART_INTEGER, PART_VALUE };

struct row_digest_stream {
    const struct row_digest_key *key;
    XXH3_state_t *state;
    bool widens;
    enum row_part part;
    uint32_t left;   /* bytes of it that did not come yet */
    uint8_t held[4]; /* those that did, but for PART_VALUE */
    unsigned held_count;
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

static void expect(struct row_digest_stream *stream, enum row_part part, uint32_t bytes)
{
    stream->part = part;
    stream->left = bytes;
    stream->held_count = 0;
}

void rh_row_digest_stream_begin(struct row_digest_stream *stream, bool widens)
{
    stream->widens = widens;
    expect(stream, PART_COLUMNS, 2);
    XXH3_128bits_reset_withSecret(stream->state, stream->key->secret, sizeof(stream->key->secret));
}

static void end_length(struct row_digest_stream *stream)
{
    static const uint8_t eight[4] = {0, 0, 0, 8};
    uint32_t length = rh_load_be32(stream->held);
    bool is_integer = length == 2 || length == 4;
    bool is_empty = length == 0 || length == UINT32_MAX; /* NULL */

    XXH3_128bits_update(stream->state, is_integer ? eight : stream->held, 4);
    expect(stream,
           is_integer ? PART_INTEGER
           : is_empty ? PART_LENGTH
                      : PART_VALUE,
           is_empty ? 4 : length);
}

static void end_integer(struct row_digest_stream *stream)
{
    uint8_t wide[8];

    memset(wide, stream->held[0] & 0x80 ? 0xff : 0, sizeof(wide));
    memcpy(wide + sizeof(wide) - stream->held_count, stream->held, stream->held_count);
    XXH3_128bits_update(stream->state, wide, sizeof(wide));
    expect(stream, PART_LENGTH, 4);
}

static void end_part(struct row_digest_stream *stream)
{
    switch (stream->part) {
    case PART_COLUMNS:
        XXH3_128bits_update(stream->state, stream->held, stream->held_count);
        expect(stream, PART_LENGTH, 4);
        break;
    case PART_LENGTH:
        end_length(stream);
        break;
    case PART_INTEGER:
        end_integer(stream);
        break;
    case PART_VALUE:
        expect(stream, PART_LENGTH, 4);
        break;
    }
}

static void feed_widened(struct row_digest_stream *stream, struct text piece)
{
    while (piece.len > 0) {
        size_t taken = piece.len < stream->left ? piece.len : stream->left;

        if (stream->part == PART_VALUE) {
            XXH3_128bits_update(stream->state, piece.data, taken);
        } else {
            memcpy(stream->held + stream->held_count, piece.data, taken);
            stream->held_count += (unsigned)taken;
        }
        stream->left -= (uint32_t)taken;
        piece.data += taken;
        piece.len -= taken;
        if (stream->left == 0)
            end_part(stream);
    }
}

void rh_row_digest_stream_feed(struct row_digest_stream *stream, struct text piece)
{
    if (stream->widens)
        feed_widened(stream, piece);
    else
        XXH3_128bits_update(stream->state, piece.data, piece.len);
}

void rh_row_digest_stream_end(struct row_digest_stream *stream, struct result_digest *digest)
{
    /* A row that breaks off. */
    XXH3_128bits_update(stream->state, stream->held, stream->held_count);
    add_hash(digest, XXH3_128bits_digest(stream->state));
}
