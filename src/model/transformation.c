#include "model/transformation.h"

#include "model/result_json_int.h"

#include <inttypes.h>
#include <stdio.h>

static json_t *rule_json(const struct transformation_rule *rule)
{
    json_t *object = json_object();
    put(object, "place", rh_json_text(rule->place));
    put(object, "rule", rh_json_text(rule->text));
    put(object, "patterns", json_integer(rule->patterns));
    put(object, "calls", json_integer(rule->calls));
    return object;
}

static json_t *refusal_json(const struct transformation_refusal *refusal)
{
    json_t *object = json_object();
    char fingerprint[17];
    snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, refusal->fingerprint);
    put(object, "fingerprint", rh_json_text(fingerprint));
    put(object, "query", rh_json_text(refusal->query));
    put(object, "calls", json_integer(refusal->calls));
    put(object, "reason", rh_json_text(refusal->why));
    return object;
}

static json_t *count_json(int64_t patterns, int64_t calls)
{
    json_t *object = json_object();
    put(object, "patterns", json_integer(patterns));
    put(object, "calls", json_integer(calls));
    return object;
}

json_t *rh_transformation_to_json(const struct transformation *transformation)
{
    if (!transformation->path)
        return json_null();
    json_t *object = json_object();
    put(object, "file", rh_json_text(transformation->path));
    put(object, "old_application",
        json_string(transformation->is_old_stopped ? "stopped" : "running"));
    put(object, "rewritten", count_json(transformation->patterns, transformation->calls));
    put(object, "not_parsed",
        count_json(transformation->unparsed_patterns, transformation->unparsed_calls));
    PUT_ARRAY(object, "rules", transformation->rules, rule_json);
    PUT_ARRAY(object, "refused", transformation->refusals, refusal_json);
    return object;
}
