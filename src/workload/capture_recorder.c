#include "workload/capture_recorder.h"

#include "base/interrupt.h"
#include "net/pg_codec.h"
#include "workload/capture_recorder_int.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

/* How long the recorder sleeps when there is nothing to do, unless it is woken: 50 times a second
   costs nothing, and a batch of records is cheaper than each by itself. */
#define WAIT_US INT64_C(20000)
/* What the sink has gathered goes to the disk so often: what a crash of ours may lose. */
#define FLUSH_US INT64_C(5000000)
/* After a second signal: for what is in the ring still. */
#define URGENT_US INT64_C(2000000)

/* --- sessions and arenas ---------------------------------------------------------------------- */

static struct recorded_session **place_of(struct capture_recorder *recorder, uint32_t number)
{
    struct recorded_session **place = &recorder->sessions[number % SESSION_SLOTS];

    while (*place && (*place)->number != number)
        place = &(*place)->next;
    return place;
}

static struct arena *take_arena(struct capture_recorder *recorder)
{
    return recorder->spare_count > 0 ? recorder->spare[--recorder->spare_count] : rh_arena_new();
}

static void give_arena(struct capture_recorder *recorder, struct arena **arena)
{
    if (*arena && recorder->spare_count < SPARE_ARENAS) {
        rh_arena_clear(*arena);
        recorder->spare[recorder->spare_count++] = *arena;
    } else {
        rh_arena_free(*arena);
    }
    *arena = NULL;
}

static void count(struct capture_recorder *recorder, enum recorder_gap gap, int64_t by)
{
    atomic_fetch_add_explicit(&recorder->gaps[gap], by, memory_order_relaxed);
}

/* --- events ----------------------------------------------------------------------------------- */

static enum err_code give(struct capture_recorder *recorder, struct workload_event *event,
                          struct err *err)
{
    const struct capture_sink *sink = &recorder->options.sink;

    if (event->at_us < recorder->last_us)
        event->at_us = recorder->last_us;
    recorder->last_us = event->at_us;
    atomic_fetch_add_explicit(&recorder->events, 1, memory_order_relaxed);
    return sink->event(sink->context, event, err);
}

static enum err_code on_pattern(void *context, const struct workload_pattern *pattern,
                                struct err *err)
{
    struct capture_recorder *recorder = context;
    const struct capture_sink *sink = &recorder->options.sink;

    atomic_fetch_add_explicit(&recorder->patterns, 1, memory_order_relaxed);
    return sink->pattern(sink->context, pattern, err);
}

/* --- messages --------------------------------------------------------------------------------- */

static struct text until_nul(struct text body)
{
    return (struct text){body.data, strnlen(body.data, body.len)};
}

/* What executing the text executes. It takes `known` over; the caller drops what comes back. */
static struct known_query *executed_by(struct capture_recorder *recorder,
                                       struct recorded_session *session, struct known_query *known)
{
    if (known->pattern == 0)
        count(recorder, RECORDED_PATTERNS, 1);
    if (known->prepares)
        rh_recorded_names_set(&session->statements, known->prepares, known->prepared);
    if (known->executes) {
        struct known_query *executed = rh_recorded_names_get(&session->statements, known->executes);

        if (executed) {
            rh_known_query_hold(executed);
            rh_known_query_drop(known);
            known = executed;
        }
    }
    return known;
}

/* `text` in the place of the string that begins `before` bytes into the body. */
static struct text put_text(struct arena *arena, struct text body, size_t before,
                            struct text old_text, struct text text)
{
    size_t behind = before + old_text.len;
    size_t length = body.len - old_text.len + text.len;
    char *out = rh_arena_alloc(arena, length + 1);

    memcpy(out, body.data, before);
    memcpy(out + before, text.data, text.len);
    if (behind < body.len)
        memcpy(out + before + text.len, body.data + behind, body.len - behind);
    return (struct text){out, length};
}

