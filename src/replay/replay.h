/*
 * Replays a workload on a database: every session again, with its messages as they were, on one
 * thread and one loop. What is measured is told execution by execution and summed by pattern.
 *
 * Order. A session's requests go in their order. One that its client sent when it had heard an
 * answer waits for that answer, one that was sent ahead (a pipeline) does not. Between sessions the
 * order of commits is kept by table (replay/commit_order.h), with a deadline, and at once where
 * the one that is waited for waits itself for a lock that the waiting one holds; such escapes are
 * counted.
 *
 * Pacing. A request's intended start is its time in the recording, divided by the speed. A request
 * inside a transaction, or that came within REPLAY_THINK_US of the answer before it, was its
 * client's next step, and could not have been meant for earlier than that answer: its intended
 * start is then as long after that answer as it was in the recording. All others are arrivals of
 * their own: what keeps them back counts as their response time. So there is no coordinated
 * omission, and a delay is counted once. At the greatest speed there is no schedule: each request
 * goes when its session and the order let it.
 *
 * What cannot be sent again (redacted, left out by the recording) and, read only, what writes is
 * not sent, and counted. Statements are never altered (what a transform makes of them it does
 * before: replay/transformed.h), but for numbers of types, which become those of the target
 * (replay/oid_map.h), and for values that the server made: what the recording's clients were told
 * (INSERT ... RETURNING id, nextval) becomes what those of the replay were told, in whatever
 * session it is said (replay/id_map.h).
 *
 * Memory is flat: the workload is read ahead by a second and REPLAY_AHEAD_BYTES at most. Blocks
 * until the replay is over, its deadline, or the user's interrupt.
 */
#ifndef RH_REPLAY_REPLAY_H
#define RH_REPLAY_REPLAY_H

#include "base/progress.h"
#include "engine/engine.h"
#include "model/workload.h"
#include "stats/histogram.h"

struct replay;

/* Steps of one client's work follow each other faster: an application's own time between two
   statements. What comes later was brought by somebody else: the next request, the next job. */
#define REPLAY_THINK_US INT64_C(10000)
/* Requests read ahead: their messages, and what was recorded of them. */
#define REPLAY_AHEAD_BYTES ((size_t)64 * 1024 * 1024)
/* How long a statement waits for another session's commit. Longer than statements of an
   application take, shorter than people wait. */
#define REPLAY_ORDER_WAIT_US INT64_C(5000000)

/* An execution that is over. Times are microseconds of the monotonic clock, which all processes of
   the machine share. */
struct replay_execution {
    uint64_t session, request;
    int64_t intended_us, sent_us, first_us, complete_us;
    struct workload_result result;          /* as replayed */
    const struct workload_result *recorded; /* NULL: the recording does not say */
    bool was_cancelled;                     /* on our request, as in the recording */
};
typedef void replay_executed_fn(void *context, const struct replay_execution *execution);

struct replay_user {
    const char *from, *to;
};

struct replay_options {
    const struct engine *engine;
    const struct url_upstream *target;
    const char *place; /* as errors call it; never with a password */

    struct workload_source source;
    const struct workload_about *about;
    const struct workload_totals *totals;           /* NULL: not known beforehand */
    const struct workload_pattern *const *patterns; /* [i] is number i + 1 */
    size_t pattern_count;

    double speed;    /* 0.1 .. 100; 0: as fast as it goes */
    bool skips_idle; /* time in which nothing happens is passed over */
    bool is_read_only;
    bool keeps_ids;       /* values that the server made are said as recorded */
    size_t max_sessions;  /* at once; further ones are left out; 0: what the server has room for */
    const char *database; /* the recorded one to replay; NULL: that of the first session */
    const struct replay_user *users;
    size_t user_count;
    int64_t order_wait_us; /* 0: REPLAY_ORDER_WAIT_US; negative: the order is not kept */

    /* Sessions that were there before the recording began are opened and brought into their state
       first; then it begins. `prepared` (NULL: none) is called in between, from the loop, and says
       by rh_replay_begin when that is. */
    void (*prepared)(void *context, struct replay *replay);
    replay_executed_fn *executed; /* NULL: none; from the loop */
    void *context;                /* of both */
    struct progress *progress;    /* NULL */
};

struct replay_sqlstate {
    char code[6];
    int64_t count;
};

/* Of one pattern; number 0: of what belongs to none. */
struct replay_pattern {
    uint32_t number;
    int64_t calls;
    int64_t errors_as_recorded, errors_new, errors_resolved;
    int64_t cancelled;                    /* not errors */
    int64_t rows_same, rows_differ;       /* of those that succeeded both times */
    int64_t digests_same, digests_differ; /* of those with a digest both times */
    int64_t
        digests_moved; /* differ, but ids in them are others (replay/id_map.h): not to be told */
    struct histogram *service_us, *response_us; /* of those that succeeded; NULL: none did */
    VEC(struct replay_sqlstate) sqlstates;      /* of the replay */
};

