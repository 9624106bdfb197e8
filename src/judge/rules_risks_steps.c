/* Rules on steps that had no effect, and on what a column lost besides. */
#include "judge/judge_int.h"

#include <string.h>

/* Differences and columns listed in one sentence. */
#define DIFFERENCES_SHOWN 3
#define COLUMNS_SHOWN 5

/* --- no-effect -----------------------------------------------------------------------------------
 */

static struct found *add_no_effect(const struct rule *rule, struct judgement *judgement,
                                   const struct act *act, const char *reason)
{
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING, act, NULL);
    rh_evidence_text(found, "reason", reason);
    return found;
}

static void add_existing(const struct rule *rule, struct judgement *judgement,
                         const struct skipped_risk *risk)
{
    struct arena *arena = judgement->arena;
    struct found *found = add_no_effect(rule, judgement,
                                        rh_judgement_act(judgement, risk->statement), "exists");
    found->finding.relation = risk->relation;
    json_t *differences = json_array();
    for (size_t i = 0; i < risk->differences.count; i++)
        json_array_append_new(differences, rh_json_text(risk->differences.items[i]));
    rh_evidence_json(found, "differences", differences);
    rh_evidence_text(found, "name", risk->name);
    found->finding.title = rh_arena_printf(
        arena, "nothing was done: %s %s is there already, and not as it was meant: %s",
        RH_IS_ONE_OF(risk->kind, "table column") ? "column" : risk->kind, risk->name,
        rh_say_list(arena, risk->differences.items, risk->differences.count, DIFFERENCES_SHOWN));
    found->finding.why = "IF NOT EXISTS looks at the name alone. The step is passed over with a "
                         "notice and counts as done, whatever the thing of that name is.";
    found->finding.advice = "Leave IF NOT EXISTS out, so that the migration stops here; then "
                            "alter what is there, or drop it by name first.";
}

static void add_missing(const struct rule *rule, struct judgement *judgement,
                        const struct skipped_risk *risk)
{
    struct arena *arena = judgement->arena;
    struct found *found = add_no_effect(rule, judgement,
                                        rh_judgement_act(judgement, risk->statement), "missing");
    rh_evidence_text(found, "name", risk->name);
    found->finding.title = rh_arena_printf(
        arena, "nothing was done: there is no %s, but %s", risk->name,
        rh_say_list(arena, risk->differences.items, risk->differences.count, DIFFERENCES_SHOWN));
    found->finding.why = "IF EXISTS passes over what it does not find. Names in double quotes keep "
                         "their case, all others are in lower case.";
    found->finding.advice = "Write the name as the catalogue has it, or leave IF EXISTS out, so "
                            "that the migration stops here.";
}

/* That it is there already is what such a handler is written for. */
static bool is_expected(const char *sqlstate)
{
    /* duplicate_table, _column, _schema, _object, _function, _database, _alias, _prepared_statement
     */
    return RH_IS_ONE_OF(sqlstate, "42P07", "42701", "42P06", "42710", "42723", "42P04");
}

static void add_swallowed(const struct rule *rule, struct judgement *judgement,
                          const struct skipped_risk *risk)
{
    struct arena *arena = judgement->arena;
    struct found *found = add_no_effect(rule, judgement,
                                        rh_judgement_act(judgement, risk->statement), "swallowed");
    rh_evidence_text(found, "sqlstate", risk->sqlstate);
    rh_evidence_text(found, "sql", risk->sql);
    found->finding.title = rh_arena_printf(
        arena, "a statement failed (SQLSTATE %s), and an exception handler went on: %s",
        risk->sqlstate, rh_text_one_line(arena, rh_text(risk->sql), 60));
    found->finding.why = "The block reports success. What it was to do is not there, and no later "
                         "step knows.";
    found->finding.advice = "Catch the one condition that is meant (duplicate_object, say), never "
                            "OTHERS, or ask the catalogue before.";
}

/* The question was not answered, or could not be asked: the trace alone knows of invalid indexes.
 */
