#include "model/result_json_int.h"

static json_t *texts(const char *const *items, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        append(array, rh_json_text(items[i]));
    return array;
}

static json_t *run_json(const struct repeated_run *run)
{
    const struct end_difference *difference = &run->difference;
    bool compared = run->was_run && difference->was_compared;
    json_t *object = json_object();
    put(object, "was_run", json_boolean(run->was_run));
    put(object, "reason", rh_json_text(run->reason));
    put(object, "ok", run->was_run ? json_boolean(run->ok) : json_null());
    put(object, "from_step", rh_json_text(run->step));
    put(object, "statements", rh_json_count(run->was_run ? run->statements : -1));
    put(object, "ddl", rh_json_count(run->was_run ? run->ddl : -1));
    put(object, "error", run->error ? rh_json_server_message(run->error) : json_null());
    put(object, "error_sql", rh_json_text(run->error_sql));
    put(object, "exit_status", rh_json_count(run->exit_status));
    put(object, "duration_ms", rh_json_ms(run->was_run ? run->duration_us : -1));
    put(object, "compared", json_boolean(compared));
    put(object, "not_compared_reason", rh_json_text(difference->reason));
    put(object, "difference_count", rh_json_count(compared ? difference->count : -1));
    put(object, "differences",
        compared ? texts(difference->sentences.items, difference->sentences.count) : json_null());
    put(object, "set_aside", rh_json_count(compared ? difference->set_aside : -1));
    return object;
}

static json_t *cut_json(const struct cut *cut)
{
    json_t *committed = json_array(), *object = json_object();
    for (size_t i = 0; i < cut->committed.count; i++)
        append(committed, json_integer(cut->committed.items[i]));
    put(object, "how", rh_json_text(rh_cut_how_name(cut->how)));
    put(object, "after_statement", json_integer(cut->after));
    put(object, "in_statement", positive(cut->in_the_middle ? cut->after + 1 : 0));
    put(object, "in_transaction", json_boolean(cut->in_transaction));
    put(object, "equivalent_boundaries", rh_json_count(cut->equivalent));
    put(object, "outcome", rh_json_text(rh_cut_outcome_name(cut->outcome)));
    put(object, "reason", rh_json_text(cut->reason));
    put(object, "committed", committed);
    put(object, "committed_count", rh_json_count(cut->committed_count));
    put(object, "unfinished_left", texts(cut->invalid_left.items, cut->invalid_left.count));
    put(object, "unfinished_after", texts(cut->invalid_after.items, cut->invalid_after.count));
    put(object, "rerun", run_json(&cut->again));
    return object;
}

static json_t *rerun_json(const struct repetition *repetition)
{
    const struct cancel_release *cancel = &repetition->cancel;
    json_t *object = run_json(&repetition->rerun.run);
    put(object, "kind", rh_json_text(rh_rerun_kind_name(repetition->rerun.kind)));
    put(object, "claims_repeatable", json_boolean(repetition->rerun.claims_repeatable));
    put(object, "cut_places", rh_json_count(repetition->boundaries));
    put(object, "cut_choice", rh_json_text(repetition->choice));
    put(object, "no_cuts_reason", rh_json_text(repetition->cuts_reason));
    put(object, "cancel_statement", positive(cancel->statement));
    put(object, "cancel_after_ms", rh_json_ms(cancel->after_us));
    put(object, "cancel_release_ms", rh_json_ms(cancel->release_us));
    put(object, "cancel_reason", rh_json_text(cancel->reason));
    put(object, "all_ms", rh_json_ms(repetition->duration_us));
    return object;
}

/* null says "nothing was run again", never "it made no difference". */
void rh_json_put_repetition(json_t *object, const struct result *result)
{
    const struct repetition *repetition = &result->repetition;
    put(object, "rerun", repetition->was_wanted ? rerun_json(repetition) : json_null());
    if (repetition->was_wanted)
        PUT_ARRAY(object, "cuts", repetition->cuts, cut_json);
    else
        put(object, "cuts", json_null());
}
