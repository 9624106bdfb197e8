/*
 * gzip files (RFC 1952) at the rate that rows come: ISA-L's level 1, which takes an eighth of
 * zlib's time at its level 1 and makes less of text (measured on masked rows: 400 MB/s and 60 %,
 * against 46 MB/s and 66 %).
 *
 * Bytes of which more than GZIP_SHARE_MAX would be left are stored as they are, in the same format:
 * what is drawn at random, as pseudonyms are, has nothing but the sameness of its alphabet to save,
 * and zlib takes as long to read that back as the server takes for a fifth of its own work. A file
 * has several members then, as all that reads gzip knows it.
 */
#ifndef RH_BASE_GZIP_H
#define RH_BASE_GZIP_H

#include "base/err.h"
#include "base/text.h"

#define GZIP_SHARE_MAX 0.5

/* Writes members to a descriptor, which stays the caller's and is not closed. Blocking as
   writing to it is. After an error nothing more can be written. */
struct gzip_writer;
struct gzip_writer *rh_gzip_writer_new(int fd);
void rh_gzip_writer_free(struct gzip_writer *writer); /* NULL allowed; without a finish half a
                                                         member is left */
enum err_code rh_gzip_write(struct gzip_writer *writer, struct text bytes,
                            struct err *err) RH_MUST_CHECK;
enum err_code rh_gzip_finish(struct gzip_writer *writer, struct err *err) RH_MUST_CHECK;

/* Adds what a whole gzip file holds to `out`: RH_ERR_LIMIT beyond its cap, RH_ERR_FORMAT where it
   is cut or damaged. Nothing was added then. */
enum err_code rh_gunzip(struct text file, struct buf *out, struct err *err) RH_MUST_CHECK;

#endif
