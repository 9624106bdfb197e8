/*
 * Batches of a file, made small and, with a key, made so that nobody else can read or change them:
 * zstd, then AES-256-GCM under a key of the file's own (HKDF-SHA256 of the user's key and the
 * file's id). Nonce and associated data are the batch's number and the file's id, so that a batch
 * opens only in its place in its file. A number is sealed once: a nonce must not be used twice.
 * Without a key, zstd's own checksum notices damage, and nothing else. In memory only.
 */
#ifndef RH_STORE_SEAL_H
#define RH_STORE_SEAL_H

#include "base/text.h"

#define SEAL_KEY_BYTES 32
#define SEAL_FILE_ID_BYTES 16
/* Tells one key from another, and nothing else of it. */
#define SEAL_CHECK_BYTES 8

struct seal;

/* `key` NULL: only compressed. */
struct seal *rh_seal_new(const uint8_t *key, const uint8_t file_id[static SEAL_FILE_ID_BYTES]);
void rh_seal_free(struct seal *seal); /* NULL allowed; wipes the key */
void rh_seal_check(const struct seal *seal, uint8_t ret_check[static SEAL_CHECK_BYTES]);
/* Appends the sealed batch to `out`. */
void rh_seal_close(struct seal *seal, uint64_t number, struct text plain, struct buf *out);
/* Replaces what is in `out`. False: damaged, of another key, place or file, or above `max_bytes`.
 */
bool rh_seal_open(struct seal *seal, uint64_t number, struct text sealed, size_t max_bytes,
                  struct buf *out) RH_MUST_CHECK;

#endif
