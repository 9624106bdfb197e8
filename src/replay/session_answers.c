/*
 * What the server says to a session: which request it answers, what each execution came to.
 *
 * Answers come in the order of the requests. ReadyForQuery ends the first request under way that
 * ends in Q, F or Sync, and all before it; CopyData and CopyDone behind it belong to it too. Two
 * cases make a difference: a Sync that the server reads while it takes CopyData is not answered
 * ("COPY Operations"), and after an error of the extended protocol all is skipped up to the next
 * Sync.
 */
#include "replay/replay_int.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- requests that are over ------------------------------------------------------------------- */

static void done(struct replay_session *session, struct item *item)
{
    struct replay *replay = session->replay;
    item->is_done = true;
    if (session->flying == item) {
        struct item *it = item->next;
        while (it && it->is_done)
            it = it->next;
        session->flying = it && it->is_sent ? it : NULL;
    }
    replay->flying -= item->is_sent;
    free(item->bytes);
    item->bytes = NULL;
    /* Of what asked for nothing, nothing is left to be told. */
    size_t left = item->recorded_executions > 0 ? item->memory : 0;
    replay->ahead_bytes -= item->memory - left;
    item->memory = left;
    rh_cancel_disarm(item);
    rh_order_wait_done(replay, item);
}

void rh_session_item_done(struct replay_session *session, struct item *item)
{
    done(session, item);
    rh_session_settle(session);
}

/* The first one under way that will be answered by ReadyForQuery is over. */
static void take_ready(struct replay_session *session, char status)
{
    session->has_escaped = session->has_escaped && status != 'I';
    bool was_ready = false;
    while (session->flying && !was_ready) {
        was_ready = session->flying->expects_ready;
        done(session, session->flying);
    }
    while (session->flying && session->flying->is_copy && !session->flying->expects_ready)
        done(session, session->flying);
    session->is_skipping = session->is_in_copy = false;
    session->heard_us = session->free_us = rh_replay_virtual(session->replay, rh_clock_mono().us);
    rh_session_settle(session);
    rh_session_advance(session);
}

/* After an error nothing is answered up to the Sync. */
static void skip_to_sync(struct replay_session *session)
{
    session->is_in_copy = false;
    if (session->flying->is_simple)
        return;
    session->is_skipping = true;
    while (session->flying && !session->flying->expects_ready)
        done(session, session->flying);
}

/* --- executions ------------------------------------------------------------------------------- */

static struct outcome *add_outcome(struct item *item)
{
    if (item->outcome_count == item->outcome_capacity) {
        item->outcome_capacity = item->outcome_capacity ? 2 * item->outcome_capacity : 1;
        item->outcomes = realloc(item->outcomes, item->outcome_capacity * sizeof(*item->outcomes));
        if (!item->outcomes)
            RH_PANIC("out of memory for a result");
    }
    struct outcome *outcome = &item->outcomes[item->outcome_count++];
    *outcome = (struct outcome){.result.rows = -1};
    return outcome;
}

static struct outcome *end_execution(struct replay_session *session, struct item *item)
{
    int64_t now_us = rh_clock_mono().us;
    struct outcome *outcome = add_outcome(item);
    int64_t from_us = session->complete_us > item->sent_us ? session->complete_us : item->sent_us;
    if (item->step_count > 0) {
        size_t step = item->step_at < item->step_count ? item->step_at : item->step_count - 1;
        outcome->result.pattern = item->steps[step].pattern;
        item->step_at += !item->is_simple;
    }
    outcome->result.returned = session->returned;
    outcome->result.has_digest = !session->digest_failed;
    memcpy(outcome->result.unordered, session->digest.unordered, WORKLOAD_DIGEST_BYTES);
    memcpy(outcome->result.ordered, session->digest.ordered, WORKLOAD_DIGEST_BYTES);
    outcome->first_us = item->first_us;
    outcome->complete_us = now_us;
    outcome->service_us = now_us - from_us;
    session->complete_us = now_us;
    session->returned = 0;
    session->digest_failed = false;
    rh_result_digest_init(&session->digest);
    item->first_us = 0;
    return outcome;
}

static void on_field(void *context, char code, const char *value)
{
    struct workload_result *result = context;
    if (code == 'C')
        snprintf(result->sqlstate, sizeof(result->sqlstate), "%s", value);
}

