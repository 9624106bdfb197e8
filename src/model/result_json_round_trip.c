#include "model/result_json_int.h"

static json_t *text_json(const char *const *text)
{
    return rh_json_text(*text);
}

static json_t *difference_json(const struct round_trip_difference *difference)
{
    json_t *object = json_object();
    put(object, "subject", rh_json_text(rh_round_trip_subject_name(difference->subject)));
    put(object, "sentence", rh_json_text(difference->sentence));
    put(object, "kind", rh_json_text(difference->kind));
    put(object, "identity", rh_json_text(difference->identity));
    put(object, "table", rh_json_text(difference->table));
    put(object, "column", rh_json_text(difference->column));
    put(object, "is_loss", json_boolean(difference->is_loss));
    put(object, "count", rh_json_count(difference->count));
    put(object, "after_writes", json_boolean(difference->after_writes));
    put(object, "dropped_by", positive(difference->dropped_by));
    return object;
}

static json_t *failure_json(const struct round_trip_failure *failure)
{
    if (!failure)
        return json_null();
    json_t *object = json_object();
    put(object, "step", rh_json_text(failure->step));
    put(object, "line", positive(failure->line));
    put(object, "sql", rh_json_text(failure->sql));
    put(object, "sqlstate", rh_json_text(failure->sqlstate));
    put(object, "message", rh_json_text(failure->message));
    put(object, "table", rh_json_text(failure->table));
    put(object, "exit_status", rh_json_count(failure->exit_status));
    return object;
}

static json_t *phase_json(const struct round_trip_phase *phase)
{
    json_t *object = json_object();
    put(object, "ran", json_boolean(phase->ran));
    put(object, "reason", rh_json_text(phase->reason));
    put(object, "duration_ms", rh_json_ms(phase->ran ? phase->duration_us : -1));
    put(object, "down_ms", rh_json_ms(phase->ran ? phase->down_us : -1));
    put(object, "failure", failure_json(phase->failure));
    return object;
}

static json_t *row_json(const struct written_row *row)
{
    json_t *object = json_object();
    put(object, "uses", rh_json_text(rh_freedom_name(row->freedom.kind)));
    put(object, "column", rh_json_text(row->freedom.column));
    put(object, "written", json_boolean(row->is_written));
    put(object, "reason", rh_json_text(row->reason));
    return object;
}

static json_t *table_json(const struct table_writes *table)
{
    json_t *object = json_object();
    int64_t written = 0;
    for (size_t i = 0; i < table->rows.count; i++)
        written += table->rows.items[i].is_written;
    put(object, "table", rh_json_text(table->table));
    put(object, "written", rh_json_count(written));
    put(object, "left", rh_json_count(table->removed));
    PUT_ARRAY(object, "rows", table->rows, row_json);
    return object;
}

static json_t *item_json(const struct plan_item *item)
{
    json_t *object = json_object();
    put(object, "kind", rh_json_text(rh_plan_item_name(item->kind)));
    put(object, "sql", rh_json_text(item->sql));
    put(object, "text", rh_json_text(item->text));
    put(object, "statement", positive(item->statement ? *item->statement : 0));
    return object;
}

static json_t *plan_json(const struct rollback_plan *plan)
{
    if (!plan->is_made)
        return json_null();
    json_t *object = json_object();
    put(object, "complete", json_boolean(plan->is_complete));
    put(object, "lossless", json_boolean(plan->is_lossless));
    put(object, "tried", json_boolean(plan->was_tried));
    put(object, "proven", json_boolean(plan->is_proven));
    put(object, "outcome", rh_json_text(plan->outcome));
    PUT_ARRAY(object, "items", plan->items, item_json);
    return object;
}

static json_t *restore_json(const struct restore_test *test)
{
    if (!test->was_asked)
        return json_null();
    json_t *object = json_object();
    put(object, "ran", json_boolean(test->ran));
    put(object, "reason", rh_json_text(test->reason));
    put(object, "failure", rh_json_text(test->failure));
    put(object, "duration_ms", rh_json_ms(test->ran ? test->duration_us : -1));
    put(object, "dump_bytes", rh_json_count(test->ran ? test->dump_bytes : -1));
    PUT_ARRAY(object, "differences", test->differences, difference_json);
    return object;
}

void rh_json_put_round_trip(json_t *object, const struct round_trip *trip)
{
    json_t *json = json_object();
    put(json, "verdict", rh_json_text(rh_round_trip_verdict_name(trip->verdict)));
    put(json, "reason", rh_json_text(trip->reason));
    put(json, "given", json_boolean(trip->is_given));
    put(json, "way_back", rh_json_text(trip->way_back));
    put(json, "ends_at", rh_json_text(trip->ends_at));
    put(json, "ends_why", rh_json_text(trip->ends_why));
    PUT_ARRAY(json, "steps", trip->steps, text_json);
    put(json, "at_once", phase_json(&trip->at_once));
    put(json, "after_writes", phase_json(&trip->after_writes));
    PUT_ARRAY(json, "writes", trip->writes.tables, table_json);
    PUT_ARRAY(json, "differences", trip->differences, difference_json);
    PUT_ARRAY(json, "notes", trip->notes, text_json);
    put(json, "plan", plan_json(&trip->plan));
    put(json, "restore_test", restore_json(&trip->restore_test));
    put(object, "round_trip", json);
}
