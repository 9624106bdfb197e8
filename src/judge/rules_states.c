/* Rules on the states before and after: what changed or vanished that no statement named. */
#include "judge/judge_int.h"

#include <string.h>

/* Differences listed in one sentence. */
#define DIFFERENCES_SHOWN 5

/* Where the witnesses failed, that nobody was seen to do it means nothing. */
static bool saw_everything(const struct judgement *judgement)
{
    return !judgement->trace->outside_only && !rh_judgement_blind_spot(judgement);
}

/* --- unnamed-side-effect ---------------------------------------------------------------------- */

struct effects {
    VEC(const char *) sentences;
    json_t *objects;
    const char *relation;
    int statement;
};

static void add_effect(struct judgement *judgement, struct effects *effects, const char *sentence,
                       const char *relation, int statement)
{
    if (!effects->objects)
        effects->objects = json_array();
    *RH_PUSH(judgement->arena, &effects->sentences) = sentence;
    json_array_append_new(effects->objects, rh_json_text(sentence));
    if (!effects->relation)
        effects->relation = relation;
    if (!effects->statement)
        effects->statement = statement;
}

static struct finding *add_effects(const struct rule *rule, struct judgement *judgement,
                                   const struct effects *effects, const char *title)
{
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING,
                                           rh_judgement_act(judgement, effects->statement),
                                           effects->relation);
    rh_evidence_json(found, "objects", effects->objects);
    found->weight = (int64_t)effects->sentences.count;
    found->finding.title = rh_arena_printf(judgement->arena, "%s: %s", title,
                                           rh_say_list(judgement->arena, effects->sentences.items,
                                                       effects->sentences.count,
                                                       DIFFERENCES_SHOWN));
    return &found->finding;
}

/* Privileges, a comment, a setting of storage: lost with the table that was made anew. */
static bool is_lost_with_table(const struct schema_difference *difference)
{
    if (difference->change == DIFFERENCE_REMOVED)
        return difference->parent_recreated && difference->explanation != EXPLAINED_NAMED &&
               !RH_IS_ONE_OF(difference->kind, "table column");
    if (difference->change != DIFFERENCE_RECREATED)
        return false;
    for (size_t i = 0; i < difference->attributes.count; i++)
        if (difference->attributes.items[i].before && !difference->attributes.items[i].after)
            return true;
    return false;
}

static void find_lost_with_table(const struct rule *rule, struct judgement *judgement)
{
    const struct schema_differences *schema = &judgement->result->schema_differences;
    struct effects effects = {0};
    for (size_t i = 0; i < schema->list.count; i++) {
        const struct schema_difference *difference = &schema->list.items[i];
        if (is_lost_with_table(difference))
            add_effect(judgement, &effects, difference->sentence,
                       difference->parent ? difference->parent : difference->identity,
                       difference->statement);
    }
    if (!effects.sentences.count)
        return;
    struct finding *finding = add_effects(rule, judgement, &effects,
                                          "lost when the table was made anew");
    finding->why = "A table that is dropped and created again has the columns that were written "
                   "down, and nothing else: privileges, policies, indexes, triggers, comments, "
                   "publications of the old one are gone with it.";
    finding->advice = "Alter the table instead. If it must be made anew, create again what is "
                      "still needed: applications without privileges fail at their next query.";
}

static void find_unexplained(const struct rule *rule, struct judgement *judgement)
{
    const struct result *result = judgement->result;
    struct effects effects = {0};
    for (size_t i = 0; i < result->schema_differences.list.count; i++) {
        const struct schema_difference *difference = &result->schema_differences.list.items[i];
        if (difference->explanation == EXPLAINED_NOT && !is_lost_with_table(difference) &&
            !rh_rule_owns_column_change(judgement, difference))
            add_effect(judgement, &effects, difference->sentence,
                       difference->parent ? difference->parent : difference->identity, 0);
    }
    for (size_t i = 0; i < result->data_differences.list.count; i++) {
        const struct data_difference *difference = &result->data_differences.list.items[i];
        if (difference->values == VALUES_CHANGED && difference->vanished_values == 0 &&
            (difference->explanation == EXPLAINED_NOT ||
             difference->explanation == EXPLAINED_ALONG) &&
            !rh_judgement_cascade(judgement, difference->table))
            add_effect(judgement, &effects, difference->sentence, difference->table,
                       difference->statement);
    }
    if (!effects.sentences.count)
        return;
    struct finding *finding = add_effects(rule, judgement, &effects,
                                          "changed, though no statement named it");
    finding->why = "The state of the database differs from the one before by more than the "
                   "statements say: a trigger, a rule, a function or a direct change of the "
                   "system catalogues did it.";
    finding->advice = "Find out what did it and whether it is meant. Name it in the migration, so "
                      "that the reviewer sees it; or disable the trigger meanwhile.";
}

void rh_rule_states_side_effect(const struct rule *rule, struct judgement *judgement)
{
    find_lost_with_table(rule, judgement);
    if (saw_everything(judgement))
        find_unexplained(rule, judgement);
}

