/*
 * The way from the path to the recorder: a bounded ring in memory that never makes its writer wait,
 * and behind it, where that is asked for, a spill file that was allocated beforehand.
 *
 * One thread writes, one reads; a third of the ring's own empties it into the spill file when it is
 * more than half full. Order is kept. The spill file has no name, and what is in it is encrypted
 * with a key that is in memory alone. Records are those of workload/capture_record.h.
 */
#ifndef RH_WORKLOAD_CAPTURE_RING_H
#define RH_WORKLOAD_CAPTURE_RING_H

#include "base/err.h"
#include "workload/capture_record.h"

struct capture_ring;

struct capture_ring_options {
    size_t bytes;                /* a power of two, at least 2 * CAPTURE_RECORD_MAX */
    const char *spill_directory; /* NULL: no spill file */
    int64_t spill_bytes;
};

/* RH_ERR_IO, RH_ERR_ENVIRONMENT: no memory or no room on the disk for it. Blocking. */
enum err_code rh_capture_ring_new(const struct capture_ring_options *options,
                                  struct capture_ring **ret_ring, struct err *err) RH_MUST_CHECK;
/* After both threads are done with it. NULL allowed. */
void rh_capture_ring_free(struct capture_ring *ring);

/* --- the writer's: never waits, never calls the kernel but to wake the reader --------------- */

/* Room for a record with such a body; NULL: there is none now. Valid until the next call. */
struct capture_record *rh_capture_ring_reserve(struct capture_ring *ring, size_t body_length);
/* Shows it to the reader; its body may be shorter than what was reserved. */
void rh_capture_ring_commit(struct capture_ring *ring, const struct capture_record *record);
/* Nothing more comes. */
void rh_capture_ring_close(struct capture_ring *ring);

/* --- the reader's ---------------------------------------------------------------------------- */

/* Bytes that one take needs room for. */
#define CAPTURE_TAKE_BYTES (2 * CAPTURE_RECORD_MAX)
/*
 * Whole records, the oldest ones, into `out` (CAPTURE_TAKE_BYTES). Waits up to `wait_us` for some.
 * *ret_length 0: none came. *ret_is_over: none will. An error is one of the spill file, and for
 * good: what was in it is lost.
 */
enum err_code rh_capture_ring_take(struct capture_ring *ring, int64_t wait_us, char *out,
                                   size_t *ret_length, bool *ret_is_over,
                                   struct err *err) RH_MUST_CHECK;

/* --- for everybody --------------------------------------------------------------------------- */

struct capture_ring_use {
    uint64_t ring_bytes, ring_used, ring_most;
    uint64_t spill_bytes, spill_used, spill_most;
};
struct capture_ring_use rh_capture_ring_use(struct capture_ring *ring);

#endif
