/* What clients send: queued until it is answered, tracked, recorded. */
#include "workload/capture_path_int.h"

#include <stdlib.h>

/* --- the queue -------------------------------------------------------------------------------- */

struct pending *rh_capture_front(struct capture_session *session)
{
    return session->pending_count ? &session->pending[session->pending_first] : NULL;
}

void rh_capture_pop(struct capture_session *session)
{
    struct pending *front = rh_capture_front(session);

    rh_prepared_drop(front->statement);
    rh_prepared_drop(front->replaced);
    session->pending_first = (session->pending_first + 1) & (session->pending_size - 1);
    if (--session->pending_count == 0)
        rh_buf_clear(&session->texts);
}

static struct pending *push(struct capture_session *session, unsigned char type)
{
    if (session->pending_count == session->pending_size) {
        size_t size = session->pending_size ? 2 * session->pending_size : 8;
        struct pending *grown = calloc(size, sizeof(*grown));

        if (!grown)
            RH_PANIC("out of memory for messages under way");
        for (size_t i = 0; i < session->pending_count; i++)
            grown[i] = session->pending[(session->pending_first + i) & (session->pending_size - 1)];
        free(session->pending);
        session->pending = grown;
        session->pending_size = size;
        session->pending_first = 0;
    }

    size_t at = (session->pending_first + session->pending_count++) & (session->pending_size - 1);

    session->pending[at] = (struct pending){.type = type};
    return &session->pending[at];
}

static struct pending *last(struct capture_session *session)
{
    size_t at = session->pending_first + session->pending_count - 1;

    return session->pending_count ? &session->pending[at & (session->pending_size - 1)] : NULL;
}

/* --- portals ---------------------------------------------------------------------------------- */

static struct portal *find_portal(const struct capture_session *session, const char *name)
{
    for (size_t i = 0; i < session->portal_count; i++)
        if (strcmp(session->portals[i].name, name) == 0)
            return &session->portals[i];
    return NULL;
}

static void drop_portal(struct capture_session *session, struct portal *portal)
{
    free(portal->name);
    rh_prepared_drop(portal->statement);
    *portal = session->portals[--session->portal_count];
}

static void set_portal(struct capture_session *session, const char *name,
                       struct prepared *statement, uint64_t binary)
{
    struct portal *portal = find_portal(session, name);

    if (!name[0]) {
        rh_prepared_drop(session->unnamed_portal);
        session->unnamed_portal = rh_prepared_hold(statement);
        session->unnamed_binary = binary;
        return;
    }
    if (portal)
        drop_portal(session, portal);
    if (session->portal_count >= PORTALS_MAX)
        return;
    session->portals = realloc(session->portals,
                               (session->portal_count + 1) * sizeof(*session->portals));
    portal = session->portals ? &session->portals[session->portal_count++] : NULL;
    if (!portal || !(portal->name = strdup(name)))
        RH_PANIC("out of memory for portals");
    portal->statement = rh_prepared_hold(statement);
    portal->binary = binary;
}

static struct prepared *portal_statement(const struct capture_session *session, const char *name,
                                         uint64_t *ret_binary)
{
    const struct portal *portal = name[0] ? find_portal(session, name) : NULL;

    *ret_binary = portal ? portal->binary : 0;
    if (!name[0]) {
        *ret_binary = session->unnamed_binary;
        return session->unnamed_portal;
    }
    return portal ? portal->statement : NULL;
}

void rh_capture_frontend_free(struct capture_session *session)
{
    while (session->pending_count > 0)
        rh_capture_pop(session);
    while (session->portal_count > 0)
        drop_portal(session, session->portals);
    rh_prepared_drop(session->unnamed_portal);
    free(session->portals);
    free(session->pending);
}

/* --- messages --------------------------------------------------------------------------------- */

static void on_query(struct capture_session *session, struct text body, struct pending *pending)
{
    struct text query = {body.data, strnlen(body.data, body.len)};

    pending->text = session->texts.len;
    pending->text_length = query.len;
    if (query.len > session->texts.max - session->texts.len)
        pending->text_length = 0;
    rh_buf_add(&session->texts, query.data, pending->text_length);
    rh_session_state_notice(session->state, query);
}

