/*
 * Rows of COPY FROM STDIN in csv, or in text with any options, to rows of the text format with its
 * defaults, as copy_mask.h takes them: cut anywhere on the way in, in the server's own reading
 * (copyfromparse.c: CopyReadLineText, CopyReadAttributesText, CopyReadAttributesCSV). What the
 * server would refuse, and what its versions read differently, is refused: another number of
 * columns, lines that end now so and now so (or with a carriage return alone), a quote that is not
 * closed, an end-of-data marker with anything behind it. Holds no more than SQL_COPY_NULL_MAX bytes
 * of a field. Pure.
 */
#ifndef RH_MASK_COPY_DECODE_H
#define RH_MASK_COPY_DECODE_H

#include "sql/copy_from.h"

struct copy_column {
    const char *name; /* bare: for headers */
    bool forces_null, forces_not_null;
};

struct copy_decode;
/* What it is given must outlive it. */
struct copy_decode *rh_copy_decode_new(const struct sql_copy_format *format,
                                       const struct copy_column *columns, size_t column_count);
void rh_copy_decode_free(struct copy_decode *decode); /* NULL allowed */
/* Adds rows to `out`, or the beginning of one: at most twice the bytes of `part`, and twice what
   was held. A header is taken out. False: refused, for good; `out` is then of no use. */
bool rh_copy_decode_feed(struct copy_decode *decode, struct text part,
                         struct buf *out) RH_MUST_CHECK;
/* The end of the data: of the last row, where no line feed ended it. */
bool rh_copy_decode_finish(struct copy_decode *decode, struct buf *out) RH_MUST_CHECK;
/* Bytes that were fed since a row ended. */
size_t rh_copy_decode_waiting(const struct copy_decode *decode);

#endif
