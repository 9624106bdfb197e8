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
    json_t *locks = json_array(), *drops = json_array(), *scans = json_array();
    for (size_t i = 0; i < evidence->locks.count; i++)
        json_array_append_new(locks,
                              json_pack("{s:o, s:o}", "relation",
                                        text_or_null(evidence->locks.items[i].relation), "mode",
                                        text_or_null(evidence->locks.items[i].mode)));
    for (size_t i = 0; i < evidence->drops.count; i++)
        json_array_append_new(
            drops, json_pack("{s:o, s:o, s:b}", "type", text_or_null(evidence->drops.items[i].type),
                             "identity", text_or_null(evidence->drops.items[i].identity), "named",
                             evidence->drops.items[i].original));
    for (size_t i = 0; i < evidence->scans.count; i++)
        json_array_append_new(scans,
                              json_pack("{s:o, s:I}", "relation",
                                        text_or_null(evidence->scans.items[i].relation),
                                        "rows_so_far", (json_int_t)evidence->scans.items[i].rows));
    json_t *event = json_pack("{s:i, s:s, s:o, s:i, s:o, s:o, s:o}", "statement",
                              session->running.index + 1, "kind", event_name(evidence->event),
                              "tag", text_or_null(evidence->tag), "depth", evidence->depth, "locks",
                              locks, "drops", drops, "scans", scans);
    if (event && evidence->event == EVIDENCE_REWRITE) {
        json_object_set_new(event, "relation", text_or_null(evidence->rewrite_relation));
        json_object_set_new(event, "reason", text_or_null(evidence->rewrite_reason));
    }
    rh_recorder_emit(recorder, "evidence", event);
}

static json_t *lock_json(struct recorder *recorder, const struct observed_lock *lock)
{
    const struct observed_relation *relation = recorder->observer
                                                   ? rh_observer_find(recorder->observer,
                                                                      lock->relation_id)
                                                   : NULL;
    json_t *object = json_pack("{s:I, s:o, s:o, s:b}", "pid", (json_int_t)lock->pid, "relation",
                               relation ? text_or_null(relation->name)
                                        : json_integer(lock->relation_id),
                               "mode", text_or_null(lock->mode), "granted", lock->granted);
    if (object && lock->waits_for)
        json_object_set_new(object, "waits_for", text_or_null(lock->waits_for));
    return object;
}

static json_t *locks_json(struct recorder *recorder, const struct observed_lock *locks,
                          size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct observed_relation *relation = recorder->observer
                                                       ? rh_observer_find(recorder->observer,
                                                                          locks[i].relation_id)
                                                       : NULL;
        if (!relation || !relation->is_system)
            json_array_append_new(array, lock_json(recorder, &locks[i]));
    }
    return array;
}

void rh_event_boundary(struct recorder_session *session, const struct boundary *boundary)
{
    struct recorder *recorder = session->recorder;
    const struct running *last = rh_recorder_current(session);
    if (!is_wanted(recorder))
        return;
    rh_recorder_emit(recorder, "boundary",
                     json_pack("{s:i, s:i, s:s#, s:I, s:o}", "session", session->index, "statement",
                               last ? last->index + 1 : 0, "status", &session->status, (int)1,
                               "wal_position", (json_int_t)boundary->wal_position, "locks",
                               locks_json(recorder, boundary->locks, boundary->lock_count)));
}

void rh_event_sample(struct recorder *recorder, const struct sample *sample)
{
    if (!is_wanted(recorder) || sample->lock_count == 0)
        return;
    json_t *locks = locks_json(recorder, sample->locks, sample->lock_count);
    if (json_array_size(locks) == 0) {
        json_decref(locks);
        return;
    }
    rh_recorder_emit(recorder, "sample", json_pack("{s:o}", "locks", locks));
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
