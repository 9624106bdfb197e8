#include "replay/replay_json.h"

#include <stdio.h>
#include <string.h>

static void set(json_t *object, const char *name, json_t *value)
{
    json_object_set_new(object, name, value);
}

static json_t *times_json(const struct histogram *histogram)
{
    static const struct {
        const char *name;
        double level;
    } levels[] = {{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}};
    if (!histogram || histogram->count == 0)
        return json_null();
    json_t *json = json_object();
    set(json, "count", json_integer(histogram->count));
    set(json, "mean", json_real((double)histogram->sum / (double)histogram->count));
    set(json, "min", json_integer(histogram->min));
    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
        set(json, levels[i].name, json_integer(rh_histogram_quantile(histogram, levels[i].level)));
    set(json, "max", json_integer(histogram->max));
    return json;
}

static json_t *errors_json(int64_t as_recorded, int64_t new_ones, int64_t resolved)
{
    json_t *json = json_object();
    set(json, "as_recorded", json_integer(as_recorded));
    set(json, "new", json_integer(new_ones));
    set(json, "resolved", json_integer(resolved));
    return json;
}

static json_t *pair_json(int64_t same, int64_t differ)
{
    json_t *json = json_object();
    set(json, "same", json_integer(same));
    set(json, "differ", json_integer(differ));
    return json;
}

static json_t *pattern_json(const struct replay_options *options,
                            const struct replay_pattern *pattern)
{
    json_t *json = json_object(), *sqlstates = json_object();
    char fingerprint[24] = "";
    const char *query = "";
    if (pattern->number > 0) {
        const struct workload_pattern *known = options->patterns[pattern->number - 1];
        snprintf(fingerprint, sizeof(fingerprint), "%016llx",
                 (unsigned long long)known->fingerprint);
        query = known->query;
    }
    for (size_t i = 0; i < pattern->sqlstates.count; i++)
        set(sqlstates, pattern->sqlstates.items[i].code,
            json_integer(pattern->sqlstates.items[i].count));
    set(json, "pattern", json_integer(pattern->number));
    set(json, "fingerprint", json_string(fingerprint));
    json_t *text = json_string(query);
    set(json, "query", text ? text : json_null()); /* of an encoding that is not UTF-8 */
    set(json, "calls", json_integer(pattern->calls));
    set(json, "errors",
        errors_json(pattern->errors_as_recorded, pattern->errors_new, pattern->errors_resolved));
    set(json, "sqlstates", sqlstates);
    set(json, "cancelled", json_integer(pattern->cancelled));
    set(json, "rows", pair_json(pattern->rows_same, pattern->rows_differ));
    json_t *digests = pair_json(pattern->digests_same, pattern->digests_differ);
    set(digests, "moved_ids", json_integer(pattern->digests_moved));
    set(json, "digests", digests);
    set(json, "service_us", times_json(pattern->service_us));
    set(json, "response_us", times_json(pattern->response_us));
    return json;
}

static json_t *gaps_json(const struct replay_result *result)
{
    json_t *json = json_array();
    for (enum replay_gap gap = 0; gap < REPLAY_GAPS; gap++) {
        if (result->gaps[gap] == 0)
            continue;
        json_t *line = json_object();
        set(line, "kind", json_string(rh_replay_gap_name(gap)));
        set(line, "count", json_integer(result->gaps[gap]));
        set(line, "detail", json_string(rh_replay_gap_text(gap)));
        json_array_append_new(json, line);
    }
    return json;
}

static json_t *order_json(const struct replay_result *result)
{
    json_t *json = json_object();
    set(json, "waits", json_integer(result->order_waits));
    set(json, "wait_ms", json_real((double)result->order_wait_us / 1000));
    set(json, "escapes_deadline", json_integer(result->order_escapes_deadline));
    set(json, "escapes_lock", json_integer(result->order_escapes_lock));
    return json;
}

static json_t *ids_json(const struct replay_result *result)
{
    json_t *json = json_object();
    set(json, "learned", json_integer(result->ids_learned));
    set(json, "mapped", json_integer(result->ids_mapped));
    set(json, "moved", json_integer(result->ids_moved));
    set(json, "unknown", json_integer(result->ids_unknown));
    return json;
}

static json_t *replayer_json(const struct replay_result *result)
{
    json_t *json = json_object();
    set(json, "bound", json_boolean(result->is_replayer_bound));
    set(json, "late_share", json_real(result->late_share));
    set(json, "busy_share", json_real(result->busy_share));
    set(json, "late_us", times_json(&result->late_us));
    return json;
}

static json_t *cancels_json(const struct replay_result *result)
{
    json_t *json = json_object();
    set(json, "sent", json_integer(result->cancels_sent));
    set(json, "not_needed", json_integer(result->cancels_not_needed));
    return json;
}

static json_t *target_json(const struct replay_options *options, const struct replay_result *result)
{
    json_t *json = json_object();
    set(json, "place", json_string(options->place));
    set(json, "server_version", json_string(result->server_version));
    set(json, "types_moved", json_integer(result->types_moved));
    set(json, "type_missing", json_string(result->first_missing_type));
    set(json, "users_replaced", json_string(result->users_replaced));
    return json;
}

static json_t *ended_json(const struct replay_result *result)
{
    const struct err *why = &result->ended_why;
    if (!why->code)
        return json_null();
    json_t *json = json_object();
    set(json, "early", json_boolean(result->was_ended_early));
    set(json, "sqlstate", json_string(why->sqlstate));
    json_t *message = json_string(why->message);
    set(json, "message", message ? message : json_string(""));
    return json;
}

json_t *rh_replay_json(const struct replay_options *options, const struct replay_result *result)
{
    json_t *json = json_object(), *patterns = json_array();
    set(json, "format_version", json_string("1.0"));
    set(json, "rehearse_version", json_string(REHEARSE_VERSION));
    set(json, "target", target_json(options, result));
    set(json, "speed", options->speed > 0 ? json_real(options->speed) : json_string("max"));
    set(json, "read_only", json_boolean(options->is_read_only));
    set(json, "duration_ms", json_real((double)result->duration_us / 1000));
    set(json, "skipped_ms", json_real((double)result->skipped_us / 1000));
    set(json, "sessions", json_integer(result->sessions));
    set(json, "sessions_most_at_once", json_integer(result->sessions_most_at_once));
    set(json, "requests", json_integer(result->requests));
    set(json, "executions", json_integer(result->executions));
    set(json, "errors",
        errors_json(result->errors_as_recorded, result->errors_new, result->errors_resolved));
    set(json, "cancelled", json_integer(result->cancelled));
    set(json, "cancels", cancels_json(result));
    set(json, "service_us", times_json(&result->service_us));
    set(json, "response_us", times_json(&result->response_us));
    set(json, "login_us", times_json(&result->login_us));
    set(json, "commit_order", order_json(result));
    set(json, "ids", ids_json(result));
    set(json, "replayer", replayer_json(result));
    set(json, "not_as_recorded", gaps_json(result));
    set(json, "lost", ended_json(result));
    for (size_t i = 0; i <= result->pattern_count; i++)
        if (result->patterns[i].calls > 0)
            json_array_append_new(patterns, pattern_json(options, &result->patterns[i]));
    set(json, "patterns", patterns);
    return json;
}
