#include "model/row_digest.h"

#include "base/big_endian.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(ROW_DIGEST_SECRET_BYTES == XXH3_SECRET_DEFAULT_SIZE, "the secret's size");

/* What of a DataRow comes next. */
enum row_part { PART_COLUMNS, PART_LENGTH, PART_INTEGER, PART_VALUE };

/* Of a row that is no longer than this the hash is made at once, for a third of what it costs in
   pieces; larger ones are rare, or cost more elsewhere. */
#define GATHERED_BYTES 1024

struct row_digest_stream {
    const struct row_digest_key *key;
    XXH3_state_t *state;
    uint8_t gathered[GATHERED_BYTES];
    size_t gathered_count;
    bool has_state; /* what came before is in it */
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

/* What was gathered goes into the state. */
static void spill(struct row_digest_stream *stream)
{
    if (!stream->has_state)
        XXH3_128bits_reset_withSecret(stream->state, stream->key->secret,
                                      sizeof(stream->key->secret));
    stream->has_state = true;
    XXH3_128bits_update(stream->state, stream->gathered, stream->gathered_count);
    stream->gathered_count = 0;
}

static inline void put(struct row_digest_stream *stream, const void *bytes, size_t count)
{
    if (count > sizeof(stream->gathered) - stream->gathered_count) {
        spill(stream);
        if (count > sizeof(stream->gathered)) {
            XXH3_128bits_update(stream->state, bytes, count);
            return;
        }
    }
    memcpy(stream->gathered + stream->gathered_count, bytes, count);
    stream->gathered_count += count;
}

/* Of two or four bytes: its length, then itself. */
static void put_integer(struct row_digest_stream *stream, const void *bytes, size_t count)
{
    const uint8_t *b = bytes;
    uint32_t low = count == 4 ? rh_load_be32(b) : (uint32_t)b[0] << 8 | b[1];
    bool is_negative = b[0] & 0x80;
    uint8_t wide[12];

    if (count == 2 && is_negative)
        low |= UINT32_C(0xffff0000);
    rh_store_be32(wide, 8);
    rh_store_be32(wide + 4, is_negative ? UINT32_MAX : 0);
    rh_store_be32(wide + 8, low);
    put(stream, wide, sizeof(wide));
}

static bool is_integer(uint32_t length)
{
    return length == 2 || length == 4;
}

/* UINT32_MAX: NULL. */
static size_t bytes_of(uint32_t length)
{
    return length == UINT32_MAX ? 0 : length;
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
    stream->has_state = false;
    stream->gathered_count = 0;
    expect(stream, PART_COLUMNS, 2);
}

/* A part that came in pieces, or as a whole. */
static void end_part(struct row_digest_stream *stream)
{
    uint32_t length;

    switch (stream->part) {
    case PART_LENGTH:
        length = rh_load_be32(stream->held);
        if (is_integer(length)) {
            expect(stream, PART_INTEGER, length);
            return;
        }
        put(stream, stream->held, 4);
        if (bytes_of(length) > 0) {
            expect(stream, PART_VALUE, length);
            return;
        }
        break;
    case PART_INTEGER:
        put_integer(stream, stream->held, stream->held_count);
        break;
    case PART_COLUMNS:
        put(stream, stream->held, stream->held_count);
        break;
    case PART_VALUE:
        break;
    }
    expect(stream, PART_LENGTH, 4);
}

/* Values that lie wholly in the piece; the rest of it. */
static struct text feed_values(struct row_digest_stream *stream, struct text piece)
{
    while (piece.len >= 4) {
        uint32_t length = rh_load_be32(piece.data);

        if (bytes_of(length) > piece.len - 4)
            break;
        if (is_integer(length))
            put_integer(stream, piece.data + 4, length);
        else
            put(stream, piece.data, 4 + bytes_of(length));
        piece.data += 4 + bytes_of(length);
        piece.len -= 4 + bytes_of(length);
    }
    return piece;
}

static void feed_widened(struct row_digest_stream *stream, struct text piece)
{
    while (piece.len > 0) {
        if (stream->part == PART_LENGTH && stream->held_count == 0)
            piece = feed_values(stream, piece);

        size_t taken = piece.len < stream->left ? piece.len : stream->left;

        if (stream->part == PART_VALUE) {
            put(stream, piece.data, taken);
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
        put(stream, piece.data, piece.len);
}

void rh_row_digest_stream_end(struct row_digest_stream *stream, struct result_digest *digest)
{
    put(stream, stream->held, stream->held_count); /* of a row that breaks off */
    if (!stream->has_state) {
        rh_row_digest_add(digest, stream->key,
                          (struct text){(const char *)stream->gathered, stream->gathered_count});
        return;
    }
    spill(stream);
    add_hash(digest, XXH3_128bits_digest(stream->state));
}
