/* The life of a session: start-up packets, the server's connection, ends. */
#include "tap/tap_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* PostgreSQL's authentication_timeout (default 60 s): how long a client may take to say who it is.
 */
#define STARTUP_TIMEOUT_US INT64_C(60000000)
/* Reads of one wake-up while TLS has bytes that the kernel does not show any more. */
#define TLS_READS_MAX 4
/* A client that takes none of its last bytes for so long gets no more of them. */
#define FAREWELL_TIMEOUT_US INT64_C(10000000)
/* Closing with unread bytes would reset the connection, and the client could lose the server's last
   words: so wait a little for its own end. */
#define LINGER_US INT64_C(2000000)
/* A first packet: length word and body. */
#define STARTUP_BYTES_MAX (4 + PG_STARTUP_PACKET_MAX)
/* TLS record type "handshake" (RFC 8446, section 5.1); no start-up packet begins so, for it would
   be 350 MB long. Sent first by sslnegotiation=direct. */
#define TLS_HANDSHAKE 0x16
/* TLS 1.2 record, alert, 2 bytes: fatal, handshake_failure (RFC 8446, section 6). */
static const char tls_refusal[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28};

/* --- closing ---------------------------------------------------------------------------------- */

static void close_leg(struct leg *leg)
{
    rh_loop_watch_free(leg->watch);
    leg->watch = NULL;
    leg->events = 0;
    if (leg->tls)
        rh_tls_end(leg->tls);
    rh_tls_free(leg->tls);
    leg->tls = NULL;
    if (leg->fd >= 0)
        close(leg->fd);
    leg->fd = -1;
}

void rh_tap_session_close(struct tap_session *session)
{
    struct tap *tap = session->tap;
    if (session->state == SESSION_CLOSED)
        return;
    rh_tap_enter(tap);
    session->state = SESSION_CLOSED;
    close_leg(&session->client);
    close_leg(&session->server);
    rh_dial_cancel(session->dial);
    rh_loop_timer_free(session->timer);
    rh_loop_timer_free(session->again);
    rh_loop_timer_free(session->client_again);
    session->timer = session->again = session->client_again = NULL;
    session->is_holding = false;
    if (session->is_open && tap->handler.session_closed)
        tap->handler.session_closed(tap->handler.context, session);
    session->is_open = false;

    if (session->previous)
        session->previous->next = session->next;
    else
        tap->sessions = session->next;
    if (session->next)
        session->next->previous = session->previous;
    session->next = tap->dead;
    tap->dead = session;
    tap->session_count--;
    rh_tap_leave(tap);
}

void rh_tap_leave(struct tap *tap)
{
    RH_ASSERT(tap->depth > 0);
    if (--tap->depth > 0)
        return;
    while (tap->dead) {
        struct tap_session *session = tap->dead;
        tap->dead = session->next;
        rh_tap_relay_deinit(session);
        rh_buf_deinit(&session->startup);
        free(session);
    }
}

/* The server is gone, or never was there. */
static void leave(struct tap_session *session)
{
    session->state = SESSION_LEAVING;
    close_leg(&session->server);
    session->is_holding = false;
    rh_buf_clear(&session->stash);
    session->down.source_ended = true;
    session->up.sink_broken = true;
    rh_tap_relay_flush(session, &session->up); /* drops what waits */
    rh_loop_timer_start(session->timer, FAREWELL_TIMEOUT_US, 0);
}

void rh_tap_session_leave(struct tap_session *session, const char *sqlstate, const struct err *err)
{
    /* A cancel request is never answered ("Canceling Requests in Progress"). */
    if (session->is_framed) {
        RH_CLEANUP_BUF struct buf answer;
        rh_buf_init(&answer, PG_FAILURE_BYTES_MAX);
        rh_pg_encode_failure(&answer, sqlstate, err);
        rh_tap_relay_pass_run(session);
        rh_tap_relay_pass(session, &session->down, rh_buf_text(&answer));
    }
    leave(session);
}

