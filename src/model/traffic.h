/*
 * Traffic: what production's queries met while the migration ran under them. The same workload is
 * replayed against a clone that is left alone (the baseline) and against one on which the migration
 * is run meanwhile; that run has a trace of its own, with the locks it took among them. Plain data:
 * made by rehearsal/, folded by compare/, judged by judge/. Everything lies in the arena of the
 * run; no value of a query is in it.
 *
 * Times are microseconds since the migration under load started: negative before it.
 */
#ifndef RH_MODEL_TRAFFIC_H
#define RH_MODEL_TRAFFIC_H

#include "model/trace.h"

/* A query that took less is not looked at for having waited: a fiftieth of what people notice, and
   above what a busy machine adds to any of them. The same as for probes. */
#define TRAFFIC_WAIT_US 10000

/* Sessions that stand in a migration's way, put there on purpose. X(symbol, name, what it is) */
#define BLOCKER_LIST(X)                                                        \
    X(BLOCKER_NONE, "none", "")                                                \
    X(BLOCKER_IDLE_IN_TRANSACTION, "idle-in-transaction",                      \
      "a transaction that has read the table and was left open")               \
    X(BLOCKER_LONG_READ, "long-read", "a query that reads the table for long") \
    X(BLOCKER_AUTOVACUUM, "autovacuum", "an autovacuum that yields to nobody (wraparound)")
enum blocker_kind {
#define X(symbol, name, what) symbol,
    BLOCKER_LIST(X)
#undef X
};
const char *rh_blocker_name(enum blocker_kind kind);
const char *rh_blocker_what(enum blocker_kind kind);

/* Errors of one kind. */
struct traffic_error {
    char sqlstate[6];
    int64_t here, baseline; /* executions that failed with it */
};

/* Where queries of a pattern waited, behind which lock. */
struct traffic_wait {
    int statement; /* of the trace under load; 0: unknown */
    const char *relation, *mode;
    int64_t queries, longest_us, total_us;
};

struct traffic_pattern {
    uint32_t number; /* in the workload */
    uint64_t fingerprint;
    const char *query; /* without constants */
    bool writes, is_parsed;
    bool controls; /* BEGIN, COMMIT, SET: it waits for no lock of a table */
    VEC(const char *) reads_from, writes_to; /* tables, as the query names them */
    bool is_transformed; /* the release sends another in its place */
    int64_t calls, baseline_calls;
    int64_t longest_us, baseline_longest_us; /* from sent to complete */
    VEC(struct traffic_error) errors;
    /* By judge: those that waited for a lock of the migration's. */
    int64_t waited, longest_wait_us;
    VEC(struct traffic_wait) waits; /* the longest first */
};

/* An execution that ended TRAFFIC_WAIT_US or more behind the moment it was meant for. */
struct traffic_query {
    uint32_t pattern; /* index in traffic.patterns */
    uint64_t session;
    int64_t intended_us, sent_us, complete_us;
};
/* Of these at most; the rest are counted in `queries_left_out`. */
#define TRAFFIC_QUERIES_MAX 500000

/* How many queries were under way, or should have been sent and could not be because their session
   was still waiting. */
struct traffic_depth {
    int64_t at_us;
    int64_t queries;
};

/* A lock_timeout for a table, and how likely a try with it gets its lock. */
struct traffic_timeout {
    const char *relation;
    int64_t lock_timeout_us;
    double chance;                  /* of one try, 0 to 1 */
    int retries;                    /* so many tries in all ... */
    double chance_of_all;           /* ... get it with this chance */
    int64_t longest_transaction_us; /* that used the table, in the recording */
};

struct traffic {
    bool was_run;
    const char *why_not;  /* a sentence without its full stop: asked for, and could not be run */
    struct trace *trace;  /* of the migration under load */
    const char *workload; /* its file */
    double speed;
    enum blocker_kind blocker; /* injected */
    const char *blocker_relation;
    int64_t blocker_us;
    bool is_replayer_bound; /* the replayer itself was late: times prove nothing */
    int64_t replayer_lag_us;
    int64_t sessions, calls, baseline_calls;
    int64_t begun_us, ended_us; /* of the replay */
    VEC(struct traffic_pattern) patterns;
    VEC(struct traffic_query) queries; /* by the time they were sent */
    int64_t queries_left_out;
    VEC(struct traffic_depth) depths; /* at most TRAFFIC_DEPTHS_MAX, evenly spaced */
    int64_t depth_before, depth_peak, depth_peak_at_us;
    int64_t pool; /* connections the application has; 0: not said */
    int64_t pool_exhausted_at_us, pool_exhausted_us; /* first; in all. -1: never */
    int64_t recovered_us; /* from the end of the last long wait until the queue was as before; -1 */
    VEC(struct traffic_timeout) timeouts;
    /* By judge. */
    int64_t waited, longest_wait_us;
    int64_t waits_from_us, waits_until_us; /* when anybody waited */
};
#define TRAFFIC_DEPTHS_MAX 400

/* Whether a query that says `named` (users, public.users, no quotes) may mean the relation
   (public."Users"): by the last part alone, case folded. */
bool rh_traffic_is_table(const char *named, const char *relation);

#endif
