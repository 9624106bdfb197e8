#include "workload/capture_path.h"

#include "workload/capture_path_int.h"

#include <stdlib.h>

/* A shed session comes back only once the recorder has most of the ring free again. */
#define REJOIN_SHARE 4
/* One message of the server that is not a row, as far as it is looked at: an error with its
   context. */
#define CUT_DOWN_MAX ((size_t)64 * 1024)

/* --- records ---------------------------------------------------------------------------------- */

static int64_t now_us(const struct capture_path *path)
{
    return rh_clock_mono().us - path->options.began.us;
}

static void stop_for_good(struct capture_path *path)
{
    path->has_stopped = true;
    path->is_recording = false;
    for (struct capture_session *session = path->sessions; session; session = session->next)
        session->number = 0;
}

struct capture_record *rh_capture_reserve(struct capture_session *session,
                                          enum capture_record_kind kind, size_t body_length)
{
    struct capture_path *path = session->path;
    struct capture_record *record = rh_capture_ring_reserve(path->options.ring, body_length);

    if (!record) {
        if (path->options.sheds) {
            path->figures.gaps[GAP_SHED]++;
            session->is_shed = true;
            session->owed = session->number;
            session->number = 0;
        } else {
            path->figures.gaps[GAP_STOPPED]++;
            stop_for_good(path);
        }
        return NULL;
    }
    *record = (struct capture_record){.kind = (uint8_t)kind,
                                      .session = session->number,
                                      .body_length = (uint32_t)body_length,
                                      .at_us = path->now_us};
    return record;
}

void rh_capture_commit(struct capture_session *session, struct capture_record *record)
{
    struct capture_path *path = session->path;

    path->figures.records++;
    rh_capture_ring_commit(path->options.ring, record);
}

void rh_capture_put(struct capture_session *session, enum capture_record_kind kind,
                    unsigned char type, unsigned flags, uint32_t extra, struct text body)
{
    struct capture_record *record = rh_capture_reserve(session, kind, body.len);

    if (!record)
        return;
    record->type = type;
    record->flags = (uint16_t)flags;
    record->extra = extra;
    if (body.len > 0)
        memcpy(record + 1, body.data, body.len);
    rh_capture_commit(session, record);
}

void rh_capture_leave(struct capture_session *session, unsigned flags)
{
    if (session->number)
        rh_capture_put(session, RECORD_ENDED, 0, flags, 0, (struct text){"", 0});
    session->number = 0;
}

void rh_capture_lose(struct capture_session *session, enum capture_gap gap)
{
    if (session->is_lost)
        return;
    session->is_lost = true;
    session->path->figures.gaps[gap]++;
    rh_capture_leave(session, RECORD_WAS_CUT | RECORD_IS_GAP);
}

/* The recorder hears late that the session had left. */
static void pay(struct capture_session *session)
{
    uint32_t owed = session->owed;

    if (!owed || session->path->has_stopped)
        return;
    session->owed = 0;
    session->number = owed;
    rh_capture_leave(session, RECORD_WAS_CUT | RECORD_IS_GAP);
}

/* --- joining ---------------------------------------------------------------------------------- */

static void put_prologue(void *context, char type, struct text body)
{
    struct capture_session *session = context;

    if (session->number)
        rh_capture_put(session, RECORD_PROLOGUE, (unsigned char)type, 0, 0, body);
}

static void add_string(struct buf *out, const char *s)
{
    rh_buf_add(out, s, strlen(s) + 1);
}

/* Of the start-up packet: user, database; the rest is counted and added. */
static void add_startup(struct capture_session *session, struct capture_hello *hello,
                        struct buf *names, struct buf *settings)
{
    struct pg_reader reader = {.rest = rh_buf_text(&session->startup)};
    const char *user = "", *database = "";

    rh_pg_read_u32(&reader);
    while (!reader.failed) {
        const char *name = rh_pg_read_string(&reader);
        const char *value = name[0] ? rh_pg_read_string(&reader) : "";

        if (!name[0] || reader.failed)
            break;
        if (strcmp(name, "user") == 0) {
            user = value;
        } else if (strcmp(name, "database") == 0) {
            database = value;
        } else {
            hello->startup_count++;
            add_string(settings, name);
            add_string(settings, value);
        }
    }
    add_string(names, user);
    /* "defaults to the user name" ("Message Formats", StartupMessage) */
    add_string(names, database[0] ? database : user);
}

