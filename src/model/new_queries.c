#include "model/new_queries.h"

#include "model/result_json_int.h"

#include <inttypes.h>
#include <stdio.h>

const char *rh_new_query_outcome_name(enum new_query_outcome outcome)
{
    static const char *const names[] = {
#define X(symbol, name) [symbol] = name,
        NEW_QUERY_OUTCOME_LIST(X)
#undef X
    };
    return names[outcome];
}

const char *rh_query_cost_name(enum query_cost_kind kind)
{
    static const char *const names[] = {
#define X(symbol, name) [symbol] = name,
        QUERY_COST_LIST(X)
#undef X
    };
    return names[kind];
}

static json_t *time_json(const struct new_query_time *time)
{
    json_t *object = json_object();
    put(object, "us", rh_json_decimal(time->us));
    put(object, "low_us", rh_json_decimal(time->low_us));
    put(object, "high_us", rh_json_decimal(time->high_us));
    return object;
}

static json_t *error_json(const struct new_query_error *error)
{
    json_t *object = json_object();
    put(object, "sqlstate", rh_json_text(error->sqlstate));
    put(object, "message", rh_json_text(error->message));
    put(object, "failed", json_integer(error->failed));
    return object;
}

static json_t *cost_json(const struct query_cost *cost)
{
    json_t *object = json_object();
    bool is_scan = cost->kind == QUERY_COST_SCAN;
    put(object, "kind", rh_json_text(rh_query_cost_name(cost->kind)));
    put(object, "subject", rh_json_text(cost->subject));
    put(object, "scanned", is_scan ? rh_json_count(cost->scanned) : json_null());
    put(object, "kept", is_scan ? rh_json_count(cost->kept) : json_null());
    put(object, "bytes", is_scan ? json_null() : rh_json_count(cost->bytes));
    return object;
}

static json_t *effort_json(const struct query_effort *effort)
{
    json_t *object = json_object();
    put(object, "blocks", rh_json_decimal(effort->blocks));
    put(object, "temp_blocks", rh_json_decimal(effort->temp_blocks));
    put(object, "rows_scanned", rh_json_decimal(effort->rows_scanned));
    put(object, "rows", rh_json_decimal(effort->rows));
    return object;
}

static json_t *query_json(const struct new_query *query)
{
    char fingerprint[17];
    json_t *object = json_object();
    bool is_timed = query->executions > 0;
    snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, query->fingerprint);
    put(object, "name", rh_json_text(query->name));
    put(object, "file", rh_json_text(query->file));
    put(object, "line", positive(query->line));
    put(object, "fingerprint", rh_json_text(fingerprint));
    put(object, "query", rh_json_text(query->query));
    put(object, "role", rh_json_text(query->role));
    put(object, "calls_per_s", rh_json_decimal(query->calls_per_s));
    put(object, "limit_ms", rh_json_ms(query->limit_us));
    put(object, "outcome", rh_json_text(rh_new_query_outcome_name(query->outcome)));
    put(object, "reason", rh_json_text(query->reason));
    put(object, "tried", json_integer(query->tried));
    put(object, "failed", json_integer(query->failed));
    PUT_ARRAY(object, "errors", query->errors, error_json);
    put(object, "executions", json_integer(query->executions));
    put(object, "cut", json_integer(query->cut));
    put(object, "p50", is_timed ? time_json(&query->p50) : json_null());
    put(object, "p95", is_timed ? time_json(&query->p95) : json_null());
    put(object, "p99", is_timed ? time_json(&query->p99) : json_null());
    put(object, "mean_us", is_timed ? rh_json_decimal(query->mean_us) : json_null());
    put(object, "effort", effort_json(&query->effort));
    PUT_ARRAY(object, "plan", query->plan.lines, rh_json_plan_line);
    PUT_ARRAY(object, "costs", query->costs.list, cost_json);
    put(object, "after_analyze", rh_json_query_retry(&query->after_analyze));
    put(object, "index_proposal", rh_json_index_proposal(&query->proposal));
    return object;
}

json_t *rh_new_queries_to_json(const struct new_queries *queries)
{
    json_t *object;
    if (queries->list.count == 0)
        return json_null();
    object = json_object();
    put(object, "was_run", json_boolean(queries->was_run));
    put(object, "why_not", rh_json_text(queries->why_not));
    put(object, "duration_ms", queries->was_run ? rh_json_ms(queries->duration_us) : json_null());
    PUT_ARRAY(object, "queries", queries->list, query_json);
    return object;
}
