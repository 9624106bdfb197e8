/*
 * One client and its server connection, as the files of this folder see them.
 *
 *              client bytes                        server bytes
 *   client ───────► up ───────► server      server ───────► down ───────► client
 *                (tap_relay.c)                              (tap_relay.c)
 *
 *   STARTUP ──start-up packet──► CONNECTING ──connected──► RELAYING ──server ended──► LEAVING
 *      │ ▲ SSL/GSS: 'N'              │                        │                          │
 *      │ ├───────┘                   └───refused──────────────│────────────────► LEAVING │
 *      │ └── ENCRYPTING ◄── SSL: 'S', or direct TLS           │                          │
 *      └──────── any state: client gone, rh_tap_session_close, deadline ──────────► CLOSED
 *
 * tap_session.c alone writes `state`. A closed session stays in memory until no function of the tap
 * is on the stack (struct tap, `depth`), so code here looks at `state` after every callback.
 */
#ifndef RH_TAP_TAP_INT_H
#define RH_TAP_TAP_INT_H

#include "base/text.h"
#include "tap/tap.h"

#include <sys/un.h>

enum session_state {
    SESSION_STARTUP,    /* gathers untyped packets of the client; there is no server connection */
    SESSION_ENCRYPTING, /* the TLS handshake with the client (tap_encrypt.c) */
    SESSION_CONNECTING, /* the start-up packet waits for the server to take the connection */
    SESSION_RELAYING,
    SESSION_LEAVING, /* no server any more: the client gets its last bytes, what it sends is dropped
                      */
    SESSION_CLOSED
};

struct leg {
    int fd;          /* -1: none */
    struct tls *tls; /* NULL: plain */
    struct loop_watch *watch;
    unsigned events; /* as set on the watch */
};

/* What the kernel would not take yet: bytes.data[sent .. bytes.len). */
struct queue {
    struct buf bytes;
    size_t sent;
};
static inline size_t rh_tap_queue_length(const struct queue *queue)
{
    return queue->bytes.len - queue->sent;
}

/* One direction. */
struct flow {
    struct leg *from, *to;
    struct pg_framer framer;
    struct queue queue;
    bool source_ended; /* nothing more will be read */
    bool sink_broken;  /* nothing can be written any more: bytes are dropped */
    bool is_shut;      /* the end was passed on */
};

/* Frontend bytes of a session whose handler decides (tap_decide.c). */
struct deciding {
    bool is_on;
    struct buf bytes;   /* not dealt with yet; while holding, the held message comes first */
    size_t stream_left; /* of a message that is forwarded or dropped as it comes */
    bool stream_is_dropped;
    bool is_holding, resumed_early;
    bool is_running; /* its loop is on the stack */
    bool is_lost;    /* cannot be framed: everything is forwarded */
    struct pg_type_set drop_types;
};

/* The first backend messages of a session whose legs are of different kinds (tap_auth.c). */
struct auth {
    bool is_on;
    struct buf bytes; /* the beginning of a message */
};
/* Of an AuthenticationRequest, all of it: libpq refuses more than 2000 bytes
   (PQconnectPoll, CONNECTION_AWAITING_RESPONSE). */
#define TAP_AUTH_BYTES_MAX 4096u

struct chunk;

struct tap_session {
    struct tap *tap;
    struct tap_session *previous, *next; /* in tap->sessions; next alone in tap->dead */
    void *data;
    enum session_state state;
    struct leg client, server;
    struct flow up, down;
    struct loop_timer *timer; /* the deadline of STARTUP, ENCRYPTING and LEAVING */
    /* Bytes wait that TLS has read already; NULL where there is none. */
    struct loop_timer *again, *client_again;
    struct dial *dial; /* CONNECTING */

    struct buf startup; /* STARTUP and CONNECTING: what the client has sent so far */
    bool ssl_refused, gss_refused;
    bool tls_is_direct; /* the client spoke TLS without asking first */
    bool handshake_waits_writable;
    bool is_framed; /* protocol 3: shown to the handler (not cancel requests, not protocol 2) */
    bool is_open;   /* the handler was told */

    /*
     * Backend bytes kept back. While a wanted message is incomplete: its bytes so far. While
     * holding: the held message in the first `held_length` bytes, behind it what was received with
     * it.
     */
    struct buf stash;
    size_t held_length;
    bool is_withholding; /* the backend message under way waits for the handler's answer */
    bool drops;          /* drop_types is not empty */
    bool is_dropping;    /* the backend message under way goes nowhere */
    struct pg_type_set drop_types;
    bool is_holding;
    bool is_paused; /* the handler wants no more of the server's bytes for now */
    bool in_backend_message, released_early;
    struct chunk *chunk; /* the backend bytes under way, while the handler looks at them */
    struct deciding deciding;
    struct auth auth;
};