/* Masks or leaves out; else the body as it is, still in the chunk. */
static struct text treat_text(struct capture_recorder *recorder, struct arena *arena,
                              const struct known_query *known, struct text body, size_t before,
                              struct text query, struct workload_message *message)
{
    if (known->flags & PATTERN_HAS_SECRET) {
        message->is_redacted = true;
        count(recorder, RECORDED_SECRET, 1);
        return put_text(arena, body, before, query, (struct text){"", 0});
    }
    if (recorder->options.mask) {
        int64_t by_default = 0;
        struct text masked = rh_value_mask_query(recorder->options.mask, known, query, arena,
                                                 &by_default);

        count(recorder, RECORDED_UNMASKED, by_default);
        return put_text(arena, body, before, query, masked);
    }
    return body;
}

static enum err_code on_query(struct capture_recorder *recorder, struct recorded_session *session,
                              struct arena *arena, struct workload_message *message,
                              struct known_query **ret_query, struct err *err)
{
    struct text query = until_nul(message->body);
    struct known_query *text = NULL;
    enum err_code code = rh_query_cache_find(recorder->cache, query, &text, err);

    if (code)
        return code;
    /* What stands behind the text the server refuses, and nobody masks. */
    if (message->body.len > query.len + 1)
        message->body.len = query.len + 1;
    /* EXECUTE name ('x') is masked by its own text, and counts as what it executes. */
    message->body = treat_text(recorder, arena, text, message->body, 0, query, message);
    *ret_query = executed_by(recorder, session, text);
    message->pattern = (*ret_query)->pattern;
    return RH_OK;
}

static enum err_code on_parse(struct capture_recorder *recorder, struct recorded_session *session,
                              struct arena *arena, struct workload_message *message,
                              struct known_query **ret_query, struct err *err)
{
    struct text name = until_nul(message->body);
    size_t before = name.len + 1 < message->body.len ? name.len + 1 : message->body.len;
    struct text query = until_nul(
        (struct text){message->body.data + before, message->body.len - before});
    enum err_code code = rh_query_cache_find(recorder->cache, query, ret_query, err);

    if (code)
        return code;
    name.data = rh_text_dup(arena, name);
    rh_recorded_names_set(&session->statements, name.data, *ret_query);
    if (recorder->options.mask)
        rh_recorded_names_declare(
            &session->statements, name.data,
            (struct text){query.data + query.len, message->body.len - before - query.len});
    message->body = treat_text(recorder, arena, *ret_query, message->body, before, query, message);
    return RH_OK;
}

static void on_bind(struct capture_recorder *recorder, struct recorded_session *session,
                    struct arena *arena, struct workload_message *message,
                    struct known_query **ret_query)
{
    struct pg_reader reader = {.rest = message->body};
    const char *portal = rh_pg_read_string(&reader), *name = rh_pg_read_string(&reader);
    struct known_query *known = reader.failed ? NULL
                                              : rh_recorded_names_get(&session->statements, name);

    *ret_query = rh_known_query_hold(known);
    if (reader.failed) {
        /* The server refuses it; what stands there instead of names nobody masks. */
        message->body = (struct text){"", 0};
        return;
    }
    rh_recorded_names_set(&session->portals, portal, known);
    if (known && known->flags & PATTERN_HAS_SECRET) {
        message->is_redacted = true;
        count(recorder, RECORDED_SECRET, 1);
        message->body = (struct text){message->body.data,
                                      (size_t)(reader.rest.data - message->body.data)};
    } else if (recorder->options.mask) {
        int64_t by_default = 0;

        message->body = rh_value_mask_bind(recorder->options.mask, known,
                                           rh_recorded_names_types(&session->statements, name),
                                           message->body, arena, &by_default);
        count(recorder, RECORDED_UNMASKED, by_default);
    }
}

