#include "trace/recorder_int.h"

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

void rh_recorder_init_statement(struct statement *statement)
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
const char *rh_recorder_keep_text(struct recorder *recorder, struct text sql)
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
    const char *kept = rh_recorder_keep_text(recorder, sql);
    struct statement *child = RH_PUSH(recorder->trace->arena, &parent->children);
    rh_recorder_init_statement(child);
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
    return recorder->wal_reads == NULL;
}

/* --- where statements stand ----------------------------------------------------------------------
 */

void rh_recorder_set_place(struct recorder *recorder, int step, int line, int column)
{
    recorder->step = step;
    recorder->line = line;
    recorder->column = column;
    recorder->script = (struct script_place){0};
}

void rh_recorder_set_drops_rows(struct recorder *recorder, bool drops_rows)
{
    recorder->drops_rows = drops_rows;
}

void rh_recorder_set_script(struct recorder *recorder, int step, struct text script, size_t offset)
{
    rh_recorder_set_place(recorder, step, 0, 0);
    rh_script_place_init(&recorder->script, script, offset);
}

void rh_recorder_find_in_script(struct recorder *recorder, struct text sql)
{
    rh_script_place_find(&recorder->script, sql, &recorder->line, &recorder->column);
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
        rh_recorder_session_release(recorder->sessions);
    }
    while (recorder->wal_reads) {
        struct wal_read *read = recorder->wal_reads;
        recorder->wal_reads = read->next;
        free(read);
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

static void note_prepared(struct recorder *recorder)
{
    struct trace *trace = recorder->trace;
    for (size_t i = 0; i < recorder->prepared.count; i++) {
        const struct prepared_transaction *left = &recorder->prepared.items[i];
        trace->transactions.items[left->transaction].end_us = -1;
        trace->transactions.items[left->transaction].left_prepared = true;
        if (left->session >= 0)
            trace->sessions.items[left->session].left_transaction_open = true;
        *RH_PUSH(trace->arena, &trace->not_observed) =
            "a prepared transaction was left behind: how long its locks are held was not observed";
    }
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
            rh_recorder_cut_session(s, false);
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
