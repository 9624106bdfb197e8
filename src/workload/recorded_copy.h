/*
 * The rows of one COPY FROM STDIN that a client sends, masked as a snapshot masks them. Rows that
 * cannot be masked are left out, with all that follow them. Single-threaded.
 */
#ifndef RH_WORKLOAD_RECORDED_COPY_H
#define RH_WORKLOAD_RECORDED_COPY_H

#include "mask/copy_client.h"
#include "workload/value_mask.h"

struct recorded_copy { /* zeroed: none is under way */
    struct copy_client *client;
    const struct value_mask *mask;
    struct arena *arena;  /* NULL: as client */
    const char *encoding; /* of the rows; NULL: the session's */
};

/* A COPY by this statement begins; NULL: not one that is understood. */
void rh_recorded_copy_begin(struct recorded_copy *copy, struct value_mask *mask,
                            const char *statement);
/* Returns the bytes of a row that was not whole yet: they are left out. */
size_t rh_recorded_copy_end(struct recorded_copy *copy);
/* Bytes that the client sent, whose client_encoding is `encoding`: their masked rows, in `arena`.
   Returns how many bytes are left out: none, or all of these and those of a row that they would
   have ended. */
size_t rh_recorded_copy_take(struct recorded_copy *copy, struct text bytes, const char *encoding,
                             struct arena *arena, struct text *ret_masked);
/* CopyDone: the last row, where no line feed ended it; else empty. Returns as the former. */
size_t rh_recorded_copy_finish(struct recorded_copy *copy, const char *encoding,
                               struct arena *arena, struct text *ret_masked);

#endif
