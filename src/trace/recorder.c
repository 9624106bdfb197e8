#include "trace/recorder_int.h"

#include "sql/facts.h"
#include "sql/split.h"
#include "trace/redact.h"

#include <stdlib.h>

/* --- small helpers ------------------------------------------------------------------------------
 */

int64_t rh_recorder_now(const struct recorder *recorder)
{
    return rh_clock_mono().us - recorder->origin.us;
}

void rh_recorder_start(struct recorder *recorder)
{
    recorder->disk_bytes = rh_recorder_disk_bytes(recorder);
    recorder->origin = rh_clock_mono();
    recorder->trace->started_at = rh_clock_wall();
}

int64_t rh_recorder_server_time(const struct recorder *recorder, int64_t server_us,
                                int64_t floor_us)
{
    int64_t at_us = server_us - recorder->trace->started_at.us;
    int64_t now_us = rh_recorder_now(recorder);
    if (at_us > now_us)
        at_us = now_us;
    return at_us < floor_us ? floor_us : at_us;
}

struct statement *rh_recorder_at(struct recorder *recorder, struct place place)
{
    if (place.statement < 0)
        return NULL;
    struct statement *statement = rh_recorder_statement(recorder, place.statement);
    if (place.child >= 0)
        statement = &statement->children.items[place.child];
    if (place.grandchild >= 0)
        statement = &statement->children.items[place.grandchild];
    return statement;
}

static void init_statement(struct statement *statement)
{
    statement->step = -1;
    statement->session = -1;
    statement->transaction = -1;
    statement->rows = NOT_OBSERVED;
    statement->wal_bytes = NOT_OBSERVED;
    statement->temp_bytes = NOT_OBSERVED;
    statement->disk_growth_bytes = NOT_OBSERVED;
    statement->lock_timeout_ms = -1;
    statement->statement_timeout_ms = -1;
}

/* The text as kept: without passwords, cut at a character. */
static const char *keep_text(struct recorder *recorder, struct text sql)
{
    size_t max = recorder->text_bytes > TEXTS_MAX ? SHORT_TEXT_MAX : STATEMENT_TEXT_MAX;
    if (sql.len > max) {
        sql.len = max;
        sql.len = rh_text_utf8_valid_prefix(sql) + 4 >= max ? rh_text_utf8_valid_prefix(sql) : max;
    }
    char *kept = rh_redact_sql(recorder->trace->arena, sql);
    recorder->text_bytes += (int64_t)sql.len;
    return kept;
}

struct place rh_recorder_add_child(struct recorder *recorder, struct place place, struct text sql,
                                   int64_t start_us)
{
    struct statement *parent = rh_recorder_at(recorder, place);
    if (!parent || place.grandchild >= 0 || parent->children.count >= CHILDREN_MAX)
        return PLACE_NONE;
    const char *kept = keep_text(recorder, sql);
    struct statement *child = RH_PUSH(recorder->trace->arena, &parent->children);
    init_statement(child);
    child->step = parent->step;
    child->line = parent->line;
    child->column = parent->column;
    child->sql = kept;
    child->sql_bytes = (int64_t)sql.len;
    child->session = parent->session;
    child->transaction = parent->transaction;
    child->in_transaction = parent->in_transaction;
    child->extended = parent->extended;
    child->start_us = start_us;
    child->observation = OBSERVED_NOT;
    if (place.child < 0)
        place.child = (int)parent->children.count - 1;
    else
        place.grandchild = (int)parent->children.count - 1;
    return place;
}

struct place rh_recorder_home(const struct recorder_session *session)
{
    const struct running *running = &session->running;
    if (running->piece_count > 0 && running->piece_place.statement >= 0)
        return running->piece_place;
    return (struct place){running->index, -1, -1};
}

struct running *rh_recorder_current(struct recorder_session *session)
{
    if (session->running.is_active)
        return &session->running;
    if (session->batch.count > 0)
        return &session->batch.items[session->batch.count - 1];
    return NULL;
}