/* What was not replayed, or otherwise than recorded, by reason. */
#define REPLAY_GAP_LIST(X)                                                                         \
    X(GAP_REDACTED, "redacted", "messages with a secret, which the recording does not keep")       \
    X(GAP_LEFT_OUT, "left-out", "messages that the recording cut, and did not keep in whole")      \
    X(GAP_COPY_CUT, "copy-data-cut", "COPYs whose data the recording cut: the rows it kept went")  \
    X(GAP_WRITES, "writes", "executions that write, in a read-only replay")                        \
    X(GAP_SESSIONS_OVER, "sessions-over", "sessions beyond those allowed at once")                 \
    X(GAP_SESSIONS_DATABASE, "sessions-of-another-database", "sessions of another database")       \
    X(GAP_SESSIONS_REPLICATION, "replication-sessions", "sessions that replicated")                \
    X(GAP_SESSIONS_REFUSED, "sessions-refused", "sessions that the target did not let in")         \
    X(GAP_SESSIONS_LOST, "sessions-lost", "sessions that the target ended")                        \
    X(GAP_REQUESTS_LOST, "requests-lost", "requests of refused and lost sessions")                 \
    X(GAP_PROLOGUE, "prologue-errors", "statements of prologues that failed")                      \
    X(GAP_MIDWAY, "midway", "sessions from before the recording whose state is not known in full") \
    X(GAP_USERS, "users-replaced", "sessions under another role than recorded")                    \
    X(GAP_TYPES, "types-missing", "types of the recording that the target has not")                \
    X(GAP_UNFINISHED, "unfinished", "requests under way when their session was ended")
enum replay_gap {
#define X(symbol, name, text) symbol,
    REPLAY_GAP_LIST(X)
#undef X
        REPLAY_GAPS
};
const char *rh_replay_gap_name(enum replay_gap gap);
const char *rh_replay_gap_text(enum replay_gap gap);

/*
 * Whether the replay itself, not the server, explains what was measured. Two shares, either of
 * which says so beyond REPLAYER_BOUND_*:
 *   - of all response time (paced replays), what passed between the moment a request could have
 *     been sent and the one in which it was;
 *   - of the time, in which the replay's thread was at work or waited for a processor.
 * The first limit is half of the smallest ratio of latencies that is called a difference (1.2); the
 * second leaves the thread a tenth to be idle in, below which answers wait in the kernel until it
 * has come around.
 */
#define REPLAYER_BOUND_LATE_SHARE 0.1
#define REPLAYER_BOUND_BUSY_SHARE 0.9

struct replay_result {
    const char *server_version;
    int64_t duration_us, skipped_us; /* of the replay; idle time that was passed over */
    int64_t sessions, sessions_most_at_once;
    int64_t requests, executions;
    int64_t errors_as_recorded, errors_new, errors_resolved, cancelled;
    int64_t gaps[REPLAY_GAPS];
    int64_t types_moved;
    const char *users_replaced; /* "a, b"; "" */
    const char *first_missing_type;
    /* Values that servers make (sequences, uuids). */
    int64_t ids_learned; /* that the target's clients were told in the place of recorded ones */
    int64_t ids_mapped;  /* in statements: told before; */
    int64_t ids_moved;   /* of these, other than recorded */
    int64_t ids_unknown; /* in statements: made since the recording began, and not told before */
    int64_t cancels_sent, cancels_not_needed;
    int64_t order_waits, order_wait_us; /* statements that waited for a commit, and how long */
    int64_t order_escapes_deadline, order_escapes_lock;
    struct histogram service_us, response_us, login_us;
    struct histogram late_us; /* our own lateness, by request */
    double late_share, busy_share;
    bool is_replayer_bound, was_ended_early;
    struct err ended_why;            /* the server went away; code RH_OK: it did not */
    struct replay_pattern *patterns; /* [number], 0 .. pattern_count */
    size_t pattern_count;
};

/* From `prepared` or later: the recording's time 0 is then (in the past: now). */
void rh_replay_begin(struct replay *replay, struct mono at);
/* Ends it where it is, in order: what is under way is not waited for, and not told. */
void rh_replay_stop(struct replay *replay);
/* The loop that it runs on: for descriptors of the caller that are watched meanwhile. */
struct loop *rh_replay_loop(struct replay *replay);
/* A descriptor that could not be watched, a peer that broke: the replay ends with this error. */
void rh_replay_fail(struct replay *replay, const struct err *err);

/*
 * RH_ERR_CONNECTION: the target cannot be reached, or lets nobody in. RH_ERR_LIMIT: the workload
 * has more sessions at once than there is room for, said before anything is sent. What statements
 * do is a result. *ret_result lies in `arena`.
 */
enum err_code rh_replay_run(const struct replay_options *options, struct mono deadline,
                            struct arena *arena, struct replay_result **ret_result,
                            struct err *err) RH_MUST_CHECK;

#endif
