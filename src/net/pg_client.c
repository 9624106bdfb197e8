#include "net/pg_client.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* One read. On the stack: callbacks of the loop do not nest. */
#define READ_BYTES (64 * 1024)
/* Reads in a row before others have their turn. */
#define READS_MAX 4

/*
 *   NEW ──the loop──► DIALING ──► LOGGING_IN ──ReadyForQuery──► READY
 *    │                   │            │                           │
 *    └───────────────────┴────────────┴───── closed() ────────────┴──► CLOSED
 */
enum client_state { CLIENT_NEW, CLIENT_DIALING, CLIENT_LOGGING_IN, CLIENT_READY, CLIENT_CLOSED };

struct pg_client {
    struct loop *loop;
    struct dialer *dialer;
    const struct pg_client_handler *handler;
    void *context;
    enum client_state state;
    struct pg_login_options options;
    struct pg_login *login; /* until ready */
    int64_t login_timeout_us;
    struct pg_cancel_key key;
    struct dial *dial;
    struct buf startup; /* until it was sent */
    int fd;
    struct tls *tls;
    unsigned char channel[TLS_END_POINT_MAX];
    struct loop_watch *watch;
    struct loop_timer *timer; /* to begin, then of the login's end; with TLS then: to read again */
    struct pg_framer framer;
    struct buf unsent; /* bytes.data[sent ..] */
    size_t sent;
    bool is_broken, was_full;
    unsigned depth; /* of us on the stack */
    bool is_freed;  /* by a callback of ours, while depth > 0 */
};

static void destroy(struct pg_client *client);

static void enter(struct pg_client *client)
{
    client->depth++;
}
/* False: it is gone. */
static bool leave(struct pg_client *client)
{
    client->depth--;
    if (client->depth > 0 || !client->is_freed)
        return !client->is_freed;
    destroy(client);
    return false;
}

static void end_login(struct pg_client *client)
{
    if (client->login) {
        rh_pg_login_deinit(client->login);
        free(client->login);
    }
    client->login = NULL;
    if (client->startup.data)
        OPENSSL_cleanse(client->startup.data, client->startup.len);
    rh_buf_deinit(&client->startup);
}

