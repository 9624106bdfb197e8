/*
 * The rows of one COPY FROM STDIN that a client sends, masked as a snapshot masks them. Rows that
 * cannot be masked are left out, with all that follow them. Single-threaded.
 */
#ifndef RH_WORKLOAD_RECORDED_COPY_H
#define RH_WORKLOAD_RECORDED_COPY_H

#include "mask/copy_mask.h"
#include "workload/value_mask.h"

struct recorded_copy { /* zeroed: none is under way */
    struct copy_mask *mask;
    bool is_within_row; /* the last byte was no line feed */
};

/* A COPY by this statement begins; NULL: not one that is understood. */
void rh_recorded_copy_begin(struct recorded_copy *copy, struct value_mask *mask,
                            const char *statement);
void rh_recorded_copy_end(struct recorded_copy *copy);
/* Bytes that the client sent: their masked rows, in `arena`. Returns how many of the bytes are
   left out: all of them, or none. */
size_t rh_recorded_copy_take(struct recorded_copy *copy, struct text bytes, struct arena *arena,
                             struct text *ret_masked);
/* CopyDone: the last row, where no line feed ended it; else empty. */
struct text rh_recorded_copy_finish(struct recorded_copy *copy, struct arena *arena);

#endif
