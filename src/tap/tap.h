/*
 * The tap: our relay of the PostgreSQL wire protocol. Accepts clients on listeners, opens one
 * server connection each (1:1, never pools), forwards bytes both ways, and shows a handler the
 * messages it asked for. Forward first, look later; only a handler's HOLD or SWALLOW delays or
 * removes a message, only what it takes does not reach the client by itself, and only what a
 * handler sends itself is added.
 *
 * Memory is flat: what the other side cannot take yet pauses reading (at most TAP_PENDING_MAX bytes
 * per direction); bodies are collected only for the types asked for, up to collect_max. SSLRequest
 * is answered 'S' where the tap has a certificate, and direct TLS is taken then (first byte 0x16,
 * ALPN "postgresql"); else 'N', as GSSENCRequest is always, in either order. A client that sent
 * bytes behind such a request before our answer is dropped (CVE-2021-23214). A CancelRequest
 * is forwarded on a connection of its own; keys are opaque (4 to 256 bytes).
 * NegotiateProtocolVersion passes through. Single-threaded, on the given loop. It does not
 * authenticate anybody: the server does.
 */
#ifndef RH_TAP_TAP_H
#define RH_TAP_TAP_H

#include "base/err.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/pg_codec.h"

#include <stdbool.h>
#include <stdint.h>

struct tap;
struct tap_session;

/* One read at most. Larger saves system calls on large results until it falls out of the L2 cache.
 */
#define TAP_CHUNK_BYTES (64 * 1024)
#define TAP_PENDING_MAX \
    (256 * 1024) /* bytes waiting for one peer before we stop reading the other */

enum tap_action {
    TAP_FORWARD,
    TAP_SWALLOW, /* only for whole collected messages */
    TAP_HOLD     /* keep this message and all behind it: the backend's until rh_tap_session_release,
                    the frontend's until rh_tap_session_resume */
};

struct tap_handler {
    struct pg_type_set frontend_types, backend_types; /* messages shown with their bodies */
    size_t collect_max; /* bytes of a body shown; larger messages stream through, shown cut */
    /*
     * Frontend messages asked for are shown before they are forwarded, and the answer decides: they
     * are gathered whole, up to collect_max. A larger one is shown when it begins, without its
     * body; its answer counts as well. Those not asked for stream through in their order.
     */
    bool decides_frontend;
    void *context;
    /*
     * All optional. A session's own data hangs on *rh_tap_session_data(). A session opens when a
     * client that asks for protocol 3 has reached the server (cancel requests and encryption
     * requests open none), and its pointer is dead once session_closed returned. Every callback may
     * close or release any session, its own included, and may free watches and timers; none may
     * free the tap.
     */
    void (*session_opened)(void *context, struct tap_session *session);
    void (*session_closed)(void *context, struct tap_session *session);
    /* The server could not be reached for a client, who was told as well. No session opens. */
    void (*server_unreachable)(void *context, const struct err *err);
    /* Shown after it was forwarded (start-up packet as type 0 included): the answer is ignored,
       but for decides_frontend (the start-up packet is always forwarded). */
    enum tap_action (*frontend_message)(void *context, struct tap_session *session,
                                        const struct pg_message *message);
    /* Shown before it is forwarded: the answer decides. */
    enum tap_action (*backend_message)(void *context, struct tap_session *session,
                                       const struct pg_message *message);
    /* Every backend message head, bodies not collected (counting rows). Keep it short. */
    void (*backend_head)(void *context, struct tap_session *session, unsigned char type,
                         uint32_t body_length);
    /* A message type asked for was larger than collect_max and streams on: shown once, cut, when
       its last byte passed; the returned action of the message callback is then ignored. */

    /*
     * Backend messages that are not forwarded: what the client gets instead the handler sends. What
     * is sent while another message is shown goes ahead of that, so whoever gathers parts asks to
     * be shown what may follow them.
     * Their bodies come in parts, as they were read (TAP_CHUNK_BYTES at most), whatever their size;
     * bodies of CopyData messages that follow each other come joined (net/pg_codec.h, struct
     * pg_part). The bytes of a part are valid during the call. These types are not shown, dropped
     * or counted as heads. A session whose messages cannot be told apart (another protocol than 3,
     * a length word out of range) fails rather than letting them through.
     */
    struct pg_type_set backend_taken;
    void (*backend_part)(void *context, struct tap_session *session, const struct pg_part *part);
    /*
     * For those who look and never touch: all bytes of a session, as they were read, after they
     * were written on or queued; the frontend's begin with the start-up packet. They are valid
     * during the call. Only for handlers that decide about nothing and take nothing.
     */
    void (*frontend_bytes)(void *context, struct tap_session *session, struct text bytes);
    void (*backend_bytes)(void *context, struct tap_session *session, struct text bytes);
    /* Somebody asked to cancel: the request (a start-up packet) is on its way to the server. */
    void (*cancel_requested)(void *context, struct text request);
};