bool rh_recorder_is_idle(const struct recorder *recorder)
{
    for (const struct recorder_session *s = recorder->sessions; s; s = s->next)
        if (s->tap_session && (s->running.is_active || s->is_holding))
            return false;
    return true;
}

/* --- where statements stand ----------------------------------------------------------------------
 */

void rh_recorder_set_place(struct recorder *recorder, int step, int line, int column)
{
    recorder->step = step;
    recorder->line = line;
    recorder->column = column;
    recorder->script = (struct text){NULL, 0};
}

void rh_recorder_set_script(struct recorder *recorder, int step, struct text script, size_t offset)
{
    struct text_position position = rh_text_position(script, offset);
    rh_recorder_set_place(recorder, step, 0, 0);
    recorder->script = script;
    recorder->script_offset = offset;
    recorder->script_line = position.line;
    recorder->script_column = position.column;
}

/* Looks the statement up behind the one before it; a text that psql changed (variables, comments)
   is not found and has no line. */
static void find_in_script(struct recorder *recorder, struct text sql)
{
    recorder->line = recorder->column = 0;
    struct text trimmed = rh_text_trim(sql);
    struct text rest = {recorder->script.data + recorder->script_offset,
                        recorder->script.len - recorder->script_offset};
    const char *found = trimmed.len > 0 && trimmed.len <= rest.len
                            ? memmem(rest.data, rest.len, trimmed.data, trimmed.len)
                            : NULL;
    if (!found)
        return;
    size_t skipped = (size_t)(found - rest.data);
    struct text_position position = rh_text_position(rest, skipped);
    size_t column = position.line == 1 ? recorder->script_column + position.column - 1
                                       : position.column;
    recorder->script_line += position.line - 1;
    recorder->script_column = column;
    recorder->script_offset += skipped;
    recorder->line = (int)recorder->script_line;
    recorder->column = (int)recorder->script_column;
}

/* --- transactions --------------------------------------------------------------------------------
 */

/* "BEGIN" of "BEGIN;": one line, without the semicolon. */
static const char *opener(struct recorder_session *session, const char *sql)
{
    struct text text = rh_text_trim(rh_text(sql ? sql : ""));
    if (rh_text_ends_with(text, ";"))
        text.len--;
    return rh_text_one_line(session->recorder->trace->arena, text, OPENER_COLUMNS);
}

static void begin_transaction(struct recorder_session *session, int64_t start_us,
                              const char *opened_by, int opened_by_statement)
{
    struct trace *trace = session->recorder->trace;
    struct transaction *transaction = RH_PUSH(trace->arena, &trace->transactions);
    *transaction = (struct transaction){.session = session->index,
                                        .start_us = start_us,
                                        .end_us = -1,
                                        .opened_by = opened_by ? opener(session, opened_by) : NULL,
                                        .opened_by_statement = opened_by_statement};
    session->transaction = (int)trace->transactions.count - 1;
    session->is_explicit = opened_by != NULL;
    session->has_ended = false;
    session->may_have_changed_storage = session->owes_storage;
    session->owes_storage = false;
    session->last_observed_us = start_us;
}

static void make_explicit(struct recorder_session *session, const char *opened_by, int index)
{
    struct trace *trace = session->recorder->trace;
    struct transaction *transaction = &trace->transactions.items[session->transaction];
    session->is_explicit = true;
    transaction->opened_by = opener(session, opened_by);
    transaction->opened_by_statement = index >= 0 ? index + 1 : 0;
}

static void end_transaction(struct recorder_session *session, bool committed, int64_t at_us)
{
    struct trace *trace = session->recorder->trace;
    if (session->transaction < 0 || session->has_ended)
        return;
    struct transaction *transaction = &trace->transactions.items[session->transaction];
    transaction->end_us = at_us;
    transaction->committed = committed;
    session->has_ended = true;
    session->transaction_end_us = at_us;
    rh_recorder_end_probes(session);
    rh_event_transaction_ended(session->recorder, session->transaction);
}

