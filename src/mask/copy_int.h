/*
 * What copy_mask.c, copy_wide.c and copy_digest.c share.
 */
#ifndef RH_MASK_COPY_INT_H
#define RH_MASK_COPY_INT_H

#include "mask/copy_mask.h"

bool rh_copy_digest_is_between_rows(const struct copy_digest *digest);

/* A row larger than COPY_BATCH_BYTES, field by field. */
struct copy_wide;
struct copy_wide *rh_copy_wide_new(const struct copy_mask_options *options,
                                   struct copy_digest *digest);
void rh_copy_wide_free(struct copy_wide *wide);
/* Takes bytes of one row, from its first byte to its line feed, in any parts; *ret_used says how
   many were taken, *ret_row_ended whether the row is over. `row`: its number, for errors. */
enum err_code rh_copy_wide_feed(struct copy_wide *wide, struct text part, int64_t row,
                                struct buf *out, size_t *ret_used, bool *ret_row_ended,
                                struct err *err) RH_MUST_CHECK;

enum err_code rh_copy_columns_error(struct err *err, int64_t row, size_t expected);
enum err_code rh_copy_escape_error(struct err *err, int64_t row);
/* Adds to `out` and to the digest, or says that there is no room. */
enum err_code rh_copy_emit(struct copy_digest *digest, struct text bytes, struct buf *out,
                           struct err *err) RH_MUST_CHECK;

#endif