static void find_invalid(const struct rule *rule, struct judgement *judgement,
                         const struct act *act, const struct server_message *notice)
{
    const struct trace *trace = judgement->trace;
    if (judgement->result->risks.was_asked || strcmp(notice->sqlstate, "42P07") != 0)
        return;
    for (size_t i = 0; i < trace->leftovers.count; i++) {
        const struct leftover *leftover = &trace->leftovers.items[i];
        const char *bare = rh_bare_name(leftover->identity);
        const char *quoted = rh_arena_printf(judgement->arena, "\"%s\"", bare);
        if (!leftover->preexisting || !RH_IS_ONE_OF(leftover->kind, "invalid index") ||
            !strstr(notice->message, quoted))
            continue;
        struct found *found = add_no_effect(rule, judgement, act, "exists");
        rh_evidence_text(found, "name", leftover->identity);
        found->finding.relation = leftover->table;
        found->finding.title = rh_arena_printf(
            judgement->arena, "nothing was done: index %s is there already, but invalid",
            leftover->identity);
        found->finding.why = "IF NOT EXISTS looks at the name alone. No query uses an invalid "
                             "index, and every write keeps it up to date.";
        found->finding.advice = "Drop it, then build it again.";
        found->finding.advice_sql = rh_arena_printf(judgement->arena, "DROP INDEX CONCURRENTLY %s;",
                                                    leftover->identity);
    }
}

/* Something was made, or named for good, by it or inside of it. */
static bool defines_anything(const struct statement *statement)
{
    if (statement->altered.count > 0 || statement->dropped.count > 0)
        return true;
    for (size_t i = 0; i < statement->children.count; i++)
        if (defines_anything(&statement->children.items[i]))
            return true;
    return false;
}

static void find_truncated(const struct rule *rule, struct judgement *judgement,
                           const struct act *act, const struct server_message *notice)
{
    /* name_too_long; an alias that is cut harms nobody */
    if (strcmp(notice->sqlstate, "42622") != 0 || !defines_anything(act->statement))
        return;
    struct found *found = add_no_effect(rule, judgement, act, "truncated");
    rh_evidence_text(found, "message", notice->message);
    found->finding.title = rh_arena_printf(judgement->arena,
                                           "a name is not the one that was written: "
                                           "%s",
                                           notice->message);
    found->finding.why = "Names have at most 63 bytes. The rest was cut off: another name that "
                         "begins alike is the same name, IF NOT EXISTS then does nothing, and "
                         "code that asks the catalogue for the whole name does not find it.";
    found->finding.advice = "Take a shorter name.";
}

void rh_rule_no_effect(const struct rule *rule, struct judgement *judgement)
{
    const struct risks *risks = &judgement->result->risks;
    for (size_t i = 0; i < risks->skipped.count; i++) {
        const struct skipped_risk *risk = &risks->skipped.items[i];
        if (risk->not_asked)
            continue;
        switch (risk->skip) {
        case SKIPPED_EXISTS:
            if (risk->differences.count > 0)
                add_existing(rule, judgement, risk);
            break;
        case SKIPPED_MISSING:
            if (risk->differences.count > 0)
                add_missing(rule, judgement, risk);
            break;
        case SKIPPED_SWALLOWED:
            if (risk->sqlstate && !is_expected(risk->sqlstate))
                add_swallowed(rule, judgement, risk);
            break;
        }
    }
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        for (size_t j = 0; j < act->statement->notices.count && act->top->ok; j++) {
            find_invalid(rule, judgement, act, &act->statement->notices.items[j]);
            find_truncated(rule, judgement, act, &act->statement->notices.items[j]);
        }
    }
}

/* --- nullability-changed, default-changed --------------------------------------------------------
 */

static const struct attribute_change *change_of(const struct schema_difference *difference,
                                                const char *name)
{
    for (size_t i = 0; i < difference->attributes.count; i++)
        if (strcmp(difference->attributes.items[i].name, name) == 0)
            return &difference->attributes.items[i];
    return NULL;
}

