/*
 * The sessions of the tap: what passes, what is held while it is read, and their end.
 */
#include "trace/perform.h"
#include "trace/recorder_int.h"

#include <stdlib.h>

/* --- the boundary: ReadyForQuery is held while it is read --- */

static void end_hold(struct recorder_session *session, enum why_not_observed why_not)
{
    session->is_holding = false;
    session->awaits_boundary = session->awaits_storage = false;
    rh_loop_timer_stop(session->hold_timer);
    if (session->has_ended)
        rh_recorder_settle_transaction(session, NULL, 0);
    rh_recorder_settle_batch(session, why_not);
    if (session->tap_session)
        rh_tap_session_release(session->tap_session);
}

void rh_recorder_session_release(struct recorder_session *session)
{
    struct recorder *recorder = session->recorder;
    if (--session->references > 0)
        return;
    for (struct recorder_session **link = &recorder->sessions; *link; link = &(*link)->next)
        if (*link == session) {
            *link = session->next;
            break;
        }
    rh_conversation_free(session->conversation);
    rh_loop_timer_free(session->hold_timer);
    rh_lock_book_deinit(&session->locks);
    rh_arena_free(session->arena);
    rh_arena_free(session->batch_arena);
    rh_arena_free(session->pieces_arena);
    free(session);
}

static void on_hold_expired(void *context)
{
    struct recorder_session *session = context;
    session->stale_boundaries += session->awaits_boundary;
    session->stale_storages += session->awaits_storage;
    end_hold(session, WHY_NO_ANSWER);
}

static void on_storage(void *context, const struct storage_change *changes, size_t count,
                       bool known)
{
    struct recorder_session *session = context;
    if (session->stale_storages > 0) {
        session->stale_storages--;
    } else if (session->awaits_storage) {
        session->awaits_storage = false;
        if (session->has_ended)
            rh_recorder_settle_transaction(session, known ? changes : NULL, known ? count : 0);
        end_hold(session, known ? WHY_OBSERVED : WHY_OBSERVER_LOST);
    }
    rh_recorder_session_release(session);
}

static void on_boundary(void *context, const struct boundary *boundary)
{
    struct recorder_session *session = context;
    struct recorder *recorder = session->recorder;
    if (session->stale_boundaries > 0) {
        session->stale_boundaries--;
    } else if (session->awaits_boundary) {
        session->awaits_boundary = false;
        if (!boundary) {
            end_hold(session, WHY_OBSERVER_LOST);
        } else {
            rh_recorder_take_boundary(session, boundary);
            if (session->has_ended && session->may_have_changed_storage && recorder->observer) {
                session->awaits_storage = true;
                session->references++;
                rh_observer_read_storage(recorder->observer, on_storage, session);
            } else {
                end_hold(session, WHY_OBSERVED);
            }
        }
    }
    rh_recorder_session_release(session);
}

/* --- what the WAL position alone is read for: no one waits for it --- */

static void on_wal(void *context, const struct boundary *boundary)
{
    struct wal_read *read = context;
    struct recorder *recorder = read->recorder;
    for (struct wal_read **link = &recorder->wal_reads; *link; link = &(*link)->next)
        if (*link == read) {
            *link = read->next;
            break;
        }
    if (boundary && !recorder->has_finished)
        rh_recorder_take_wal(recorder, read->index, boundary->wal_position);
    free(read);
}

/*
 * A statement whose locks are known already is not held up for its WAL: it told the position itself
 * (inside a transaction, where no commit follows), or that is read while the client makes up its
 * next one. What that one wrote in the tenth of a millisecond this takes counts here.
 */
static void read_wal(struct recorder_session *session, const struct running *running)
{
    struct recorder *recorder = session->recorder;
    int index = running->index;
    if (session->status != 'I' && running->wal_position > 0 && !recorder->wal_reads) {
        rh_recorder_take_wal(recorder, index, running->wal_position);
        return;
    }
    struct wal_read *read = calloc(1, sizeof(*read));
    if (!read)
        RH_PANIC("out of memory for a request");
    *read = (struct wal_read){.next = recorder->wal_reads, .recorder = recorder, .index = index};
    recorder->wal_reads = read;
    rh_observer_read_position(recorder->observer, on_wal, read);
}

/* Inside a transaction: what is locked now was locked by what just ended. */
static bool needs_locks(const struct recorder_session *session)
{
    for (size_t i = 0; session->status != 'I' && i < session->batch.count; i++)
        if (!rh_recorder_needs_no_locks(session, &session->batch.items[i]))
            return true;
    return false;
}

