/*
 * A replay's executions as a stream of bytes, for a parent process that watches them: a head of
 * SAMPLES_HEAD_BYTES, then records of SAMPLE_BYTES, numbers with their least significant byte
 * first. Times are of the monotonic clock, which all processes of a machine share.
 *
 *   head     "RHSAMPL1"
 *   record   kind u32 · pattern u32 · session u64 · request u64 · intended, sent, first, complete
 *            i64 (us) · rows, returned i64 · sqlstate 5 bytes · flags u8 · 2 bytes of zero ·
 *            unordered, ordered 16 bytes each
 *
 * Kind 1 is an execution; kind 2 says that all is prepared, and the replay waits for its beginning.
 * Encoding and decoding are pure; the writer's descriptor is the caller's and never blocks: what a
 * slow reader leaves waits in memory up to SAMPLES_WAITING_MAX, further records are dropped and
 * counted.
 */
#ifndef RH_REPLAY_SAMPLES_H
#define RH_REPLAY_SAMPLES_H

#include "base/text.h"
#include "replay/replay.h"

#define SAMPLES_HEAD "RHSAMPL1"
#define SAMPLES_HEAD_BYTES 8
#define SAMPLE_BYTES 112
/* Of a reader that is busy for seconds, at tens of thousands of executions a second. */
#define SAMPLES_WAITING_MAX ((size_t)64 * 1024 * 1024)

enum sample_kind { SAMPLE_EXECUTION = 1, SAMPLE_PREPARED = 2 };

#define SAMPLE_WAS_CANCELLED 1u
#define SAMPLE_HAS_DIGEST 2u
#define SAMPLE_IS_SUSPENDED 4u
/* What the recording has of it, where it has anything. */
#define SAMPLE_IS_RECORDED 8u
#define SAMPLE_FAILED_IN_RECORDING 16u

void rh_sample_encode(const struct replay_execution *execution, uint8_t out[static SAMPLE_BYTES]);
/* False: it is no record of ours. Of SAMPLE_PREPARED nothing else is set. `recorded` is NULL; what
   is known of it stands in *ret_flags. */
bool rh_sample_decode(const uint8_t in[static SAMPLE_BYTES], enum sample_kind *ret_kind,
                      struct replay_execution *ret_execution, unsigned *ret_flags);

struct sample_writer {
    int fd;
    struct buf waiting;
    size_t sent;
    int64_t dropped;
    bool is_broken; /* the reader is gone */
};
/* Makes the descriptor non-blocking. */
enum err_code rh_sample_writer_init(struct sample_writer *writer, int fd,
                                    struct err *err) RH_MUST_CHECK;
void rh_sample_writer_deinit(struct sample_writer *writer);
void rh_sample_writer_add(struct sample_writer *writer, const struct replay_execution *execution);
void rh_sample_writer_prepared(struct sample_writer *writer);
/* Blocks until all is written, the reader is gone or the deadline has passed. */
void rh_sample_writer_flush(struct sample_writer *writer, struct mono deadline);

#endif