static void take_error(struct replay_session *session, struct item *item, struct text body)
{
    struct outcome *outcome = end_execution(session, item);
    outcome->result.has_digest = false;
    (void)rh_pg_decode_fields(body, on_field, &outcome->result);
    skip_to_sync(session);
}

/* Answers that a Flush brings forth; with the last one its request is over. */
static void acknowledge(struct replay_session *session, struct item *item)
{
    if (item->acks > 0)
        item->acks--;
    if (item->acks > 0 || !item->is_flush || item->is_done)
        return;
    session->free_us = rh_replay_virtual(session->replay, rh_clock_mono().us);
    rh_session_item_done(session, item);
    rh_session_advance(session);
}

/* The server asks for the data. A Sync that was sent along is not going to be answered. */
static void take_copy_in(struct replay_session *session, struct item *item)
{
    session->is_in_copy = true;
    if (!item->is_simple)
        item->expects_ready = false;
    session->free_us = rh_replay_virtual(session->replay, rh_clock_mono().us);
    rh_session_advance(session);
}

static void take_copy_data(struct replay_session *session, const struct pg_message *message)
{
    if (message->is_whole)
        rh_row_digest_add(&session->digest, &session->replay->digest_key, message->body);
    else
        session->digest_failed = true;
    session->returned++;
}

/* --- messages --------------------------------------------------------------------------------- */

static void take_prologue(struct replay_session *session, const struct pg_message *message)
{
    struct replay *replay = session->replay;
    replay->result->gaps[GAP_PROLOGUE] += message->type == 'E';
    if (message->type != 'Z' || --session->prologue_readies > 0)
        return;
    rh_session_play(session);
}

static void take_message(struct replay_session *session, struct item *item,
                         const struct pg_message *message)
{
    struct text tag;
    switch (message->type) {
    case 'C': {
        struct outcome *outcome = end_execution(session, item);
        if (!rh_pg_decode_command_complete(message->body, &tag, &outcome->result.rows))
            outcome->result.rows = -1;
        session->is_in_copy = false;
        acknowledge(session, item);
        break;
    }
    case 'I':
        (void)end_execution(session, item);
        acknowledge(session, item);
        break;
    case 's':
        end_execution(session, item)->result.is_suspended = true;
        acknowledge(session, item);
        break;
    case 'V':
        if (session->replay->ids && message->is_whole)
            rh_ids_take_value(session, message->body);
        (void)end_execution(session, item);
        break;
    case 'E':
        take_error(session, item, message->body);
        break;
    case 'G':
        take_copy_in(session, item);
        break;
    case 'd':
        take_copy_data(session, message);
        break;
    case '1':
    case '2':
    case '3':
    case 'T':
    case 'n':
        if (!item->is_simple)
            acknowledge(session, item);
        break;
    default: /* H, c: a COPY's beginning and end */
        break;
    }
}

void rh_session_message(void *context, const struct pg_message *message)
{
    struct replay_session *session = context;
    struct item *item = session->flying;
    if (session->state == SESSION_PROLOGUE) {
        take_prologue(session, message);
    } else if (session->state == SESSION_PLAYS && message->type == 'Z') {
        take_ready(session, message->body.len > 0 ? message->body.data[0] : 'I');
    } else if (session->state == SESSION_PLAYS && item) {
        if (item->first_us == 0)
            item->first_us = rh_clock_mono().us;
        take_message(session, item, message);
    }
    rh_replay_rearm(session->replay);
}

static bool is_binary(const struct item *item)
{
    return item && !item->is_simple && item->step_at < item->step_count &&
           item->steps[item->step_at].is_binary;
}

void rh_session_part(void *context, const struct pg_part *part)
{
    struct replay_session *session = context;
    const struct row_digest_key *key = &session->replay->digest_key;
    if (session->state != SESSION_PLAYS)
        return;
    if (session->flying && session->flying->first_us == 0)
        session->flying->first_us = rh_clock_mono().us;
    if (session->replay->ids && session->flying)
        rh_ids_take_row(session, part);
    bool widens = is_binary(session->flying);
    if (part->begins && part->ends && !widens) {
        rh_row_digest_add(&session->digest, key, part->bytes);
        session->returned++;
        return;
    }
    if (!session->stream)
        session->stream = rh_row_digest_stream_new(key);
    if (part->begins)
        rh_row_digest_stream_begin(session->stream, widens);
    rh_row_digest_stream_feed(session->stream, part->bytes);
    if (part->ends) {
        rh_row_digest_stream_end(session->stream, &session->digest);
        session->returned++;
    }
}
