/*
 * Subkeys of masking: HKDF-SHA256 (RFC 5869) of the master key, for one domain and one purpose.
 * Whoever holds one subkey learns neither the master key nor any other subkey.
 */
#ifndef RH_MASK_MASK_KEY_H
#define RH_MASK_MASK_KEY_H

#include "mask/mask_map.h"

/* Writes `size` bytes, at most 64. The caller wipes them. */
void rh_mask_key_derive(const struct mask_master_key *master, const char *domain,
                        const char *purpose, unsigned char *ret_key, size_t size);

/* HMAC-SHA256 of a value, for rules that draw from all of it at once. */
#define MASK_DIGEST_BYTES 32
void rh_mask_digest(const unsigned char key[static MASK_DIGEST_BYTES], struct text value,
                    unsigned char ret_digest[static MASK_DIGEST_BYTES]);

#endif