static void on_parse(struct capture_session *session, struct text body, struct pending *pending)
{
    pending->statement = rh_session_state_parse(session->state, body, &pending->replaced);
    if (pending->statement)
        rh_session_state_notice(session->state, rh_prepared_query(pending->statement));
}

static void on_bind(struct capture_session *session, struct text body, struct pending *pending)
{
    struct pg_reader reader = {.rest = body};
    const char *portal = rh_pg_read_string(&reader), *name = rh_pg_read_string(&reader);

    if (reader.failed)
        return;
    pending->statement = rh_prepared_hold(rh_session_state_find(session->state, name));
    set_portal(session, portal, pending->statement, rh_pg_bind_binary_columns(reader.rest));
}

static void on_execute(struct capture_session *session, struct text body, struct pending *pending)
{
    struct pg_reader reader = {.rest = body};
    const char *portal = rh_pg_read_string(&reader);

    if (!reader.failed)
        pending->statement = rh_prepared_hold(portal_statement(session, portal, &pending->binary));
}

/* The description of the rows will be one of this statement. */
static void on_describe(struct capture_session *session, struct text body, struct pending *pending)
{
    struct pg_reader reader = {.rest = body};
    unsigned char kind = rh_pg_read_u8(&reader);
    const char *name = rh_pg_read_string(&reader);

    if (reader.failed || !session->path->id_keys)
        return;
    pending->statement = rh_prepared_hold(kind == 'S'
                                              ? rh_session_state_find(session->state, name)
                                              : portal_statement(session, name, &pending->binary));
}

static void on_close(struct capture_session *session, struct text body, struct pending *pending)
{
    struct pg_reader reader = {.rest = body};
    unsigned char kind = rh_pg_read_u8(&reader);
    const char *name = rh_pg_read_string(&reader);

    if (reader.failed)
        return;
    if (kind == 'S') {
        pending->statement = rh_session_state_close(session->state, name);
    } else if (!name[0]) {
        set_portal(session, name, NULL, 0);
    } else {
        struct portal *portal = find_portal(session, name);

        if (portal)
            drop_portal(session, portal);
    }
}

static void put_missing(struct capture_session *session, unsigned char type, uint64_t missing)
{
    rh_capture_put(session, RECORD_LEFT_OUT, type, 0, 0,
                   (struct text){(const char *)&missing, sizeof(missing)});
}

static void record(struct capture_session *session, unsigned char type, struct text body,
                   uint32_t length, uint32_t unit)
{
    if (!session->number)
        return;
    if (length > body.len) {
        session->path->figures.gaps[GAP_LONG_MESSAGE]++;
        put_missing(session, type, length - body.len);
    }
    rh_capture_put(session, RECORD_MESSAGE, type, unit ? RECORD_IN_UNIT : 0, unit, body);
}

/* `length` is what it was; the body may be shorter. */
static void on_message(struct capture_session *session, unsigned char type, struct text body,
                       uint32_t length)
{
    struct pending *pending = NULL;
    uint32_t unit = 0;

    if (session->pending_count >= PENDING_MAX) {
        rh_capture_lose(session, GAP_LOST_TRACK);
        return;
    }
    if (session->skips_to_sync && type && strchr("QFPBDECcf", type)) {
        record(session, type, body, length, 0);
        return;
    }
    if (type == 'S')
        session->skips_to_sync = false;
    switch (type) {
    case 'Q':
    case 'S':
    case 'F':
        pending = push(session, type);
        unit = pending->unit = ++session->last_unit;
        if (type == 'Q')
            on_query(session, body, pending);
        if (type == 'F' && body.len >= 6) {
            struct pg_reader reader = {.rest = body};

            pending->function = rh_pg_read_u32(&reader);
            pending->binary = body.data[body.len - 1] == 1;
        }
        break;
    case 'P':
        on_parse(session, body, push(session, type));
        break;
    case 'B':
        on_bind(session, body, push(session, type));
        break;
    case 'D':
        on_describe(session, body, push(session, type));
        break;
    case 'E':
        on_execute(session, body, push(session, type));
        break;
    case 'C':
        on_close(session, body, push(session, type));
        break;
    case 'c':
    case 'f':
        push(session, type);
        break;
    case 'H':
        break;
    case 'X':
        session->terminated = true;
        return;
    default: /* a password, SASL: not for us; anything else the server will refuse */
        return;
    }
    record(session, type, body, length, unit);
}