/* Of C, D and E: the statement or portal that they name. */
static struct known_query *target_of(struct recorded_session *session,
                                     const struct workload_message *message)
{
    struct pg_reader reader = {.rest = message->body};
    unsigned char kind = message->type == 'E' ? 'P' : rh_pg_read_u8(&reader);
    const char *name = rh_pg_read_string(&reader);

    if (reader.failed)
        return NULL;

    struct names *names = kind == 'S' ? &session->statements : &session->portals;

    if (message->type == 'C')
        rh_recorded_names_close(names, name);
    return rh_recorded_names_get(names, name);
}

static void on_copy_data(struct capture_recorder *recorder, struct recorded_session *session,
                         struct arena *arena, struct workload_message *message)
{
    size_t left_out = 0;

    if (!recorder->options.mask)
        return;
    /* What the path left out is missing within a row, perhaps: the COPY ends there. */
    if (message->left_out_bytes > 0)
        left_out = rh_recorded_copy_end(&session->copy);
    left_out += rh_recorded_copy_take(&session->copy, message->body, session->encoding, arena,
                                      &message->body);
    count(recorder, RECORDED_COPY_MASKED, (int64_t)left_out);
    message->left_out_bytes += left_out;
}

/* What is sent from here on are the rows of another COPY, or of none. */
static void follow_copy(struct capture_recorder *recorder, struct recorded_session *session,
                        unsigned char type, const struct known_query *query)
{
    bool begins = type == 'Q' || type == 'E';

    if (recorder->options.mask && (begins || type == 'f'))
        rh_recorded_copy_begin(&session->copy, recorder->options.mask,
                               begins && query ? query->copies : NULL);
}

/* Fills in what the message stands for; *ret_query is the caller's. */
static enum err_code understand(struct capture_recorder *recorder, struct recorded_session *session,
                                struct arena *arena, struct workload_message *message,
                                struct known_query **ret_query, struct err *err)
{
    switch (message->type) {
    case 'Q':
        return on_query(recorder, session, arena, message, ret_query, err);
    case 'P':
        return on_parse(recorder, session, arena, message, ret_query, err);
    case 'B':
        on_bind(recorder, session, arena, message, ret_query);
        break;
    case 'C':
    case 'D':
    case 'E':
        *ret_query = rh_known_query_hold(target_of(session, message));
        if (message->type == 'E' && *ret_query)
            message->pattern = (*ret_query)->pattern;
        break;
    case 'd':
        on_copy_data(recorder, session, arena, message);
        break;
    case 'F':
        /* Its arguments are of a function's types, not of a column's. */
        if (recorder->options.mask) {
            message->is_redacted = true;
            message->body = (struct text){"", 0};
        }
        break;
    default:
        break;
    }
    return RH_OK;
}

static struct text keep(struct arena *arena, struct text body, struct text chunk)
{
    bool is_in_chunk = body.data >= chunk.data && body.data < chunk.data + chunk.len;

    if (body.len == 0)
        return (struct text){"", 0};
    return is_in_chunk ? (struct text){rh_arena_memdup(arena, body.data, body.len), body.len}
                       : body;
}

static enum err_code end_request(struct capture_recorder *recorder,
                                 struct recorded_session *session, int64_t at_us, struct err *err)
{
    struct workload_event event = {
        .kind = WORKLOAD_REQUEST,
        .session = session->number,
        .at_us = at_us,
        .request = session->requests,
        .messages = session->messages.items,
        .message_count = session->messages.count,
    };
    enum err_code code = give(recorder, &event, err);

    atomic_fetch_add_explicit(&recorder->requests, 1, memory_order_relaxed);
    session->messages.items = NULL;
    session->messages.count = session->messages.capacity = 0;
    session->message_bytes = 0;
    give_arena(recorder, &session->request_arena);
    return code;
}

static bool ends_request(const struct recorded_session *session, unsigned char type)
{
    return (type && strchr("QSHFcf", type)) || (type == 'd' && session->messages.count == 1);
}

