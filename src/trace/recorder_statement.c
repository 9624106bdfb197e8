/*
 * Statements and transactions as the protocol tells them: the handler of a conversation.
 */
#include "trace/recorder_int.h"

#include "sql/facts.h"
#include "sql/split.h"

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

void rh_recorder_begin_transaction(struct recorder_session *session, int64_t start_us,
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

void rh_recorder_make_explicit(struct recorder_session *session, const char *opened_by, int index)
{
    struct trace *trace = session->recorder->trace;
    struct transaction *transaction = &trace->transactions.items[session->transaction];
    session->is_explicit = true;
    transaction->opened_by = opener(session, opened_by);
    transaction->opened_by_statement = index >= 0 ? index + 1 : 0;
}

void rh_recorder_end_transaction(struct recorder_session *session, bool committed, int64_t at_us)
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

/* Prepared transactions are told by their order alone: their names are the user's. */
static void end_prepared(struct recorder *recorder, bool committed, int64_t at_us)
{
    const struct prepared_transaction *last = &recorder->prepared.items[--recorder->prepared.count];
    struct transaction *transaction = &recorder->trace->transactions.items[last->transaction];
    transaction->end_us = at_us;
    transaction->committed = committed;
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
        rh_recorder_begin_transaction(session, start_us, NULL, 0);
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

int rh_recorder_on_begun(void *context, const struct conversation_statement *begun)
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
    if (recorder->script.script.data)
        rh_recorder_find_in_script(recorder, begun->sql);
    const char *sql = rh_recorder_keep_text(recorder, begun->sql);
    struct statement *statement = RH_PUSH(trace->arena, &trace->statements);
    rh_recorder_init_statement(statement);
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

void rh_recorder_on_resumed(void *context, int token)
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

void rh_recorder_finish_place(struct statement *statement, bool ok, int64_t at_us)
{
    statement->finished = true;
    statement->ok = ok;
    statement->duration_us = at_us > statement->start_us ? at_us - statement->start_us : 0;
}

void rh_recorder_label(struct recorder *recorder, struct statement *statement)
{
    struct sql_facts facts = {0};
    if (statement->tag)
        return;
    rh_sql_facts_of_words(rh_text(statement->sql), recorder->scratch, &facts);
    if (facts.tag && facts.tag[0] != '\0')
        statement->tag = rh_arena_strdup(recorder->trace->arena, facts.tag);
}

/* BEGIN, COMMIT and ROLLBACK say what becomes of the transaction; the tag of ROLLBACK TO SAVEPOINT
   is ROLLBACK too, so its words are looked at. */
static void control_transaction(struct recorder_session *session, struct text tag, const char *sql,
                                int64_t at_us)
{
    struct recorder *recorder = session->recorder;
    if (rh_text_is(tag, "BEGIN") || rh_text_is(tag, "START TRANSACTION")) {
        rh_recorder_make_explicit(session, sql, session->running.index);
        struct statement *statement = rh_recorder_at(recorder, rh_recorder_home(session));
        if (statement)
            statement->in_transaction = true;
    } else if (rh_text_is(tag, "PREPARE TRANSACTION")) {
        /* It goes on without a session, and so do its locks. */
        rh_recorder_end_transaction(session, false, at_us);
        if (session->transaction >= 0)
            *RH_PUSH(recorder->trace->arena, &recorder->prepared) = (struct prepared_transaction){
                session->index, session->transaction};
    } else if (rh_text_is(tag, "COMMIT PREPARED") || rh_text_is(tag, "ROLLBACK PREPARED")) {
        if (recorder->prepared.count > 0)
            end_prepared(recorder, rh_text_is(tag, "COMMIT PREPARED"), at_us);
    } else if (rh_text_is(tag, "COMMIT")) {
        rh_recorder_end_transaction(session, true, at_us);
    } else if (rh_text_is(tag, "ROLLBACK")) {
        struct sql_facts facts = {0};
        rh_sql_facts_of_words(rh_text(sql), recorder->scratch, &facts);
        if (facts.ends_transaction)
            rh_recorder_end_transaction(session, false, at_us);
    }
}

void rh_recorder_on_completed(void *context, struct text tag, int64_t rows, int64_t at_us)
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
            rh_recorder_finish_place(piece, true, at_us);
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

void rh_recorder_on_ended(void *context, bool ok, bool suspended, int64_t at_us)
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
        rh_recorder_finish_place(statement, ok && !running->has_error, at_us);
        rh_recorder_label(recorder, statement);
    }
    if (session->batch.count >= BATCH_MAX)
        rh_recorder_settle_batch(session, WHY_PIPELINED);
    *RH_PUSH(session->batch_arena, &session->batch) = *running;
}