struct tap_options {
    /* Where the server is: one of the two. A Unix socket, or any place over TCP or TLS. */
    const char *server_socket_path;
    const struct upstream *upstream;
    /*
     * The client's leg; NULL: it stays plain. A client can bind SCRAM to the server's TLS channel
     * only where both legs are TLS and show the same certificate (tls-server-end-point is the hash
     * of it). Else the offer is not passed on. A client whose own leg is plain authenticates all
     * the same, unless it insists on the binding; of one that has TLS, and would have bound, a
     * server with TLS takes that for an attack (tap_auth.c).
     */
    const struct tls_options *client_tls;
    bool requires_client_tls; /* a client that does not ask for it is refused */
};

struct tap_statistics {
    uint64_t sessions, frontend_bytes, backend_bytes, swallowed_messages, held_messages;
    uint64_t refused_connections; /* the server could not be reached for them */
    uint64_t failed_handshakes;   /* of clients */
    uint64_t unbound_offers;      /* channel binding not passed on to a client that has TLS */
    uint64_t cancels;
};

/* Blocking where the upstream has certificates: they are read. */
enum err_code rh_tap_new(struct loop *loop, const struct tap_options *options,
                         const struct tap_handler *handler, struct tap **ret_tap,
                         struct err *err) RH_MUST_CHECK;
/* Closes every session (the handler hears it). NULL allowed; before the loop is freed. */
void rh_tap_free(struct tap *tap);
/* Adds a listener (already listening, non-blocking; Unix or TCP); the tap owns the descriptor. */
enum err_code rh_tap_listen(struct tap *tap, int listener_fd, struct err *err) RH_MUST_CHECK;
/* The same with a Unix socket of the tap's own, DIRECTORY/.s.PGSQL.5432 (TAP_PORT), where clients
   connect as to a server: who may enter the directory may connect. The name goes with the tap. */
#define TAP_PORT 5432
enum err_code rh_tap_listen_in(struct tap *tap, const char *directory,
                               struct err *err) RH_MUST_CHECK;
/* Closes the listeners: nobody new comes in. The sessions go on. */
void rh_tap_stop_listening(struct tap *tap);
/* Gives an already connected client (a socket pair end); the tap owns the descriptor. */
enum err_code rh_tap_adopt(struct tap *tap, int client_fd, struct err *err) RH_MUST_CHECK;
struct tap_statistics rh_tap_statistics(const struct tap *tap);
size_t rh_tap_open_sessions(const struct tap *tap);

/* The handler's own pointer, NULL at first. */
void **rh_tap_session_data(struct tap_session *session);
/*
 * Lets a held message go, and shows the messages that queued up behind it before this returns (so
 * the session may be closed, and dead, by then). Called from within the callback that is about to
 * return TAP_HOLD, it turns that answer into TAP_FORWARD. No-op when nothing is held.
 */
void rh_tap_session_release(struct tap_session *session);
/* From now on backend messages of these types do not reach the client: dropped as they stream,
   unseen by the handler, whatever their size. For a client that has no use for them. */
void rh_tap_session_drop(struct tap_session *session, const struct pg_type_set *types);
/*
 * For handlers that decide about frontend messages. Resuming shows the held message, and what
 * queued up behind it, again before it returns; called within the callback that is about to return
 * TAP_HOLD, the message is shown again at once. No-op when nothing is held.
 */
void rh_tap_session_resume(struct tap_session *session);
/* From now on frontend messages of these types go nowhere, unseen; an empty set ends that. */
void rh_tap_session_drop_frontend(struct tap_session *session, const struct pg_type_set *types);
/*
 * Whole messages of the handler's own, behind all that was passed on in that direction before (a
 * message that is being shown comes behind them). They are not shown. To the server at most as many
 * bytes as TAP_SEND_MAX says may be under way; more ends the program. No-op on a session that is
 * not connected (any more).
 */
#define TAP_SEND_MAX(collect_max) (2 * (size_t)(collect_max) + TAP_PENDING_MAX)
void rh_tap_session_send_server(struct tap_session *session, struct text bytes);
void rh_tap_session_send_client(struct tap_session *session, struct text bytes);
/*
 * One message of the handler's own, without copying the body where the kernel takes it at once. The
 * same rules as above. What waits for the client pauses reading from the server; more than
 * TAP_CLIENT_SEND_MAX at a time fails the session (a handler that takes 64 KiB in may make up to a
 * thousand times as much of it).
 */
#define TAP_CLIENT_SEND_MAX (64 * 1024 * 1024)
void rh_tap_session_send_client_message(struct tap_session *session, char type, struct text body);
/* Stops reading from the server, until told otherwise: what was read already is still shown. For a
   limit on the load of the server, and for handlers that cannot keep up. */
void rh_tap_session_pause_server(struct tap_session *session, bool is_paused);
/* Whether the client has ended its direction of the connection, or all of it: the tap passes that
   on and goes on with the server's answer. A handler that takes the answer, and so sends nothing
   that would fail, asks whether anybody waits for it. */
bool rh_tap_session_client_ended(const struct tap_session *session);
/* Ends both legs at once. */
void rh_tap_session_close(struct tap_session *session);

#endif