/* --- data-lost ---------------------------------------------------------------------------------
 */

/* ALTER TABLE says a new type, not that values may go. */
static bool is_by_definition(const struct judgement *judgement,
                             const struct data_difference *difference)
{
    const struct act *act = rh_judgement_act(judgement, difference->statement);
    return act && RH_IS_ONE_OF(act->statement->tag, "ALTER TABLE");
}

/* How many rows or values vanished that no statement named; 0. */
static int64_t lost(const struct judgement *judgement, const struct data_difference *difference)
{
    enum explanation explanation = difference->explanation;
    bool is_unnamed = explanation == EXPLAINED_ALONG ||
                      (explanation == EXPLAINED_NOT && saw_everything(judgement));
    if (difference->subject == DATA_TABLE)
        return difference->change == DIFFERENCE_REMOVED && explanation == EXPLAINED_NOT &&
                       is_unnamed && difference->rows_before > 0
                   ? difference->rows_before
                   : 0;
    if (difference->subject == DATA_ROWS)
        return is_unnamed && difference->rows_after < difference->rows_before
                   ? difference->rows_before - difference->rows_after
                   : 0;
    if (difference->subject != DATA_COLUMN || !difference->column)
        return 0;
    if (difference->change == DIFFERENCE_REMOVED)
        return is_unnamed ? difference->non_null_before : 0;
    return is_unnamed || is_by_definition(judgement, difference) ? difference->vanished_values : 0;
}

void rh_rule_data_lost(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct data_differences *data = &judgement->result->data_differences;
    for (size_t i = 0; i < data->list.count; i++) {
        const struct data_difference *difference = &data->list.items[i];
        int64_t count = lost(judgement, difference);
        if (count == 0)
            continue;
        bool is_column = difference->subject == DATA_COLUMN;
        const struct act *act = rh_judgement_act(judgement, difference->statement);
        struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, act,
                                               difference->table);
        rh_evidence_count(found, is_column ? "values" : "rows", count);
        if (is_column)
            rh_evidence_text(found, "column", difference->column);
        rh_evidence_count(found, "rows_before", difference->rows_before);
        rh_evidence_count(found, "rows_after", difference->rows_after);
        found->weight = count;
        struct finding *finding = &found->finding;
        const char *what = rh_say_count(arena, count, is_column ? "value" : "row");
        const char *where = is_column ? rh_arena_printf(arena, "%s.%s", difference->table,
                                                        difference->column)
                                      : difference->table;
        finding->title = rh_arena_printf(arena, "%s of %s vanished, and no statement says so", what,
                                         where);
        found->headline = rh_arena_printf(arena, "%s would lose %s of %s without saying so",
                                          rh_judgement_subject(judgement, act ? act->top : NULL),
                                          what, where);
        finding->why = is_column
                           ? "The rows are there, their values are not: a new type, a USING "
                             "expression or a trigger turned them into NULL or took the column "
                             "away. Nothing in the database remembers them."
                           : "A foreign key's ON DELETE CASCADE, TRUNCATE ... CASCADE, a trigger "
                             "or a rule took rows of a table that the migration does not name. "
                             "Nothing in the database remembers them.";
        finding->advice = "Look at what vanished before production does it: keep a copy of it, or "
                          "write the DELETE, UPDATE or DROP that is meant, so that it can be "
                          "reviewed.";
    }
}

/* --- row-count-changed --------------------------------------------------------------------------
 */

void rh_rule_row_count_changed(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct data_differences *data = &judgement->result->data_differences;
    for (size_t i = 0; i < data->list.count; i++) {
        const struct data_difference *difference = &data->list.items[i];
        bool is_unseen = difference->explanation == EXPLAINED_NOT && saw_everything(judgement);
        if (difference->subject != DATA_ROWS || difference->rows_after <= difference->rows_before ||
            (difference->explanation != EXPLAINED_ALONG && !is_unseen))
            continue;
        struct found *found = rh_judgement_add(
            judgement, rule, is_unseen ? SEVERITY_ERROR : SEVERITY_WARNING,
            rh_judgement_act(judgement, difference->statement), difference->table);
        rh_evidence_count(found, "rows_before", difference->rows_before);
        rh_evidence_count(found, "rows_after", difference->rows_after);
        found->weight = difference->rows_after - difference->rows_before;
        struct finding *finding = &found->finding;
        finding->title = rh_arena_printf(arena, "%s in %s, which no statement names",
                                         rh_say_count(arena, found->weight, "more row"),
                                         difference->table);
        finding->why = "A trigger or a rule wrote them, or a session that the migration did not "
                       "open. In production, with more rows, it writes as many more: they take "
                       "time and locks that the migration's own text does not show.";
        finding->advice = "If they are meant (an audit table, say), count them into the time the "
                          "migration takes; if not, disable the trigger for its session.";
    }
}