/* --- watching --------------------------------------------------------------------------------- */

/*
 * Readable is taken off only when it came and was not wanted (`unwanted_read`): a pause that ends
 * before the peer speaks costs nothing. Returns false when the descriptor cannot be watched.
 */
static void watch_leg(struct leg *leg, bool may_read, bool must_write, bool unwanted_read)
{
    unsigned events = must_write ? LOOP_WRITABLE : 0;
    if (may_read || (!unwanted_read && (leg->events & LOOP_READABLE)))
        events |= LOOP_READABLE;
    if (!leg->watch || events == leg->events)
        return;
    leg->events = events;
    rh_loop_watch_set(leg->watch, events);
}

static bool client_may_read(const struct tap_session *session)
{
    switch (session->state) {
    case SESSION_STARTUP:
    case SESSION_LEAVING:
        return !session->up.source_ended;
    case SESSION_RELAYING:
        return rh_tap_relay_may_read(session, &session->up);
    case SESSION_ENCRYPTING:
        return !session->handshake_waits_writable;
    case SESSION_CONNECTING:
    case SESSION_CLOSED:
        break;
    }
    return false;
}

static bool server_may_read(const struct tap_session *session)
{
    return session->state == SESSION_RELAYING && rh_tap_relay_may_read(session, &session->down);
}

static bool server_has_pending(const struct tap_session *session)
{
    return session->server.tls && server_may_read(session) &&
           rh_tls_has_pending(session->server.tls);
}

static bool client_has_pending(const struct tap_session *session)
{
    return session->client_again && session->state != SESSION_LEAVING &&
           session->state != SESSION_ENCRYPTING && client_may_read(session) &&
           rh_tls_has_pending(session->client.tls);
}

static bool read_waits_writable(const struct leg *leg)
{
    return leg->tls && rh_tls_read_waits_writable(leg->tls);
}

static bool client_waits_writable(const struct tap_session *session)
{
    if (session->state == SESSION_ENCRYPTING)
        return session->handshake_waits_writable;
    return session->state != SESSION_LEAVING && read_waits_writable(&session->client);
}

/* Passes the end of a direction on once its last byte went out. */
static void shut_when_done(struct flow *flow)
{
    if (!flow->source_ended || flow->is_shut || rh_tap_queue_length(&flow->queue) > 0)
        return;
    flow->is_shut = true;
    if (flow->to->tls)
        rh_tls_end(flow->to->tls);
    shutdown(flow->to->fd, SHUT_WR);
}

static void settle_relaying(struct tap_session *session)
{
    struct flow *up = &session->up, *down = &session->down;
    if (down->sink_broken) {
        /* The client is gone. What it sent last still goes to the server, whose next write then
           fails as it would without us. */
        up->source_ended = true;
        if (rh_tap_queue_length(&up->queue) == 0)
            rh_tap_session_close(session);
        return;
    }
    shut_when_done(up);
    if (down->source_ended && !session->is_holding)
        leave(session);
}

static void settle_leaving(struct tap_session *session)
{
    struct flow *down = &session->down;
    if (down->sink_broken) {
        rh_tap_session_close(session);
        return;
    }
    bool was_shut = down->is_shut;
    shut_when_done(down);
    if (!down->is_shut)
        return;
    if (session->up.source_ended)
        rh_tap_session_close(session);
    else if (!was_shut)
        rh_loop_timer_start(session->timer, LINGER_US, 0);
}

static void settle(struct tap_session *session, unsigned unwanted_client, unsigned unwanted_server)
{
    if (session->state == SESSION_RELAYING)
        settle_relaying(session);
    if (session->state == SESSION_LEAVING)
        settle_leaving(session);
    if (session->state == SESSION_CLOSED)
        return;
    watch_leg(&session->client, client_may_read(session),
              rh_tap_queue_length(&session->down.queue) > 0 || client_waits_writable(session),
              unwanted_client & LOOP_READABLE);
    watch_leg(&session->server, server_may_read(session),
              rh_tap_queue_length(&session->up.queue) > 0 || read_waits_writable(&session->server),
              unwanted_server & LOOP_READABLE);
    /* What TLS has read from the kernel nobody else announces. */
    if (server_has_pending(session))
        rh_loop_timer_start(session->again, 0, 0);
    if (client_has_pending(session))
        rh_loop_timer_start(session->client_again, 0, 0);
}