static void hang_up(struct pg_client *client)
{
    rh_dial_cancel(client->dial);
    client->dial = NULL;
    rh_loop_watch_free(client->watch);
    rh_loop_timer_free(client->timer);
    client->watch = NULL;
    client->timer = NULL;
    if (client->tls)
        rh_tls_end(client->tls);
    rh_tls_free(client->tls);
    client->tls = NULL;
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

static void destroy(struct pg_client *client)
{
    end_login(client);
    hang_up(client);
    rh_pg_framer_deinit(&client->framer);
    rh_buf_deinit(&client->unsent);
    free(client);
}

static void end(struct pg_client *client, const struct err *err)
{
    struct err copy = *err;
    if (client->state == CLIENT_CLOSED || client->is_freed)
        return;
    if (client->state != CLIENT_READY)
        rh_err_while(&copy, "while opening a session as role \"%s\"", client->options.user);
    client->state = CLIENT_CLOSED;
    end_login(client);
    hang_up(client);
    client->handler->closed(client->context, &copy);
}

static void end_errno(struct pg_client *client, int errno_value)
{
    struct err err = RH_ERR_INIT;
    const char *why = errno_value == EPROTO && client->tls ? rh_tls_failure(client->tls)
                                                           : strerror(errno_value);
    rh_err_set(&err, RH_ERR_CONNECTION, "the connection to the server broke: %s", why);
    end(client, &err);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void set_watch(struct pg_client *client)
{
    unsigned events = LOOP_READABLE;
    if (client->unsent.len > client->sent ||
        (client->tls && rh_tls_read_waits_writable(client->tls)))
        events |= LOOP_WRITABLE;
    if (client->watch)
        rh_loop_watch_set(client->watch, events);
}

/* Bytes that the kernel took; a failure shows itself to the next read as well. */
static size_t send_some(struct pg_client *client, struct text bytes)
{
    ssize_t sent;
    do
        sent = client->tls ? rh_tls_write(client->tls, bytes.data, bytes.len)
                           : send(client->fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return (size_t)sent;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        client->is_broken = true;
    return 0;
}

static void flush(struct pg_client *client)
{
    if (client->unsent.len > client->sent)
        client->sent += send_some(client, (struct text){client->unsent.data + client->sent,
                                                        client->unsent.len - client->sent});
    if (!client->is_broken && client->sent < client->unsent.len)
        return;
    /* Idle sessions keep no memory for what they once had to say. */
    rh_buf_deinit(&client->unsent);
    rh_buf_init(&client->unsent, PG_CLIENT_UNSENT_MAX);
    client->sent = 0;
}

void rh_pg_client_send(struct pg_client *client, struct text bytes)
{
    if (client->state == CLIENT_CLOSED || client->is_broken || bytes.len == 0)
        return;
    if (client->unsent.len == client->sent) {
        size_t sent = send_some(client, bytes);
        bytes.data += sent;
        bytes.len -= sent;
    }
    if (bytes.len == 0 || client->is_broken)
        return;
    if (client->sent > 0) {
        rh_buf_consume(&client->unsent, client->sent);
        client->sent = 0;
    }
    rh_buf_add_text(&client->unsent, bytes);
    if (client->unsent.failed) {
        client->is_broken = true;
        /* The loop finds the end of it. */
        shutdown(client->fd, SHUT_RDWR);
    }
    client->was_full = true;
    set_watch(client);
}

size_t rh_pg_client_unsent(const struct pg_client *client)
{
    return client->unsent.len - client->sent;
}

/* --- receiving -------------------------------------------------------------------------------- */

static void become_ready(struct pg_client *client)
{
    client->key = client->login->key;
    end_login(client);
    client->state = CLIENT_READY;
    rh_loop_timer_stop(client->timer);
    client->framer.collect = client->handler->collect;
    client->framer.streamed = client->handler->streamed;
    client->handler->ready(client->context);
}

static void take_login(struct pg_client *client, const struct pg_message *message)
{
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    if (message->type == 'S' && rh_pg_type_set_has(&client->handler->collect, 'S'))
        client->handler->message(client->context, message);
    if (client->is_freed)
        return;
    rh_buf_init(&out, PG_LOGIN_COLLECT_MAX);
    switch (rh_pg_login_take(client->login, message, &out, &err)) {
    case PG_LOGIN_MORE:
        rh_pg_client_send(client, rh_buf_text(&out));
        break;
    case PG_LOGIN_READY:
        become_ready(client);
        break;
    case PG_LOGIN_FAILED:
        end(client, &err);
        break;
    }
    if (out.data)
        OPENSSL_cleanse(out.data, out.len);
}

static void deliver(struct pg_client *client, const struct pg_message *message)
{
    if (client->state == CLIENT_LOGGING_IN)
        take_login(client, message);
    else if (rh_pg_type_set_has(&client->handler->collect, message->type))
        client->handler->message(client->context, message);
}

static bool is_live(const struct pg_client *client)
{
    return client->state != CLIENT_CLOSED && !client->is_freed;
}

static void take_bytes(struct pg_client *client, char *data, size_t length)
{
    struct pg_framer *framer = &client->framer;
    while (is_live(client)) {
        struct pg_message message;
        struct pg_part part;
        bool has_part;
        size_t used = rh_pg_framer_skip(framer, (struct text){data, length});
        data += used;
        length -= used;
        used = client->state == CLIENT_READY
                   ? rh_pg_framer_part(framer, data, length, &has_part, &part)
                   : 0;
        if (used > 0) {
            data += used;
            length -= used;
            if (has_part)
                client->handler->part(client->context, &part);
            continue;
        }
        enum pg_frame_event event = PG_FRAME_MESSAGE;
        if ((used = rh_pg_framer_take(framer, (struct text){data, length}, &message)) == 0)
            event = rh_pg_framer_next(framer, (struct text){data, length}, &used, &message);
        data += used;
        length -= used;
        if (event == PG_FRAME_MORE)
            return;
        if (event == PG_FRAME_INVALID) {
            struct err err = RH_ERR_INIT;
            rh_err_set(&err, RH_ERR_PROTOCOL, "what the server sends is not PostgreSQL's protocol");
            end(client, &err);
        } else if (event == PG_FRAME_MESSAGE) {
            deliver(client, &message);
        }
    }
}

static void on_end(struct pg_client *client)
{
    struct err err = RH_ERR_INIT;
    rh_err_set(&err, RH_ERR_CONNECTION, "the server closed the connection");
    if (client->state != CLIENT_READY)
        rh_err_hint(&err, "Its log says more; it may not speak PostgreSQL's protocol.");
    end(client, &err);
}

static void read_some(struct pg_client *client)
{
    char chunk[READ_BYTES];
    for (unsigned i = 0; i < READS_MAX && is_live(client); i++) {
        ssize_t got = client->tls ? rh_tls_read(client->tls, chunk, sizeof(chunk))
                                  : recv(client->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return;
        if (got < 0)
            end_errno(client, errno);
        else if (got == 0)
            on_end(client);
        else
            take_bytes(client, chunk, (size_t)got);
        /* A short read emptied the socket; the next one would only say so. */
        if (!client->tls && got < (ssize_t)sizeof(chunk))
            return;
    }
    /* What OpenSSL has read already makes no descriptor readable. */
    if (is_live(client) && client->tls && client->state == CLIENT_READY &&
        rh_tls_has_pending(client->tls))
        rh_loop_timer_start(client->timer, 0, 0);
}

static void on_ready(void *context, unsigned events)
{
    struct pg_client *client = context;
    enter(client);
    if (events & LOOP_WRITABLE)
        flush(client);
    if (client->was_full && client->unsent.len == 0 && is_live(client)) {
        client->was_full = false;
        if (client->handler->drained && client->state == CLIENT_READY)
            client->handler->drained(client->context);
    }
    if (is_live(client))
        read_some(client);
    if (is_live(client))
        set_watch(client);
    leave(client);
}

static void begin(struct pg_client *client);

static void on_timer(void *context)
{
    struct pg_client *client = context;
    enter(client);
    if (client->state == CLIENT_NEW) {
        begin(client);
    } else if (client->state == CLIENT_READY) {
        read_some(client);
        if (is_live(client))
            set_watch(client);
    } else if (is_live(client)) {
        struct err err = RH_ERR_INIT;
        rh_err_set(&err, RH_ERR_TIMEOUT, "the server did not let the session in in time");
        rh_err_hint(&err, "It may be overloaded, or something else may listen there.");
        end(client, &err);
    }
    leave(client);
}

/* --- begin and end ---------------------------------------------------------------------------- */

static void on_dialed(void *context, const struct dialed *dialed, const struct err *err)
{
    struct pg_client *client = context;
    struct err watch_err = RH_ERR_INIT;
    enter(client);
    if (!dialed) {
        end(client, err);
        leave(client);
        return;
    }
    client->fd = dialed->fd;
    client->tls = dialed->tls;
    client->state = CLIENT_LOGGING_IN;
    struct text channel = {(const char *)client->channel, 0};
    if (client->tls)
        channel.len = rh_tls_end_point(client->tls, client->channel);
    rh_pg_login_init(client->login, &client->options, client->tls != NULL, channel);
    if (rh_loop_watch_new(client->loop, client->fd, on_ready, client, &client->watch, &watch_err)) {
        end(client, &watch_err);
    } else {
        if (!dialed->startup_is_sent)
            rh_pg_client_send(client, rh_buf_text(&client->startup));
        /* TLS may have read ahead while it looked at the first byte. */
        if (client->tls)
            read_some(client);
        if (is_live(client))
            set_watch(client);
    }
    leave(client);
}

static void begin(struct pg_client *client)
{
    struct err err = RH_ERR_INIT;
    if (rh_pg_login_startup(&client->options, &client->startup, &err)) {
        end(client, &err);
        return;
    }
    client->state = CLIENT_DIALING;
    rh_loop_timer_start(client->timer, client->login_timeout_us, 0);
    rh_dial_start(client->dialer, rh_buf_text(&client->startup), on_dialed, client, &client->dial);
}

struct pg_client *rh_pg_client_open(struct loop *loop, struct dialer *dialer,
                                    const struct pg_login_options *options,
                                    int64_t login_timeout_us,
                                    const struct pg_client_handler *handler, void *context)
{
    struct pg_client *client = calloc(1, sizeof(*client));
    struct pg_login *login = calloc(1, sizeof(*login));
    if (!client || !login)
        RH_PANIC("out of memory for a session");
    *client = (struct pg_client){.loop = loop,
                                 .dialer = dialer,
                                 .handler = handler,
                                 .context = context,
                                 .options = *options,
                                 .login = login,
                                 .login_timeout_us = login_timeout_us > 0 ? login_timeout_us
                                                                          : PG_CLIENT_LOGIN_US,
                                 .fd = -1};
    struct pg_type_set types = rh_pg_login_types();
    rh_pg_type_set_add(&types, 'S');
    size_t collect_max = handler->collect_max > PG_LOGIN_COLLECT_MAX ? handler->collect_max
                                                                     : PG_LOGIN_COLLECT_MAX;
    rh_pg_framer_init(&client->framer, PG_BACKEND, &types, collect_max);
    rh_buf_init(&client->unsent, PG_CLIENT_UNSENT_MAX);
    rh_buf_init(&client->startup, PG_STARTUP_PACKET_MAX + 4);
    client->timer = rh_loop_timer_new(loop, on_timer, client);
    rh_loop_timer_start(client->timer, 0, 0);
    return client;
}

void rh_pg_client_free(struct pg_client *client)
{
    if (!client || client->is_freed)
        return;
    if (client->state == CLIENT_READY && client->unsent.len == client->sent)
        (void)send_some(client, TEXT_LITERAL("X\0\0\0\x04"));
    client->is_freed = true;
    if (client->depth == 0)
        destroy(client);
    else
        hang_up(client);
}

const struct pg_cancel_key *rh_pg_client_key(const struct pg_client *client)
{
    return &client->key;
}

/* --- cancel requests -------------------------------------------------------------------------- */

/* Until the server has closed the connection. */
#define CANCEL_US INT64_C(10000000)

struct pg_cancel {
    struct loop *loop;
    struct pg_cancel_key key;
    pg_cancelled_fn *fn;
    void *context;
    struct pg_cancel **place;
    struct dial *dial;
    int fd;
    struct tls *tls;
    struct loop_watch *watch;
    struct loop_timer *timer;
};

void rh_pg_cancel_free(struct pg_cancel *cancel)
{
    if (!cancel)
        return;
    *cancel->place = NULL;
    rh_dial_cancel(cancel->dial);
    rh_loop_watch_free(cancel->watch);
    rh_loop_timer_free(cancel->timer);
    rh_tls_free(cancel->tls);
    if (cancel->fd >= 0)
        close(cancel->fd);
    free(cancel);
}

static void answer_cancel(struct pg_cancel *cancel, const struct err *err)
{
    pg_cancelled_fn *fn = cancel->fn;
    void *context = cancel->context;
    struct err copy = err ? *err : (struct err)RH_ERR_INIT;
    rh_pg_cancel_free(cancel);
    fn(context, err ? &copy : NULL);
}

static void on_cancel_timer(void *context)
{
    struct err err = RH_ERR_INIT;
    rh_err_set(&err, RH_ERR_TIMEOUT, "the server did not take the cancel request in time");
    answer_cancel(context, &err);
}

/* The server says nothing, it closes: when it has sent the signal. */
static void on_cancel_ready(void *context, unsigned events)
{
    struct pg_cancel *cancel = context;
    char byte;
    (void)events;
    ssize_t got = cancel->tls ? rh_tls_read(cancel->tls, &byte, 1)
                              : recv(cancel->fd, &byte, 1, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    answer_cancel(cancel, NULL);
}

static void send_cancel(struct pg_cancel *cancel, struct err *err)
{
    RH_CLEANUP_BUF struct buf packet;
    unsigned char head[] = {PG_CODE_CANCEL >> 24,
                            PG_CODE_CANCEL >> 16 & 0xff,
                            PG_CODE_CANCEL >> 8 & 0xff,
                            PG_CODE_CANCEL & 0xff,
                            (unsigned char)(cancel->key.pid >> 24),
                            (unsigned char)(cancel->key.pid >> 16),
                            (unsigned char)(cancel->key.pid >> 8),
                            (unsigned char)cancel->key.pid};
    RH_CLEANUP_BUF struct buf body;
    rh_buf_init(&packet, PG_STARTUP_PACKET_MAX);
    rh_buf_init(&body, PG_STARTUP_PACKET_MAX);
    rh_buf_add(&body, head, sizeof(head));
    rh_buf_add(&body, cancel->key.bytes, cancel->key.length);
    rh_pg_encode_message(&packet, 0, rh_buf_text(&body));
    /* The first bytes of a connection: the kernel takes them all. */
    ssize_t sent = cancel->tls
                       ? rh_tls_write(cancel->tls, packet.data, packet.len)
                       : send(cancel->fd, packet.data, packet.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    OPENSSL_cleanse(body.data, body.len);
    OPENSSL_cleanse(packet.data, packet.len);
    if (sent != (ssize_t)packet.len)
        rh_err_set(err, RH_ERR_CONNECTION, "cannot send a cancel request");
}

static void on_cancel_dialed(void *context, const struct dialed *dialed, const struct err *err)
{
    struct pg_cancel *cancel = context;
    struct err own = RH_ERR_INIT;
    if (!dialed) {
        answer_cancel(cancel, err);
        return;
    }
    cancel->fd = dialed->fd;
    cancel->tls = dialed->tls;
    send_cancel(cancel, &own);
    if (own.code || rh_loop_watch_new(cancel->loop, cancel->fd, on_cancel_ready, cancel,
                                      &cancel->watch, &own)) {
        answer_cancel(cancel, &own);
        return;
    }
    rh_loop_watch_set(cancel->watch, LOOP_READABLE);
    rh_loop_timer_start(cancel->timer, CANCEL_US, 0);
}

void rh_pg_cancel_start(struct loop *loop, struct dialer *dialer, const struct pg_cancel_key *key,
                        pg_cancelled_fn *fn, void *context, struct pg_cancel **place)
{
    struct pg_cancel *cancel = calloc(1, sizeof(*cancel));
    if (!cancel)
        RH_PANIC("out of memory for a cancel request");
    *cancel = (struct pg_cancel){
        .loop = loop, .key = *key, .fn = fn, .context = context, .place = place, .fd = -1};
    cancel->timer = rh_loop_timer_new(loop, on_cancel_timer, cancel);
    *place = cancel;
    rh_dial_start(dialer, (struct text){"", 0}, on_cancel_dialed, cancel, &cancel->dial);
}
