/* Frontend messages whose handler decides: gathered, shown, and only then forwarded. */
#include "tap/tap_int.h"

/* Type byte and length word. */
#define HEADER_BYTES 5
/* The least a length word can say: itself. */
#define LENGTH_MIN 4u

void rh_tap_decide_init(struct tap_session *session)
{
    struct deciding *deciding = &session->deciding;
    deciding->is_on = session->tap->shows_frontend && session->tap->handler.decides_frontend;
    rh_buf_init(&deciding->bytes,
                session->tap->handler.collect_max + HEADER_BYTES + TAP_CHUNK_BYTES);
}

void rh_tap_decide_deinit(struct tap_session *session)
{
    rh_buf_deinit(&session->deciding.bytes);
}

/* A message of the gathered bytes, from `at` on. */
struct frame {
    unsigned char type;
    uint32_t length;  /* as the length word says */
    size_t available; /* bytes of the message that are there */
    bool is_valid;
};

static struct frame frame_at(const struct deciding *deciding, size_t at)
{
    const unsigned char *bytes = (const unsigned char *)deciding->bytes.data + at;
    size_t available = deciding->bytes.len - at;
    struct frame frame = {.type = bytes[0],
                          .length = (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 |
                                    (uint32_t)bytes[3] << 8 | bytes[4]};
    size_t total = 1 + (size_t)frame.length;
    frame.available = available < total ? available : total;
    frame.is_valid = frame.length >= LENGTH_MIN && frame.length <= INT32_MAX;
    return frame;
}

static bool is_wanted(const struct tap_session *session, unsigned char type)
{
    return rh_pg_type_set_has(&session->tap->handler.frontend_types, type);
}

/*
 * Where the loop is: `at` is the next byte to look at, and what lies before it from `passed` on is
 * to be forwarded, in as few pieces as the answers allow (a COPY is a message a row).
 */
struct walk {
    size_t passed, at;
};

static void pass_up_to(struct tap_session *session, struct walk *walk, size_t end)
{
    rh_tap_relay_pass(
        session, &session->up,
        (struct text){session->deciding.bytes.data + walk->passed, end - walk->passed});
    walk->passed = end;
}

/* Forwards or drops what has arrived of a message nobody waits for. */
static void stream(struct tap_session *session, struct walk *walk)
{
    struct deciding *deciding = &session->deciding;
    size_t available = deciding->bytes.len - walk->at;
    size_t taken = available < deciding->stream_left ? available : deciding->stream_left;
    deciding->stream_left -= taken;
    if (deciding->stream_is_dropped)
        pass_up_to(session, walk, walk->at);
    walk->at += taken;
    if (deciding->stream_is_dropped)
        walk->passed = walk->at;
}

static void begin_stream(struct deciding *deciding, const struct frame *frame, bool is_dropped)
{
    deciding->stream_left = 1 + (size_t)frame->length;
    deciding->stream_is_dropped = is_dropped;
}

static enum tap_action show(struct tap_session *session, const struct frame *frame, size_t at,
                            bool is_whole)
{
    const struct tap *tap = session->tap;
    struct deciding *deciding = &session->deciding;
    size_t body = is_whole ? frame->length - LENGTH_MIN : 0;
    const struct pg_message message = {.type = frame->type,
                                       .body_length = frame->length - LENGTH_MIN,
                                       .body = {deciding->bytes.data + at + HEADER_BYTES, body},
                                       .is_whole = is_whole};
    deciding->resumed_early = false;
    return tap->handler.frontend_message(tap->handler.context, session, &message);
}

/* Takes one message, or a piece of one. False: wait, for bytes or for the handler. */
static bool take_one(struct tap_session *session, struct walk *walk)
{
    struct deciding *deciding = &session->deciding;
    if (deciding->stream_left > 0) {
        stream(session, walk);
        return deciding->stream_left == 0;
    }
    if (deciding->bytes.len - walk->at < HEADER_BYTES)
        return false;
    struct frame frame = frame_at(deciding, walk->at);
    if (!frame.is_valid) {
        /* Of a stream that cannot be framed the server is the judge: it has all the bytes. */
        deciding->is_lost = true;
        return false;
    }
    size_t total = 1 + (size_t)frame.length;
    bool is_dropped = rh_pg_type_set_has(&deciding->drop_types, frame.type);
    if (is_dropped || !is_wanted(session, frame.type)) {
        begin_stream(deciding, &frame, is_dropped);
        return true;
    }
    bool fits = frame.length - LENGTH_MIN <= session->tap->handler.collect_max;
    if (fits && frame.available < total)
        return false;
    /* What the handler sends comes behind what came before. */
    pass_up_to(session, walk, walk->at);
    enum tap_action action = show(session, &frame, walk->at, fits);
    if (session->state != SESSION_RELAYING)
        return false;
    switch (action) {
    case TAP_FORWARD:
        begin_stream(deciding, &frame, false);
        break;
    case TAP_SWALLOW:
        session->tap->statistics.swallowed_messages++;
        begin_stream(deciding, &frame, true);
        break;
    case TAP_HOLD:
        if (deciding->resumed_early)
            return true;
        session->tap->statistics.held_messages++;
        deciding->is_holding = true;
        return false;
    }
    return true;
}

static void run(struct tap_session *session)
{
    struct deciding *deciding = &session->deciding;
    struct walk walk = {0};
    if (deciding->is_running)
        return;
    deciding->is_running = true;
    while (session->state == SESSION_RELAYING && !deciding->is_lost && !deciding->is_holding &&
           walk.at < deciding->bytes.len && take_one(session, &walk))
        ;
    deciding->is_running = false;
    if (session->state == SESSION_CLOSED)
        return;
    if (deciding->is_lost)
        walk.at = deciding->bytes.len;
    pass_up_to(session, &walk, walk.at);
    rh_buf_consume(&deciding->bytes, walk.at);
}

void rh_tap_decide_take(struct tap_session *session, struct text bytes)
{
    struct deciding *deciding = &session->deciding;
    if (deciding->is_lost) {
        rh_tap_relay_pass(session, &session->up, bytes);
        return;
    }
    rh_buf_add_text(&deciding->bytes, bytes);
    RH_ASSERT(!deciding->bytes.failed);
    run(session);
}

size_t rh_tap_decide_room(const struct tap_session *session)
{
    const struct deciding *deciding = &session->deciding;
    if (!deciding->is_on)
        return TAP_CHUNK_BYTES;
    size_t room = deciding->bytes.max - deciding->bytes.len;
    return deciding->is_holding ? 0 : room < TAP_CHUNK_BYTES ? room : TAP_CHUNK_BYTES;
}

void rh_tap_session_resume(struct tap_session *session)
{
    struct tap *tap = session->tap;
    struct deciding *deciding = &session->deciding;
    if (session->state == SESSION_CLOSED)
        return;
    rh_tap_enter(tap);
    deciding->resumed_early = true;
    if (deciding->is_holding) {
        deciding->is_holding = false;
        run(session);
        rh_tap_session_settle(session);
    }
    rh_tap_leave(tap);
}

void rh_tap_session_drop_frontend(struct tap_session *session, const struct pg_type_set *types)
{
    session->deciding.drop_types = *types;
}

void rh_tap_session_send_server(struct tap_session *session, struct text bytes)
{
    struct tap *tap = session->tap;
    if (session->state != SESSION_RELAYING)
        return;
    rh_tap_enter(tap);
    rh_tap_relay_pass(session, &session->up, bytes);
    rh_tap_session_settle(session);
    rh_tap_leave(tap);
}