/* The last row may have no line feed; or it is half a row. */
static void end_copy(struct capture_recorder *recorder, struct recorded_session *session)
{
    struct workload_message last = {.type = 'd'};

    last.left_out_bytes = rh_recorded_copy_finish(&session->copy, session->encoding,
                                                  session->request_arena, &last.body);
    count(recorder, RECORDED_COPY_MASKED, (int64_t)last.left_out_bytes);
    if (last.body.len > 0 || last.left_out_bytes > 0)
        *RH_PUSH(session->request_arena, &session->messages) = last;
    session->message_bytes += last.body.len;
}

/* Beyond the cap the first message stays as one that has lost its body, and the last as the end:
   what is between them is left out. */
static void keep_message(struct capture_recorder *recorder, struct recorded_session *session,
                         struct workload_message *message, struct text chunk)
{
    bool is_full = session->message_bytes > REQUEST_BYTES_MAX;

    session->message_bytes += sizeof(*message) + message->body.len;
    if (session->message_bytes > REQUEST_BYTES_MAX) {
        count(recorder, RECORDED_REQUESTS, 1);
        if (is_full && !ends_request(session, message->type))
            return;
        message->left_out_bytes += message->body.len;
        message->body.len = 0;
    }
    message->body = keep(session->request_arena, message->body, chunk);
    *RH_PUSH(session->request_arena, &session->messages) = *message;
}

static enum err_code on_message(struct capture_recorder *recorder, struct recorded_session *session,
                                const struct capture_record *record, struct text chunk,
                                struct err *err)
{
    struct workload_message message = {
        .type = record->type,
        .body = {(const char *)(record + 1), record->body_length},
        .left_out_bytes = session->missing,
    };
    struct known_query *query = NULL;

    if (!session->request_arena)
        session->request_arena = take_arena(recorder);
    session->missing = 0;

    enum err_code code = understand(recorder, session, session->request_arena, &message, &query,
                                    err);

    if (code)
        return code;
    follow_copy(recorder, session, message.type, query);
    if (message.type == 'c')
        end_copy(recorder, session);
    keep_message(recorder, session, &message, chunk);
    if (record->flags & RECORD_IN_UNIT) {
        rh_recorded_session_add_unit(session, (struct unit){.type = message.type,
                                                            .number = record->extra,
                                                            .request = session->requests + 1,
                                                            .query = query});
    } else if (message.type && strchr("PBDCE", message.type)) {
        rh_recorded_session_add_step(session, message.type, query);
    }
    rh_known_query_drop(query);
    if (!ends_request(session, message.type))
        return RH_OK;
    session->requests++;
    return end_request(recorder, session, record->at_us, err);
}

static enum err_code on_left_out(struct capture_recorder *recorder,
                                 struct recorded_session *session,
                                 const struct capture_record *record, struct text chunk,
                                 struct err *err)
{
    memcpy(&session->missing, record + 1, sizeof(session->missing));
    if (record->type != 'd')
        return RH_OK;

    struct capture_record empty = *record;

    empty.body_length = 0;
    return on_message(recorder, session, &empty, chunk, err);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void add_results(struct capture_recorder *recorder, struct recorded_session *session,
                        struct text body)
{
    struct workload_result result;

