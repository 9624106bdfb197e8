#include "model/result_json_int.h"

static void put_texts(json_t *object, const char *key, const char *const *items, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        append(array, rh_json_text(items[i]));
    put(object, key, array);
}

/* null: the run was no dry run. */
void rh_json_put_rollback(json_t *object, const struct result *result)
{
    const struct rollback_facts *facts = &result->rollback;
    if (!facts->is_dry_run) {
        put(object, "rollback", json_null());
        return;
    }
    bool was_compared = facts->proof != ROLLBACK_NOT_PROVEN;
    json_t *rollback = json_object();
    put(rollback, "target", rh_json_text(facts->target));
    put(rollback, "connection_lost", json_boolean(facts->was_lost));
    put(rollback, "other_sessions", rh_json_count(facts->other_sessions));
    put(rollback, "proof", rh_json_text(rh_rollback_proof_name(facts->proof)));
    put(rollback, "reason", rh_json_text(facts->reason));
    put(rollback, "tables", rh_json_count(was_compared ? facts->tables : NOT_OBSERVED));
    put(rollback, "rows", rh_json_count(was_compared ? facts->rows : NOT_OBSERVED));
    put(rollback, "sampled_tables",
        rh_json_count(was_compared ? facts->sampled_tables : NOT_OBSERVED));
    put(rollback, "skipped_tables",
        rh_json_count(was_compared ? facts->skipped_tables : NOT_OBSERVED));
    put_texts(rollback, "sequences", facts->sequences.items, facts->sequences.count);
    put_texts(rollback, "differences", facts->differences.items, facts->differences.count);
    put(object, "rollback", rollback);
}