/* Closing, opening and naming transactions by the status; then what the boundary is needed for. */
void rh_recorder_on_ready(void *context, char status, bool pipelined, int64_t at_us)
{
    struct recorder_session *session = context;
    struct recorder *recorder = session->recorder;
    bool is_first = session->status == 0;
    if (recorder->has_finished)
        return;
    const struct running *last = session->batch.count > 0
                                     ? &session->batch.items[session->batch.count - 1]
                                     : NULL;
    const char *sql = last && last->index >= 0 ? rh_recorder_statement(recorder, last->index)->sql
                                               : NULL;
    session->status = status;
    if (status == 'I') {
        rh_recorder_end_transaction(session, last && !last->has_error, at_us);
    } else {
        if (session->has_ended) { /* AND CHAIN */
            session->owes_storage |= session->may_have_changed_storage;
            rh_recorder_settle_transaction(session, NULL, 0);
        }
        if (session->transaction < 0)
            rh_recorder_begin_transaction(session, at_us, sql ? sql : "",
                                          last && last->index >= 0 ? last->index + 1 : 0);
        else if (!session->is_explicit)
            rh_recorder_make_explicit(session, sql, last ? last->index : -1);
    }
    if (session->batch.count == 0 && !(is_first && recorder->first_wal < 0))
        return;
    rh_recorder_read_log(recorder); /* it may ask for the storage */
    bool is_blind = !recorder->observer || recorder->observer_lost || session->pid == 0;
    bool reads_storage = session->has_ended && rh_recorder_needs_storage(session);
    if (!is_blind && !pipelined && (reads_storage || needs_locks(session) || is_first)) {
        session->may_have_changed_storage |= reads_storage;
        session->is_holding = true;
        session->awaits_boundary = true;
        session->references++;
        rh_loop_timer_start(session->hold_timer, HOLD_MAX_US, 0);
        rh_observer_read_boundary(recorder->observer, session->pid, on_boundary, session);
        return;
    }
    if (!is_blind && session->batch.count == 1 && !pipelined)
        read_wal(session, &session->batch.items[0]);
    if (session->has_ended) {
        session->owes_storage |= session->may_have_changed_storage;
        rh_recorder_settle_transaction(session, NULL, 0);
    }
    rh_recorder_settle_batch(session, is_blind    ? WHY_OBSERVER_LOST
                                      : pipelined ? WHY_PIPELINED
                                                  : WHY_OBSERVED);
}

/* --- the tap's handler --- */

static void session_opened(void *context, struct tap_session *tap_session)
{
    struct recorder *recorder = context;
    struct trace *trace = recorder->trace;
    if (recorder->has_finished)
        return;
    trace->connected = true;
    struct recorder_session *session = calloc(1, sizeof(*session));
    if (!session)
        RH_PANIC("out of memory for a session");
    const struct conversation_handler handler = {.context = session,
                                                 .begun = rh_recorder_on_begun,
                                                 .resumed = rh_recorder_on_resumed,
                                                 .completed = rh_recorder_on_completed,
                                                 .failed = rh_recorder_on_failed,
                                                 .ended = rh_recorder_on_ended,
                                                 .ready = rh_recorder_on_ready};
    session->recorder = recorder;
    session->tap_session = tap_session;
    session->conversation = rh_conversation_new(&handler);
    session->index = -1;
    session->references = 1;
    session->transaction = -1;
    session->running = (struct running){.index = -1, .piece_place = PLACE_NONE};
    session->arena = rh_arena_new();
    session->batch_arena = rh_arena_new();
    session->pieces_arena = rh_arena_new();
    rh_lock_book_init(&session->locks);
    session->hold_timer = rh_loop_timer_new(recorder->options.loop, on_hold_expired, session);
    if (trace->sessions.count < SESSIONS_MAX) {
        struct session *kept = RH_PUSH(trace->arena, &trace->sessions);
        *kept = (struct session){.connected_us = rh_recorder_now(recorder), .ended_us = -1};
        session->index = (int)trace->sessions.count - 1;
    }
    session->next = recorder->sessions;
    recorder->sessions = session;
    *rh_tap_session_data(tap_session) = session;
    if (recorder->drops_rows)
        rh_perform_drop_rows(tap_session);
}

static struct session *kept_session(struct recorder_session *session)
{
    return session->index >= 0 ? &session->recorder->trace->sessions.items[session->index] : NULL;
}

/* What runs or is open is cut off now. */
void rh_recorder_cut_session(struct recorder_session *session, bool has_closed)
{
    struct recorder *recorder = session->recorder;
    int64_t now_us = rh_recorder_now(recorder);
    struct running *running = &session->running;
    struct session *kept = kept_session(session);
    bool was_idle = !running->is_active;

    rh_loop_timer_stop(session->hold_timer);
    session->stale_boundaries += session->awaits_boundary;
    session->stale_storages += session->awaits_storage;
    session->is_holding = session->awaits_boundary = session->awaits_storage = false;
    if (running->is_active) {
        if (recorder->observer)
            rh_observer_statement_ended(recorder->observer);
        running->is_active = false;
        if (running->index >= 0) {
            struct statement *statement = rh_recorder_statement(recorder, running->index);
            bool finished = running->has_error;
            rh_recorder_finish_place(statement, false, now_us);
            rh_recorder_label(recorder, statement);
            statement->finished = finished;
            struct statement *piece = rh_recorder_at(recorder, rh_recorder_home(session));
            if (piece && piece != statement && !piece->finished) {
                rh_recorder_finish_place(piece, false, now_us);
                piece->finished = finished;
            }
        }
        *RH_PUSH(session->batch_arena, &session->batch) = *running;
    }
    if (session->transaction >= 0) {
        bool was_open = session->is_explicit && !session->has_ended;
        /* One that had failed, or that was cut in the middle, is given up by that alone. */
        if (kept && was_open && was_idle && session->status == 'T')
            kept->left_transaction_open = true;
        if (has_closed || !was_open)
            rh_recorder_end_transaction(session, false, now_us);
        rh_recorder_end_probes(session);
        session->transaction_end_us = session->has_ended ? session->transaction_end_us : now_us;
        rh_recorder_settle_transaction(session, NULL, 0);
    }
    rh_recorder_settle_batch(session, WHY_UNFINISHED);
    if (kept && has_closed)
        kept->ended_us = now_us;
    if (recorder->observer && session->pid != 0)
        rh_observer_unwatch(recorder->observer, session->pid);
}