/* --- statements (conversation_handler) -----------------------------------------------------------
 */

/* A command is about to run: it needs a transaction that is not over. */
static void enter_transaction(struct recorder_session *session, int64_t start_us)
{
    if (session->transaction >= 0 && session->has_ended) {
        session->owes_storage |= session->may_have_changed_storage;
        rh_recorder_settle_transaction(session, NULL, 0);
    }
    if (session->transaction < 0)
        begin_transaction(session, start_us, NULL, 0);
}

static void open_piece(struct recorder_session *session, int64_t start_us)
{
    struct running *running = &session->running;
    enter_transaction(session, start_us);
    struct place place = {running->index, -1, -1};
    struct text sql = running->piece < session->pieces.count ? session->pieces.items[running->piece]
                                                             : (struct text){"", 0};
    running->piece_place = rh_recorder_add_child(session->recorder, place, sql, start_us);
    struct statement *child = rh_recorder_at(session->recorder, running->piece_place);
    if (child) {
        child->transaction = session->transaction;
        child->in_transaction = session->is_explicit;
    }
}

void rh_recorder_next_piece(struct recorder_session *session, int64_t at_us)
{
    struct running *running = &session->running;
    running->piece_place = PLACE_NONE;
    if (++running->piece < running->piece_count)
        open_piece(session, at_us);
}

/* A string of several statements runs as one: each is a child. The text is kept (and split) without
   passwords. */
static void split_pieces(struct recorder_session *session, const char *sql)
{
    struct text text = rh_text_trim(rh_text(sql));
    const char *semicolon = memchr(text.data, ';', text.len);
    if (!semicolon || semicolon == text.data + text.len - 1)
        return;
    struct sql_script script = {0};
    rh_sql_split_by_scanner(text, session->pieces_arena, &script);
    if (script.statements.count < 2)
        return;
    for (size_t i = 0; i < script.statements.count; i++)
        *RH_PUSH(session->pieces_arena, &session->pieces) = script.statements.items[i].text;
    session->running.piece_count = script.statements.count;
}

static int on_begun(void *context, const struct conversation_statement *begun)
{
    struct recorder_session *session = context;
    struct recorder *recorder = session->recorder;
    struct trace *trace = recorder->trace;

    session->running = (struct running){.index = -1, .is_active = true, .piece_place = PLACE_NONE};
    for (size_t i = 0; i < FRAMES_MAX; i++)
        session->running.frames[i].place = PLACE_NONE;
    rh_arena_clear(session->pieces_arena);
    memset(&session->pieces, 0, sizeof(session->pieces));
    if (recorder->has_finished)
        return -1;
    enter_transaction(session, begun->start_us);
    if (recorder->observer)
        rh_observer_statement_started(recorder->observer);
    if (trace->statements.count >= STATEMENTS_MAX) {
        recorder->dropped_statements++;
        return -1;
    }
    if (recorder->script.data)
        find_in_script(recorder, begun->sql);
    const char *sql = keep_text(recorder, begun->sql);
    struct statement *statement = RH_PUSH(trace->arena, &trace->statements);
    init_statement(statement);
    int index = (int)trace->statements.count - 1;
    statement->index = index + 1;
    statement->step = recorder->step;
    statement->line = recorder->line;
    statement->column = recorder->column;
    statement->sql = sql;
    statement->sql_bytes = begun->sql_bytes;
    statement->extended = begun->extended;
    statement->session = session->index;
    statement->transaction = session->transaction;
    statement->in_transaction = session->is_explicit;
    statement->start_us = begun->start_us;
    statement->observation = OBSERVED_NOT;
    session->running.index = index;
    if (session->statements.count < BATCH_MAX)
        *RH_PUSH(session->arena, &session->statements) = index;
    if (!begun->extended)
        split_pieces(session, sql);
    rh_event_statement_started(recorder, index);
    if (session->running.piece_count > 0)
        open_piece(session, begun->start_us);
    return index;
}

