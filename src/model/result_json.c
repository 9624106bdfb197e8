#include "model/result.h"

#include "model/result_json_int.h"

#include <stdio.h>
#include <string.h>

/* Children of children come from functions calling functions. The server bounds them by its stack,
   a reader of JSON by its own (jansson: 2048 levels); below this depth only their number is told.
 */
#define CHILD_DEPTH_MAX 200

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static json_t *text_with_replacements(const char *s)
{
    RH_CLEANUP_BUF struct buf clean;
    /* Worst case: every byte becomes the three of U+FFFD. */
    rh_buf_init(&clean, strlen(s) * 3 + 1);
    struct text rest = rh_text(s);
    while (rest.len > 0) {
        size_t valid = rh_text_utf8_valid_prefix(rest);
        rh_buf_add(&clean, rest.data, valid);
        rest.data += valid;
        rest.len -= valid;
        if (rest.len > 0) {
            rh_buf_add_str(&clean, REPLACEMENT);
            rest.data++;
            rest.len--;
        }
    }
    return json_stringn(clean.data, clean.len);
}

json_t *rh_json_text(const char *s)
{
    if (!s)
        return json_null();
    json_t *value = json_string(s); /* NULL: not valid UTF-8 */
    if (!value)
        value = text_with_replacements(s);
    if (!value)
        RH_PANIC("text of %zu bytes cannot become JSON", strlen(s));
    return value;
}

json_t *rh_json_ms(int64_t us)
{
    return us < 0 ? json_null() : json_real((double)us / 1000.0);
}

json_t *rh_json_count(int64_t count)
{
    return count < 0 ? json_null() : json_integer(count);
}

static const char *step_name(const struct trace *trace, int step)
{
    return step >= 0 && (size_t)step < trace->steps.count ? trace->steps.items[step].name : NULL;
}

json_t *rh_json_texts(const char *const *items, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        append(array, rh_json_text(items[i]));
    return array;
}

json_t *rh_json_message(const struct server_message *message)
{
    json_t *object = json_object();
    put(object, "severity", rh_json_text(message->severity));
    put(object, "sqlstate", rh_json_text(message->sqlstate));
    put(object, "message", rh_json_text(message->message));
    put(object, "detail", rh_json_text(message->detail));
    put(object, "hint", rh_json_text(message->hint));
    put(object, "context", rh_json_text(message->context));
    put(object, "schema", rh_json_text(message->schema));
    put(object, "table", rh_json_text(message->table));
    put(object, "column", rh_json_text(message->column));
    put(object, "constraint", rh_json_text(message->constraint));
    put(object, "data_type", rh_json_text(message->data_type));
    put(object, "position", positive(message->position));
    put(object, "internal_query", rh_json_text(message->internal_query));
    return object;
}

static json_t *lock_json(const struct lock *lock)
{
    json_t *object = json_object();
    put(object, "relation", rh_json_text(lock->relation));
    put(object, "kind", rh_json_text(lock->kind));
    put(object, "table", rh_json_text(lock->table));
    put(object, "mode", rh_json_text(lock->mode));
    put(object, "acquired_ms", rh_json_ms(lock->acquired_us));
    put(object, "held_ms", lock->acquired_us < 0 ? json_null() : rh_json_ms(lock->held_us));
    put(object, "waited_ms", rh_json_ms(lock->waited_us));
    put(object, "waited_for", rh_json_text(lock->waited_for));
    put(object, "preexisting", json_boolean(lock->preexisting));
    put(object, "blocks_reads", json_boolean(lock->blocks_reads));
    put(object, "blocks_writes", json_boolean(lock->blocks_writes));
    put(object, "observation", rh_json_text(rh_observation_name(lock->observation)));
    return object;
}

