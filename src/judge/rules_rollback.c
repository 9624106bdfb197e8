/* What a dry run left behind in a database that was not ours. */
#include "judge/judge_int.h"

#define DIFFERENCES_SHOWN 3

void rh_rule_rollback_left_changes(const struct rule *rule, struct judgement *judgement)
{
    const struct rollback_facts *facts = &judgement->result->rollback;
    struct arena *arena = judgement->arena;
    /* With other sessions at work nobody can tell whose they are: the report says so. */
    if (!facts->is_dry_run || facts->proof != ROLLBACK_DIFFERS || facts->other_sessions > 0)
        return;
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, NULL, NULL);
    json_t *list = json_array();
    for (size_t i = 0; i < facts->differences.count; i++)
        json_array_append_new(list, rh_json_text(facts->differences.items[i]));
    rh_evidence_json(found, "differences", list);
    struct finding *finding = &found->finding;
    finding->title = rh_arena_printf(
        arena, "the rollback did not undo everything: %s",
        rh_say_list(arena, facts->differences.items, facts->differences.count, DIFFERENCES_SHOWN));
    finding->why = "The transaction was rolled back, and the database differs from before: a "
                   "function of the migration wrote through another connection (dblink, a foreign "
                   "server), or somebody else did in the meantime.";
    finding->advice = "Find out what wrote it, and rehearse such a migration in a sandbox: leave "
                      "--rollback out, and give --snapshot or --schema.";
}