static void on_resumed(void *context, int token)
{
    struct recorder_session *session = context;
    session->running = (struct running){.index = token, .is_active = true};
    session->running.piece_place = PLACE_NONE;
    /* It may stand in the batch already: it goes on as the one it was. */
    for (size_t i = 0; i < session->batch.count; i++)
        if (session->batch.items[i].index == token) {
            session->running = session->batch.items[i];
            session->running.is_active = true;
            memmove(&session->batch.items[i], &session->batch.items[i + 1],
                    (session->batch.count - i - 1) * sizeof(session->batch.items[0]));
            session->batch.count--;
            break;
        }
    if (session->recorder->observer && !session->recorder->has_finished)
        rh_observer_statement_started(session->recorder->observer);
}

static void finish_place(struct statement *statement, bool ok, int64_t at_us)
{
    statement->finished = true;
    statement->ok = ok;
    statement->duration_us = at_us > statement->start_us ? at_us - statement->start_us : 0;
}

/* Prepared transactions are told by their order alone: their names are the user's. */
static void end_prepared(struct recorder *recorder, bool committed, int64_t at_us)
{
    const struct prepared_transaction *last = &recorder->prepared.items[--recorder->prepared.count];
    struct transaction *transaction = &recorder->trace->transactions.items[last->transaction];
    transaction->end_us = at_us;
    transaction->committed = committed;
}

static void note_prepared(struct recorder *recorder)
{
    struct trace *trace = recorder->trace;
    for (size_t i = 0; i < recorder->prepared.count; i++) {
        const struct prepared_transaction *left = &recorder->prepared.items[i];
        trace->transactions.items[left->transaction].end_us = -1;
        if (left->session >= 0)
            trace->sessions.items[left->session].left_transaction_open = true;
        *RH_PUSH(trace->arena, &trace->not_observed) =
            "a prepared transaction was left behind: how long its locks are held was not observed";
    }
}

/* BEGIN, COMMIT and ROLLBACK say what becomes of the transaction; the tag of ROLLBACK TO SAVEPOINT
   is ROLLBACK too, so its words are looked at. */
static void control_transaction(struct recorder_session *session, struct text tag, const char *sql,
                                int64_t at_us)
{
    struct recorder *recorder = session->recorder;
    if (rh_text_is(tag, "BEGIN") || rh_text_is(tag, "START TRANSACTION")) {
        make_explicit(session, sql, session->running.index);
        struct statement *statement = rh_recorder_at(recorder, rh_recorder_home(session));
        if (statement)
            statement->in_transaction = true;
    } else if (rh_text_is(tag, "PREPARE TRANSACTION")) {
        /* It goes on without a session, and so do its locks. */
        end_transaction(session, false, at_us);
        if (session->transaction >= 0)
            *RH_PUSH(recorder->trace->arena, &recorder->prepared) = (struct prepared_transaction){
                session->index, session->transaction};
    } else if (rh_text_is(tag, "COMMIT PREPARED") || rh_text_is(tag, "ROLLBACK PREPARED")) {
        if (recorder->prepared.count > 0)
            end_prepared(recorder, rh_text_is(tag, "COMMIT PREPARED"), at_us);
    } else if (rh_text_is(tag, "COMMIT")) {
        end_transaction(session, true, at_us);
    } else if (rh_text_is(tag, "ROLLBACK")) {
        struct sql_facts facts = {0};
        rh_sql_facts_of_words(rh_text(sql), recorder->scratch, &facts);
        if (facts.ends_transaction)
            end_transaction(session, false, at_us);
    }
}

