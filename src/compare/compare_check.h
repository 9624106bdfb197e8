/*
 * The results of checks before and after: digests of rows as they come, and what two outputs mean
 * for what was expected. Pure; keeps no row.
 */
#ifndef RH_COMPARE_COMPARE_CHECK_H
#define RH_COMPARE_COMPARE_CHECK_H

#include "model/check.h"

#include <stddef.h>

/* Digests of a result, row by row. Rows are equal when every cell's text is, NULL being no text.
   128 bits of SHA-256 for each row; whatever their order: their sum (not xor: equal rows must not
   cancel); of their keys in order: a chain. */
struct check_digest {
    unsigned char sum[16];
    char chain[65];
};
void rh_check_digest_init(struct check_digest *digest);
void rh_check_digest_row(struct check_digest *digest, const char *const *cells, size_t count);
/* The cells by which the row is ordered; after or before the row itself. */
void rh_check_digest_key(struct check_digest *digest, const char *const *cells, size_t count);
void rh_check_digest_take(const struct check_digest *digest, struct check_output *output);

/* Whether `text` is a decimal number as PostgreSQL writes one. */
bool rh_check_is_number(const char *text);

/* Whether one output meets an expectation that is about one output alone (not same, changed); it
   ran. */
bool rh_check_is_met(const struct check *check, const struct check_output *output);

/* Fills `outcome` and `reason` from `before` and `after`. Texts lie in `arena`. */
void rh_compare_check(struct check *check, struct arena *arena);

#endif
