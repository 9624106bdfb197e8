/*
 * What the sources of this folder share.
 *
 *   boundary connection    boundary reads alone: nothing ever queues before one
 *   sampling connection    one sample at a time
 *   catalogue connection   storage reads, database size
 *   a connection a canary  may wait for minutes
 */
#ifndef RH_OBSERVE_OBSERVER_INT_H
#define RH_OBSERVE_OBSERVER_INT_H

#include "observe/observer.h"
#include "observe/relation_map.h"

/* A boundary or storage read that was asked for and not answered. */
struct observer_request {
    struct observer_request *next;
    struct observer *observer;
    boundary_fn *boundary; /* or storage, the other is NULL */
    storage_fn *storage;
    void *context;
    int64_t pid;   /* boundary */
    char *horizon; /* storage: read before, for the next one; NULL: none came */
    struct mono asked_at;
    bool is_answered; /* given up: the server's late answer is for nobody */
    bool is_sent;     /* the engine holds a pointer to this */
};

struct sampler {
    struct loop_timer *timer;
    int64_t fixed_interval_us; /* 0: adaptive */
    int running;               /* statements */
    struct mono busy_since;    /* when `running` left 0 */
    struct mono seen_at;       /* last completed sample while running, or busy_since */
    struct mono sent_at;
    bool in_flight;
    int64_t count, failed_count, longest_gap_us;
    int64_t lock_count;  /* of the last sample */
    struct arena *arena; /* of one sample */

    struct loop_timer *size_timer;
    struct mono size_sent_at;
    bool size_in_flight;
    int64_t peak_bytes;
};

struct probe_result {
    int64_t relation_id;
    const char *table; /* the table whose users wait */
    bool is_write;
    int64_t attempts, waits, longest_wait_us;
    int64_t longest_at_us; /* wall clock */
    bool gave_up;
};

#define CANARIES_MAX (2 * PROBED_RELATIONS_MAX)

struct canary {
    struct observer *observer;
    struct connection *connection; /* NULL: not connected (yet, or any more) */
    struct loop_timer *timer;
    struct probe_result *result; /* NULL: free */
    const char *sql;
    bool is_wanted; /* told to probe */
    bool is_waiting;
    struct mono sent_at, ended_at; /* ended_at: when probing was ended while it waited */
    struct wall sent_wall;
};

struct canaries {
    struct canary items[CANARIES_MAX];
    VEC(struct probe_result *) results;
    struct arena *arena; /* of the observer */
    bool is_capped;      /* more relations wanted probes than there are canaries */
    bool has_failed;     /* a canary could not connect or lost its connection */
};

struct leftover_fact {
    const char *kind, *identity;
};

struct observer {
    const struct engine *engine;
    struct connection_parameters superuser; /* texts in arena */
    struct loop *loop;
    struct observer_handler handler;
    struct arena *arena;
    struct arena *scratch; /* of one callback */

    struct connection *boundary, *sampling, *catalogue;
    bool is_lost;
    struct loop_timer *watchdog;
    struct loop_timer *due; /* answers requests made when already lost */
    struct observer_request *requests;

    struct relation_map relations;
    char *horizon; /* arena; of the last storage read */
    VEC(int64_t) watched;
    struct sampler sampler;
    struct canaries canaries;
    VEC(struct leftover_fact) leftovers_before;
    int64_t database_bytes_before;
};

/* Opens a session of ours: "rehearse/<role>", with `session_sql` said. Not attached. */
enum err_code rh_observer_connect(struct observer *observer, const char *role,
                                  const char *session_sql, struct mono deadline,
                                  struct connection **ret_connection,
                                  struct err *err) RH_MUST_CHECK;
/* The first loss is reported; every pending request is answered with nothing. */
void rh_observer_lose(struct observer *observer, const struct err *err);

void rh_sampler_init(struct observer *observer, int64_t interval_us);
void rh_sampler_deinit(struct observer *observer);
void rh_sampler_stop(struct observer *observer);
/* True when a sample or a size has been under way for longer than `limit_us`. */
bool rh_sampler_is_stuck(const struct observer *observer, int64_t limit_us);

void rh_canaries_init(struct observer *observer);
/* Connects the first few, so that a probe starts at once. */
enum err_code rh_canaries_prepare(struct observer *observer, struct mono deadline,
                                  struct err *err) RH_MUST_CHECK;
void rh_canaries_deinit(struct observer *observer);
void rh_canaries_stop(struct observer *observer); /* no new attempts */
/* Blocking: collects late answers, cancels who still waits. */
void rh_canaries_finish(struct observer *observer, struct connection *control,
                        struct mono deadline);
/* Adds the results to trace->probes, an index's to its table's. */
void rh_canaries_report(const struct observer *observer, struct trace *trace);

#endif
