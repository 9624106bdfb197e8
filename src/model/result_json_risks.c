#include "model/result_json_int.h"

static json_t *text_json(const char *const *text)
{
    return rh_json_text(*text);
}

static json_t *activity_json(const struct activity_risk *risk)
{
    json_t *object = json_object();
    put(object, "table", rh_json_text(risk->table));
    put(object, "root", rh_json_text(risk->root));
    put(object, "ways", rh_json_text(risk->ways));
    put(object, "inserted", rh_json_count(risk->inserted));
    put(object, "updated", rh_json_count(risk->updated));
    put(object, "deleted", rh_json_count(risk->deleted));
    return object;
}

static json_t *statistics_json(const struct statistics_risk *risk)
{
    json_t *object = json_object();
    put(object, "table", rh_json_text(risk->table));
    put(object, "root", rh_json_text(risk->root));
    put(object, "name", rh_json_text(risk->name));
    put(object, "is_extended", json_boolean(risk->is_extended));
    put(object, "rows", rh_json_count(risk->rows));
    return object;
}

static json_t *headroom_json(const struct headroom_risk *risk)
{
    json_t *object = json_object();
    put(object, "table", rh_json_text(risk->table));
    put(object, "column", rh_json_text(risk->column));
    put(object, "type", rh_json_text(risk->type));
    put(object, "role", rh_json_text(risk->role));
    put(object, "source", rh_json_text(risk->source));
    put(object, "sequence", rh_json_text(risk->sequence));
    put(object, "used", rh_json_count(risk->used));
    put(object, "limit", rh_json_count(risk->limit));
    return object;
}

static json_t *sequence_json(const struct sequence_risk *risk)
{
    json_t *object = json_object();
    put(object, "sequence", rh_json_text(risk->sequence));
    put(object, "table", rh_json_text(risk->table));
    put(object, "column", rh_json_text(risk->column));
    put(object, "next", rh_json_count(risk->next));
    put(object, "highest", rh_json_count(risk->highest));
    put(object, "was_behind", json_boolean(risk->was_behind));
    return object;
}

static json_t *cast_json(const struct cast_risk *risk)
{
    json_t *object = json_object();
    put(object, "statement", positive(risk->statement));
    put(object, "table", rh_json_text(risk->table));
    put(object, "column", rh_json_text(risk->column));
    put(object, "type_before", rh_json_text(risk->type_before));
    put(object, "type_after", rh_json_text(risk->type_after));
    put(object, "test",
        risk->values < 0 ? json_null() : rh_json_text(rh_cast_test_name(risk->test)));
    put(object, "values", rh_json_count(risk->values));
    put(object, "changed", rh_json_count(risk->changed));
    put(object, "limit", rh_json_text(risk->limit));
    put(object, "near", rh_json_count(risk->limit ? risk->near : NOT_OBSERVED));
    put(object, "used_percent", rh_json_count(risk->limit ? risk->used_percent : NOT_OBSERVED));
    put(object, "sample_percent", rh_json_count(risk->sample_percent));
    put(object, "not_asked", rh_json_text(risk->not_asked));
    return object;
}

static json_t *skipped_json(const struct skipped_risk *risk)
{
    json_t *object = json_object();
    put(object, "statement", positive(risk->statement));
    put(object, "skip", rh_json_text(rh_skip_name(risk->skip)));
    put(object, "kind", rh_json_text(risk->kind));
    put(object, "name", rh_json_text(risk->name));
    PUT_ARRAY(object, "differences", risk->differences, text_json);
    put(object, "sqlstate", rh_json_text(risk->sqlstate));
    put(object, "not_asked", rh_json_text(risk->not_asked));
    return object;
}

static json_t *null_json(const struct null_risk *risk)
{
    json_t *object = json_object();
    put(object, "statement", positive(risk->statement));
    put(object, "table", rh_json_text(risk->table));
    put(object, "column", rh_json_text(risk->column));
    put(object, "sources", rh_json_text(risk->sources));
    put(object, "updated", rh_json_count(risk->updated));
    put(object, "filled", rh_json_count(risk->filled));
    put(object, "rows", rh_json_count(risk->rows));
    put(object, "not_asked", rh_json_text(risk->not_asked));
    return object;
}

/* null says "not asked", never "no risks". */
void rh_json_put_risks(json_t *object, const struct result *result)
{
    const struct risks *risks = &result->risks;
    if (!risks->was_asked) {
        put(object, "risks", json_null());
        return;
    }
    json_t *json = json_object();
    if (risks->has_activity)
        PUT_ARRAY(json, "activity", risks->activity, activity_json);
    else
        put(json, "activity", json_null());
    PUT_ARRAY(json, "statistics", risks->statistics, statistics_json);
    PUT_ARRAY(json, "headroom", risks->headroom, headroom_json);
    PUT_ARRAY(json, "sequences", risks->sequences, sequence_json);
    PUT_ARRAY(json, "casts", risks->casts, cast_json);
    PUT_ARRAY(json, "skipped", risks->skipped, skipped_json);
    PUT_ARRAY(json, "nulls", risks->nulls, null_json);
    PUT_ARRAY(json, "not_asked", risks->not_asked, text_json);
    put(json, "duration_ms", rh_json_ms(risks->duration_us));
    put(object, "risks", json);
}
