/*
 * The digest of rows that came back: each row's hash, keyed by the workload's digest key, added up
 * by model/result_digest.h. A row is the body of its DataRow message as it came over the wire, or
 * the body of a CopyData message. Its hash is XXH3 128 with a secret made of the key, least
 * significant byte first. Pure.
 *
 * A migration that makes an int a bigint leaves its text as it was, and makes four bytes eight in
 * the binary format. So a row with columns in that format may be hashed widened: a value of two or
 * four bytes as if it were an integer of eight. Types need not be known for it, which a session
 * that was prepared before the recording began would not tell: what else has two or four bytes
 * keeps its own hash, but for values of eight bytes that begin with four of zero (or 255), which no
 * text has.
 */
#ifndef RH_MODEL_ROW_DIGEST_H
#define RH_MODEL_ROW_DIGEST_H

#include "base/text.h"
#include "model/result_digest.h"

#define ROW_DIGEST_SECRET_BYTES 192 /* XXH3_SECRET_DEFAULT_SIZE */

struct row_digest_key {
    uint8_t secret[ROW_DIGEST_SECRET_BYTES];
};
void rh_row_digest_key_init(struct row_digest_key *key,
                            const uint8_t bytes[static WORKLOAD_DIGEST_KEY_BYTES]);

void rh_row_digest_add(struct result_digest *digest, const struct row_digest_key *key,
                       struct text row);

/* A row that comes in pieces, or is widened. The key must outlive it. */
struct row_digest_stream;
struct row_digest_stream *rh_row_digest_stream_new(const struct row_digest_key *key);
void rh_row_digest_stream_free(struct row_digest_stream *stream); /* NULL allowed */
void rh_row_digest_stream_begin(struct row_digest_stream *stream, bool widens);
void rh_row_digest_stream_feed(struct row_digest_stream *stream, struct text piece);
/* The row is complete. */
void rh_row_digest_stream_end(struct row_digest_stream *stream, struct result_digest *digest);

#endif
