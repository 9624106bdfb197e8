/*
 * The server's errors and notices: read, masked, and given to the statement they concern.
 */
#include "trace/recorder_int.h"

#include "trace/server_message.h"

#include <string.h>

const char *rh_recorder_keep(struct recorder *recorder, const char *value)
{
    return value ? rh_arena_strdup(recorder->trace->arena, value) : NULL;
}

void rh_recorder_on_failed(void *context, const struct pg_message *error, bool has_statement,
                           int64_t at_us)
{
    struct recorder_session *session = context;
    struct recorder *recorder = session->recorder;
    (void)at_us;
    if (recorder->has_finished)
        return;
    struct server_message message = rh_server_message_read(recorder->trace->arena, error->body);
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
            rh_recorder_finish_place(part, false, at_us);
        }
    }
}

bool rh_recorder_on_notice(struct recorder_session *session, const struct pg_message *notice)
{
    struct recorder *recorder = session->recorder;
    const char *private_state = recorder->options.engine->evidence_sqlstate;
    struct server_fields fields;
    if (!rh_server_fields_read(notice->body, &fields))
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
    struct server_message message = rh_server_message_read(recorder->trace->arena, notice->body);
    *RH_PUSH(recorder->trace->arena, &statement->notices) = message;
    rh_event_message(session, &message);
    return false;
}