void rh_tap_session_settle(struct tap_session *session)
{
    settle(session, 0, 0);
}

static enum err_code watch_new(struct tap_session *session, struct leg *leg, loop_ready_fn *fn,
                               struct err *err)
{
    enum err_code code = rh_loop_watch_new(session->tap->loop, leg->fd, fn, session, &leg->watch,
                                           err);
    leg->events = 0;
    return code;
}

static void set_no_delay(int fd, int family)
{
    int on = 1;
    if (family == AF_INET || family == AF_INET6)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* --- the server's connection ------------------------------------------------------------------ */

static void read_server(struct tap_session *session)
{
    for (int i = 0; i < TLS_READS_MAX; i++) {
        rh_tap_relay_read(session, &session->down);
        if (!server_has_pending(session))
            return;
    }
}

static void on_server_ready(void *context, unsigned events)
{
    struct tap_session *session = context;
    struct tap *tap = session->tap;
    unsigned unwanted = 0;
    rh_tap_enter(tap);
    if (session->state == SESSION_RELAYING) {
        if (events & LOOP_WRITABLE) {
            rh_tap_relay_flush(session, &session->up);
            if (read_waits_writable(&session->server))
                events |= LOOP_READABLE;
        }
        if (events & LOOP_READABLE) {
            if (server_may_read(session))
                read_server(session);
            else
                unwanted = LOOP_READABLE;
        }
    }
    settle(session, 0, unwanted);
    rh_tap_leave(tap);
}

static void on_again(void *context)
{
    on_server_ready(context, LOOP_READABLE);
}

static void refuse(struct tap_session *session, const struct err *err)
{
    struct tap *tap = session->tap;
    tap->statistics.refused_connections++;
    if (tap->handler.server_unreachable)
        tap->handler.server_unreachable(tap->handler.context, err);
    if (session->state != SESSION_CLOSED)
        rh_tap_session_leave(session, "08006", err);
}

/* Of the start-up packet, or none for what is no session. */
static struct text startup_packet(const struct tap_session *session)
{
    struct pg_reader reader = {.rest = rh_buf_text(&session->startup)};
    uint32_t length = session->is_framed ? rh_pg_read_u32(&reader) : 0;
    return (struct text){session->startup.data, length};
}

static void begin_relaying(struct tap_session *session, const struct dialed *dialed)
{
    struct tap *tap = session->tap;
    size_t sent = dialed->startup_is_sent ? startup_packet(session).len : 0;
    session->state = SESSION_RELAYING;
    rh_tap_auth_begin(session);
    if (dialed->tls)
        session->again = rh_loop_timer_new(tap->loop, on_again, session);
    if (session->is_framed) {
        session->is_open = true;
        tap->statistics.sessions++;
        if (tap->handler.session_opened)
            tap->handler.session_opened(tap->handler.context, session);
        if (session->state == SESSION_CLOSED)
            return;
    }
    rh_tap_relay_take_frontend(session, rh_buf_text(&session->startup), sent);
    rh_buf_deinit(&session->startup);
}

static void on_dialed(void *context, const struct dialed *dialed, const struct err *err)
{
    struct tap_session *session = context;
    struct tap *tap = session->tap;
    struct err watch_err = RH_ERR_INIT;
    rh_tap_enter(tap);
    if (dialed) {
        session->server.fd = dialed->fd;
        session->server.tls = dialed->tls;
        if (watch_new(session, &session->server, on_server_ready, &watch_err))
            err = &watch_err;
    }
    if (err)
        refuse(session, err);
    else
        begin_relaying(session, dialed);
    rh_tap_session_settle(session);
    rh_tap_leave(tap);
}

static void begin_connecting(struct tap_session *session)
{
    session->state = SESSION_CONNECTING;
    rh_loop_timer_stop(session->timer);
    rh_dial_start(session->tap->dialer, startup_packet(session), on_dialed, session,
                  &session->dial);
}

/* --- start-up packets ------------------------------------------------------------------------- */

/* SSLRequest and GSSENCRequest: at most once each, as the server has it, and alone: bytes behind
   one were sent before our answer and may not be taken for plain text (CVE-2021-23214). */
static void refuse_encryption(struct tap_session *session, bool *already, size_t packet_length)
{
    if (*already || session->startup.len != packet_length) {
        rh_tap_session_close(session);
        return;
    }
    *already = true;
    rh_buf_clear(&session->startup);
    rh_tap_relay_pass(session, &session->down, TEXT_LITERAL("N"));
}

static void take_ssl_request(struct tap_session *session, size_t packet_length)
{
    if (!session->tap->client_tls || session->client.tls) {
        refuse_encryption(session, &session->ssl_refused, packet_length);
        return;
    }
    if (session->startup.len != packet_length) {
        rh_tap_session_close(session);
        return;
    }
    rh_buf_clear(&session->startup);
    rh_tap_encrypt_accept(session);
}

/* A session of protocol 3, or what the server shall make of anything else. */
static void take_session(struct tap_session *session, bool is_framed)
{
    struct tap *tap = session->tap;
    session->is_framed = is_framed;
    if (!is_framed && tap->takes) {
        /* Nothing could be taken out of another protocol. */
        rh_tap_session_close(session);
    } else if (tap->requires_client_tls && !session->client.tls) {
        struct err err = RH_ERR_INIT;
        rh_err_set(&err, RH_ERR_CONNECTION, "this address takes connections over TLS alone");
        rh_err_hint(&err, "Use sslmode=require, or better verify-full.");
        rh_tap_session_leave(session, "28000", &err);
    } else {
        begin_connecting(session);
    }
}

static void take_startup(struct tap_session *session)
{
    struct text bytes = rh_buf_text(&session->startup);
    if (bytes.len == 0)
        return;
    struct pg_reader reader = {.rest = bytes};
    uint32_t length = rh_pg_read_u32(&reader);
    if (reader.failed)
        return;
    if (length < 8 || length > STARTUP_BYTES_MAX) {
        /* As the server does, without a word. */
        rh_tap_session_close(session);
        return;
    }
    if (bytes.len < length)
        return;
    struct text body = {bytes.data + 4, length - 4};
    uint32_t code = rh_pg_read_u32(&reader), pid;
    struct text key;
    switch (code) {
    case PG_CODE_SSL:
        take_ssl_request(session, length);
        break;
    case PG_CODE_GSSENC:
        refuse_encryption(session, &session->gss_refused, length);
        break;
    case PG_CODE_CANCEL:
        if (!rh_pg_decode_cancel(body, &pid, &key)) {
            rh_tap_session_close(session);
            break;
        }
        session->tap->statistics.cancels++;
        if (session->tap->handler.cancel_requested)
            session->tap->handler.cancel_requested(session->tap->handler.context, body);
        begin_connecting(session);
        break;
    default:
        take_session(session, code >> 16 == 3);
        break;
    }
}

/* Direct TLS is told by its first byte, which stays in the kernel for the handshake. */
static bool take_direct_tls(struct tap_session *session)
{
    char first;
    if (session->startup.len > 0 || session->client.tls)
        return false;
    if (recv(session->client.fd, &first, 1, MSG_DONTWAIT | MSG_PEEK) != 1 || first != TLS_HANDSHAKE)
        return false;
    if (session->tap->client_tls && !session->ssl_refused && !session->gss_refused) {
        rh_tap_encrypt_direct(session);
        return true;
    }
    rh_tap_relay_pass(session, &session->down, (struct text){tls_refusal, sizeof(tls_refusal)});
    leave(session);
    return true;
}

static void read_startup(struct tap_session *session)
{
    /* No more than one largest packet and its followers; the rest waits in the kernel. */
    char bytes[4096];
    if (take_direct_tls(session))
        return;
    ssize_t received = rh_tap_relay_receive(&session->client, bytes, sizeof(bytes));
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (received <= 0) {
        rh_tap_session_close(session);
        return;
    }
    rh_buf_add(&session->startup, bytes, (size_t)received);
    take_startup(session);
}

/* --- the client ------------------------------------------------------------------------------- */

static void drop_client_bytes(struct tap_session *session)
{
    struct tap *tap = session->tap;
    ssize_t received = recv(session->client.fd, tap->chunk, sizeof(tap->chunk), MSG_DONTWAIT);
    if (received == 0)
        session->up.source_ended = true;
    else if (received < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        session->down.sink_broken = true;
}

static void flush_client(struct tap_session *session)
{
    size_t before = rh_tap_queue_length(&session->down.queue);
    rh_tap_relay_flush(session, &session->down);
    if (session->state == SESSION_LEAVING && rh_tap_queue_length(&session->down.queue) < before)
        rh_loop_timer_start(session->timer, FAREWELL_TIMEOUT_US, 0);
}

static void read_client(struct tap_session *session)
{
    for (int i = 0; i < TLS_READS_MAX; i++) {
        rh_tap_relay_read(session, &session->up);
        if (session->state != SESSION_RELAYING || !client_has_pending(session))
            return;
    }
}

static void on_client_ready(void *context, unsigned events)
{
    struct tap_session *session = context;
    struct tap *tap = session->tap;
    unsigned unwanted = 0;
    rh_tap_enter(tap);
    if (session->state == SESSION_ENCRYPTING) {
        rh_tap_encrypt_step(session);
        events = 0;
    }
    if (events & LOOP_WRITABLE) {
        flush_client(session);
        if (client_waits_writable(session))
            events |= LOOP_READABLE;
    }
    if (events & LOOP_READABLE) {
        if (!client_may_read(session))
            unwanted = LOOP_READABLE;
        else if (session->state == SESSION_STARTUP)
            read_startup(session);
        else if (session->state == SESSION_LEAVING)
            drop_client_bytes(session);
        else
            read_client(session);
    }
    settle(session, unwanted, 0);
    rh_tap_leave(tap);
}

static void on_client_again(void *context)
{
    on_client_ready(context, LOOP_READABLE);
}

void rh_tap_session_go_on(struct tap_session *session)
{
    session->state = SESSION_STARTUP;
    session->client_again = rh_loop_timer_new(session->tap->loop, on_client_again, session);
    read_startup(session);
}

static void on_timer(void *context)
{
    struct tap_session *session = context;
    struct tap *tap = session->tap;
    rh_tap_enter(tap);
    rh_tap_session_close(session);
    rh_tap_leave(tap);
}

enum err_code rh_tap_session_new(struct tap *tap, int client_fd, struct err *err)
{
    struct tap_session *session = calloc(1, sizeof(*session));
    if (!session)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*session));
    session->tap = tap;
    session->state = SESSION_STARTUP;
    session->client.fd = client_fd;
    session->server.fd = -1;
    enum err_code code = watch_new(session, &session->client, on_client_ready, err);
    if (code != RH_OK) {
        close(client_fd);
        free(session);
        return code;
    }
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    if (getsockname(client_fd, (struct sockaddr *)&address, &length) == 0)
        set_no_delay(client_fd, address.ss_family);
    rh_buf_init(&session->startup, STARTUP_BYTES_MAX + 4096);
    rh_tap_relay_init(session);
    session->timer = rh_loop_timer_new(tap->loop, on_timer, session);
    rh_loop_timer_start(session->timer, STARTUP_TIMEOUT_US, 0);
    session->next = tap->sessions;
    if (session->next)
        session->next->previous = session;
    tap->sessions = session;
    tap->session_count++;
    rh_tap_session_settle(session);
    return RH_OK;
}
