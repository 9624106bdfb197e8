#include "model/result_json_int.h"

#include <inttypes.h>
#include <stdio.h>

/* Of a moment: negative is before the migration, not unknown. */
static json_t *moment(int64_t us)
{
    return json_real((double)us / 1000.0);
}

static json_t *render_error(const struct traffic_error *error)
{
    json_t *object = json_object();
    put(object, "sqlstate", rh_json_text(error->sqlstate));
    put(object, "count", json_integer(error->here));
    put(object, "baseline_count", json_integer(error->baseline));
    return object;
}

static json_t *render_wait(const struct traffic_wait *wait)
{
    json_t *object = json_object();
    put(object, "statement", positive(wait->statement));
    put(object, "relation", rh_json_text(wait->relation));
    put(object, "mode", rh_json_text(wait->mode));
    put(object, "queries", json_integer(wait->queries));
    put(object, "longest_ms", rh_json_ms(wait->longest_us));
    put(object, "total_ms", rh_json_ms(wait->total_us));
    return object;
}

static json_t *render_pattern(const struct traffic_pattern *pattern)
{
    char fingerprint[17];
    snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, pattern->fingerprint);
    json_t *object = json_object();
    put(object, "fingerprint", rh_json_text(fingerprint));
    put(object, "query", rh_json_text(pattern->query));
    put(object, "calls", json_integer(pattern->calls));
    put(object, "baseline_calls", json_integer(pattern->baseline_calls));
    put(object, "longest_ms", rh_json_ms(pattern->longest_us));
    put(object, "baseline_longest_ms", rh_json_ms(pattern->baseline_longest_us));
    put(object, "waited", json_integer(pattern->waited));
    put(object, "longest_wait_ms", rh_json_ms(pattern->longest_wait_us));
    PUT_ARRAY(object, "waits", pattern->waits, render_wait);
    PUT_ARRAY(object, "errors", pattern->errors, render_error);
    return object;
}

static json_t *render_depth(const struct traffic_depth *depth)
{
    json_t *pair = json_array();
    append(pair, moment(depth->at_us));
    append(pair, json_integer(depth->queries));
    return pair;
}

static json_t *render_pool(const struct traffic *traffic)
{
    if (traffic->pool <= 0)
        return json_null();
    json_t *object = json_object();
    put(object, "connections", json_integer(traffic->pool));
    put(object, "exhausted_at_ms", rh_json_ms(traffic->pool_exhausted_at_us));
    put(object, "exhausted_ms", rh_json_ms(traffic->pool_exhausted_us));
    return object;
}

static json_t *render_blocker(const struct traffic *traffic)
{
    if (traffic->blocker == BLOCKER_NONE)
        return json_null();
    json_t *object = json_object();
    put(object, "kind", rh_json_text(rh_blocker_name(traffic->blocker)));
    put(object, "relation", rh_json_text(traffic->blocker_relation));
    put(object, "duration_ms", rh_json_ms(traffic->blocker_us));
    return object;
}

static json_t *render_timeout(const struct traffic_timeout *timeout)
{
    json_t *object = json_object();
    put(object, "relation", rh_json_text(timeout->relation));
    put(object, "lock_timeout_ms", rh_json_ms(timeout->lock_timeout_us));
    put(object, "chance", json_real(timeout->chance));
    put(object, "tries", json_integer(timeout->retries));
    put(object, "chance_of_all", json_real(timeout->chance_of_all));
    put(object, "longest_transaction_ms", rh_json_ms(timeout->longest_transaction_us));
    return object;
}

static json_t *render_blocked(const struct traffic *traffic)
{
    if (!traffic->was_run)
        return json_null();
    json_t *blocked = json_object();
    put(blocked, "queries", json_integer(traffic->waited));
    put(blocked, "longest_ms", rh_json_ms(traffic->longest_wait_us));
    return blocked;
}

static json_t *render_traffic(const struct traffic *traffic)
{
    json_t *object = json_object();
    put(object, "reason", rh_json_text(traffic->why_not));
    put(object, "workload", rh_json_text(traffic->workload));
    if (!traffic->was_run)
        return object;
    put(object, "speed", json_real(traffic->speed));
    put(object, "sessions", json_integer(traffic->sessions));
    put(object, "calls", json_integer(traffic->calls));
    put(object, "baseline_calls", json_integer(traffic->baseline_calls));
    put(object, "replayer_bound", json_boolean(traffic->is_replayer_bound));
    put(object, "replayer_lag_ms", rh_json_ms(traffic->replayer_lag_us));
    put(object, "begun_ms", moment(traffic->begun_us));
    put(object, "ended_ms", moment(traffic->ended_us));
    put(object, "migration_ms", rh_json_ms(traffic->trace ? traffic->trace->duration_us : -1));
    put(object, "queries_left_out", json_integer(traffic->queries_left_out));
    PUT_ARRAY(object, "patterns", traffic->patterns, render_pattern);
    json_t *depth = json_object();
    put(depth, "usual", json_integer(traffic->depth_before));
    put(depth, "most", json_integer(traffic->depth_peak));
    put(depth, "most_at_ms", moment(traffic->depth_peak_at_us));
    put(depth, "recovered_ms", rh_json_ms(traffic->recovered_us));
    PUT_ARRAY(depth, "timeline", traffic->depths, render_depth);
    put(object, "depth", depth);
    put(object, "pool", render_pool(traffic));
    put(object, "blocker", render_blocker(traffic));
    PUT_ARRAY(object, "lock_timeouts", traffic->timeouts, render_timeout);
    return object;
}

void rh_json_put_workload(json_t *result_object, const struct result *result)
{
    const struct traffic *traffic = &result->traffic;
    bool has_traffic = traffic->was_run || traffic->why_not;
    /* null says "not compared", never "no differences". */
    if (!has_traffic && !result->workload.was_made) {
        put(result_object, "workload", json_null());
        return;
    }
    json_t *object = result->workload.was_made ? rh_comparison_to_json(&result->workload)
                                               : json_object();
    put(object, "blocked", render_blocked(traffic));
    put(object, "transform", rh_transformation_to_json(&result->transformation));
    put(object, "new_application",
        result->new_application.was_made ? rh_comparison_to_json(&result->new_application)
                                         : json_null());
    put(object, "during", has_traffic ? render_traffic(traffic) : json_null());
    put(result_object, "workload", object);
}