static json_t *rewrite_json(const struct rewrite *rewrite)
{
    json_t *object = json_object();
    put(object, "relation", rh_json_text(rewrite->relation));
    put(object, "table", rh_json_text(rewrite->table));
    put(object, "kind", rh_json_text(rewrite->kind));
    put(object, "reason", rh_json_text(rewrite->reason));
    put(object, "bytes", rh_json_count(rewrite->bytes));
    put(object, "preexisting", json_boolean(rewrite->preexisting));
    put(object, "observation", rh_json_text(rh_observation_name(rewrite->observation)));
    return object;
}

static json_t *scan_json(const struct scan *scan)
{
    json_t *object = json_object();
    put(object, "relation", rh_json_text(scan->relation));
    put(object, "rows", rh_json_count(scan->rows));
    put(object, "preexisting", json_boolean(scan->preexisting));
    put(object, "observation", rh_json_text(rh_observation_name(scan->observation)));
    return object;
}

static json_t *dropped_json(const struct dropped_object *dropped)
{
    json_t *object = json_object();
    put(object, "type", rh_json_text(dropped->type));
    put(object, "identity", rh_json_text(dropped->identity));
    put(object, "named", json_boolean(dropped->named));
    put(object, "rows", rh_json_count(dropped->rows));
    put(object, "created_in_run", json_boolean(dropped->created_in_run));
    return object;
}

static json_t *altered_json(const struct altered_object *altered)
{
    json_t *object = json_object();
    put(object, "type", rh_json_text(altered->type));
    put(object, "identity", rh_json_text(altered->identity));
    return object;
}

static json_t *index_work_json(const struct index_work *work)
{
    json_t *object = json_object();
    put(object, "index", rh_json_text(work->index));
    put(object, "table", rh_json_text(work->table));
    put(object, "concurrently", json_boolean(work->concurrently));
    put(object, "preexisting_table", json_boolean(work->preexisting_table));
    return object;
}

static json_t *statement_json(const struct statement *statement, const struct trace *trace,
                              int depth)
{
    json_t *object = json_object();
    put(object, "index", positive(statement->index));
    put(object, "step", rh_json_text(step_name(trace, statement->step)));
    put(object, "line", positive(statement->line));
    put(object, "column", positive(statement->column));
    put(object, "sql", rh_json_text(statement->sql));
    put(object, "sql_bytes", rh_json_count(statement->sql_bytes));
    put(object, "tag", rh_json_text(statement->tag));
    put(object, "ok", json_boolean(statement->ok));
    put(object, "finished", json_boolean(statement->finished));
    put(object, "extended_protocol", json_boolean(statement->extended));
    put(object, "session", rh_json_count(statement->session));
    put(object, "transaction", rh_json_count(statement->transaction));
    put(object, "in_transaction", json_boolean(statement->in_transaction));
    put(object, "start_ms", rh_json_ms(statement->start_us));
    put(object, "duration_ms", rh_json_ms(statement->duration_us));
    put(object, "in_production", rh_json_scaled(statement->in_production));
    put(object, "rows", rh_json_count(statement->rows));
    put(object, "wal_bytes", rh_json_count(statement->wal_bytes));
    put(object, "temp_bytes", rh_json_count(statement->temp_bytes));
    /* May truly shrink; only the one value that means "not observed" is null. */
    put(object, "disk_growth_bytes",
        statement->disk_growth_bytes == NOT_OBSERVED ? json_null()
                                                     : json_integer(statement->disk_growth_bytes));
    put(object, "lock_timeout_ms", rh_json_count(statement->lock_timeout_ms));
    put(object, "statement_timeout_ms", rh_json_count(statement->statement_timeout_ms));
    put(object, "observation", rh_json_text(rh_observation_name(statement->observation)));
    put(object, "not_observed_reason", rh_json_text(statement->not_observed_reason));
    put(object, "error", statement->error ? rh_json_message(statement->error) : json_null());
    PUT_ARRAY(object, "locks", statement->locks, lock_json);
    PUT_ARRAY(object, "rewrites", statement->rewrites, rewrite_json);
    PUT_ARRAY(object, "scans", statement->scans, scan_json);
    PUT_ARRAY(object, "dropped", statement->dropped, dropped_json);
    PUT_ARRAY(object, "altered", statement->altered, altered_json);
    PUT_ARRAY(object, "indexes", statement->indexes, index_work_json);
    PUT_ARRAY(object, "notices", statement->notices, rh_json_message);
    put(object, "notice_count", rh_json_count(statement->notice_count));
    json_t *children = json_array();
    if (depth < CHILD_DEPTH_MAX)
        for (size_t i = 0; i < statement->children.count; i++)
            append(children, statement_json(&statement->children.items[i], trace, depth + 1));
    else
        put(object, "children_omitted", json_integer((json_int_t)statement->children.count));
    put(object, "children", children);
    return object;
}

