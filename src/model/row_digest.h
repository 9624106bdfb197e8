/*
 * What came back from a statement, in 2 x 16 bytes that tell nothing of a value (struct
 * workload_result). A row is the body of its DataRow message as it came over the wire, or the body
 * of a CopyData message. Pure.
 *
 * Row hash: XXH3 128 of the body with a secret made of the workload's digest key. `unordered`: the
 * sum of the row hashes modulo 2^128. `ordered`: c(0) = 0, c(n) = hash of the 32 bytes c(n-1),
 * h(n). Both are stored in XXH's canonical form (big-endian).
 */
#ifndef RH_MODEL_ROW_DIGEST_H
#define RH_MODEL_ROW_DIGEST_H

#include "base/text.h"
#include "model/workload.h"

#define ROW_DIGEST_SECRET_BYTES 192 /* XXH3_SECRET_DEFAULT_SIZE */

struct row_digest_key {
    uint8_t secret[ROW_DIGEST_SECRET_BYTES];
};
void rh_row_digest_key_init(struct row_digest_key *key,
                            const uint8_t bytes[static WORKLOAD_DIGEST_KEY_BYTES]);

/* Zeroed: of no rows. Low word first. */
struct row_digest {
    uint64_t unordered[2], ordered[2];
    int64_t rows;
};
void rh_row_digest_add(struct row_digest *digest, const struct row_digest_key *key,
                       struct text row);
void rh_row_digest_store(const struct row_digest *digest, struct workload_result *result);

/* A row that comes in pieces. The key must outlive it. */
struct row_digest_stream;
struct row_digest_stream *rh_row_digest_stream_new(const struct row_digest_key *key);
void rh_row_digest_stream_free(struct row_digest_stream *stream); /* NULL allowed */
void rh_row_digest_stream_begin(struct row_digest_stream *stream);
void rh_row_digest_stream_feed(struct row_digest_stream *stream, struct text piece);
/* The row is complete. */
void rh_row_digest_stream_end(struct row_digest_stream *stream, struct row_digest *digest);

#endif