    for (; body.len >= sizeof(result); body.data += sizeof(result), body.len -= sizeof(result)) {
        memcpy(&result, body.data, sizeof(result));
        result.pattern = rh_recorded_session_pattern(session, result.pattern);
        if (session->results.count >= RESULTS_MAX) {
            count(recorder, RECORDED_RESULTS, 1);
            continue;
        }
        if (!session->answer_arena)
            session->answer_arena = take_arena(recorder);
        *RH_PUSH(session->answer_arena, &session->results) = result;
    }
}

static enum err_code on_answer(struct capture_recorder *recorder, struct recorded_session *session,
                               const struct capture_record *record, struct err *err)
{
    struct capture_answer answer;
    struct text results = {(const char *)(record + 1) + sizeof(answer),
                           record->body_length - sizeof(answer)};

    memcpy(&answer, record + 1, sizeof(answer));
    add_results(recorder, session, results);

    struct workload_event event = {
        .kind = WORKLOAD_ANSWER,
        .session = session->number,
        .at_us = record->at_us,
        .first_byte_us = answer.first_byte_us,
        .transaction_status = answer.status,
        .results = session->results.items,
        .result_count = session->results.count,
        .ids = session->ids.items,
        .id_count = session->ids.count,
        .request = rh_recorded_session_finish_unit(session, answer.unit),
    };
    enum err_code code = event.request ? give(recorder, &event, err) : RH_OK;

    session->results.items = NULL;
    session->results.count = session->results.capacity = 0;
    session->ids.items = NULL;
    session->ids.count = session->ids.capacity = 0;
    if (session->answer_arena)
        give_arena(recorder, &session->answer_arena);
    return code;
}

/* --- beginnings and ends ---------------------------------------------------------------------- */

static enum err_code on_prologue(struct capture_recorder *recorder,
                                 struct recorded_session *session,
                                 const struct capture_record *record, struct text chunk,
                                 struct err *err)
{
    struct workload_message message = {.type = record->type,
                                       .body = {(const char *)(record + 1), record->body_length}};
    struct known_query *query = NULL;
    enum err_code code = understand(recorder, session, session->arena, &message, &query, err);

    if (code)
        return code;
    rh_known_query_drop(query);
    message.body = keep(session->arena, message.body, chunk);
    *RH_PUSH(session->arena, &session->begun.prologue) = message;
    return RH_OK;
}

static enum err_code on_begun(struct capture_recorder *recorder, struct recorded_session *session,
                              const struct capture_record *record, struct err *err)
{
    session->begun.is_midway = record->flags & RECORD_IS_MIDWAY;

    struct workload_event event = {.kind = WORKLOAD_SESSION_BEGUN,
                                   .session = session->number,
                                   .at_us = record->at_us,
                                   .begun = &session->begun};
    enum err_code code = give(recorder, &event, err);

    session->has_begun = true;
    rh_arena_free(session->arena);
    session->arena = NULL;
    return code;
}

static enum err_code end_session(struct capture_recorder *recorder, struct recorded_session **place,
                                 int64_t at_us, bool was_cut, struct err *err)
{
    struct recorded_session *session = *place;
    struct workload_event event = {.kind = WORKLOAD_SESSION_ENDED,
                                   .session = session->number,
                                   .at_us = at_us,
                                   .was_cut = was_cut};
    enum err_code code = session->has_begun ? give(recorder, &event, err) : RH_OK;

    *place = session->next;
    give_arena(recorder, &session->request_arena);
    give_arena(recorder, &session->answer_arena);
    rh_recorded_session_free(session);
    return code;
}

static enum err_code on_cancel(struct capture_recorder *recorder, struct recorded_session *session,
                               const struct capture_record *record, struct err *err)
{
    struct workload_event event = {
        .kind = WORKLOAD_CANCEL,
        .session = session->number,
        .at_us = record->at_us,
        .request = session->unit_count ? session->units[0].request : 0,
    };

    return give(recorder, &event, err);
}

static enum err_code take_record(struct capture_recorder *recorder,
                                 const struct capture_record *record, struct text chunk,
                                 struct err *err)
{
    struct recorded_session **place = place_of(recorder, record->session);
    struct recorded_session *session = *place;