static void on_completed(void *context, struct text tag, int64_t rows, int64_t at_us)
{
    struct recorder_session *session = context;
    struct recorder *recorder = session->recorder;
    struct running *running = &session->running;
    if (recorder->has_finished || running->index < 0)
        return;
    struct statement *statement = rh_recorder_statement(recorder, running->index);
    const char *kept = rh_text_dup(recorder->trace->arena, tag);

    if (rh_recorder_tag_may_change_storage(kept))
        session->may_have_changed_storage = true;
    if (!statement->tag || !rh_recorder_is_control(kept))
        statement->tag = kept;
    if (rows >= 0)
        statement->rows = statement->rows < 0 ? rows : statement->rows + rows;
    if (running->piece_count == 0) {
        control_transaction(session, tag, statement->sql, at_us);
        return;
    }
    /* The answer may come after the report that this command ended. */
    size_t number = running->completed++;
    bool is_current = number == running->piece;
    if (number < statement->children.count && number < running->piece_count) {
        struct statement *piece = &statement->children.items[number];
        piece->tag = kept;
        piece->rows = rows >= 0 ? rows : NOT_OBSERVED;
        if (!piece->finished)
            finish_place(piece, true, at_us);
        if (rh_recorder_is_control(kept))
            piece->observation = OBSERVED_EXACT;
        control_transaction(session, tag, piece->sql, at_us);
    }
    /* What a piece locked is shown by any later report of the same transaction. */
    if (session->has_ended)
        running->lost_piece |= running->has_unseen_piece;
    else if (is_current && !rh_recorder_is_control(kept))
        running->has_unseen_piece = true;
    if (is_current)
        rh_recorder_next_piece(session, at_us);
}

/* --- messages of the server
 * ------------------------------------------------------------------------ */

struct fields {
    const char *values[128]; /* by field code */
};

static void take_field(void *context, char code, const char *value)
{
    struct fields *fields = context;
    if ((unsigned char)code < 128)
        fields->values[(unsigned char)code] = value;
}

static const char *keep(struct recorder *recorder, const char *value)
{
    return value ? rh_arena_strdup(recorder->trace->arena, value) : NULL;
}

/* Copies into the trace's arena, values masked. */
static struct server_message read_message(struct recorder *recorder, const struct fields *fields)
{
    struct arena *arena = recorder->trace->arena;
    const char *const *v = fields->values;
    struct server_message message = {0};
    const char *sqlstate = v['C'] ? v['C'] : "";
    snprintf(message.sqlstate, sizeof(message.sqlstate), "%s", sqlstate);
    message.severity = keep(recorder, v['V'] ? v['V'] : v['S']);
    if (v['M'])
        message.message = rh_mask_message(arena, sqlstate, rh_text(v['M']));
    if (v['D'])
        message.detail = rh_mask_detail(arena, sqlstate, rh_text(v['D']));
    message.hint = keep(recorder, v['H']);
    if (v['W'])
        message.context = rh_mask_context(arena, rh_text(v['W']));
    message.schema = keep(recorder, v['s']);
    message.table = keep(recorder, v['t']);
    message.column = keep(recorder, v['c']);
    message.constraint = keep(recorder, v['n']);
    message.data_type = keep(recorder, v['d']);
    message.position = v['P'] ? strtoll(v['P'], NULL, 10) : 0;
    if (v['q'])
        message.internal_query = rh_redact_sql(arena, rh_text(v['q']));
    return message;
}

static void on_failed(void *context, const struct pg_message *error, bool has_statement,
                      int64_t at_us)
{
    struct recorder_session *session = context;
    struct recorder *recorder = session->recorder;
    (void)at_us;
    if (recorder->has_finished)
        return;
    struct fields fields = {{0}};
    (void)rh_pg_decode_fields(error->body, take_field, &fields); /* what could be read counts */
    struct server_message message = read_message(recorder, &fields);
    rh_event_message(session, &message);
    struct running *running = has_statement ? &session->running : rh_recorder_current(session);
    if (!running || running->index < 0)
        return;
    running->has_error = true;
    struct statement *statement = rh_recorder_statement(recorder, running->index);
    if (!statement->error) {
        statement->error = RH_NEW(recorder->trace->arena, struct server_message);
        *statement->error = message;
    }
    statement->ok = false;
    if (!has_statement)
        return;
    /* The innermost command that was under way failed with it. */
    struct place places[] = {rh_recorder_home(session), PLACE_NONE};
    for (size_t depth = 1; depth < FRAMES_MAX; depth++)
        if (running->frames[depth].is_open)
            places[1] = running->frames[depth].place;
    for (size_t i = 0; i < 2; i++) {
        struct statement *part = rh_recorder_at(recorder, places[i]);
        if (part && part != statement) {
            part->error = statement->error;
            finish_place(part, false, at_us);
        }
    }
}

