#include "model/result_json_int.h"

json_t *rh_json_scaled(const struct scaled_duration *scaled)
{
    if (!scaled)
        return json_null();
    json_t *object = json_object();
    put(object, "refusal", rh_json_text(scaled->refusal));
    if (scaled->refusal)
        return object;
    put(object, "shape", rh_json_text(scaled->shape));
    put(object, "duration_ms", rh_json_ms(scaled->duration_us));
    put(object, "low_ms", rh_json_ms(scaled->low_us));
    put(object, "high_ms", rh_json_ms(scaled->high_us));
    put(object, "rows", rh_json_count(scaled->rows));
    put(object, "production_rows", rh_json_count(scaled->production_rows));
    return object;
}

void rh_json_put_scaling(json_t *result_object, const struct scaling_facts *scaling)
{
    if (!scaling->was_tried) {
        put(result_object, "scaling", json_null());
        return;
    }
    json_t *object = json_object();
    json_t *fractions = json_array();
    for (size_t i = 0; i < scaling->fractions.count; i++)
        append(fractions, json_real(scaling->fractions.items[i]));
    put(object, "fractions", fractions);
    put(object, "reason", rh_json_text(scaling->reason));
    put(result_object, "scaling", object);
}
