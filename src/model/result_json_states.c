#include "model/result_json_int.h"

static json_t *attribute_json(const struct attribute_change *change)
{
    json_t *object = json_object();
    put(object, "name", rh_json_text(change->name));
    put(object, "before", rh_json_text(change->before));
    put(object, "after", rh_json_text(change->after));
    return object;
}

static json_t *schema_difference_json(const struct schema_difference *difference)
{
    json_t *object = json_object();
    put(object, "change", rh_json_text(rh_difference_change_name(difference->change)));
    put(object, "kind", rh_json_text(difference->kind));
    put(object, "identity", rh_json_text(difference->identity));
    put(object, "identity_before", rh_json_text(difference->identity_before));
    put(object, "parent", rh_json_text(difference->parent));
    put(object, "parent_recreated", json_boolean(difference->parent_recreated));
    put(object, "parts", rh_json_count(difference->parts));
    PUT_ARRAY(object, "attributes", difference->attributes, attribute_json);
    put(object, "sentence", rh_json_text(difference->sentence));
    put(object, "explanation", rh_json_text(rh_explanation_name(difference->explanation)));
    put(object, "statement", positive(difference->statement));
    return object;
}

static json_t *data_difference_json(const struct data_difference *difference)
{
    json_t *object = json_object();
    put(object, "subject", rh_json_text(rh_data_subject_name(difference->subject)));
    put(object, "change", rh_json_text(rh_difference_change_name(difference->change)));
    put(object, "table", rh_json_text(difference->table));
    put(object, "column", rh_json_text(difference->column));
    put(object, "name_before", rh_json_text(difference->before));
    put(object, "type_before", rh_json_text(difference->type_before));
    put(object, "type_after", rh_json_text(difference->type_after));
    /* A sequence's own numbers may be negative; they are in its sentence. */
    put(object, "rows_before", rh_json_count(difference->rows_before));
    put(object, "rows_after", rh_json_count(difference->rows_after));
    put(object, "non_null_before", rh_json_count(difference->non_null_before));
    put(object, "non_null_after", rh_json_count(difference->non_null_after));
    put(object, "values", rh_json_text(rh_data_values_name(difference->values)));
    put(object, "vanished_values", rh_json_count(difference->vanished_values));
    put(object, "changed_values", rh_json_count(difference->changed_values));
    put(object, "sampled", json_boolean(difference->sampled));
    put(object, "sentence", rh_json_text(difference->sentence));
    put(object, "explanation", rh_json_text(rh_explanation_name(difference->explanation)));
    put(object, "statement", positive(difference->statement));
    return object;
}

static json_t *states_json(const struct result *result)
{
    const struct data_differences *data = &result->data_differences;
    bool read_data = data->was_compared;
    json_t *object = json_object();
    put(object, "schema_compared", json_boolean(result->schema_differences.was_compared));
    put(object, "schema_reason", rh_json_text(result->schema_differences.reason));
    put(object, "data_compared", json_boolean(read_data));
    put(object, "data_reason", rh_json_text(data->reason));
    put(object, "tables", rh_json_count(read_data ? data->tables : -1));
    put(object, "rows", rh_json_count(read_data ? data->rows : -1));
    put(object, "sampled_tables", rh_json_count(read_data ? data->sampled_tables : -1));
    put(object, "skipped_tables", rh_json_count(read_data ? data->skipped_tables : -1));
    put(object, "duration_ms", rh_json_ms(read_data ? data->duration_us : -1));
    return object;
}

/* null says "not compared", never "no differences". */
void rh_json_put_states(json_t *object, const struct result *result)
{
    if (result->schema_differences.was_compared)
        PUT_ARRAY(object, "schema_differences", result->schema_differences.list,
                  schema_difference_json);
    else
        put(object, "schema_differences", json_null());
    if (result->data_differences.was_compared)
        PUT_ARRAY(object, "data_differences", result->data_differences.list, data_difference_json);
    else
        put(object, "data_differences", json_null());
    put(object, "states", states_json(result));
}
