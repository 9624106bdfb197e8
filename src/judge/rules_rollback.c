/* What a dry run left behind in a database that was not ours. */
#include "judge/judge_int.h"

#include <string.h>

#define DIFFERENCES_SHOWN 3

/* Of its columns a table's end tells enough. */
static bool is_told(const struct schema_difference *difference)
{
    return difference->change == DIFFERENCE_REMOVED && difference->statement > 0 &&
           RH_IS_ONE_OF(difference->kind, "table", "materialized view", "schema", "table column");
}

static int64_t rows_of(const struct data_differences *data, const struct schema_difference *gone)
{
    bool is_column = RH_IS_ONE_OF(gone->kind, "table column");
    for (size_t i = 0; i < data->list.count; i++) {
        const struct data_difference *difference = &data->list.items[i];
        if (difference->change != DIFFERENCE_REMOVED)
            continue;
        if (!is_column && difference->subject == DATA_TABLE &&
            strcmp(difference->table, gone->identity) == 0)
            return difference->rows_before;
        size_t len = strlen(difference->table);
        if (is_column && difference->subject == DATA_COLUMN && difference->column &&
            strncmp(gone->identity, difference->table, len) == 0 && gone->identity[len] == '.' &&
            strcmp(gone->identity + len + 1, difference->column) == 0)
            return difference->non_null_before;
    }
    return NOT_OBSERVED;
}

void rh_judgement_take_drops(struct judgement *judgement)
{
    const struct result *result = judgement->result;
    struct trace *trace = judgement->result->trace;
    if (!trace->outside_only)
        return;
    for (size_t i = 0; i < result->schema_differences.list.count; i++) {
        const struct schema_difference *gone = &result->schema_differences.list.items[i];
        if (!is_told(gone) || (size_t)gone->statement > trace->statements.count)
            continue;
        struct statement *statement = &trace->statements.items[gone->statement - 1];
        *RH_PUSH(judgement->arena, &statement->dropped) = (struct dropped_object){
            .type = gone->kind,
            .identity = gone->identity,
            .named = gone->explanation == EXPLAINED_NAMED,
            .rows = rows_of(&result->data_differences, gone)};
    }
}

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