static bool on_notice(struct recorder_session *session, const struct pg_message *notice)
{
    struct recorder *recorder = session->recorder;
    const char *private_state = recorder->options.engine->evidence_sqlstate;
    struct fields fields = {{0}};
    if (!rh_pg_decode_fields(notice->body, take_field, &fields))
        return false;
    const char *sqlstate = fields.values['C'];
    if (private_state && sqlstate && strcmp(sqlstate, private_state) == 0 && notice->is_whole &&
        fields.values['D'] && rh_recorder_take_evidence(session, fields.values['D']))
        return true;
    struct running *running = rh_recorder_current(session);
    if (recorder->has_finished || !running || running->index < 0)
        return false;
    struct statement *statement = rh_recorder_statement(recorder, running->index);
    statement->notice_count++;
    if (statement->notices.count >= NOTICES_MAX)
        return false;
    struct server_message message = read_message(recorder, &fields);
    *RH_PUSH(recorder->trace->arena, &statement->notices) = message;
    rh_event_message(session, &message);
    return false;
}

static void on_ended(void *context, bool ok, bool suspended, int64_t at_us)
{
    struct recorder_session *session = context;
    struct recorder *recorder = session->recorder;
    struct running *running = &session->running;
    (void)suspended; /* it counts as ended until it goes on */
    if (recorder->has_finished)
        return;
    running->is_active = false;
    if (recorder->observer)
        rh_observer_statement_ended(recorder->observer);
    if (running->index >= 0) {
        struct statement *statement = rh_recorder_statement(recorder, running->index);
        finish_place(statement, ok && !running->has_error, at_us);
        if (!statement->tag) {
            struct sql_facts facts = {0};
            rh_sql_facts_of_words(rh_text(statement->sql), recorder->scratch, &facts);
            if (facts.tag && facts.tag[0] != '\0')
                statement->tag = rh_arena_strdup(recorder->trace->arena, facts.tag);
        }
    }
    if (session->batch.count >= BATCH_MAX)
        rh_recorder_settle_batch(session, WHY_PIPELINED);
    *RH_PUSH(session->batch_arena, &session->batch) = *running;
}

/* --- the boundary: ReadyForQuery is held while it is read
 * ------------------------------------------ */

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

static void session_release(struct recorder_session *session)
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
    session_release(session);
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
    session_release(session);
}

/* Closing, opening and naming transactions by the status; then what the boundary is needed for. */
static void on_ready(void *context, char status, bool pipelined, int64_t at_us)
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
    session->boundary_wal = -1;
    if (status == 'I') {
        end_transaction(session, last && !last->has_error, at_us);
    } else {
        if (session->has_ended) { /* AND CHAIN */
            session->owes_storage |= session->may_have_changed_storage;
            rh_recorder_settle_transaction(session, NULL, 0);
        }
        if (session->transaction < 0)
            begin_transaction(session, at_us, sql ? sql : "",
                              last && last->index >= 0 ? last->index + 1 : 0);
        else if (!session->is_explicit)
            make_explicit(session, sql, last ? last->index : -1);
    }
    bool wanted = session->batch.count > 0 || (is_first && recorder->first_wal < 0);
    if (!wanted || !recorder->observer || recorder->observer_lost || session->pid == 0 ||
        pipelined) {
        if (session->has_ended) {
            session->owes_storage |= session->may_have_changed_storage;
            rh_recorder_settle_transaction(session, NULL, 0);
        }
        rh_recorder_settle_batch(session, recorder->observer_lost ? WHY_OBSERVER_LOST
                                          : pipelined             ? WHY_PIPELINED
                                                                  : WHY_NO_ANSWER);
        return;
    }
    session->is_holding = true;
    session->awaits_boundary = true;
    session->references++;
    rh_loop_timer_start(session->hold_timer, HOLD_MAX_US, 0);
    rh_observer_read_boundary(recorder->observer, session->pid, on_boundary, session);
}