/* --- COPY FROM STDIN -------------------------------------------------------------------------- */

static void flush_copy(struct capture_session *session)
{
    struct capture_record *copy = session->copy_record;

    session->copy_record = NULL;
    if (!copy)
        return;
    copy->type = 'd';
    copy->body_length = (uint32_t)session->copy_length;
    session->copy_length = 0;
    rh_capture_commit(session, copy);
}

/* Rows are joined: where a CopyData message ends means nothing ("COPY Operations"). */
static void on_copy_data(struct capture_session *session, const struct pg_piece *piece,
                         size_t bytes_left)
{
    const struct pending *before = last(session);
    int64_t room = session->path->options.copy_max_bytes - session->copied;
    size_t kept = piece->bytes.len;

    if (piece->begins && !session->skips_to_sync && (!before || before->type != 'd'))
        push(session, 'd');
    if (!session->number)
        return;
    if (room < (int64_t)kept) {
        kept = room > 0 ? (size_t)room : 0;
        session->left_out += (int64_t)(piece->bytes.len - kept);
    }
    session->copied += (int64_t)kept;
    if (kept > 0 && !session->copy_record)
        session->copy_record = rh_capture_reserve(session, RECORD_MESSAGE, bytes_left);
    if (!session->copy_record)
        return;
    memcpy((char *)(session->copy_record + 1) + session->copy_length, piece->bytes.data, kept);
    session->copy_length += kept;
}

static void end_copy_data(struct capture_session *session)
{
    flush_copy(session);
    if (session->left_out > 0 && session->number) {
        session->path->figures.gaps[GAP_COPY_DATA]++;
        session->path->figures.left_out_bytes += session->left_out;
        put_missing(session, 'd', (uint64_t)session->left_out);
    }
    session->copied = session->left_out = 0;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void take_piece(struct capture_session *session, const struct pg_piece *piece,
                       size_t bytes_left)
{
    if (piece->type == 'd') {
        on_copy_data(session, piece, bytes_left);
        return;
    }
    if (piece->type == 'p') /* a password: not even its pieces are kept */
        return;
    flush_copy(session);
    /* A client that heard of an error ends its data without a word; what the server ignores in
       between ends nothing ("COPY Operations"). */
    if (piece->type != 'H' && piece->type != 'S')
        end_copy_data(session);
    if (piece->begins && piece->ends) {
        struct text body = piece->bytes;

        if (body.len > CAPTURE_MESSAGE_MAX)
            body.len = CAPTURE_MESSAGE_MAX;
        on_message(session, piece->type, body, piece->body_length);
        return;
    }
    if (piece->begins)
        rh_buf_clear(&session->cut_up);
    rh_buf_add_text(&session->cut_up, piece->bytes);
    if (!piece->ends)
        return;
    on_message(session, piece->type, rh_buf_text(&session->cut_up), piece->body_length);
    /* Long messages are rare: their memory goes back. */
    rh_buf_deinit(&session->cut_up);
    rh_buf_init(&session->cut_up, CAPTURE_MESSAGE_MAX);
}

void rh_capture_frontend(struct capture_session *session, struct text bytes)
{
    struct pg_piece piece;

    for (;;) {
        if (session->is_lost)
            return;
        if (!rh_pg_walk_next(&session->up, &bytes, &piece))
            break;
        take_piece(session, &piece, piece.bytes.len + bytes.len);
    }
    flush_copy(session);
    if (session->up.is_lost)
        rh_capture_lose(session, GAP_LOST_TRACK);
}
