/*
 * Rows of COPY's text format with its defaults, as copy_mask.h gives them, to csv or to text with
 * any options: what copy_decode.h takes apart. Fields of csv have quotes where they need them (or
 * are larger than COPY_ENCODE_HELD_BYTES), lines end with a line feed. Cut anywhere. Pure.
 */
#ifndef RH_MASK_COPY_ENCODE_H
#define RH_MASK_COPY_ENCODE_H

#include "mask/copy_decode.h"

#define COPY_ENCODE_HELD_BYTES ((size_t)64 * 1024)

struct copy_encode;
/* What it is given must outlive it. */
struct copy_encode *rh_copy_encode_new(const struct sql_copy_format *format,
                                       const struct copy_column *columns, size_t column_count);
void rh_copy_encode_free(struct copy_encode *encode); /* NULL allowed */
/* The format's header comes first: the names of the columns. False: a value that these options
   cannot say (a NULL of a FORCE_NOT_NULL column; what is read as NULL and is none); `out` is then
   of no use. At most twice the bytes, and two for each field. */
bool rh_copy_encode_feed(struct copy_encode *encode, struct text part,
                         struct buf *out) RH_MUST_CHECK;

#endif