static bool is_column(const struct schema_difference *difference)
{
    return RH_IS_ONE_OF(difference->kind, "table column") && difference->parent &&
           (difference->change == DIFFERENCE_CHANGED || difference->change == DIFFERENCE_RENAMED);
}

static bool says(const struct act *act, const char *words)
{
    const struct statement *const places[] = {act->statement, act->top};
    for (size_t i = 0; i < 2; i++)
        if (places[i]->sql && strcasestr(places[i]->sql, words))
            return true;
    return false;
}

/* Whether the column, or the table around it, was dropped and made again in the run. */
static bool was_made_anew(const struct judgement *judgement,
                          const struct schema_difference *difference)
{
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        if (!rh_act_has_effect(judgement, act))
            continue;
        for (size_t j = 0; j < act->statement->dropped.count; j++) {
            const char *identity = act->statement->dropped.items[j].identity;
            if (strcmp(identity, difference->identity) == 0 ||
                strcmp(identity, difference->parent) == 0)
                return true;
        }
    }
    return false;
}

/* Whether a statement that names the table and the column says that, in whatever case. */
static bool is_said(const struct judgement *judgement, const struct schema_difference *difference,
                    const char *words)
{
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        if (rh_act_has_effect(judgement, act) && rh_act_names(act, difference->identity) &&
            rh_act_names(act, difference->parent) && says(act, words))
            return true;
    }
    return false;
}

/* Whether a command that defines things names the table and the column: then whoever wrote it has
   seen what else it does. */
static bool is_defined(const struct judgement *judgement,
                       const struct schema_difference *difference)
{
    if (difference->explanation == EXPLAINED_CODE)
        return true;
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        const char *tag = act->statement->tag;
        bool defines = !tag || strncmp(tag, "ALTER ", 6) == 0 || strncmp(tag, "CREATE ", 7) == 0 ||
                       RH_IS_ONE_OF(tag, "DO", "CALL", "SELECT");
        if (defines && rh_act_has_effect(judgement, act) && rh_act_names(act, difference->parent) &&
            (rh_act_names(act, difference->identity) || says(act, "drop constraint")))
            return true;
    }
    return false;
}

static bool loses_not_null(const struct judgement *judgement,
                           const struct schema_difference *difference)
{
    const struct attribute_change *change = change_of(difference, "not null");
    if (!change || !change->before || change->after ||
        is_said(judgement, difference, "drop not null"))
        return false;
    /* A table made by CREATE TABLE AS or LIKE counts as well; a NOT NULL that has a name (18) goes
       by that. */
    return was_made_anew(judgement, difference) || !is_defined(judgement, difference);
}

/* What default-changed tells of a column: the attribute; NULL for nothing. */
static const struct attribute_change *lost_default(const struct judgement *judgement,
                                                   const struct schema_difference *difference)
{
    static const struct {
        const char *name, *words;
    } attributes[] = {{"default", "drop default"},
                      {"identity", "drop identity"},
                      {"generated", "drop expression"}};
    bool is_anew = was_made_anew(judgement, difference);
    bool is_unnamed = !is_defined(judgement, difference);
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        const struct attribute_change *change = change_of(difference, attributes[i].name);
        if (change && change->before && !change->after && (is_anew || is_unnamed) &&
            !is_said(judgement, difference, attributes[i].words))
            return change;
    }
    /* A default that became another way of giving a number is none that was lost. */
    const struct attribute_change *collation = change_of(difference, "collation");
    if (collation && collation->before && !is_said(judgement, difference, "collate"))
        return collation;
    return NULL;
}

static bool is_replaced(const struct schema_difference *difference)
{
    static const char *const names[] = {"default", "identity", "generated"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct attribute_change *change = change_of(difference, names[i]);
        if (change && change->after)
            return true;
    }
    return false;
}

static const struct attribute_change *default_change(const struct judgement *judgement,
                                                     const struct schema_difference *difference)
{
    const struct attribute_change *change = lost_default(judgement, difference);
    bool is_collation = change && RH_IS_ONE_OF(change->name, "collation");
    return change && (is_collation || !is_replaced(difference)) ? change : NULL;
}

