/* The recorder's sessions, as its files see them. */
#ifndef RH_WORKLOAD_CAPTURE_RECORDER_INT_H
#define RH_WORKLOAD_CAPTURE_RECORDER_INT_H

#include "workload/capture_recorder.h"
#include "workload/query_cache.h"
#include "workload/recorded_copy.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

/* Of one answer. */
#define RESULTS_MAX ((size_t)100000)
#define IDS_MAX ((size_t)100000)
/* Of one request, its messages counted: below WORKLOAD_EVENT_BYTES_MAX, with room for what masking
   adds to the one that reaches it. */
#define REQUEST_BYTES_MAX ((size_t)48 * 1024 * 1024)

/* A name of an encoding (NAMEDATALEN). */
#define ENCODING_BYTES 64

/* A prepared statement or portal by name; the unnamed ones as well. */
struct named {
    char *name;
    struct known_query *query;
    struct text types; /* of its parameters, as Parse declared them; owned */
    bool is_closed;    /* still known, for the server may have skipped the Close; goes first */
};
struct names {
    struct named *items; /* open addressing; a power of two, at most half full */
    size_t size, count;
};

struct step { /* P, B, D, C, E of a batch */
    unsigned char type;
    struct known_query *query;
};
struct unit { /* Q, S, F that is not answered yet */
    unsigned char type;
    uint32_t number;
    uint64_t request;
    size_t steps;              /* before it, of those that are queued */
    struct known_query *query; /* Q */
};

struct recorded_session {
    uint32_t number;
    struct recorded_session *next; /* in the table's slot */
    struct arena *arena;           /* of the session's beginning, until that was told */
    struct workload_session begun;
    bool has_begun;
    struct names statements, portals;

    struct arena *request_arena; /* NULL: nothing is gathered */
    VEC(struct workload_message) messages;
    size_t message_bytes;
    uint64_t missing; /* of the next message */
    struct recorded_copy copy;
    char encoding[ENCODING_BYTES]; /* client_encoding */
    uint64_t requests;

    struct arena *answer_arena; /* NULL: no results yet */
    VEC(struct workload_result) results;
    VEC(struct workload_id) ids;
    struct step *steps; /* of units that are not answered yet, in order */
    size_t step_count, step_capacity;
    struct unit *units;
    size_t unit_count, unit_capacity;
};

#define SESSION_SLOTS 4096
#define SPARE_ARENAS 64

struct capture_recorder {
    struct capture_recorder_options options;
    pthread_t thread;
    sem_t done; /* the thread has nothing left to do */
    struct query_cache *cache;
    struct recorded_session *sessions[SESSION_SLOTS];
    struct arena *spare[SPARE_ARENAS]; /* idle sessions hold none */
    size_t spare_count;
    int64_t last_us, flushed_us;
    struct err err;
    atomic_bool is_over, has_failed, is_full, stops;
    _Atomic uint64_t events, requests, patterns, bytes;
    _Atomic int64_t recorded_us;
    _Atomic int64_t gaps[RECORDER_GAP_COUNT];
    char chunk[CAPTURE_TAKE_BYTES];
};

/* --- recorded_session.c: what a session knows by name, and what it waits for */

void rh_recorded_names_set(struct names *names, const char *name, struct known_query *query);
/* Of one that was set: `behind` is what a Parse has behind its text. Gone when it is set again. */
void rh_recorded_names_declare(struct names *names, const char *name, struct text behind);
/* As rh_value_mask_bind takes them. */
struct text rh_recorded_names_types(const struct names *names, const char *name);
void rh_recorded_names_close(struct names *names, const char *name);
struct known_query *rh_recorded_names_get(const struct names *names, const char *name);
void rh_recorded_names_clear(struct names *names);

struct recorded_session *rh_recorded_session_new(uint32_t number);
void rh_recorded_session_free(struct recorded_session *session);
/* The body of RECORD_HELLO; the session has an arena for it. */
void rh_recorded_session_hello(struct recorded_session *session, struct text body);
/* Its client_encoding. */
void rh_recorded_session_encode(struct recorded_session *session, const char *encoding);
void rh_recorded_session_add_step(struct recorded_session *session, unsigned char type,
                                  struct known_query *query);
void rh_recorded_session_add_unit(struct recorded_session *session, struct unit unit);
/* Patterns of results that hold places (struct capture_answer), of the unit under way. */
uint32_t rh_recorded_session_pattern(const struct recorded_session *session, uint32_t place);
/* What was executed at this place; NULL: not known, or one of several in a string. */
const struct known_query *rh_recorded_session_query(const struct recorded_session *session,
                                                    uint32_t place);
/* The unit of this number is over. Its request; 0: it is not known. */
uint64_t rh_recorded_session_finish_unit(struct recorded_session *session, uint32_t number);

/* --- recorded_ids.c: values that the server made */

/* The body of RECORD_IDS; the session has an arena for its answer. */
void rh_recorded_ids_add(struct capture_recorder *recorder, struct recorded_session *session,
                         struct text body);

#endif
