/*
 * Rows of COPY's binary format ("COPY", File Formats, Binary Format), masked as they stream: cut
 * anywhere on the way in, whole rows on the way out, each field by its type (binary_value.h). The
 * header's extension is left out, for no server reads it. Refused, with no part of the row let out:
 * another header, another number of fields, a field larger than COPY_VALUE_BYTES that is to be
 * masked, or a row larger than COPY_BINARY_ROW_BYTES; a value of a type that cannot be masked in
 * its binary form; anything behind the trailer. Pure.
 */
#ifndef RH_MASK_COPY_BINARY_H
#define RH_MASK_COPY_BINARY_H

#include "mask/binary_value.h"
#include "mask/copy_mask.h"

/* Held until it is whole. */
#define COPY_BINARY_ROW_BYTES (16 * 1024 * 1024)

struct copy_binary_column {
    struct mask_map *map; /* NULL: it stays */
    const struct catalog_column *column;
};

struct copy_binary;
/* The array is copied; maps and columns must outlive it. */
struct copy_binary *rh_copy_binary_new(const struct copy_binary_column *columns, size_t count);
void rh_copy_binary_free(struct copy_binary *binary); /* NULL allowed */
/* False: refused, for good. */
bool rh_copy_binary_feed(struct copy_binary *binary, struct text part,
                         struct buf *out) RH_MUST_CHECK;
/* Bytes that were fed since the header, a row or the trailer ended. There the data may end, for the
   server needs no trailer. */
size_t rh_copy_binary_waiting(const struct copy_binary *binary);

#endif
