/*
 * The recorder of a capture: a thread of its own, which makes events of the path's records
 * (workload/capture_record.h): patterns, statements and portals by name, values masked, secrets
 * left out; and gives them to a sink. It may be slow, or fail: the path goes on without it.
 */
#ifndef RH_WORKLOAD_CAPTURE_RECORDER_H
#define RH_WORKLOAD_CAPTURE_RECORDER_H

#include "base/clock.h"
#include "workload/capture_ring.h"
#include "workload/value_mask.h"

/* Where events go; called on the recorder's thread alone. */
struct capture_sink {
    enum err_code (*pattern)(void *context, const struct workload_pattern *pattern,
                             struct err *err);
    enum err_code (*event)(void *context, const struct workload_event *event, struct err *err);
    enum err_code (*flush)(void *context, struct err *err); /* now and then; may be NULL */
    uint64_t (*bytes)(void *context);                       /* written so far; may be NULL */
    /* The last call, whatever happened: after the ring was closed. `failure` is the sink's own, or
       the ring's; NULL: all of it came through. */
    enum err_code (*finish)(void *context, const struct err *failure, struct err *err);
    void *context;
};

/* What the recorder left out. */
#define RECORDER_GAP_LIST(X)                                                                      \
    X(RECORDED_SECRET, "password-redacted", "statements with a password, whose text is left out") \
    X(RECORDED_UNMASKED, "values-masked-by-default",                                              \
      "values of text that are compared with no column that is known")                            \
    X(RECORDED_RESULTS, "results-left-out", "results of one answer beyond 100000")                \
    X(RECORDED_PATTERNS, "patterns-unknown", "statements beyond what a workload can hold")        \
    X(RECORDED_COPY_MASKED, "copy-data-masked-out", "bytes of COPY whose rows cannot be masked")  \
    X(RECORDED_REQUESTS, "requests-cut", "messages of one request beyond 48 MB")
enum recorder_gap {
#define X(symbol, name, detail) symbol,
    RECORDER_GAP_LIST(X)
#undef X
        RECORDER_GAP_COUNT
};

struct capture_recorder;

struct capture_recorder_options {
    struct capture_ring *ring;
    struct capture_sink sink;
    struct value_mask *mask;         /* NULL: values stay; used on the recorder's thread */
    const struct workload_key *keys; /* as the path has them */
    size_t key_count;
    uint64_t max_bytes; /* it is full then; 0: no limit */
};

enum err_code rh_capture_recorder_start(const struct capture_recorder_options *options,
                                        struct capture_recorder **ret_recorder,
                                        struct err *err) RH_MUST_CHECK;

struct capture_recorder_figures {
    uint64_t events, requests, patterns, bytes;
    int64_t recorded_us; /* up to when, since the workload began */
    int64_t gaps[RECORDER_GAP_COUNT];
    bool has_failed, is_full; /* then it takes nothing more: close the ring */
    bool is_over;             /* the sink is finished */
};
struct capture_recorder_figures rh_capture_recorder_figures(struct capture_recorder *recorder);

/*
 * After the ring was closed: waits until all of it is with the sink (or the recorder has failed),
 * but no longer than until `deadline`, or two seconds after a second signal; then what is not done
 * is left. Returns the error of the sink or the ring, RH_ERR_TIMEOUT, or RH_OK.
 */
enum err_code rh_capture_recorder_finish(struct capture_recorder *recorder, struct mono deadline,
                                         struct err *err) RH_MUST_CHECK;
void rh_capture_recorder_free(struct capture_recorder *recorder); /* NULL allowed; after finish */

#endif