static json_t *step_json(const struct step *step)
{
    json_t *object = json_object();
    put(object, "name", rh_json_text(step->name));
    put(object, "path", rh_json_text(step->path));
    put(object, "is_command", json_boolean(step->is_command));
    put(object, "sha256", step->sha256[0] ? rh_json_text(step->sha256) : json_null());
    put(object, "ok", json_boolean(step->ok));
    put(object, "reached", json_boolean(step->reached));
    put(object, "start_ms", step->reached ? rh_json_ms(step->start_us) : json_null());
    put(object, "duration_ms", step->reached ? rh_json_ms(step->duration_us) : json_null());
    put(object, "exit_status", rh_json_count(step->exit_status));
    return object;
}

static json_t *session_json(const struct session *session)
{
    json_t *object = json_object();
    put(object, "backend_pid", positive(session->backend_pid));
    put(object, "application_name", rh_json_text(session->application_name));
    put(object, "user", rh_json_text(session->user));
    put(object, "database", rh_json_text(session->database));
    put(object, "connected_ms", rh_json_ms(session->connected_us));
    put(object, "ended_ms", rh_json_ms(session->ended_us));
    put(object, "left_transaction_open", json_boolean(session->left_transaction_open));
    return object;
}

static json_t *transaction_json(const struct transaction *transaction)
{
    json_t *object = json_object();
    put(object, "session", rh_json_count(transaction->session));
    put(object, "start_ms", rh_json_ms(transaction->start_us));
    put(object, "end_ms", rh_json_ms(transaction->end_us));
    put(object, "opened_by", rh_json_text(transaction->opened_by));
    put(object, "opened_by_statement", positive(transaction->opened_by_statement));
    put(object, "committed", json_boolean(transaction->committed));
    return object;
}

static json_t *probe_json(const struct probe *probe)
{
    json_t *object = json_object();
    put(object, "relation", rh_json_text(probe->relation));
    put(object, "kind", rh_json_text(probe->is_write ? "write" : "read"));
    put(object, "attempts", rh_json_count(probe->attempts));
    put(object, "waits", rh_json_count(probe->waits));
    put(object, "longest_wait_ms", rh_json_ms(probe->longest_wait_us));
    put(object, "longest_at_ms",
        probe->longest_wait_us > 0 ? rh_json_ms(probe->longest_at_us) : json_null());
    put(object, "statement", positive(probe->statement));
    put(object, "gave_up", json_boolean(probe->gave_up));
    return object;
}

static json_t *relation_json(const struct relation_facts *facts)
{
    json_t *object = json_object();
    put(object, "name", rh_json_text(facts->name));
    put(object, "kind", rh_json_text(facts->kind));
    put(object, "rows", rh_json_count(facts->rows));
    put(object, "is_empty", json_boolean(facts->is_empty));
    put(object, "bytes", rh_json_count(facts->bytes));
    return object;
}

