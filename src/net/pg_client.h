/*
 * A client's session with a PostgreSQL server on the loop: reached (net/dial.h), authenticated
 * (net/pg_login.h), then a pipe for the protocol's messages. The caller sends bytes of frontend
 * messages as they are and is handed backend messages; nothing is interpreted here, nothing blocks.
 *
 * Callbacks come from the loop, never from within a call of theirs into this module, and may send,
 * pause and free the session. Not thread-safe. A session costs about a kilobyte and its descriptor
 * while nothing waits to be sent.
 */
#ifndef RH_NET_PG_CLIENT_H
#define RH_NET_PG_CLIENT_H

#include "net/dial.h"
#include "net/pg_login.h"

struct pg_client;

struct pg_client_handler {
    /* What is wanted: messages of `collect` are shown whole or up to `collect_max` of their bodies;
       those of `streamed` (no type in both) in parts as they come. Others pass unseen. */
    struct pg_type_set collect, streamed;
    size_t collect_max; /* at least PG_LOGIN_COLLECT_MAX is kept */
    /* The first ReadyForQuery came. Messages before it are not shown but for ParameterStatus, where
       `collect` has it. */
    void (*ready)(void *context);
    void (*message)(void *context, const struct pg_message *message);
    void (*part)(void *context, const struct pg_part *part); /* NULL: `streamed` is empty */
    /* The kernel took all that had waited; NULL: not wanted. */
    void (*drained)(void *context);
    /* Once, and nothing comes after it: it could not begin (*err says why), or the server ended the
       session. The session is still the caller's to free. */
    void (*closed)(void *context, const struct err *err);
};

/* Most that waits for a server that does not read. */
#define PG_CLIENT_UNSENT_MAX ((size_t)256 * 1024 * 1024)

/*
 * `options` (strings included), `handler` and `dialer` stay valid until ready or closed came, the
 * handler and dialer until free. login_timeout_us: from here to ready; 0: PG_CLIENT_LOGIN_US.
 */
struct pg_client *rh_pg_client_open(struct loop *loop, struct dialer *dialer,
                                    const struct pg_login_options *options,
                                    int64_t login_timeout_us,
                                    const struct pg_client_handler *handler, void *context);
/* A server whose backlog is long, with expensive SCRAM for each of a thousand sessions. */
#define PG_CLIENT_LOGIN_US INT64_C(60000000)
/* NULL allowed. Says Terminate where the kernel takes it, so that the server need not guess. */
void rh_pg_client_free(struct pg_client *client);

/*
 * Sends whole messages, after ready. What the kernel does not take now waits in memory: look at
 * rh_pg_client_unsent and `drained`, and send no more while much waits. Of a broken connection the
 * bytes are dropped, and `closed` comes. Beyond PG_CLIENT_UNSENT_MAX the session is broken off.
 */
void rh_pg_client_send(struct pg_client *client, struct text bytes);
size_t rh_pg_client_unsent(const struct pg_client *client);
/* After ready. `length` 0: the server gave none. Lives as long as the session. */
const struct pg_cancel_key *rh_pg_client_key(const struct pg_client *client);

/*
 * Asks the server to cancel what the session with this key does ("Canceling Requests in Progress"),
 * over a connection of its own, made as the session's was. fn comes once, perhaps before this
 * returns: the server has dealt with it (it closes the connection then), or cannot be reached. With
 * several hosts it goes to the first that answers. *place is NULL from before fn on.
 */
struct pg_cancel;
typedef void pg_cancelled_fn(void *context, const struct err *err); /* err NULL: it got there */
void rh_pg_cancel_start(struct loop *loop, struct dialer *dialer, const struct pg_cancel_key *key,
                        pg_cancelled_fn *fn, void *context, struct pg_cancel **place);
void rh_pg_cancel_free(struct pg_cancel *cancel); /* NULL allowed; fn is not called any more */

#endif
