/*
 * Rows of COPY read in parts, however large they are: a client library gathers a whole row before
 * it gives anything away, up to 1 GB and twice that in memory. So our own connection goes through a
 * tap, which takes the rows away from it as they stream by. Blocking.
 */
#ifndef RH_SNAPSHOT_COPY_READER_H
#define RH_SNAPSHOT_COPY_READER_H

#include "engine/engine.h"

struct copy_reader;
/* A piece of what COPY sends, valid during the call. */
typedef void copy_data_fn(void *context, struct text piece);

/* To a server on a Unix socket. `directory` is 0700 and ours: a socket is made in it. */
enum err_code rh_copy_reader_open(const struct engine *engine,
                                  const struct connection_parameters *server, const char *directory,
                                  struct copy_reader **ret_reader, struct err *err) RH_MUST_CHECK;
void rh_copy_reader_close(struct copy_reader *reader); /* NULL allowed */
/* One statement, COPY ... TO STDOUT or another; fn takes the rows, NULL: nobody does. */
enum err_code rh_copy_reader_run(struct copy_reader *reader, const char *sql, copy_data_fn *fn,
                                 void *context, struct err *err) RH_MUST_CHECK;

#endif
