/*
 * The path's half of a capture: a handler for the tap that looks at bytes which are on their way
 * already, keeps for every session what it must know of it (workload/session_state.h), hashes rows
 * as they stream, and writes records into the ring. On the loop's thread. It never waits and never
 * calls the kernel but for the time; it does not parse SQL (the few commands that change a
 * session's state are scanned).
 *
 * A session is recorded from a moment at which it is idle and outside of a transaction: from its
 * first one, or, when the recording begins later, from the next. So no transaction is ever in a
 * recording by half at its beginning.
 */
#ifndef RH_WORKLOAD_CAPTURE_PATH_H
#define RH_WORKLOAD_CAPTURE_PATH_H

#include "model/row_digest.h"
#include "tap/tap.h"
#include "workload/capture_ring.h"

/* What of production is not in the recording, and why. */
#define CAPTURE_GAP_LIST(X)                                                                        \
    X(GAP_STOPPED, "recording-stopped", "the recorder did not keep up: nothing behind this point") \
    X(GAP_SHED, "sessions-shed", "sessions ended early here because the recorder did not keep up") \
    X(GAP_PAUSED, "recording-paused", "pauses that somebody asked for")                            \
    X(GAP_REPLICATION, "replication-sessions", "sessions that spoke the replication protocol")     \
    X(GAP_LOST_TRACK, "sessions-lost-track",                                                       \
      "sessions ended early here because their messages could not be told apart")                  \
    X(GAP_COPY_DATA, "copy-data-left-out", "bytes of COPY FROM STDIN beyond the cap")              \
    X(GAP_LONG_MESSAGE, "messages-cut", "messages longer than what is kept")                       \
    X(GAP_MIDWAY, "sessions-midway", "sessions that were there before the recording")
enum capture_gap {
#define X(symbol, name, detail) symbol,
    CAPTURE_GAP_LIST(X)
#undef X
        CAPTURE_GAP_COUNT
};

struct capture_path;

struct capture_path_options {
    struct capture_ring *ring;
    struct mono began;
    bool has_digests;
    uint8_t digest_key[WORKLOAD_DIGEST_KEY_BYTES];
    int64_t copy_max_bytes;          /* of each COPY FROM STDIN */
    const struct workload_key *keys; /* outlive it; values of them are told */
    size_t key_count;
    bool sheds; /* when the ring is full; else the recording stops */
};

struct capture_path *rh_capture_path_new(const struct capture_path_options *options);
/* After the tap. */
void rh_capture_path_free(struct capture_path *path);
struct tap_handler rh_capture_path_handler(struct capture_path *path);

/* Begins to record: sessions join when they are idle. No-op while it records. */
void rh_capture_path_start(struct capture_path *path);
/* Every session that is recorded ends in the recording. `is_pause`: the ledger says so. */
void rh_capture_path_stop(struct capture_path *path, bool is_pause);
/* Nothing is recorded any more, for good: the ring may be closed. */
void rh_capture_path_give_up(struct capture_path *path);
/* Sessions that were shed come back where there is room; call it now and then. */
void rh_capture_path_tick(struct capture_path *path);

struct capture_path_figures {
    uint64_t sessions_now, sessions, recorded_now, records;
    uint64_t frontend_bytes, backend_bytes, queries;
    int64_t gaps[CAPTURE_GAP_COUNT];
    int64_t paused_us, left_out_bytes;
    bool is_recording, has_stopped; /* stopped: for good, by a full ring or a failed recorder */
};
struct capture_path_figures rh_capture_path_figures(const struct capture_path *path);

#endif
