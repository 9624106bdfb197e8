/* Moving bytes: send first, queue what the kernel would not take, show the handler what it asked
 * for. */
#include "tap/tap_int.h"

#include <errno.h>
#include <sys/socket.h>

/* Type byte and length word. */
#define HEADER_BYTES 5

void rh_tap_relay_init(struct tap_session *session)
{
    const struct tap_handler *handler = &session->tap->handler;
    session->up.from = session->down.to = &session->client;
    session->up.to = session->down.from = &session->server;
    rh_pg_framer_init(&session->up.framer, PG_FRONTEND, &handler->frontend_types,
                      handler->collect_max);
    rh_pg_framer_init(&session->down.framer, PG_BACKEND, &handler->backend_types,
                      handler->collect_max);
    /* A queue is never read into beyond TAP_PENDING_MAX; a stash may be passed to it at once. */
    size_t stash_max = handler->collect_max + HEADER_BYTES + TAP_CHUNK_BYTES + TAP_AUTH_BYTES_MAX;
    size_t send_max = handler->decides_frontend ? TAP_SEND_MAX(handler->collect_max) : 0;
    rh_buf_init(&session->up.queue.bytes, 2 * (size_t)TAP_PENDING_MAX + send_max);
    rh_buf_init(&session->down.queue.bytes,
                2 * (size_t)TAP_PENDING_MAX + stash_max + TAP_CLIENT_SEND_MAX);
    if (session->tap->takes)
        session->down.framer.streamed = handler->backend_taken;
    rh_buf_init(&session->stash, stash_max);
    rh_tap_decide_init(session);
    rh_tap_auth_init(session);
}