    if (!session) {
        if (record->kind != RECORD_HELLO)
            return RH_OK;
        session = *place = rh_recorded_session_new(record->session);
    }
    switch ((enum capture_record_kind)record->kind) {
    case RECORD_HELLO:
        rh_recorded_session_hello(session,
                                  (struct text){(const char *)(record + 1), record->body_length});
        break;
    case RECORD_PROLOGUE:
        return on_prologue(recorder, session, record, chunk, err);
    case RECORD_BEGUN:
        return on_begun(recorder, session, record, err);
    case RECORD_MESSAGE:
        return on_message(recorder, session, record, chunk, err);
    case RECORD_LEFT_OUT:
        return on_left_out(recorder, session, record, chunk, err);
    case RECORD_RESULTS:
        add_results(recorder, session,
                    (struct text){(const char *)(record + 1), record->body_length});
        break;
    case RECORD_IDS:
        if (!session->answer_arena)
            session->answer_arena = take_arena(recorder);
        rh_recorded_ids_add(recorder, session,
                            (struct text){(const char *)(record + 1), record->body_length});
        break;
    case RECORD_ENCODING:
        rh_recorded_session_encode(session, (const char *)(record + 1));
        break;
    case RECORD_ANSWER:
        return on_answer(recorder, session, record, err);
    case RECORD_CANCEL:
        return on_cancel(recorder, session, record, err);
    case RECORD_ENDED:
        return end_session(recorder, place, record->at_us, record->flags & RECORD_WAS_CUT, err);
    }
    return RH_OK;
}

/* --- the thread ------------------------------------------------------------------------------- */

static enum err_code take_chunk(struct capture_recorder *recorder, size_t length, struct err *err)
{
    const struct text chunk = {recorder->chunk, length};
    enum err_code code = RH_OK;

    for (size_t at = 0; !code && at < length;) {
        const struct capture_record *record = (const void *)(recorder->chunk + at);

        atomic_store_explicit(&recorder->recorded_us, record->at_us, memory_order_relaxed);
        code = take_record(recorder, record, chunk, err);
        at += rh_capture_record_size(record->body_length);
        if (atomic_load_explicit(&recorder->stops, memory_order_relaxed))
            break;
    }
    return code;
}

static void look_at_size(struct capture_recorder *recorder)
{
    const struct capture_sink *sink = &recorder->options.sink;
    uint64_t bytes = sink->bytes ? sink->bytes(sink->context) : 0;

    atomic_store(&recorder->bytes, bytes);
    if (recorder->options.max_bytes && bytes >= recorder->options.max_bytes)
        atomic_store(&recorder->is_full, true);
}

static enum err_code flush_now_and_then(struct capture_recorder *recorder, struct err *err)
{
    const struct capture_sink *sink = &recorder->options.sink;
    int64_t now_us = rh_clock_mono().us;

    look_at_size(recorder);
    if (!sink->flush || now_us - recorder->flushed_us < FLUSH_US)
        return RH_OK;
    recorder->flushed_us = now_us;
    return sink->flush(sink->context, err);
}

/* Sessions whose end nobody has told: the recording ended before they did. */
static enum err_code end_sessions(struct capture_recorder *recorder, struct err *err)
{
    enum err_code code = RH_OK;

    for (size_t i = 0; i < SESSION_SLOTS; i++)
        while (!code && recorder->sessions[i])
            code = end_session(recorder, &recorder->sessions[i], recorder->last_us, true, err);
    return code;
}

/* Until the ring is closed: what comes is not wanted any more, and must not fill it. */
static void discard(struct capture_recorder *recorder)
{
    struct err ignored = RH_ERR_INIT;
    size_t length;
    bool is_over = false;

    while (!is_over && !atomic_load(&recorder->stops) &&
           rh_capture_ring_take(recorder->options.ring, WAIT_US, recorder->chunk, &length, &is_over,
                                &ignored) == RH_OK)
        ;
}

static void *run(void *context)
{
    struct capture_recorder *recorder = context;
    const struct capture_sink *sink = &recorder->options.sink;
    enum err_code code = RH_OK;
    bool is_over = false;

    /* Traffic goes first where cores are few. Linux: of this thread alone. */
    setpriority(PRIO_PROCESS, 0, 5);
    recorder->flushed_us = rh_clock_mono().us;
    while (!code && !is_over && !atomic_load(&recorder->stops) &&
           !atomic_load(&recorder->is_full)) {
        size_t length = 0;

        code = rh_capture_ring_take(recorder->options.ring, WAIT_US, recorder->chunk, &length,
                                    &is_over, &recorder->err);
        if (!code && length > 0)
            code = take_chunk(recorder, length, &recorder->err);
        if (!code)
            code = flush_now_and_then(recorder, &recorder->err);
    }
    if (code)
        atomic_store(&recorder->has_failed, true);
    if (!is_over)
        discard(recorder);
    if (!code)
        code = end_sessions(recorder, &recorder->err);

    struct err last = RH_ERR_INIT;

    if (sink->finish(sink->context, code ? &recorder->err : NULL, &last) != RH_OK && !code) {
        recorder->err = last;
        atomic_store(&recorder->has_failed, true);
    }
    look_at_size(recorder);
    atomic_store(&recorder->is_over, true);
    sem_post(&recorder->done);
    return NULL;
}

enum err_code rh_capture_recorder_start(const struct capture_recorder_options *options,
                                        struct capture_recorder **ret_recorder, struct err *err)
{
    struct capture_recorder *recorder = calloc(1, sizeof(*recorder));
    sigset_t all, before;

