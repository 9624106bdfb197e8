/*
 * What a client sends for COPY FROM STDIN, in any of its formats, masked, in the same format: csv
 * and text by way of the rows that a snapshot masks (copy_decode.h, copy_mask.h, copy_encode.h),
 * binary field by field (copy_binary.h). Cut anywhere on the way in. What does not parse, or what
 * cannot be masked with certainty, is refused. Memory is bounded by theirs. Pure.
 */
#ifndef RH_MASK_COPY_CLIENT_H
#define RH_MASK_COPY_CLIENT_H

#include "mask/copy_binary.h"
#include "mask/copy_decode.h"

struct copy_client_column {
    struct mask_map *map; /* NULL: it stays */
    const struct catalog_column *column;
    bool forces_null, forces_not_null; /* of csv */
};

struct copy_client;
/* In the order of the COPY. Format and columns are copied; maps and the catalogue's columns must
   outlive it. */
struct copy_client *rh_copy_client_new(const struct sql_copy_format *format,
                                       const struct copy_client_column *columns, size_t count);
void rh_copy_client_free(struct copy_client *client); /* NULL allowed */
/* Adds the rows that are whole, and of one larger than a batch perhaps its front. False: refused,
   for good; `out`, which may not suffice, is then of no use. */
bool rh_copy_client_feed(struct copy_client *client, struct text part,
                         struct buf *out) RH_MUST_CHECK;
/* The end of the data: the last row, where no line feed ended it. */
bool rh_copy_client_finish(struct copy_client *client, struct buf *out) RH_MUST_CHECK;
/* Bytes that were fed since a row ended. */
size_t rh_copy_client_waiting(const struct copy_client *client);
bool rh_copy_client_is_binary(const struct copy_client *client);

#endif