static json_t *leftover_json(const struct leftover *leftover)
{
    json_t *object = json_object();
    put(object, "kind", rh_json_text(leftover->kind));
    put(object, "identity", rh_json_text(leftover->identity));
    put(object, "table", rh_json_text(leftover->table));
    put(object, "preexisting", json_boolean(leftover->preexisting));
    return object;
}

static json_t *sampling_json(const struct trace *trace)
{
    json_t *object = json_object();
    put(object, "samples", rh_json_count(trace->sample_count));
    put(object, "interval_ms", rh_json_ms(trace->sampling_interval_us));
    put(object, "longest_gap_ms", rh_json_ms(trace->longest_sampling_gap_us));
    return object;
}

/* What the run as a whole used and how it ended. */
static json_t *run_json(const struct trace *trace)
{
    json_t *object = json_object();
    put(object, "duration_ms", rh_json_ms(trace->duration_us));
    put(object, "wal_bytes", rh_json_count(trace->wal_bytes));
    put(object, "disk_growth_bytes",
        trace->disk_growth_bytes == NOT_OBSERVED ? json_null()
                                                 : json_integer(trace->disk_growth_bytes));
    put(object, "peak_disk_bytes", rh_json_count(trace->peak_disk_bytes));
    put(object, "temp_bytes", rh_json_count(trace->temp_bytes));
    put(object, "connected", json_boolean(trace->connected));
    put(object, "evidence_intact", json_boolean(trace->evidence_intact));
    put(object, "outside_only", json_boolean(trace->outside_only));
    put(object, "observer_lost", json_boolean(trace->observer_lost));
    put(object, "server_crashed", json_boolean(trace->server_crashed));
    put(object, "crash_reason", rh_json_text(trace->crash_reason));
    put(object, "log_tail", rh_json_texts(trace->log_tail.items, trace->log_tail.count));
    put(object, "timed_out", json_boolean(trace->timed_out));
    put(object, "interrupted", json_boolean(trace->interrupted));
    return object;
}

static json_t *fidelity_json(const struct fidelity *fidelity)
{
    json_t *object = json_object();
    put(object, "server_version", rh_json_text(fidelity->server_version));
    put(object, "source", rh_json_text(fidelity->source));
    put(object, "snapshot_age_s", rh_json_count(fidelity->snapshot_age_s));
    put(object, "sample_fraction", json_real(fidelity->sample_fraction));
    put(object, "masked_columns", rh_json_count(fidelity->masked_columns));
    put(object, "relations", rh_json_count(fidelity->relations));
    put(object, "rows", rh_json_count(fidelity->rows));
    put(object, "bytes", rh_json_count(fidelity->bytes));
    put(object, "isolated", json_boolean(fidelity->isolated));
    put(object, "clone_method", rh_json_text(fidelity->clone_method));
    put(object, "clone_note", rh_json_text(fidelity->clone_note));
    put(object, "from_cache", json_boolean(fidelity->from_cache));
    put(object, "prepared_s",
        fidelity->from_cache ? rh_json_count(fidelity->prepared_s) : json_null());
    put(object, "is_cold", json_boolean(fidelity->is_cold));
    put(object, "snapshot", rh_likeness_to_json(&fidelity->likeness));
    put(object, "notes", rh_json_texts(fidelity->notes.items, fidelity->notes.count));
    return object;
}

static json_t *limits_json(const struct limits *limits)
{
    json_t *object = json_object();
    put(object, "duration_ms", rh_json_ms(limits->duration_us));
    put(object, "blocked_ms", rh_json_ms(limits->blocked_us));
    put(object, "wal_bytes", rh_json_count(limits->wal_bytes));
    put(object, "disk_bytes", rh_json_count(limits->disk_bytes));
    put(object, "lag_ms", rh_json_ms(limits->lag_us));
    put(object, "replica_apply_bytes_per_s", rh_json_count(limits->replica_apply_bytes_per_s));
    put(object, "fail_on", rh_json_text(rh_severity_name(limits->fail_on)));
    put(object, "structure_only", json_boolean(limits->structure_only));
    put(object, "accept_sample", json_boolean(limits->accept_sample));
    return object;
}