static void put_hello(struct capture_session *session, bool is_midway)
{
    struct capture_hello hello = {.reported_count = (uint32_t)session->reported_count};
    char lacks[512] = "";
    RH_CLEANUP_BUF struct buf body, settings;

    rh_buf_init(&body, CAPTURE_MESSAGE_MAX);
    rh_buf_init(&settings, CAPTURE_MESSAGE_MAX / 2);
    if (is_midway)
        rh_session_state_lacks(session->state, lacks, sizeof(lacks));
    rh_buf_add(&body, &hello, sizeof(hello));
    add_startup(session, &hello, &body, &settings);
    memcpy(body.data, &hello, sizeof(hello));
    add_string(&body, lacks);
    rh_buf_add_text(&body, rh_buf_text(&settings));
    for (size_t i = 0; i < session->reported_count; i++) {
        add_string(&body, session->reported[i].name);
        add_string(&body, session->reported[i].value);
    }
    rh_capture_put(session, RECORD_HELLO, 0, 0, 0, rh_buf_text(&body));
}

static bool has_room(const struct capture_path *path)
{
    const struct capture_ring_use use = rh_capture_ring_use(path->options.ring);

    return use.ring_used < use.ring_bytes / REJOIN_SHARE && use.spill_used == 0;
}

void rh_capture_join(struct capture_session *session)
{
    struct capture_path *path = session->path;
    bool is_midway = session->wants_in;

    if (!path->is_recording || session->is_lost || session->number ||
        (session->is_shed && !has_room(path)))
        return;
    pay(session);
    if (session->owed)
        return;
    session->wants_in = session->is_shed = false;
    if (session->status != 'I' || session->pending_count > 0) {
        session->wants_in = true;
        return;
    }
    if (path->now_us == 0)
        path->now_us = now_us(path);
    session->number = ++path->last_number;
    session->first_byte_us = 0;
    session->step = 0;
    session->result_count = 0;
    session->unit_results = 0;
    session->id_count = 0;
    session->returned = 0;
    rh_result_digest_init(&session->digest);
    put_hello(session, is_midway);
    if (is_midway && session->number) {
        path->figures.gaps[GAP_MIDWAY]++;
        rh_session_state_prologue(session->state, put_prologue, session);
    }
    if (session->number)
        rh_capture_put(session, RECORD_BEGUN, 0, is_midway ? RECORD_IS_MIDWAY : 0, 0,
                       (struct text){"", 0});
}

/* --- the tap's handler ------------------------------------------------------------------------ */

static struct capture_session *session_of(struct tap_session *session)
{
    return *rh_tap_session_data(session);
}

static void on_opened(void *context, struct tap_session *tap_session)
{
    struct capture_path *path = context;
    struct capture_session *session = calloc(1, sizeof(*session));

    if (!session)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*session));
    session->path = path;
    session->state = rh_session_state_new();
    rh_buf_init(&session->startup, PG_STARTUP_PACKET_MAX);
    rh_buf_init(&session->cut_up, CAPTURE_MESSAGE_MAX);
    rh_buf_init(&session->cut_down, CUT_DOWN_MAX);
    rh_buf_init(&session->texts, TEXTS_MAX);
    session->next = path->sessions;
    if (session->next)
        session->next->previous = session;
    path->sessions = session;
    path->figures.sessions++;
    path->figures.sessions_now++;
    *rh_tap_session_data(tap_session) = session;
}

static void free_session(struct capture_session *session)
{
    struct capture_path *path = session->path;

    if (session->previous)
        session->previous->next = session->next;
    else
        path->sessions = session->next;
    if (session->next)
        session->next->previous = session->previous;
    path->figures.sessions_now--;
    rh_capture_frontend_free(session);
    rh_session_state_free(session->state);
    for (size_t i = 0; i < session->reported_count; i++) {
        free(session->reported[i].name);
        free(session->reported[i].value);
    }
    free(session->reported);
    rh_row_digest_stream_free(session->row);
    free(session->columns);
    free(session->ids);
    rh_buf_deinit(&session->startup);
    rh_buf_deinit(&session->cut_up);
    rh_buf_deinit(&session->cut_down);
    rh_buf_deinit(&session->texts);
    free(session);
}

static void on_closed(void *context, struct tap_session *tap_session)
{
    struct capture_path *path = context;
    struct capture_session *session = session_of(tap_session);

    path->now_us = now_us(path);
    pay(session);
    if (session->number)
        rh_capture_backend_end(session);
    rh_capture_leave(session, session->terminated ? 0 : RECORD_WAS_CUT);
    *rh_tap_session_data(tap_session) = NULL;
    free_session(session);
}

static bool is_replication(struct capture_session *session)
{
    struct pg_reader reader = {.rest = rh_buf_text(&session->startup)};

    rh_pg_read_u32(&reader);
    while (!reader.failed) {
        const char *name = rh_pg_read_string(&reader);
        const char *value = name[0] ? rh_pg_read_string(&reader) : "";

        if (!name[0])
            break;
        if (strcmp(name, "replication") == 0)
            return strcmp(value, "false") != 0 && strcmp(value, "off") != 0 &&
                   strcmp(value, "no") != 0 && strcmp(value, "0") != 0;
    }
    return false;
}

