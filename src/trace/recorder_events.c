/*
 * Everything as observed, in order, for whoever follows: one JSON object per event.
 */
#include "trace/recorder_int.h"

static bool is_wanted(const struct recorder *recorder)
{
    return recorder->options.event != NULL;
}

static json_t *text_or_null(const char *s)
{
    json_t *value = s ? json_string(s) : NULL; /* NULL too when it is not UTF-8 */
    return value ? value : json_null();
}

static json_t *count_or_null(int64_t count)
{
    return count == NOT_OBSERVED ? json_null() : json_integer(count);
}

void rh_event_statement_started(struct recorder *recorder, int index)
{
    if (!is_wanted(recorder))
        return;
    const struct statement *s = rh_recorder_statement(recorder, index);
    rh_recorder_emit(recorder, "statement_started",
                     json_pack("{s:i, s:i, s:i, s:i, s:o, s:I}", "statement", s->index, "session",
                               s->session, "step", s->step, "line", s->line, "sql",
                               text_or_null(s->sql), "start_us", (json_int_t)s->start_us));
}

void rh_event_statement_ended(struct recorder *recorder, int index)
{
    if (!is_wanted(recorder))
        return;
    const struct statement *s = rh_recorder_statement(recorder, index);
    json_t *event = json_pack("{s:i, s:o, s:b, s:b, s:I, s:o, s:o, s:i, s:s}", "statement",
                              s->index, "tag", text_or_null(s->tag), "ok", s->ok, "finished",
                              s->finished, "duration_us", (json_int_t)s->duration_us, "rows",
                              count_or_null(s->rows), "wal_bytes", count_or_null(s->wal_bytes),
                              "locks", (int)s->locks.count, "observation",
                              rh_observation_name(s->observation));
    rh_recorder_emit(recorder, "statement_ended", event);
}

static const char *event_name(enum evidence_event event)
{
    switch (event) {
    case EVIDENCE_COMMAND_START:
        return "command_start";
    case EVIDENCE_COMMAND_END:
        return "command_end";
    case EVIDENCE_DROP:
        return "drop";
    case EVIDENCE_REWRITE:
        return "rewrite";
    }
    return "";
}

void rh_event_evidence(struct recorder_session *session, const struct evidence *evidence)
{
    struct recorder *recorder = session->recorder;
    if (!is_wanted(recorder))
        return;
    json_t *event = json_pack("{s:i, s:s, s:o, s:i, s:i}", "statement", session->running.index + 1,
                              "kind", event_name(evidence->event), "tag",
                              text_or_null(evidence->tag), "depth", evidence->depth, "locks_held",
                              (int)evidence->locks.count);
    if (event && evidence->event == EVIDENCE_REWRITE) {
        json_object_set_new(event, "relation", text_or_null(evidence->rewrite_relation));
        json_object_set_new(event, "reason", text_or_null(evidence->rewrite_reason));
    }
    if (event && evidence->event == EVIDENCE_DROP) {
        json_t *drops = json_array();
        for (size_t i = 0; i < evidence->drops.count; i++)
            json_array_append_new(drops,
                                  json_pack("{s:o, s:o, s:b}", "type",
                                            text_or_null(evidence->drops.items[i].type), "identity",
                                            text_or_null(evidence->drops.items[i].identity),
                                            "named", evidence->drops.items[i].original));
        json_object_set_new(event, "drops", drops);
    }
    rh_recorder_emit(recorder, "evidence", event);
}

void rh_event_boundary(struct recorder *recorder, int index, int64_t wal_position)
{
    if (!is_wanted(recorder))
        return;
    json_t *event = json_pack("{s:i, s:I}", "statement", index + 1, "wal_position",
                              (json_int_t)wal_position);
    if (event && index >= 0)
        json_object_set_new(event, "wal_bytes",
                            count_or_null(rh_recorder_statement(recorder, index)->wal_bytes));
    rh_recorder_emit(recorder, "boundary", event);
}

void rh_event_lock(struct recorder_session *session, const struct held_lock *held,
                   const char *source)
{
    struct recorder *recorder = session->recorder;
    if (!is_wanted(recorder) || held->is_system)
        return;
    json_t *event = json_pack(
        "{s:i, s:o, s:s, s:b, s:s}", "statement", held->statement + 1, "relation",
        held->relation ? text_or_null(held->relation) : json_integer((json_int_t)held->relation_id),
        "mode", held->mode, "granted", held->acquired_us >= 0, "seen_by", source);
    if (event && held->waited_for)
        json_object_set_new(event, "waits_for", text_or_null(held->waited_for));
    rh_recorder_emit(recorder, "lock", event);
}

void rh_event_waiters(struct recorder *recorder, size_t count)
{
    if (is_wanted(recorder))
        rh_recorder_emit(recorder, "waiting_behind", json_pack("{s:i}", "locks", (int)count));
}

void rh_event_probe(struct recorder_session *session, const char *relation, bool reads, bool writes)
{
    if (is_wanted(session->recorder))
        rh_recorder_emit(session->recorder, "probe",
                         json_pack("{s:o, s:b, s:b}", "relation", text_or_null(relation), "reads",
                                   reads, "writes", writes));
}

void rh_event_message(struct recorder_session *session, const struct server_message *message)
{
    const struct running *current = rh_recorder_current(session);
    if (!is_wanted(session->recorder))
        return;
    bool is_notice = message->severity && strcmp(message->severity, "ERROR") != 0 &&
                     strcmp(message->severity, "FATAL") != 0 &&
                     strcmp(message->severity, "PANIC") != 0;
    rh_recorder_emit(session->recorder, is_notice ? "notice" : "error",
                     json_pack("{s:i, s:o, s:s, s:o}", "statement",
                               current ? current->index + 1 : 0, "severity",
                               text_or_null(message->severity), "sqlstate", message->sqlstate,
                               "message", text_or_null(message->message)));
}

void rh_event_transaction_ended(struct recorder *recorder, int index)
{
    const struct transaction *t = &recorder->trace->transactions.items[index];
    if (is_wanted(recorder))
        rh_recorder_emit(recorder, "transaction_ended",
                         json_pack("{s:i, s:i, s:b, s:I, s:I}", "transaction", index, "session",
                                   t->session, "committed", t->committed, "start_us",
                                   (json_int_t)t->start_us, "end_us", (json_int_t)t->end_us));
}
