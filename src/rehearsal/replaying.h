/*
 * A replay (`rehearse replay`) in a process of its own, while something else is done to its target:
 * its event loop must not stand still for that. It tells each execution through a file, its result
 * through another; both have no name, or lie in the caller's directory.
 *
 * Blocking, with deadlines and the user's interrupt. The process goes with ours.
 */
#ifndef RH_REHEARSAL_REPLAYING_H
#define RH_REHEARSAL_REPLAYING_H

#include "base/process.h"
#include "compare/traffic_fold.h"
#include "engine/engine.h"

struct replaying_options {
    const char *workload, *key_path; /* key_path NULL: not encrypted */
    double speed;                    /* 0.1 .. 100 */
    /* A clone's: its roles share this one's password (engine->admit_roles). */
    struct connection_parameters target;
    const char *directory; /* 0700, ours: for its files */
};

struct replaying {
    struct process process;
    int gate_fd, samples_fd, said_fd;
    const char *password_path, *result_path;
    struct mono began; /* the recording's beginning */
};
#define REPLAYING_INIT                                                          \
    {                                                                           \
        .process = PROCESS_INIT, .gate_fd = -1, .samples_fd = -1, .said_fd = -1 \
    }

/* Returns when all is prepared: sessions from before the recording are open. RH_ERR_ENVIRONMENT: it
   came to nothing, in the replay's own words. */
enum err_code rh_replaying_start(const struct replaying_options *options, struct arena *arena,
                                 struct replaying *ret_replaying, struct err *err) RH_MUST_CHECK;
/* The recording begins now. */
enum err_code rh_replaying_begin(struct replaying *replaying, struct err *err) RH_MUST_CHECK;
/* Lets it go on for so long, or until it comes to its own end. */
enum err_code rh_replaying_rest(struct replaying *replaying, int64_t us,
                                struct err *err) RH_MUST_CHECK;
/* Ends it, in order, wherever it is. */
struct replaying_end {
    /* Itself so late, or so busy, that waits of TRAFFIC_WAIT_US may be its own. What it says of its
       own latencies (replay/replay.h) is stricter: those are of a tenth of that, waits are not. */
    bool is_replayer_bound;
    int64_t late_us; /* its own lateness, p99 by request */
    int64_t sessions;
    VEC(const char *) gaps; /* sentences: what was not replayed, or otherwise than recorded */
};
enum err_code rh_replaying_end(struct replaying *replaying, struct arena *arena,
                               struct replaying_end *ret_end, struct err *err) RH_MUST_CHECK;
/* After its end: each execution, times since `began`. */
enum err_code rh_replaying_fold(const struct replaying *replaying, struct traffic_fold *fold,
                                struct err *err) RH_MUST_CHECK;
void rh_replaying_deinit(struct replaying *replaying); /* any time; kills what still runs */
#define RH_CLEANUP_REPLAYING __attribute__((cleanup(rh_replaying_deinit)))

#endif
