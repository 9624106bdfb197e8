/*
 * The sessions of a workload that have begun and not ended, as one reads or writes along, and the
 * sums that follow from their events. Memory is that of the sessions at one time, which are capped.
 */
#ifndef RH_STORE_LIVE_SESSIONS_H
#define RH_STORE_LIVE_SESSIONS_H

#include "model/workload.h"

/* Beyond what a server can have (max_connections ends at 262143). */
#define LIVE_SESSIONS_MAX ((size_t)1 << 20)
/* Requests of one session without an answer; of more the times are those of the last answer. */
#define PENDING_REQUESTS_MAX ((size_t)1 << 16)

struct pending_request {
    uint64_t number;
    int64_t at_us;
};

struct live_session {
    struct live_session *next; /* in its bucket */
    uint64_t number;
    int64_t requests, executions, errors;
    int64_t answered_at_us; /* of its last answer; -1: none yet */
    struct pending_request *pending;
    size_t pending_first, pending_count, pending_capacity;
};

struct live_sessions {
    struct live_session **buckets;
    size_t bucket_count, count;
};

/* `sessions` is zeros at first. */
void rh_live_sessions_deinit(struct live_sessions *sessions);
/* NULL: not there. */
struct live_session *rh_live_sessions_find(const struct live_sessions *sessions, uint64_t number);
/* NULL: there already, number 0, or LIVE_SESSIONS_MAX. */
struct live_session *rh_live_sessions_add(struct live_sessions *sessions, uint64_t number);
void rh_live_sessions_remove(struct live_sessions *sessions, struct live_session *session);

/* A request that an answer will be of. */
void rh_live_session_sent(struct live_session *session, uint64_t request, int64_t at_us);
/*
 * How long the answer took: from when its request was sent, or from the answer before it when that
 * came later. Earlier requests are answered, too.
 */
int64_t rh_live_session_answered(struct live_session *session, uint64_t request, int64_t at_us);

#endif