static void session_closed(void *context, struct tap_session *tap_session)
{
    struct recorder *recorder = context;
    struct recorder_session *session = *rh_tap_session_data(tap_session);
    if (!session)
        return;
    session->tap_session = NULL;
    if (!recorder->has_finished) {
        rh_recorder_cut_session(session, true);
        if (rh_conversation_is_lost(session->conversation))
            *RH_PUSH(recorder->trace->arena, &recorder->trace->not_observed) =
                "a session sent more ahead than can be followed: its last statements are missing";
        rh_recorder_emit(recorder, "session_ended",
                         json_pack("{s:i, s:I}", "session", session->index, "backend_pid",
                                   (json_int_t)session->pid));
    }
    rh_recorder_session_release(session);
}

static enum tap_action frontend_message(void *context, struct tap_session *tap_session,
                                        const struct pg_message *message)
{
    struct recorder *recorder = context;
    struct recorder_session *session = *rh_tap_session_data(tap_session);
    if (!session || recorder->has_finished)
        return TAP_FORWARD;
    if (message->type != 0) {
        rh_conversation_frontend(session->conversation, message, rh_recorder_now(recorder));
        rh_arena_clear(recorder->scratch);
        return TAP_FORWARD;
    }
    struct pg_startup startup = {0};
    struct session *kept = kept_session(session);
    if (kept && rh_pg_decode_startup(message->body, &startup)) {
        kept->user = rh_recorder_keep(recorder, startup.user);
        kept->database = rh_recorder_keep(recorder,
                                          startup.database ? startup.database : startup.user);
        kept->application_name = rh_recorder_keep(recorder, startup.application_name);
    }
    return TAP_FORWARD;
}

static void backend_key(struct recorder_session *session, struct text body)
{
    struct recorder *recorder = session->recorder;
    uint32_t pid = 0;
    struct session *kept = kept_session(session);
    if (!rh_pg_decode_backend_key(body, &pid))
        return;
    session->pid = pid;
    if (kept)
        kept->backend_pid = pid;
    if (recorder->observer)
        rh_observer_watch(recorder->observer, pid);
    rh_recorder_emit(recorder, "session_started",
                     json_pack("{s:i, s:I, s:s?, s:s?}", "session", session->index, "backend_pid",
                               (json_int_t)pid, "application_name",
                               kept ? kept->application_name : NULL, "user",
                               kept ? kept->user : NULL));
}

static enum tap_action backend_message(void *context, struct tap_session *tap_session,
                                       const struct pg_message *message)
{
    struct recorder *recorder = context;
    struct recorder_session *session = *rh_tap_session_data(tap_session);
    const char *name = NULL, *value = NULL;
    if (!session || recorder->has_finished)
        return TAP_FORWARD;
    enum tap_action action = TAP_FORWARD;
    switch (message->type) {
    case 'N':
        action = rh_recorder_on_notice(session, message) ? TAP_SWALLOW : TAP_FORWARD;
        break;
    case 'K':
        backend_key(session, message->body);
        break;
    case 'S': {
        struct session *kept = kept_session(session);
        if (kept && rh_pg_decode_parameter_status(message->body, &name, &value) &&
            strcmp(name, "application_name") == 0 &&
            (!kept->application_name || strcmp(kept->application_name, value) != 0))
            kept->application_name = rh_recorder_keep(recorder, value);
        break;
    }
    default:
        /* The session lives on here whatever an answer given at once does. */
        session->references++;
        rh_conversation_backend(session->conversation, message, rh_recorder_now(recorder));
        if (message->type == 'Z' && session->is_holding)
            action = TAP_HOLD;
        rh_recorder_session_release(session);
        break;
    }
    rh_arena_clear(recorder->scratch);
    return action;
}

struct tap_handler rh_recorder_tap_handler(struct recorder *recorder)
{
    struct tap_handler handler = {.collect_max = BODY_MAX,
                                  .context = recorder,
                                  .session_opened = session_opened,
                                  .session_closed = session_closed,
                                  .frontend_message = frontend_message,
                                  .backend_message = backend_message};
    rh_conversation_types(&handler.frontend_types, &handler.backend_types);
    rh_pg_type_set_add(&handler.frontend_types, 0);
    for (const char *type = "NSK"; *type; type++)
        rh_pg_type_set_add(&handler.backend_types, (unsigned char)*type);
    return handler;
}
