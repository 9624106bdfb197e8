#include "model/comparison.h"

#include "model/result_json_int.h"

#include <inttypes.h>
#include <stdio.h>

const char *rh_query_verdict_name(enum query_verdict verdict)
{
    static const char *const names[] = {
#define X(symbol, name) [symbol] = name,
        QUERY_VERDICT_LIST(X)
#undef X
    };
    return names[verdict];
}

const char *rh_compared_side_name(enum compared_side side)
{
    static const char *const names[] = {
        [SIDE_BASELINE] = "baseline", [SIDE_TWIN] = "twin", [SIDE_CANDIDATE] = "candidate"};
    RH_ASSERT(side < COMPARED_SIDES);
    return names[side];
}

const char *rh_error_change_name(enum error_change change)
{
    static const char *const names[] = {
#define X(symbol, name) [symbol] = name,
        ERROR_CHANGE_LIST(X)
#undef X
    };
    return names[change];
}

const char *rh_result_change_name(enum result_change change)
{
    static const char *const names[] = {
#define X(symbol, name) [symbol] = name,
        RESULT_CHANGE_LIST(X)
#undef X
    };
    return names[change];
}

struct query_limits rh_query_limits_default(void)
{
    return (struct query_limits){.p50_max_multiplier = -1,
                                 .p95_max_multiplier = -1,
                                 .p99_max_multiplier = -1,
                                 .error_rate_max_delta = -1,
                                 .min_query_count = 20};
}

/* Three digits behind the point are all that a clock gives. */
json_t *rh_json_decimal(double value)
{
    if (value < 0)
        return json_null();
    return json_real((double)(int64_t)(value * 1000 + 0.5) / 1000);
}

static json_t *signed_number(double value)
{
    return value < 0 ? json_real(-((double)(int64_t)(-value * 1000 + 0.5) / 1000))
                     : rh_json_decimal(value);
}

static json_t *limit(double value)
{
    return value < 0 ? json_null() : json_real(value);
}

static json_t *times_json(const struct query_comparison *query, enum compared_side side)
{
    const struct query_times *times = &query->sides[side];
    json_t *object = json_object();
    bool is_timed = query->rounds > 0;
    put(object, "p50_us", is_timed ? rh_json_decimal(times->p50_us) : json_null());
    put(object, "p95_us", is_timed ? rh_json_decimal(times->p95_us) : json_null());
    put(object, "p99_us", is_timed ? rh_json_decimal(times->p99_us) : json_null());
    put(object, "mean_us", is_timed ? rh_json_decimal(times->mean_us) : json_null());
    put(object, "p50_low_us", is_timed ? rh_json_decimal(times->p50_low_us) : json_null());
    put(object, "p50_high_us", is_timed ? rh_json_decimal(times->p50_high_us) : json_null());
    put(object, "errors", json_integer(times->errors));
    const struct query_effort *effort = &query->effort[side];
    put(object, "blocks", rh_json_decimal(effort->blocks));
    put(object, "temp_blocks", rh_json_decimal(effort->temp_blocks));
    put(object, "rows_scanned", rh_json_decimal(effort->rows_scanned));
    put(object, "rows", rh_json_decimal(effort->rows));
    put(object, "wal_records", rh_json_decimal(effort->wal_records));
    return object;
}

static json_t *error_json(const struct query_error *error)
{
    json_t *object = json_object();
    put(object, "sqlstate", rh_json_text(error->sqlstate));
    put(object, "message", rh_json_text(error->message));
    put(object, "change", rh_json_text(rh_error_change_name(error->change)));
    put(object, "baseline", json_integer(error->baseline));
    put(object, "candidate", json_integer(error->candidate));
    put(object, "is_cached_plan", json_boolean(error->is_cached_plan));
    return object;
}

static json_t *results_json(const struct query_results *results)
{
    json_t *object = json_object();
    put(object, "change", rh_json_text(rh_result_change_name(results->change)));
    put(object, "compared", json_integer(results->compared));
    put(object, "differing", json_integer(results->differing));
    put(object, "undetermined", json_integer(results->undetermined));
    put(object, "reason", rh_json_text(results->reason));
    put(object, "columns", rh_json_texts(results->columns.items, results->columns.count));
    put(object, "masked", rh_json_texts(results->masked.items, results->masked.count));
    return object;
}

json_t *rh_json_plan_line(const struct plan_line *line)
{
    json_t *object = json_object();
    put(object, "depth", json_integer(line->depth));
    put(object, "text", rh_json_text(line->text));
    put(object, "rows", rh_json_count(line->rows));
    put(object, "scanned", rh_json_count(line->scanned));
    put(object, "is_different", json_boolean(line->is_different));
    return object;
}

static json_t *plans_json(const struct query_plans *plans)
{
    json_t *object;
    if (!plans->is_compared)
        return json_null();
    object = json_object();
    put(object, "is_changed", json_boolean(plans->is_changed));
    put(object, "difference", rh_json_text(plans->difference));
    PUT_ARRAY(object, "baseline", plans->baseline.lines, rh_json_plan_line);
    PUT_ARRAY(object, "candidate", plans->candidate.lines, rh_json_plan_line);
    return object;
}

