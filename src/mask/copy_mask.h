/*
 * Rows of COPY's text format, masked as they stream: cut anywhere on the way in, whole rows or
 * parts of a large one on the way out. Memory is flat: rows are gathered to a batch of at most
 * COPY_BATCH_BYTES; a row larger than that goes field by field, and of those a field larger than
 * COPY_VALUE_BYTES through its map's stream. Which way a value goes depends on nothing but its own
 * size, so that equal values have equal pseudonyms. Pure: bytes in, bytes out.
 *
 * The format is the server's own: what it never writes (a backslash at the end of a field, another
 * number of fields) is refused; "\." and line feeds behind it, as a dump's files end, pass.
 */
#ifndef RH_MASK_COPY_MASK_H
#define RH_MASK_COPY_MASK_H

#include "mask/mask_map.h"
#include "model/state.h"

#define COPY_BATCH_BYTES (256 * 1024)
#define COPY_VALUE_BYTES (4 * 1024 * 1024)

/* Sees what passes, for certificates; optional. */
struct copy_watcher {
    void *context;
    /* One column of a batch, of those with a map: originals and pseudonyms pairwise, data NULL for
       SQL NULL. Fields that streamed are shown by `streamed` alone, with the bytes of the original.
       Valid during the call. */
    void (*values)(void *context, size_t column, const struct text *originals,
                   const struct text *masked, size_t count);
    void (*streamed)(void *context, size_t column, int64_t bytes);
};

struct copy_mask_options {
    /* In the order of the COPY; NULL: the column stays as it is. */
    struct mask_map *const *maps;
    size_t column_count;
    struct copy_watcher watcher;
};

struct copy_mask_totals {
    int64_t rows, bytes_in, bytes_out;
    struct digest checksum; /* of a copy_digest over all masked rows */
};

struct copy_mask;
/* The array of maps is copied; the maps stay the caller's and must live longer. */
struct copy_mask *rh_copy_mask_new(const struct copy_mask_options *options);
void rh_copy_mask_free(struct copy_mask *mask);
/* `out` takes what is ready; the caller empties it between calls. RH_ERR_LIMIT (no room in `out`)
   or RH_ERR_SERVER (the rows have another number of columns than said) end the stream: of the row
   in question nothing was let out, or, of one larger than a batch, masked fields at its front.
   Where no column has a map, rows pass as they are and are only hashed. */
enum err_code rh_copy_mask_feed(struct copy_mask *mask, struct text part, struct buf *out,
                                struct err *err) RH_MUST_CHECK;
/* The batch that is waiting; also useful when the source pauses. At the end of the stream with
   `at_end`: then half a row is an error. */
enum err_code rh_copy_mask_flush(struct copy_mask *mask, bool at_end, struct buf *out,
                                 struct err *err) RH_MUST_CHECK;
struct copy_mask_totals rh_copy_mask_totals(const struct copy_mask *mask);

/* The checksum alone, of rows that are not masked any more (what a restored table gives): the sum
   modulo 2^128 of XXH3-128 of each row without its line feed, hence the same number for the same
   rows in any order and any cuts. */
struct copy_digest;
struct copy_digest *rh_copy_digest_new(void);
void rh_copy_digest_free(struct copy_digest *digest);
void rh_copy_digest_feed(struct copy_digest *digest, struct text part);
struct digest rh_copy_digest_sum(const struct copy_digest *digest, int64_t *ret_rows);

#endif
