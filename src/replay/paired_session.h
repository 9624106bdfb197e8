/*
 * One session on one side of a comparison: sends bytes of the protocol, waits until the server is
 * ready again, and says what came and how long that took. One request at a time; blocking, up to
 * the deadline or the user's interrupt. Sessions of all sides share one loop.
 */
#ifndef RH_REPLAY_PAIRED_SESSION_H
#define RH_REPLAY_PAIRED_SESSION_H

#include "model/comparison.h"
#include "net/pg_client.h"

/* Of the first value of a result: a plan as JSON. */
#define PAIRED_VALUE_BYTES_MAX ((size_t)4 * 1024 * 1024)

struct paired_place {
    const struct upstream *upstream;
    const char *user, *database, *password;
};

struct paired_session;
enum err_code rh_paired_session_open(struct loop *loop, const struct paired_place *place,
                                     struct mono deadline, struct paired_session **ret_session,
                                     struct err *err) RH_MUST_CHECK;
void rh_paired_session_close(struct paired_session *session); /* NULL allowed */

/* What is looked at besides the end. */
enum paired_look {
    PAIRED_TIMES,  /* nothing */
    PAIRED_ANSWER, /* columns and digests of their values */
    PAIRED_VALUE   /* the first column of the first row */
};

struct paired_outcome {
    char sqlstate[6];           /* of the first error; "" */
    char message[256];          /* the server's own */
    int64_t rows;               /* of the last command tag; else those that came */
    char status;                /* I, T, E */
    double elapsed_us;          /* from just before the first byte was sent to ReadyForQuery */
    double own_us;              /* of that, processor time of ours */
    bool wants_copy;            /* it asked for COPY data, and was refused */
    struct query_answer answer; /* PAIRED_ANSWER; in the arena given */
    const char *value;          /* PAIRED_VALUE; in the arena given; NULL: none */
};

/*
 * `bytes` hold whole messages that bring exactly `ready_count` ReadyForQuery. An error of the
 * server is an outcome; RH_ERR_CONNECTION: the session is lost; RH_ERR_TIMEOUT: the deadline.
 */
enum err_code rh_paired_session_run(struct paired_session *session, struct text bytes,
                                    unsigned ready_count, enum paired_look look,
                                    struct arena *arena, struct mono deadline,
                                    struct paired_outcome *ret_outcome,
                                    struct err *err) RH_MUST_CHECK;
/* A query message of ours. RH_ERR_SERVER: the server refused it. */
enum err_code rh_paired_session_say(struct paired_session *session, const char *sql,
                                    struct mono deadline, struct err *err) RH_MUST_CHECK;

#endif