    if (!recorder)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*recorder));
    recorder->options = *options;
    recorder->cache = rh_query_cache_new(&(struct query_cache_options){
        .wants_columns = options->mask != NULL, .on_pattern = on_pattern, .context = recorder});
    sem_init(&recorder->done, 0, 0);
    /* Signals are the loop's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);

    int reason = pthread_create(&recorder->thread, NULL, run, recorder);

    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reason) {
        sem_destroy(&recorder->done);
        rh_query_cache_free(recorder->cache);
        free(recorder);
        return rh_err_set_errno(err, reason, "cannot start a thread");
    }
    *ret_recorder = recorder;
    return RH_OK;
}

struct capture_recorder_figures rh_capture_recorder_figures(struct capture_recorder *recorder)
{
    struct capture_recorder_figures figures = {
        .events = atomic_load(&recorder->events),
        .requests = atomic_load(&recorder->requests),
        .patterns = atomic_load(&recorder->patterns),
        .bytes = atomic_load(&recorder->bytes),
        .recorded_us = atomic_load(&recorder->recorded_us),
        .has_failed = atomic_load(&recorder->has_failed),
        .is_full = atomic_load(&recorder->is_full),
        .is_over = atomic_load(&recorder->is_over),
    };

    for (int i = 0; i < RECORDER_GAP_COUNT; i++)
        figures.gaps[i] = atomic_load(&recorder->gaps[i]);
    return figures;
}

enum err_code rh_capture_recorder_finish(struct capture_recorder *recorder, struct mono deadline,
                                         struct err *err)
{
    bool is_late = false, is_done = false;

    while (!is_done) {
        struct timespec until;

        if (rh_interrupt_is_urgent())
            deadline = rh_clock_earlier(deadline, rh_clock_after(rh_clock_mono(), URGENT_US));
        if (rh_clock_passed(deadline)) {
            is_late = true;
            atomic_store(&recorder->stops, true);
        }
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)WAIT_US * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        is_done = sem_clockwait(&recorder->done, CLOCK_MONOTONIC, &until) == 0;
    }
    pthread_join(recorder->thread, NULL);
    if (atomic_load(&recorder->has_failed)) {
        *err = recorder->err;
        return err->code;
    }
    if (is_late)
        return rh_err_set(err, RH_ERR_TIMEOUT, "the recorder was not done in time");
    return RH_OK;
}

void rh_capture_recorder_free(struct capture_recorder *recorder)
{
    if (!recorder)
        return;
    for (size_t i = 0; i < SESSION_SLOTS; i++) {
        while (recorder->sessions[i]) {
            struct recorded_session *session = recorder->sessions[i];

            recorder->sessions[i] = session->next;
            rh_recorded_session_free(session);
        }
    }
    for (size_t i = 0; i < recorder->spare_count; i++)
        rh_arena_free(recorder->spare[i]);
    rh_query_cache_free(recorder->cache);
    sem_destroy(&recorder->done);
    free(recorder);
}