struct tap_listener {
    struct tap *tap;
    struct tap_listener *next;
    int fd;
    struct sockaddr_un own; /* no path: somebody else's socket */
    struct loop_watch *watch;
    struct loop_timer *pause; /* after the process ran out of descriptors */
};

struct tap {
    struct loop *loop;
    struct tap_handler handler;
    bool shows_frontend, shows_backend, counts_heads, takes;
    struct dialer *dialer;
    struct tls_context *client_tls; /* NULL: clients' legs stay plain */
    bool requires_client_tls;
    struct tap_listener *listeners;
    struct tap_session *sessions, *dead;
    size_t session_count;
    unsigned depth; /* functions of the tap on the stack */
    struct tap_statistics statistics;
    char chunk[TAP_CHUNK_BYTES]; /* receive buffer of all sessions: its bytes never outlive a
                                    callback */
};

static inline void rh_tap_enter(struct tap *tap)
{
    tap->depth++;
}
/* Frees the sessions that were closed meanwhile when it was the outermost. */
void rh_tap_leave(struct tap *tap);

/* --- tap_session.c
 * -------------------------------------------------------------------------------- */

/* Takes client_fd in any case. */
enum err_code rh_tap_session_new(struct tap *tap, int client_fd, struct err *err) RH_MUST_CHECK;
/* After anything happened: ends what has ended, and watches what is to be waited for. */
void rh_tap_session_settle(struct tap_session *session);
/* Goes on with a session whose client's leg is encrypted now. */
void rh_tap_session_go_on(struct tap_session *session);
/* The server is of no use any more: the client gets this error and its end. */
void rh_tap_session_leave(struct tap_session *session, const char *sqlstate, const struct err *err);

/* --- tap_encrypt.c
 * -------------------------------------------------------------------------------- */

/* Answers an SSLRequest with 'S' and begins the handshake. */
void rh_tap_encrypt_accept(struct tap_session *session);
/* Direct TLS: the handshake's first byte waits in the kernel. */
void rh_tap_encrypt_direct(struct tap_session *session);
/* Goes on with the handshake, when the descriptor is ready. */
void rh_tap_encrypt_step(struct tap_session *session);

/* --- tap_relay.c
 * ---------------------------------------------------------------------------------- */

void rh_tap_relay_init(struct tap_session *session);
void rh_tap_relay_deinit(struct tap_session *session);
/* Is there room for bytes of this direction? */
bool rh_tap_relay_may_read(const struct tap_session *session, const struct flow *flow);
/* As recv, whatever the leg is. */
ssize_t rh_tap_relay_receive(const struct leg *leg, char *data, size_t length);
/* Reads once and relays; sets source_ended at the end. */
void rh_tap_relay_read(struct tap_session *session, struct flow *flow);
/* Sends what waits. */
void rh_tap_relay_flush(struct tap_session *session, struct flow *flow);
/* Sends or queues bytes, unseen by the handler. */
void rh_tap_relay_pass(struct tap_session *session, struct flow *flow, struct text bytes);
/* Frontend bytes that were gathered elsewhere: sends and shows them. The first `sent` of them are
   at the server already. */
void rh_tap_relay_take_frontend(struct tap_session *session, struct text bytes, size_t sent);
void rh_tap_relay_release(struct tap_session *session);
/* Backend bytes before the message that the handler looks at right now: to the client, first. */
void rh_tap_relay_pass_run(struct tap_session *session);

/* --- tap_decide.c
 * --------------------------------------------------------------------------------- */

void rh_tap_decide_init(struct tap_session *session);
void rh_tap_decide_deinit(struct tap_session *session);
/* Frontend bytes behind the start-up packet. */
void rh_tap_decide_take(struct tap_session *session, struct text bytes);
/* How many bytes can be taken. */
size_t rh_tap_decide_room(const struct tap_session *session);

/* --- tap_auth.c
 * ----------------------------------------------------------------------------------- */

void rh_tap_auth_init(struct tap_session *session);
void rh_tap_auth_deinit(struct tap_session *session);
/* Once the server's leg is there. */
void rh_tap_auth_begin(struct tap_session *session);
/* While session->auth.is_on: adds to `out` what may go on now; at most TAP_AUTH_BYTES_MAX more than
   was given. */
void rh_tap_auth_take(struct tap_session *session, struct text bytes, struct buf *out);

#endif