json_t *rh_json_query_retry(const struct query_retry *retry)
{
    json_t *object;
    if (!retry->was_tried)
        return json_null();
    object = json_object();
    put(object, "is_repaired", json_boolean(retry->is_repaired));
    put(object, "p50_us", rh_json_decimal(retry->p50_us));
    put(object, "ratio", rh_json_decimal(retry->ratio));
    put(object, "difference", rh_json_text(retry->difference));
    return object;
}

json_t *rh_json_index_proposal(const struct index_proposal *proposal)
{
    json_t *object = rh_json_query_retry(&proposal->retry);
    if (!json_is_object(object))
        return object;
    put(object, "table", rh_json_text(proposal->table));
    put(object, "sql", rh_json_text(proposal->sql));
    put(object, "build_ms", rh_json_ms(proposal->build_us));
    put(object, "bytes", rh_json_count(proposal->bytes));
    return object;
}

static json_t *query_json(const struct query_comparison *query)
{
    char fingerprint[17];
    json_t *object = json_object();
    bool is_timed = query->rounds > 0;

    snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, query->fingerprint);
    put(object, "fingerprint", rh_json_text(fingerprint));
    put(object, "query", rh_json_text(query->query));
    if (query->application != APPLICATION_BOTH)
        put(object, "application",
            json_string(query->application == APPLICATION_NEW ? "new" : "old"));
    if (query->application == APPLICATION_NEW)
        put(object, "sent", rh_json_text(query->sent));
    put(object, "calls", json_integer(query->calls));
    put(object, "calls_per_s", rh_json_decimal(query->calls_per_s));
    put(object, "weight", json_real(query->weight));
    put(object, "share", rh_json_decimal(query->share));
    put(object, "verdict", rh_json_text(rh_query_verdict_name(query->verdict)));
    put(object, "reason", rh_json_text(query->reason));
    put(object, "cause", rh_json_text(query->cause));
    put(object, "rounds", json_integer(query->rounds));
    put(object, "baseline", times_json(query, SIDE_BASELINE));
    put(object, "twin", times_json(query, SIDE_TWIN));
    put(object, "candidate", times_json(query, SIDE_CANDIDATE));
    put(object, "ratio", is_timed ? rh_json_decimal(query->ratio) : json_null());
    put(object, "ratio_low", is_timed ? rh_json_decimal(query->ratio_low) : json_null());
    put(object, "ratio_high", is_timed ? rh_json_decimal(query->ratio_high) : json_null());
    put(object, "p95_ratio",
        query->p95_ratio > 0 ? rh_json_decimal(query->p95_ratio) : json_null());
    put(object, "p99_ratio",
        query->p99_ratio > 0 ? rh_json_decimal(query->p99_ratio) : json_null());
    put(object, "noise", is_timed ? rh_json_decimal(query->noise) : json_null());
    put(object, "slower_share", is_timed ? rh_json_decimal(query->slower_share) : json_null());
    put(object, "p_value", is_timed ? json_real(query->p_value) : json_null());
    put(object, "added_ms_per_s", is_timed ? signed_number(query->added_ms_per_s) : json_null());
    put(object, "timeouts", json_integer(query->timeouts));
    PUT_ARRAY(object, "errors", query->errors, error_json);
    put(object, "results", results_json(&query->results));
    put(object, "plan", plans_json(&query->custom));
    put(object, "generic_plan", plans_json(&query->generic));
    put(object, "after_analyze", rh_json_query_retry(&query->after_analyze));
    put(object, "index_proposal", rh_json_index_proposal(&query->proposal));
    return object;
}

static json_t *limits_json(const struct query_limits *limits)
{
    json_t *object = json_object();
    put(object, "p50_max_multiplier", limit(limits->p50_max_multiplier));
    put(object, "p95_max_multiplier", limit(limits->p95_max_multiplier));
    put(object, "p99_max_multiplier", limit(limits->p99_max_multiplier));
    put(object, "error_rate_max_delta", limit(limits->error_rate_max_delta));
    put(object, "min_query_count", json_integer(limits->min_query_count));
    return object;
}

json_t *rh_comparison_to_json(const struct workload_comparison *comparison)
{
    json_t *object = json_object();

    put(object, "source", rh_json_text(comparison->workload));
    PUT_ARRAY(object, "patterns", comparison->queries, query_json);
    put(object, "left_out", json_integer(comparison->left_out));
    put(object, "has_own_twin", json_boolean(comparison->has_own_twin));
    put(object, "executions", json_integer(comparison->executions));
    put(object, "duration_ms", rh_json_ms(comparison->duration_us));
    put(object, "seed", json_integer((json_int_t)comparison->seed));
    put(object, "covered", rh_json_decimal(comparison->covered));
    put(object, "production_covered",
        comparison->knows_production ? json_real(comparison->production_covered) : json_null());
    put(object, "added_ms_per_s", signed_number(comparison->added_ms_per_s));
    put(object, "budget_ran_out", json_boolean(comparison->budget_ran_out));
    put(object, "limits", limits_json(&comparison->limits));
    put(object, "notes", rh_json_texts(comparison->notes.items, comparison->notes.count));
    return object;
}
