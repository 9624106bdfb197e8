/*
 * What the parts of result.json are made with.
 */
#ifndef RH_MODEL_RESULT_JSON_INT_H
#define RH_MODEL_RESULT_JSON_INT_H

#include "model/result.h"

/* Puts a new reference; a value that cannot be had would mean that memory ran out. */
static inline void put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        RH_PANIC("cannot set \"%s\" in a JSON object", key);
}

static inline void append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        RH_PANIC("cannot append to a JSON array");
}

/* For numbers whose 0 means "none": line, statement index. */
static inline json_t *positive(int64_t number)
{
    return number <= 0 ? json_null() : json_integer(number);
}

/* An array made from one of the vectors of a struct. */
#define PUT_ARRAY(object, key, vec, render)           \
    do {                                              \
        json_t *array_ = json_array();                \
        for (size_t i_ = 0; i_ < (vec).count; i_++)   \
            append(array_, render(&(vec).items[i_])); \
        put(object, key, array_);                     \
    } while (0)

/* result_json_states.c: schema_differences, data_differences, states */
void rh_json_put_states(json_t *object, const struct result *result);
/* result_json_repetition.c: rerun, cuts */
void rh_json_put_repetition(json_t *object, const struct result *result);
/* result_json.c: as the errors and notices of statements */
json_t *rh_json_message(const struct server_message *message);
json_t *rh_json_texts(const char *const *items, size_t count);

/* result_json_blockers.c: blockers, blockers_incomplete */
void rh_json_put_blockers(json_t *object, const struct result *result);
/* result_json_rollback.c */
void rh_json_put_rollback(json_t *object, const struct result *result);
/* result_json_checks.c */
void rh_json_put_checks(json_t *object, const struct result *result);
/* result_json_risks.c: risks */
void rh_json_put_risks(json_t *object, const struct result *result);
/* result_json_round_trip.c: round_trip */
void rh_json_put_round_trip(json_t *object, const struct round_trip *trip);
/* result_json_scaling.c: scaling; a statement's in_production */
void rh_json_put_scaling(json_t *object, const struct scaling_facts *scaling);
json_t *rh_json_scaled(const struct scaled_duration *scaled);
/* result_json_traffic.c: workload; null: none was replayed */
void rh_json_put_workload(json_t *result_object, const struct result *result);

/* comparison.c */
json_t *rh_json_decimal(double value); /* three digits behind the point; negative: null */
json_t *rh_json_plan_line(const struct plan_line *line);
json_t *rh_json_query_retry(const struct query_retry *retry);
json_t *rh_json_index_proposal(const struct index_proposal *proposal);

#endif