/* --- the tap's handler
 * ------------------------------------------------------------------------------ */

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
                                                 .begun = on_begun,
                                                 .resumed = on_resumed,
                                                 .completed = on_completed,
                                                 .failed = on_failed,
                                                 .ended = on_ended,
                                                 .ready = on_ready};
    session->recorder = recorder;
    session->tap_session = tap_session;
    session->conversation = rh_conversation_new(&handler);
    session->index = -1;
    session->references = 1;
    session->transaction = -1;
    session->boundary_wal = -1;
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
}

static struct session *kept_session(struct recorder_session *session)
{
    return session->index >= 0 ? &session->recorder->trace->sessions.items[session->index] : NULL;
}

/* What runs or is open is cut off now. */
static void cut_session(struct recorder_session *session, bool has_closed)
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
            finish_place(statement, false, now_us);
            statement->finished = finished;
            struct statement *piece = rh_recorder_at(recorder, rh_recorder_home(session));
            if (piece && piece != statement && !piece->finished) {
                finish_place(piece, false, now_us);
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
            end_transaction(session, false, now_us);
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
        cut_session(session, true);
        if (rh_conversation_is_lost(session->conversation))
            *RH_PUSH(recorder->trace->arena, &recorder->trace->not_observed) =
                "a session sent more ahead than can be followed: its last statements are missing";
        rh_recorder_emit(recorder, "session_ended",
                         json_pack("{s:i, s:I}", "session", session->index, "backend_pid",
                                   (json_int_t)session->pid));
    }
    session_release(session);
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
        kept->user = keep(recorder, startup.user);
        kept->database = keep(recorder, startup.database ? startup.database : startup.user);
        kept->application_name = keep(recorder, startup.application_name);
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
        action = on_notice(session, message) ? TAP_SWALLOW : TAP_FORWARD;
        break;
    case 'K':
        backend_key(session, message->body);
        break;
    case 'S': {
        struct session *kept = kept_session(session);
        if (kept && rh_pg_decode_parameter_status(message->body, &name, &value) &&
            strcmp(name, "application_name") == 0 &&
            (!kept->application_name || strcmp(kept->application_name, value) != 0))
            kept->application_name = keep(recorder, value);
        break;
    }
    default:
        /* The session lives on here whatever an answer given at once does. */
        session->references++;
        rh_conversation_backend(session->conversation, message, rh_recorder_now(recorder));
        if (message->type == 'Z' && session->is_holding)
            action = TAP_HOLD;
        session_release(session);
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

/* --- life cycle ----------------------------------------------------------------------------------
 */

static void on_sampled(void *context, const struct sample *sample)
{
    struct recorder *recorder = context;
    if (!recorder->has_finished)
        rh_recorder_take_sample(recorder, sample);
}

static void on_observer_lost(void *context, const struct err *err)
{
    struct recorder *recorder = context;
    if (recorder->observer_lost || recorder->has_finished)
        return;
    recorder->observer_lost = recorder->trace->observer_lost = true;
    rh_recorder_emit(recorder, "observer_lost", json_pack("{s:s}", "reason", err->message));
}

struct observer_handler rh_recorder_observer_handler(struct recorder *recorder)
{
    return (struct observer_handler){
        .context = recorder, .sampled = on_sampled, .lost = on_observer_lost};
}

void rh_recorder_set_observer(struct recorder *recorder, struct observer *observer)
{
    recorder->observer = observer;
}

