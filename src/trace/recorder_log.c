/*
 * The server's own log, read as it grows: temporary files, statements that functions ran, and the
 * death of server processes. An entry belongs to the statement its backend runs, or ran last.
 */
#include "trace/recorder_int.h"

#include "sql/facts.h"
#include "trace/redact.h"

/* Of one transaction: REINDEX of a whole schema may build as many as there are. */
#define BUILDS_MAX 10000

static struct recorder_session *find_session(struct recorder *recorder, int64_t pid)
{
    for (struct recorder_session *s = recorder->sessions; s; s = s->next)
        if (s->pid == pid && pid != 0)
            return s;
    return NULL;
}

/* The same text as far as both are kept: ours may be cut, the server's lacks blanks at its end. */
static bool begins_alike(const char *ours, const char *servers)
{
    struct text a = rh_text_trim(rh_text(ours)), b = rh_text_trim(rh_text(servers));
    size_t len = a.len < b.len ? a.len : b.len;
    return len > 0 && memcmp(a.data, b.data, len) == 0 &&
           (a.len == b.len || a.len - len <= 1 || a.len >= STATEMENT_TEXT_MAX - 8);
}

/* A query inside a function: DDL reports itself by evidence, this is for what does not. */
static void take_inner_statement(struct recorder_session *session, const struct log_entry *entry,
                                 const struct log_fact *fact)
{
    struct recorder *recorder = session->recorder;
    struct running *current = rh_recorder_current(session);
    struct sql_facts words = {0};
    if (!current || current->index < 0 || !fact->query_text)
        return;
    rh_sql_facts_of_words(rh_text(fact->query_text), recorder->log_arena, &words);
    struct statement *top = rh_recorder_statement(recorder, current->index);
    /* The client's own statement is logged too; only what is not it is inside it. */
    if (begins_alike(top->sql, fact->query_text))
        return;
    struct place place = current->is_active ? rh_recorder_home(session)
                                            : (struct place){current->index, -1, -1};
    /* The log's clock is good to a millisecond. */
    int64_t end_us = entry->at_us > 0
                         ? rh_recorder_server_time(recorder, entry->at_us, top->start_us)
                         : rh_recorder_now(recorder);
    int64_t start_us = fact->duration_us > 0 ? end_us - fact->duration_us : end_us;
    if (start_us < top->start_us)
        start_us = top->start_us;
    place = rh_recorder_add_child(recorder, place, rh_text(fact->query_text), start_us);
    struct statement *child = rh_recorder_at(recorder, place);
    if (!child)
        return;
    child->tag = words.tag ? rh_arena_strdup(recorder->trace->arena, words.tag) : NULL;
    child->ok = child->finished = true;
    child->duration_us = fact->duration_us > 0 ? fact->duration_us : 0;
}

static void take_fact(struct recorder *recorder, const struct log_entry *entry,
                      const struct log_fact *fact)
{
    struct recorder_session *session = find_session(recorder, entry->pid);
    struct running *current = session ? rh_recorder_current(session) : NULL;
    struct statement *statement = current && current->index >= 0
                                      ? rh_recorder_statement(recorder, current->index)
                                      : NULL;
    switch (fact->kind) {
    case LOG_FACT_TEMPORARY_FILE:
        if (statement && fact->bytes > 0)
            statement->temp_bytes = (statement->temp_bytes > 0 ? statement->temp_bytes : 0) +
                                    fact->bytes;
        break;
    case LOG_FACT_STATEMENT:
        if (session)
            take_inner_statement(session, entry, fact);
        break;
    case LOG_FACT_CRASH:
        recorder->trace->server_crashed = true;
        if (!recorder->trace->crash_reason && fact->reason)
            recorder->trace->crash_reason = rh_arena_strdup(recorder->trace->arena, fact->reason);
        break;
    case LOG_FACT_INDEX_BUILD:
        if (session && statement && session->transaction >= 0 &&
            session->builds.count < BUILDS_MAX) {
            struct sql_facts words = {0};

            rh_sql_facts_of_words(rh_text(statement->sql), recorder->log_arena, &words);
            *RH_PUSH(session->arena, &session->builds) = (struct index_build){
                .statement = current->index,
                .index = rh_arena_strdup(session->arena, fact->index),
                .table = rh_arena_strdup(session->arena, fact->relation),
                .is_parallel = fact->parallel_workers > 0,
                .is_concurrent = words.is_concurrently};
            /* The table's rows are read again. */
            session->may_have_changed_storage |= fact->parallel_workers > 0;
        }
        break;
    case LOG_FACT_REWRITE:
    case LOG_FACT_VERIFY:
    case LOG_FACT_SCAN_SPARED:
    case LOG_FACT_LOCK_WAIT:
    case LOG_FACT_DEADLOCK:
        break; /* evidence, samples and errors tell these with more detail */
    }
}

void rh_recorder_read_log(struct recorder *recorder)
{
    const struct engine *engine = recorder->options.engine;
    struct err err = RH_ERR_INIT;
    if (!recorder->log)
        return;
    for (struct recorder_session *s = recorder->sessions; s; s = s->next)
        for (size_t i = 0; i < s->batch.count; i++)
            if (s->batch.items[i].index >= 0) {
                struct statement *ended = rh_recorder_statement(recorder, s->batch.items[i].index);
                if (ended->temp_bytes == NOT_OBSERVED)
                    ended->temp_bytes = 0;
            }
    for (;;) {
        struct log_entry entry = {0};
        struct log_fact fact = {0};
        bool any = false;
        rh_arena_clear(recorder->log_arena);
        if (engine->log_next(recorder->log, recorder->log_arena, &entry, &any, &err) || !any)
            break;
        if (engine->log_fact && engine->log_fact(&entry, recorder->log_arena, &fact))
            take_fact(recorder, &entry, &fact);
    }
}