static void on_frontend(void *context, struct tap_session *tap_session, struct text bytes)
{
    struct capture_path *path = context;
    struct capture_session *session = session_of(tap_session);

    path->figures.frontend_bytes += bytes.len;
    if (session->is_lost)
        return;
    path->now_us = now_us(path);
    if (!session->has_startup) {
        struct pg_reader reader = {.rest = bytes};
        uint32_t length = rh_pg_read_u32(&reader);

        /* The tap gathers it whole. */
        RH_ASSERT(!reader.failed && length >= 8 && length <= bytes.len);
        rh_buf_add(&session->startup, bytes.data + 4, length - 4);
        session->has_startup = true;
        bytes.data += length;
        bytes.len -= length;
        if (is_replication(session)) {
            rh_capture_lose(session, GAP_REPLICATION);
            return;
        }
    }
    rh_capture_frontend(session, bytes);
}

static void on_backend(void *context, struct tap_session *tap_session, struct text bytes)
{
    struct capture_path *path = context;
    struct capture_session *session = session_of(tap_session);

    path->figures.backend_bytes += bytes.len;
    if (session->is_lost)
        return;
    path->now_us = now_us(path);
    rh_capture_backend(session, bytes);
}

static void on_cancel(void *context, struct text request)
{
    struct capture_path *path = context;

    if (request.len < 8)
        return;
    path->now_us = now_us(path);
    for (struct capture_session *session = path->sessions; session; session = session->next) {
        if (session->number && session->key_length + 4 == request.len &&
            memcmp(session->key, request.data + 4, session->key_length) == 0) {
            rh_capture_put(session, RECORD_CANCEL, 0, 0, 0, (struct text){"", 0});
            return;
        }
    }
}

struct tap_handler rh_capture_path_handler(struct capture_path *path)
{
    return (struct tap_handler){
        .context = path,
        .session_opened = on_opened,
        .session_closed = on_closed,
        .frontend_bytes = on_frontend,
        .backend_bytes = on_backend,
        .cancel_requested = on_cancel,
    };
}

/* --- the whole -------------------------------------------------------------------------------- */

struct capture_path *rh_capture_path_new(const struct capture_path_options *options)
{
    struct capture_path *path = calloc(1, sizeof(*path));

    if (!path)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*path));
    path->options = *options;
    rh_row_digest_key_init(&path->digest_key, options->digest_key);
    path->id_keys = rh_capture_id_keys_new(options->keys, options->key_count);
    return path;
}

void rh_capture_path_free(struct capture_path *path)
{
    if (!path)
        return;
    RH_ASSERT(!path->sessions);
    free(path->id_keys);
    free(path);
}

void rh_capture_path_start(struct capture_path *path)
{
    if (path->is_recording || path->has_stopped)
        return;
    path->now_us = now_us(path);
    path->is_recording = true;
    if (path->paused_at_us > 0)
        path->figures.paused_us += path->now_us - path->paused_at_us;
    path->paused_at_us = 0;
    for (struct capture_session *session = path->sessions; session; session = session->next) {
        if (!session->is_ready || session->is_lost)
            continue;
        session->wants_in = true;
        rh_capture_join(session);
    }
}

void rh_capture_path_stop(struct capture_path *path, bool is_pause)
{
    if (!path->is_recording)
        return;
    path->now_us = now_us(path);
    for (struct capture_session *session = path->sessions; session; session = session->next) {
        session->wants_in = false;
        if (session->number)
            rh_capture_leave(session, RECORD_WAS_CUT | RECORD_IS_GAP);
    }
    path->is_recording = false;
    path->paused_at_us = path->now_us;
    path->figures.gaps[GAP_PAUSED] += is_pause;
}

void rh_capture_path_give_up(struct capture_path *path)
{
    if (path->has_stopped)
        return;
    path->now_us = now_us(path);
    stop_for_good(path);
}

void rh_capture_path_tick(struct capture_path *path)
{
    if (!path->is_recording || path->figures.gaps[GAP_SHED] == 0 || !has_room(path))
        return;
    path->now_us = now_us(path);
    for (struct capture_session *session = path->sessions; session; session = session->next) {
        if (session->is_shed) {
            session->wants_in = true;
            rh_capture_join(session);
        }
    }
}

struct capture_path_figures rh_capture_path_figures(const struct capture_path *path)
{
    struct capture_path_figures figures = path->figures;

    figures.is_recording = path->is_recording;
    figures.has_stopped = path->has_stopped;
    for (const struct capture_session *session = path->sessions; session; session = session->next)
        figures.recorded_now += session->number != 0;
    return figures;
}