enum err_code rh_recorder_new(const struct recorder_options *options,
                              struct recorder **ret_recorder, struct err *err)
{
    struct recorder *recorder = calloc(1, sizeof(*recorder));
    if (!recorder)
        RH_PANIC("out of memory for the recorder");
    recorder->options = *options;
    recorder->trace = options->trace;
    recorder->step = -1;
    recorder->first_wal = recorder->last_wal = -1;
    recorder->scratch = rh_arena_new();
    recorder->log_arena = rh_arena_new();
    rh_recorder_start(recorder);
    if (options->log_path) {
        enum err_code code = options->engine->log_open(options->log_path, &recorder->log, err);
        if (code) {
            rh_recorder_free(recorder);
            return code;
        }
    }
    *ret_recorder = recorder;
    return RH_OK;
}

void rh_recorder_free(struct recorder *recorder)
{
    if (!recorder)
        return;
    while (recorder->sessions) {
        recorder->sessions->references = 1;
        session_release(recorder->sessions);
    }
    if (recorder->log)
        recorder->options.engine->log_close(recorder->log);
    rh_lock_book_deinit(&recorder->touched);
    rh_arena_free(recorder->scratch);
    rh_arena_free(recorder->log_arena);
    free(recorder);
}

void rh_recorder_emit(struct recorder *recorder, const char *name, json_t *event)
{
    if (recorder->options.event && event) {
        json_object_set_new(event, "event", json_string(name));
        json_object_set_new(event, "at_us", json_integer(rh_recorder_now(recorder)));
        recorder->options.event(recorder->options.event_context, event);
    }
    json_decref(event);
}

static void note_counts(struct recorder *recorder)
{
    static const char *const reasons[WHY_COUNT] = {
#define X(symbol, text) text,
        NOT_OBSERVED_LIST(X)
#undef X
    };
    struct trace *trace = recorder->trace;
    for (size_t why = WHY_OBSERVED + 1; why < WHY_COUNT; why++) {
        int64_t count = recorder->why_counts[why];
        if (count > 0)
            *RH_PUSH(trace->arena, &trace->not_observed) = rh_arena_printf(
                trace->arena, "the locks of %lld statement%s were not observed: %s",
                (long long)count, count == 1 ? "" : "s", reasons[why]);
    }
    if (recorder->dropped_statements > 0)
        *RH_PUSH(trace->arena, &trace->not_observed) = rh_arena_printf(
            trace->arena, "%lld statements beyond the first %d were not recorded",
            (long long)recorder->dropped_statements, STATEMENTS_MAX);
}

static int compare_starts(const void *a, const void *b)
{
    const struct statement *left = a, *right = b;
    return left->start_us < right->start_us ? -1 : left->start_us > right->start_us;
}

/* Commands inside a function are reported as they run, queries when the log is read. Nothing refers
   to children by their place any more. */
static void sort_children(struct statement *statement)
{
    if (statement->children.count > 1)
        qsort(statement->children.items, statement->children.count,
              sizeof(statement->children.items[0]), compare_starts);
    for (size_t i = 0; i < statement->children.count; i++)
        sort_children(&statement->children.items[i]);
}

void rh_recorder_finish(struct recorder *recorder)
{
    struct trace *trace = recorder->trace;
    if (recorder->has_finished)
        return;
    for (struct recorder_session *s = recorder->sessions; s; s = s->next)
        if (s->tap_session)
            cut_session(s, false);
    rh_recorder_read_log(recorder);
    recorder->has_finished = true;
    recorder->observer = NULL;
    trace->wal_bytes = recorder->first_wal >= 0 ? recorder->last_wal - recorder->first_wal
                                                : NOT_OBSERVED;
    trace->temp_bytes = 0;
    for (size_t i = 0; i < trace->statements.count; i++)
        sort_children(&trace->statements.items[i]);
    for (size_t i = 0; i < trace->statements.count; i++)
        if (trace->statements.items[i].temp_bytes > 0)
            trace->temp_bytes += trace->statements.items[i].temp_bytes;
    note_prepared(recorder);
    note_counts(recorder);
}