static json_t *finding_json(const struct finding *finding)
{
    json_t *object = json_object();
    put(object, "rule", rh_json_text(finding->rule));
    put(object, "severity", rh_json_text(rh_severity_name(finding->severity)));
    put(object, "title", rh_json_text(finding->title));
    put(object, "step", rh_json_text(finding->step));
    put(object, "line", positive(finding->line));
    put(object, "statement", positive(finding->statement));
    put(object, "relation", rh_json_text(finding->relation));
    put(object, "evidence", finding->evidence ? json_incref(finding->evidence) : json_object());
    put(object, "why", rh_json_text(finding->why));
    put(object, "advice", rh_json_text(finding->advice));
    put(object, "advice_sql", rh_json_text(finding->advice_sql));
    put(object, "advice_tried", json_boolean(finding->advice_tried));
    return object;
}

static json_t *gate_json(const struct gate *gate)
{
    json_t *object = json_object();
    put(object, "name", rh_json_text(gate->name));
    put(object, "limit", rh_json_text(gate->limit));
    put(object, "measured", rh_json_text(gate->measured));
    put(object, "ok", json_boolean(gate->ok));
    put(object, "observed", json_boolean(gate->observed));
    put(object, "reason", rh_json_text(gate->reason));
    return object;
}

static void put_trace(json_t *object, const struct trace *trace)
{
    PUT_ARRAY(object, "steps", trace->steps, step_json);
    json_t *statements = json_array();
    for (size_t i = 0; i < trace->statements.count; i++)
        append(statements, statement_json(&trace->statements.items[i], trace, 0));
    put(object, "statements", statements);
    PUT_ARRAY(object, "sessions", trace->sessions, session_json);
    PUT_ARRAY(object, "transactions", trace->transactions, transaction_json);
    PUT_ARRAY(object, "probes", trace->probes, probe_json);
    PUT_ARRAY(object, "relations", trace->relations, relation_json);
    PUT_ARRAY(object, "leftovers", trace->leftovers, leftover_json);
    put(object, "run", run_json(trace));
    put(object, "sampling", sampling_json(trace));
    put(object, "not_observed",
        rh_json_texts(trace->not_observed.items, trace->not_observed.count));
}

json_t *rh_result_to_json(const struct result *result)
{
    char started_at[32];
    rh_clock_rfc3339(result->started_at, started_at);

    json_t *object = json_object();
    put(object, "format_version", json_string(RESULT_FORMAT_VERSION));
    put(object, "rehearse_version", rh_json_text(result->rehearse_version));
    put(object, "verdict", rh_json_text(rh_verdict_name(result->verdict)));
    put(object, "exit_code", json_integer(result->exit_code));
    put(object, "headline", rh_json_text(result->headline));
    put(object, "started_at", rh_json_text(started_at));
    put(object, "duration_ms", rh_json_ms(result->duration_us));
    put(object, "run_directory", rh_json_text(result->run_directory));
    put(object, "fidelity", fidelity_json(&result->fidelity));
    put(object, "limits", limits_json(&result->limits));
    if (result->trace)
        put_trace(object, result->trace);
    PUT_ARRAY(object, "findings", result->findings, finding_json);
    PUT_ARRAY(object, "gates", result->gates, gate_json);
    rh_json_put_states(object, result);
    rh_json_put_checks(object, result);
    put(object, "new_queries", rh_new_queries_to_json(&result->new_queries));
    rh_json_put_rollback(object, result);
    rh_json_put_blockers(object, result);
    rh_json_put_repetition(object, result);
    rh_json_put_risks(object, result);
    rh_json_put_round_trip(object, &result->round_trip);
    rh_json_put_scaling(object, &result->scaling);
    rh_json_put_workload(object, result);
    return object;
}