void rh_tap_relay_deinit(struct tap_session *session)
{
    rh_pg_framer_deinit(&session->up.framer);
    rh_pg_framer_deinit(&session->down.framer);
    rh_buf_deinit(&session->up.queue.bytes);
    rh_buf_deinit(&session->down.queue.bytes);
    rh_buf_deinit(&session->stash);
    rh_tap_decide_deinit(session);
    rh_tap_auth_deinit(session);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void drop_queue(struct queue *queue)
{
    rh_buf_clear(&queue->bytes);
    queue->sent = 0;
}

static void enqueue(struct queue *queue, struct text bytes)
{
    if (queue->sent > 0) {
        rh_buf_consume(&queue->bytes, queue->sent);
        queue->sent = 0;
    }
    rh_buf_add_text(&queue->bytes, bytes);
    RH_ASSERT(!queue->bytes.failed);
}

/* Returns how many bytes the kernel took, 0 when it would block or the sink is broken. */
static size_t sent_or_broken(struct flow *flow, ssize_t sent)
{
    if (sent >= 0)
        return (size_t)sent;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        flow->sink_broken = true;
    return 0;
}

static size_t send_some(struct flow *flow, struct text bytes)
{
    ssize_t sent;
    if (flow->to->tls)
        return sent_or_broken(flow, rh_tls_write(flow->to->tls, bytes.data, bytes.len));
    do
        sent = send(flow->to->fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent_or_broken(flow, sent);
}

static size_t send_pair(struct flow *flow, struct text head, struct text bytes)
{
    struct iovec parts[] = {{(void *)head.data, head.len}, {(void *)bytes.data, bytes.len}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent;
    do
        sent = sendmsg(flow->to->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent_or_broken(flow, sent);
}

static void count(struct tap_session *session, const struct flow *flow, size_t length)
{
    if (flow == &session->up)
        session->tap->statistics.frontend_bytes += length;
    else
        session->tap->statistics.backend_bytes += length;
}

void rh_tap_relay_pass(struct tap_session *session, struct flow *flow, struct text bytes)
{
    if (bytes.len == 0 || flow->sink_broken)
        return;
    count(session, flow, bytes.len);
    if (rh_tap_queue_length(&flow->queue) == 0) {
        size_t sent = send_some(flow, bytes);
        bytes.data += sent;
        bytes.len -= sent;
    }
    if (bytes.len > 0 && !flow->sink_broken)
        enqueue(&flow->queue, bytes);
}

/* The same for two pieces that belong together. */
static void pass_pair(struct tap_session *session, struct flow *flow, struct text head,
                      struct text bytes)
{
    if (flow->sink_broken)
        return;
    if (flow->to->tls) {
        /* Pieces of their own would be records of their own. */
        count(session, flow, head.len + bytes.len);
        enqueue(&flow->queue, head);
        enqueue(&flow->queue, bytes);
        rh_tap_relay_flush(session, flow);
        return;
    }
    count(session, flow, head.len + bytes.len);
    size_t sent = rh_tap_queue_length(&flow->queue) == 0 ? send_pair(flow, head, bytes) : 0;
    if (flow->sink_broken)
        return;
    size_t head_sent = sent < head.len ? sent : head.len;
    if (head_sent < head.len)
        enqueue(&flow->queue, (struct text){head.data + head_sent, head.len - head_sent});
    sent -= head_sent;
    if (sent < bytes.len)
        enqueue(&flow->queue, (struct text){bytes.data + sent, bytes.len - sent});
}

void rh_tap_relay_flush(struct tap_session *session, struct flow *flow)
{
    (void)session;
    struct queue *queue = &flow->queue;
    if (rh_tap_queue_length(queue) > 0) {
        struct text waiting = {queue->bytes.data + queue->sent, rh_tap_queue_length(queue)};
        queue->sent += send_some(flow, waiting);
    }
    if (flow->sink_broken || rh_tap_queue_length(queue) == 0)
        drop_queue(queue);
}

/* --- frontend: forward, then look ---------------------------------------------------------------
 */

/* Of the start-up packet at the front, length word included. */
static size_t startup_length(struct text bytes)
{
    struct pg_reader reader = {.rest = bytes};
    uint32_t length = rh_pg_read_u32(&reader);
    return reader.failed || length > bytes.len ? bytes.len : length;
}

void rh_tap_relay_take_frontend(struct tap_session *session, struct text bytes, size_t sent)
{
    struct tap *tap = session->tap;
    struct pg_framer *framer = &session->up.framer;
    bool decides = session->is_framed && session->deciding.is_on;
    if (decides && !framer->expects_startup) {
        rh_tap_decide_take(session, bytes);
        return;
    }
    /* The start-up packet goes ahead; what came with it is for the handler to decide. */
    size_t ahead = decides ? startup_length(bytes) : bytes.len;
    struct text behind = {bytes.data + ahead, bytes.len - ahead};
    bytes.len = ahead;
    rh_tap_relay_pass(session, &session->up, (struct text){bytes.data + sent, bytes.len - sent});
    if (tap->handler.frontend_bytes && session->is_framed)
        tap->handler.frontend_bytes(tap->handler.context, session, bytes);
    if (!session->is_framed || !tap->shows_frontend)
        return;
    for (;;) {
        size_t used = rh_pg_framer_skip(framer, bytes);
        bytes.data += used;
        bytes.len -= used;
        struct pg_message message;
        enum pg_frame_event event = PG_FRAME_MESSAGE;
        if ((used = rh_pg_framer_take(framer, bytes, &message)) == 0)
            event = rh_pg_framer_next(framer, bytes, &used, &message);
        bytes.data += used;
        bytes.len -= used;
        /* Of a stream that cannot be framed the server is the judge: it has all the bytes. */
        if (event == PG_FRAME_MORE || event == PG_FRAME_INVALID)
            break;
        if (event == PG_FRAME_MESSAGE &&
            rh_pg_type_set_has(&tap->handler.frontend_types, message.type)) {
            tap->handler.frontend_message(tap->handler.context, session, &message);
            if (session->state != SESSION_RELAYING)
                return;
        }
    }
    if (behind.len > 0)
        rh_tap_decide_take(session, behind);
}

/* --- backend: look, then forward, in as few pieces as the answers allow --------------------------
 */

/*
 * A chunk of backend bytes on its way. `run` <= `start` <= `at` <= `length`:
 *   [0, run)     dealt with
 *   [run, start) to be passed on with what follows, as one piece
 *   [start, at)  the message under way, framed so far; its bytes of earlier chunks are in the stash
 * when it waits for an answer (then start and run are 0), or have been passed on
 * What was dealt with may be overwritten.
 */
struct chunk {
    char *bytes;
    size_t length;
    size_t run, start, at;
};

static bool is_wanted(const struct tap_session *session, unsigned char type)
{
    return session->tap->shows_backend &&
           rh_pg_type_set_has(&session->tap->handler.backend_types, type);
}

static bool is_dropped(const struct tap_session *session, unsigned char type)
{
    return session->drops && rh_pg_type_set_has(&session->drop_types, type);
}

static void pass_range(struct tap_session *session, const struct chunk *chunk, size_t end)
{
    rh_tap_relay_pass(session, &session->down,
                      (struct text){chunk->bytes + chunk->run, end - chunk->run});
}

void rh_tap_relay_pass_run(struct tap_session *session)
{
    struct chunk *chunk = session->chunk;
    if (!chunk)
        return;
    pass_range(session, chunk, chunk->start);
    chunk->run = chunk->start;
}

static void keep(struct tap_session *session, const struct chunk *chunk, size_t begin, size_t end)
{
    if (begin == end)
        return;
    rh_buf_add(&session->stash, chunk->bytes + begin, end - begin);
    RH_ASSERT(!session->stash.failed);
}

static void pass_stash(struct tap_session *session)
{
    if (session->stash.len == 0)
        return;
    rh_tap_relay_pass(session, &session->down, rh_buf_text(&session->stash));
    rh_buf_clear(&session->stash);
}

/* Gives the handler what the chunk holds of messages that it takes. Returns the bytes consumed. */
static size_t take_part(struct tap_session *session, struct chunk *chunk)
{
    const struct tap *tap = session->tap;
    struct pg_framer *framer = &session->down.framer;
    bool has_part;
    struct pg_part part;
    size_t used = rh_pg_framer_part(framer, chunk->bytes + chunk->at, chunk->length - chunk->at,
                                    &has_part, &part);
    if (used == 0)
        return 0;
    pass_range(session, chunk, chunk->start);
    chunk->at += used;
    chunk->run = chunk->start = chunk->at;
    if (has_part)
        tap->handler.backend_part(tap->handler.context, session, &part);
    return used;
}

static void begin_message(struct tap_session *session, const struct pg_message *message)
{
    const struct tap *tap = session->tap;
    /* Whatever else is wrong here: what was to be taken does not go through. */
    RH_ASSERT(!tap->takes || !rh_pg_type_set_has(&tap->handler.backend_taken, message->type));
    if (tap->counts_heads)
        tap->handler.backend_head(tap->handler.context, session, message->type,
                                  message->body_length);
    if (session->state != SESSION_RELAYING)
        return;
    session->is_dropping = is_dropped(session, message->type);
    session->is_withholding = !session->is_dropping && is_wanted(session, message->type) &&
                              message->body_length <= tap->handler.collect_max;
    if (session->is_dropping)
        rh_buf_clear(&session->stash);
    /* The first bytes of a header that now turns out to belong to a message too large to keep. */
    if (!session->is_withholding)
        pass_stash(session);
}

/* Shows a message and does as told. False: stop here, the rest is held or the session is closed. */
static bool end_message(struct tap_session *session, struct chunk *chunk,
                        const struct pg_message *message)
{
    struct tap *tap = session->tap;
    if (session->is_dropping) {
        session->is_dropping = false;
        pass_range(session, chunk, chunk->start);
        chunk->run = chunk->at;
        return true;
    }
    if (!is_wanted(session, message->type))
        return true;
    session->in_backend_message = true;
    session->released_early = false;
    session->chunk = session->is_withholding ? chunk : NULL;
    enum tap_action action = tap->handler.backend_message(tap->handler.context, session, message);
    session->chunk = NULL;
    session->in_backend_message = false;
    if (session->state != SESSION_RELAYING)
        return false;
    if (!session->is_withholding)
        return true;
    session->is_withholding = false;
    if (action == TAP_HOLD && session->released_early)
        action = TAP_FORWARD;
    switch (action) {
    case TAP_FORWARD:
        pass_stash(session);
        break;
    case TAP_SWALLOW:
        tap->statistics.swallowed_messages++;
        pass_range(session, chunk, chunk->start);
        rh_buf_clear(&session->stash);
        chunk->run = chunk->at;
        break;
    case TAP_HOLD:
        tap->statistics.held_messages++;
        pass_range(session, chunk, chunk->start);
        keep(session, chunk, chunk->start, chunk->at);
        session->held_length = session->stash.len;
        keep(session, chunk, chunk->at, chunk->length);
        session->is_holding = true;
        return false;
    }
    return true;
}

static void take_backend(struct tap_session *session, struct chunk chunk)
{
    struct tap *tap = session->tap;
    struct pg_framer *framer = &session->down.framer;
    if (!session->is_framed ||
        (!tap->shows_backend && !tap->counts_heads && !session->drops && !tap->takes)) {
        const struct text bytes = {chunk.bytes, chunk.length};
        rh_tap_relay_pass(session, &session->down, bytes);
        if (tap->handler.backend_bytes && session->is_framed)
            tap->handler.backend_bytes(tap->handler.context, session, bytes);
        return;
    }
    for (;;) {
        if (!tap->counts_heads && !session->drops) {
            struct text rest = {chunk.bytes + chunk.at, chunk.length - chunk.at};
            chunk.at += rh_pg_framer_skip(framer, rest);
        }
        if (rh_pg_framer_is_between(framer))
            chunk.start = chunk.at;
        if (tap->takes && take_part(session, &chunk) > 0) {
            if (session->state != SESSION_RELAYING)
                return;
            continue;
        }
        struct text rest = {chunk.bytes + chunk.at, chunk.length - chunk.at};
        struct pg_message message;
        size_t used = rh_pg_framer_take(framer, rest, &message);
        if (used > 0) {
            chunk.at += used;
            begin_message(session, &message);
            if (session->state != SESSION_RELAYING || !end_message(session, &chunk, &message))
                return;
            continue;
        }
        enum pg_frame_event event = rh_pg_framer_next(framer, rest, &used, &message);
        chunk.at += used;
        if (event == PG_FRAME_HEAD) {
            begin_message(session, &message);
            if (session->state != SESSION_RELAYING)
                return;
        } else if (event == PG_FRAME_MESSAGE) {
            if (!end_message(session, &chunk, &message))
                return;
        } else if (event == PG_FRAME_INVALID && tap->takes) {
            struct err err = RH_ERR_INIT;
            rh_err_set(&err, RH_ERR_PROTOCOL, "the tap cannot tell the server's messages apart");
            rh_tap_session_leave(session, "08P01", &err);
            return;
        } else if (event == PG_FRAME_INVALID) {
            /* No server of ours does that; the client gets every byte and may complain. */
            pass_stash(session);
            pass_range(session, &chunk, chunk.length);
            return;
        } else {
            break;
        }
    }
    if (session->is_dropping) {
        pass_range(session, &chunk, chunk.start);
        return;
    }
    bool is_kept = framer->in_body
                       ? session->is_withholding
                       : framer->header_length > 0 && (is_wanted(session, framer->header[0]) ||
                                                       is_dropped(session, framer->header[0]));
    size_t end = is_kept ? chunk.start : chunk.length;
    pass_range(session, &chunk, end);
    keep(session, &chunk, end, chunk.length);
}

void rh_tap_relay_release(struct tap_session *session)
{
    if (session->in_backend_message)
        session->released_early = true;
    if (!session->is_holding)
        return;
    RH_CLEANUP_BUF struct buf taken = session->stash;
    rh_buf_init(&session->stash, taken.max);
    session->is_holding = false;
    size_t held = session->held_length;
    rh_tap_relay_pass(session, &session->down, (struct text){taken.data, held});
    take_backend(session, (struct chunk){.bytes = taken.data + held, .length = taken.len - held});
}

/* --- what the handler sends ---------------------------------------------------------------------
 */

static const char too_much[] = "the tap's handler made more of the server's answer than can wait "
                               "for the client";

static void send_client(struct tap_session *session, struct text head, struct text bytes)
{
    struct tap *tap = session->tap;
    if (session->state != SESSION_RELAYING)
        return;
    rh_tap_enter(tap);
    if (rh_tap_queue_length(&session->down.queue) + head.len + bytes.len > TAP_CLIENT_SEND_MAX) {
        struct err err = RH_ERR_INIT;
        rh_err_set(&err, RH_ERR_LIMIT, too_much);
        rh_tap_session_leave(session, "54000", &err);
    } else {
        rh_tap_relay_pass_run(session);
        pass_pair(session, &session->down, head, bytes);
    }
    rh_tap_session_settle(session);
    rh_tap_leave(tap);
}

void rh_tap_session_send_client(struct tap_session *session, struct text bytes)
{
    send_client(session, bytes, TEXT_LITERAL(""));
}

void rh_tap_session_send_client_message(struct tap_session *session, char type, struct text body)
{
    char header[HEADER_BYTES];
    rh_pg_encode_header(header, type, body.len);
    send_client(session, (struct text){header, sizeof(header)}, body);
}

/* --- reading ---------------------------------------------------------------------------------- */

bool rh_tap_relay_may_read(const struct tap_session *session, const struct flow *flow)
{
    if (flow->source_ended ||
        (flow == &session->down && (session->is_holding || session->is_paused)) ||
        (flow == &session->up && rh_tap_decide_room(session) == 0))
        return false;
    return rh_tap_queue_length(&flow->queue) < TAP_PENDING_MAX;
}

bool rh_tap_session_client_ended(const struct tap_session *session)
{
    return session->up.source_ended;
}

static void take_authentication(struct tap_session *session, struct text bytes)
{
    RH_CLEANUP_BUF struct buf passed;
    rh_buf_init(&passed, TAP_CHUNK_BYTES + TAP_AUTH_BYTES_MAX);
    rh_tap_auth_take(session, bytes, &passed);
    if (passed.len > 0)
        take_backend(session, (struct chunk){.bytes = passed.data, .length = passed.len});
}

ssize_t rh_tap_relay_receive(const struct leg *leg, char *data, size_t length)
{
    ssize_t received;
    if (leg->tls)
        return rh_tls_read(leg->tls, data, length);
    do
        received = recv(leg->fd, data, length, MSG_DONTWAIT);
    while (received < 0 && errno == EINTR);
    return received;
}

/* With TLS 1.3 a server judges our certificate when we think that we are done. */
static void leave_for_tls(struct tap_session *session)
{
    struct err err = RH_ERR_INIT;
    rh_err_set(&err, RH_ERR_CONNECTION, "the server's TLS connection failed: %s",
               rh_tls_failure(session->server.tls));
    rh_err_hint(&err, "If it wants a client certificate, give one that it accepts: sslcert, "
                      "sslkey.");
    rh_tap_session_leave(session, "08006", &err);
}

void rh_tap_relay_read(struct tap_session *session, struct flow *flow)
{
    struct tap *tap = session->tap;
    size_t room = TAP_PENDING_MAX - rh_tap_queue_length(&flow->queue);
    if (flow == &session->up && rh_tap_decide_room(session) < room)
        room = rh_tap_decide_room(session);
    if (room > sizeof(tap->chunk))
        room = sizeof(tap->chunk);
    ssize_t received = rh_tap_relay_receive(flow->from, tap->chunk, room);
    if (received > 0) {
        if (flow == &session->up)
            rh_tap_relay_take_frontend(session, (struct text){tap->chunk, (size_t)received}, 0);
        else if (session->auth.is_on)
            take_authentication(session, (struct text){tap->chunk, (size_t)received});
        else
            take_backend(session, (struct chunk){.bytes = tap->chunk, .length = (size_t)received});
        return;
    }
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    bool tls_failed = received < 0 && flow->from->tls && errno == EPROTO;
    flow->source_ended = true;
    if (flow == &session->down) {
        if (tls_failed && session->state == SESSION_RELAYING && session->stash.len == 0 &&
            rh_pg_framer_is_between(&session->down.framer)) {
            leave_for_tls(session);
            return;
        }
        /* A message cut off in the middle: the client sees what there was. */
        pass_stash(session);
    } else if (received < 0) {
        /* A reset: it will not take anything any more either. */
        session->down.sink_broken = true;
    }
}