bool rh_rule_owns_column_change(const struct judgement *judgement,
                                const struct schema_difference *difference)
{
    return is_column(difference) && difference->attributes.count == 1 &&
           (loses_not_null(judgement, difference) || default_change(judgement, difference));
}

void rh_rule_nullability_changed(const struct rule *rule, struct judgement *judgement)
{
    const struct schema_differences *schema = &judgement->result->schema_differences;
    for (size_t i = 0; i < schema->list.count; i++) {
        const struct schema_difference *difference = &schema->list.items[i];
        if (!is_column(difference) || !loses_not_null(judgement, difference))
            continue;
        struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING,
                                               rh_judgement_act(judgement, difference->statement),
                                               difference->parent);
        rh_evidence_text(found, "column", rh_bare_name(difference->identity));
        found->finding.title = rh_arena_printf(
            judgement->arena, "%s was NOT NULL and may be NULL now, though no statement says so",
            difference->identity);
        found->finding
            .why = "A column that is dropped and added again, or swapped for another one, "
                   "has what was written down this time. NULLs come in unnoticed, and "
                   "code that relied on their absence fails later.";
        found->finding.advice = "If NULL is not meant, prove it without a long lock and set it.";
        found->finding.advice_sql = rh_arena_printf(
            judgement->arena,
            "ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID;\n"
            "ALTER TABLE %s VALIDATE CONSTRAINT %s;\n"
            "ALTER TABLE %s ALTER %s SET NOT NULL;",
            difference->parent,
            rh_say_new_name(judgement->arena, difference->parent,
                            rh_bare_name(difference->identity), "not_null"),
            rh_bare_name(difference->identity), difference->parent,
            rh_say_new_name(judgement->arena, difference->parent,
                            rh_bare_name(difference->identity), "not_null"),
            difference->parent, rh_bare_name(difference->identity));
    }
}

void rh_rule_default_changed(const struct rule *rule, struct judgement *judgement)
{
    const struct schema_differences *schema = &judgement->result->schema_differences;
    for (size_t i = 0; i < schema->list.count; i++) {
        const struct schema_difference *difference = &schema->list.items[i];
        const struct attribute_change *change = is_column(difference)
                                                    ? default_change(judgement, difference)
                                                    : NULL;
        if (!change)
            continue;
        bool is_collation = RH_IS_ONE_OF(change->name, "collation");
        struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING,
                                               rh_judgement_act(judgement, difference->statement),
                                               difference->parent);
        rh_evidence_text(found, "column", rh_bare_name(difference->identity));
        rh_evidence_text(found, "what", change->name);
        rh_evidence_text(found, "before", change->before);
        rh_evidence_text(found, "after", change->after);
        found->finding.title = rh_arena_printf(
            judgement->arena, "the %s of %s was %s, and is %s now, though no statement says so",
            change->name, difference->identity, change->before,
            change->after  ? change->after
            : is_collation ? "the database's own"
                           : "none");
        found->finding.why =
            is_collation
                ? "ALTER COLUMN ... TYPE without COLLATE sets the collation back, and a column "
                  "made anew begins with it: order, equality and the use of indexes change."
                : "It went with what it was made of, or with the column that was dropped and "
                  "added again. INSERTs that do not name the column write NULL from now on, or "
                  "fail where that is not allowed.";
        if (is_collation) {
            found->finding.advice = "Name the collation with the type.";
        } else if (RH_IS_ONE_OF(change->name, "default")) {
            found->finding.advice = "Set it again in the same transaction.";
            found->finding.advice_sql = rh_arena_printf(
                judgement->arena, "ALTER TABLE %s ALTER %s SET DEFAULT %s;", difference->parent,
                rh_bare_name(difference->identity), change->before);
        } else {
            found->finding.advice = "Add it again in the same transaction.";
        }
    }
}
