#include "model/result_json_int.h"

static json_t *offenders_json(const struct offenders *offenders)
{
    json_t *object = json_object();
    put(object, "rule", rh_json_text(rh_offence_rule(offenders->offence)));
    put(object, "relation", rh_json_text(offenders->relation));
    put(object, "columns", rh_json_text(offenders->columns));
    put(object, "constraint", rh_json_text(offenders->constraint));
    put(object, "referenced", rh_json_text(offenders->referenced));
    put(object, "new_type", rh_json_text(offenders->new_type));
    put(object, "groups", rh_json_count(offenders->groups));
    put(object, "rows", rh_json_count(offenders->rows));
    json_t *keys = json_array();
    for (size_t i = 0; i < offenders->sample_keys.count; i++)
        append(keys, rh_json_text(offenders->sample_keys.items[i]));
    put(object, "sample_keys", keys);
    put(object, "newest", rh_json_text(offenders->newest));
    put(object, "newest_column", rh_json_text(offenders->newest_column));
    put(object, "repair_sql", rh_json_text(offenders->repair_sql));
    put(object, "repair_loses_rows", json_boolean(offenders->repair_loses_rows));
    put(object, "repair_invents_values", json_boolean(offenders->repair_invents));
    put(object, "repair_defers", json_boolean(offenders->repair_defers));
    put(object, "made_unique", rh_json_text(offenders->made_unique));
    return object;
}

static json_t *blocker_json(const struct blocker *blocker, const struct trace *trace)
{
    bool has_step = trace && blocker->step >= 0 && (size_t)blocker->step < trace->steps.count;
    json_t *object = json_object();
    put(object, "step", rh_json_text(has_step ? trace->steps.items[blocker->step].name : NULL));
    put(object, "line", positive(blocker->line));
    put(object, "sql", rh_json_text(blocker->sql));
    put(object, "tag", rh_json_text(blocker->tag));
    put(object, "in_transaction", json_boolean(blocker->in_transaction));
    put(object, "error", rh_json_message(&blocker->error));
    put(object, "inside", rh_json_text(blocker->inside));
    PUT_ARRAY(object, "offenders", blocker->offenders, offenders_json);
    put(object, "repair_tried", json_boolean(blocker->repair_tried));
    put(object, "repair_worked", json_boolean(blocker->repair_worked));
    put(object, "repair_error", rh_json_text(blocker->repair_error));
    put(object, "not_asked", rh_json_text(blocker->not_asked));
    json_t *unasked = json_array();
    for (size_t i = 0; i < blocker->unasked.count; i++)
        append(unasked, rh_json_text(blocker->unasked.items[i]));
    put(object, "unasked", unasked);
    put(object, "needs", blocker->needs < 0 ? json_null() : json_integer(blocker->needs + 1));
    return object;
}

void rh_json_put_blockers(json_t *object, const struct result *result)
{
    const struct blockers *blockers = &result->blockers;
    if (!blockers->looked) {
        put(object, "blockers", json_null());
    } else {
        json_t *array = json_array();
        for (size_t i = 0; i < blockers->items.count; i++)
            append(array, blocker_json(&blockers->items.items[i], result->trace));
        put(object, "blockers", array);
    }
    put(object, "blockers_incomplete", rh_json_text(blockers->incomplete));
}
