/* Rules on what the second pass found: one finding for each way in which rows make a statement
 * fail. */
#include "judge/judge_int.h"

#include <string.h>

/* Statements named in the headline. */
#define STATEMENTS_SHOWN 3
#define KEYS_SHOWN 3
/* Of a statement inside of a block, in a sentence. */
#define INSIDE_COLUMNS 100

/* --- statements and blockers --- */

/* A piece of a string that was sent whole stands in it. */
static bool is_same_statement(const struct statement *top, const struct blocker *blocker)
{
    return top->error && top->sql && blocker->sql && top->step == blocker->step &&
           strcmp(top->error->sqlstate, blocker->error.sqlstate) == 0 &&
           strstr(top->sql, blocker->sql);
}

static const struct blocker *blocker_of(const struct judgement *judgement,
                                        const struct statement *top)
{
    const struct blockers *blockers = &judgement->result->blockers;
    for (size_t i = 0; i < blockers->items.count; i++)
        if (is_same_statement(top, &blockers->items.items[i]))
            return &blockers->items.items[i];
    return NULL;
}

bool rh_judgement_has_offenders(const struct judgement *judgement, const struct statement *top)
{
    const struct blocker *blocker = blocker_of(judgement, top);
    return blocker && blocker->offenders.count > 0;
}

/* What the client sent in the first pass; NULL: it did not come so far. */
static const struct act *act_of(const struct judgement *judgement, const struct blocker *blocker)
{
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        if (act->statement == act->top && is_same_statement(act->top, blocker))
            return act;
    }
    return NULL;
}

static const struct step *step_of(const struct judgement *judgement, const struct blocker *blocker)
{
    const struct statement statement = {.step = blocker->step};
    return rh_judgement_step(judgement, &statement);
}

static const char *say_place(const struct judgement *judgement, const struct blocker *blocker)
{
    const struct step *step = step_of(judgement, blocker);
    if (step && blocker->line > 0)
        return rh_arena_printf(judgement->arena, "%s:%d", step->name, blocker->line);
    return rh_text_one_line(judgement->arena, rh_text(blocker->sql), 40);
}

/* --- headline --- */

/* The rule that a blocker is first known by. */
static const char *rule_of(const struct blocker *blocker)
{
    return blocker->offenders.count > 0 ? rh_offence_rule(blocker->offenders.items[0].offence)
                                        : blocker->error.sqlstate;
}

/* "3 statements would fail in production: 1_a.sql:3 (duplicate-keys), ..."; NULL for one alone. */
static const char *say_all(const struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct blockers *blockers = &judgement->result->blockers;
    VEC(const char *) places = {0};
    for (size_t i = 0; i < blockers->items.count; i++) {
        const struct blocker *blocker = &blockers->items.items[i];
        if (blocker->needs < 0)
            *RH_PUSH(arena, &places) = rh_arena_printf(
                arena, "%s (%s)", say_place(judgement, blocker), rule_of(blocker));
    }
    if (places.count < 2)
        return NULL;
    return rh_arena_printf(arena, "%s would fail in production: %s",
                           rh_say_count(arena, (int64_t)places.count, "statement"),
                           rh_say_list(arena, places.items, places.count, STATEMENTS_SHOWN));
}

const char *rh_judgement_blockers_headline(const struct judgement *judgement, size_t *ret_findings)
{
    const struct blockers *blockers = &judgement->result->blockers;
    const char *headline = say_all(judgement);
    *ret_findings = 0;
    for (size_t i = 0; headline && i < blockers->items.count; i++) {
        const struct blocker *blocker = &blockers->items.items[i];
        if (blocker->needs < 0)
            *ret_findings += blocker->offenders.count > 0 ? blocker->offenders.count : 1;
    }
    return headline;
}

/* --- one finding --- */

static const char *subject_of(struct arena *arena, const struct offenders *offenders)
{
    return offenders->columns
               ? rh_arena_printf(arena, "%s (%s)", offenders->relation, offenders->columns)
               : offenders->relation;
}

static const char *say_title(const struct judgement *judgement, const struct offenders *offenders)
{
    struct arena *arena = judgement->arena;
    const char *subject = subject_of(arena, offenders);
    const char *rows = rh_say_count(arena, offenders->rows, "row");
    bool is_one = offenders->rows == 1;
    const char *type = offenders->new_type ? offenders->new_type : "the new type";
    switch (offenders->offence) {
    case OFFENCE_DUPLICATE_KEYS:
        if (offenders->groups >= 0)
            return rh_arena_printf(
                arena, "%s: %s more than once, in %s", subject,
                offenders->groups == 1
                    ? "1 key stands"
                    : rh_arena_printf(arena, "%s stand",
                                      rh_say_count(arena, offenders->groups, "key")),
                rows);
        return rh_arena_printf(arena, "%s: keys stand more than once, in %s", subject, rows);
    case OFFENCE_NULL_VALUES:
        return rh_arena_printf(arena, "%s: %s %s NULL", subject, rows, is_one ? "is" : "are");
    case OFFENCE_ORPHAN_ROWS:
        return rh_arena_printf(arena, "%s: %s %s to no row of %s", subject, rows,
                               is_one ? "refers" : "refer",
                               offenders->referenced ? offenders->referenced : "the other table");
    case OFFENCE_CHECK_VIOLATIONS:
        return rh_arena_printf(arena, "%s: %s %s %s", subject, rows,
                               is_one ? "violates" : "violate",
                               offenders->constraint ? offenders->constraint : "the constraint");
    case OFFENCE_EXCLUSION:
        return rh_arena_printf(arena, "%s: %s in conflict with another", subject,
                               rh_arena_printf(arena, "%s %s", rows, is_one ? "is" : "are"));
    case OFFENCE_PARTITION_MISFITS:
        return rh_arena_printf(arena, "%s: %s %s not fit its bounds", subject, rows,
                               is_one ? "does" : "do");
    case OFFENCE_CAST_FAILURE:
        return rh_arena_printf(arena, "%s: the value of %s cannot become %s", subject, rows, type);
    case OFFENCE_VALUE_TOO_LONG:
        return rh_arena_printf(arena, "%s: the value of %s is too long for %s", subject, rows,
                               type);
    case OFFENCE_OUT_OF_RANGE:
        return rh_arena_printf(arena, "%s: the value of %s is out of the range of %s", subject,
                               rows, type);
    case OFFENCE_NONE:
        break;
    }
    return subject;
}

/* An earlier statement that would have changed the same table's rows was skipped. */
static const struct blocker *suspect_of(const struct judgement *judgement,
                                        const struct blocker *blocker, const char *relation)
{
    const struct blockers *blockers = &judgement->result->blockers;
    for (const struct blocker *earlier = blockers->items.items; earlier < blocker; earlier++)
        if (RH_IS_ONE_OF(earlier->tag, "INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "DO",
                         "COMMIT", "CALL", "SELECT") &&
            (earlier->needs >= 0 || !earlier->error.table || !relation ||
             strcmp(rh_bare_name(relation), earlier->error.table) == 0))
            return earlier;
    return NULL;
}

/* "id=1, id=96, id=2 and others" */
static const char *say_keys(struct arena *arena, const struct offenders *offenders)
{
    const char *text = "";
    for (size_t i = 0; i < offenders->sample_keys.count && i < KEYS_SHOWN; i++)
        text = rh_arena_printf(arena, "%s%s%s", text, i > 0 ? ", " : "",
                               offenders->sample_keys.items[i]);
    return offenders->rows > KEYS_SHOWN ? rh_arena_printf(arena, "%s and others", text) : text;
}

/* As it is pasted: each statement ends. */
static const char *say_sql(struct arena *arena, const char *sql)
{
    struct text text = sql ? rh_text_trim(rh_text(sql)) : (struct text){NULL, 0};
    if (!sql || rh_text_ends_with(text, ";"))
        return sql;
    return rh_arena_printf(arena, "%.*s;", (int)text.len, text.data);
}

/* In one transaction with the statement, a constraint that waits for its end is in the way
   (55006). */
static const char *say_repair(struct arena *arena, const struct blocker *blocker,
                              const struct offenders *offenders)
{
    const char *sql = say_sql(arena, offenders->repair_sql);
    return offenders->repair_defers && blocker->in_transaction
               ? rh_arena_printf(arena, "%s\nSET CONSTRAINTS ALL IMMEDIATE;", sql)
               : sql;
}

static const char *say_why(const struct judgement *judgement, const struct blocker *blocker,
                           const struct offenders *offenders)
{
    struct arena *arena = judgement->arena;
    const char *why = rh_arena_printf(
        arena, "The server says: %s (%s).",
        blocker->error.message ? blocker->error.message : "no message", blocker->error.sqlstate);
    if (blocker->inside)
        why = rh_arena_printf(arena,
                              "%s It came from inside: %s. Counted are the rows as they were "
                              "before.",
                              why,
                              rh_text_one_line(arena, rh_text(blocker->inside), INSIDE_COLUMNS));
    if (offenders->sample_keys.count > 0)
        why = rh_arena_printf(arena, "%s Rows: %s.", why, say_keys(arena, offenders));
    if (offenders->newest)
        why = rh_arena_printf(arena, "%s The newest is of %s (%s).", why, offenders->newest,
                              offenders->newest_column ? offenders->newest_column : "created");
    for (size_t i = 0; i < blocker->unasked.count; i++)
        why = rh_arena_printf(arena, "%s Not asked about: %s.", why, blocker->unasked.items[i]);
    const struct blocker *suspect = suspect_of(judgement, blocker, offenders->relation);
    if (suspect)
        why = rh_arena_printf(arena,
                              "%s A statement that failed before it was skipped (%s): it may be "
                              "the cause.",
                              why, say_place(judgement, suspect));
    return why;
}

/* One value for all rows, where the release makes them differ. */
static bool is_spoiled(const struct offenders *offenders)
{
    return offenders->made_unique && offenders->repair_fills;
}

static const char *say_advice(const struct judgement *judgement, const struct blocker *blocker,
                              const struct offenders *offenders)
{
    struct arena *arena = judgement->arena;
    if (is_spoiled(offenders))
        return rh_arena_printf(arena,
                               "Give each of these rows a value of its own before the statement "
                               "runs. One for all, which would do for it alone, makes duplicates: "
                               "the release makes %s unique by %s.",
                               offenders->repair_fills, offenders->made_unique);
    if (!offenders->repair_sql && blocker->repair_error)
        return rh_arena_printf(arena,
                               "Mend these rows before the statement runs. No repair was found "
                               "that works: %s.",
                               blocker->repair_error);
    if (!offenders->repair_sql)
        return "Mend these rows before the statement runs; which of them is right no statement "
               "can tell.";
    const char *advice = "Run this right before the statement";
    if (blocker->repair_worked)
        advice = rh_arena_printf(
            arena, "%s: tried on a clone, and the statement then went through.", advice);
    else if (blocker->repair_tried)
        advice = rh_arena_printf(arena, "%s. Tried on a clone it did not suffice%s%s.", advice,
                                 blocker->repair_error ? ": " : "",
                                 blocker->repair_error ? blocker->repair_error : "");
    else
        advice = rh_arena_printf(arena, "%s. It was not tried.", advice);
    if (offenders->made_unique)
        advice = rh_arena_printf(arena,
                                 "%s Each row gets a value of its own: one for all makes "
                                 "duplicates, as the release makes %s unique by %s.",
                                 advice, offenders->columns, offenders->made_unique);
    else if (offenders->repair_per_row)
        advice = rh_arena_printf(arena, "%s Each row gets a value of its own, as %s is unique.",
                                 advice, offenders->columns);
    if (offenders->repair_invents)
        advice = rh_arena_printf(arena,
                                 "%s It loses nothing but invents values (placeholders): choose "
                                 "what is right for yours.",
                                 advice);
    return offenders->repair_loses_rows
               ? rh_arena_printf(arena,
                                 "%s It deletes rows or overwrites values: choose what is right "
                                 "for yours.",
                                 advice)
               : advice;
}

static struct found *add(struct judgement *judgement, const struct rule *rule,
                         const struct blocker *blocker, const char *relation)
{
    const struct act *act = act_of(judgement, blocker);
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, act, relation);
    const struct step *step = step_of(judgement, blocker);
    size_t order = (size_t)(blocker - judgement->result->blockers.items.items);
    if (step)
        found->finding.step = step->name;
    if (blocker->line > 0)
        found->finding.line = blocker->line;
    /* In the order they would be met; those of the first pass come first. */
    found->weight = INT64_MAX - (act ? (int64_t)act->top->index
                                     : (int64_t)(judgement->trace->statements.count + order + 1));
    return found;
}

static void add_offenders(struct judgement *judgement, const struct rule *rule,
                          const struct blocker *blocker, const struct offenders *offenders)
{
    struct found *found = add(judgement, rule, blocker, offenders->relation);
    struct finding *finding = &found->finding;
    json_t *keys = json_array();
    for (size_t i = 0; i < offenders->sample_keys.count; i++)
        json_array_append_new(keys, rh_json_text(offenders->sample_keys.items[i]));
    if (offenders->groups >= 0)
        rh_evidence_count(found, "groups", offenders->groups);
    rh_evidence_count(found, "rows", offenders->rows);
    rh_evidence_json(found, "sample_keys", keys);
    if (offenders->newest)
        rh_evidence_text(found, "newest", offenders->newest);
    finding->title = say_title(judgement, offenders);
    finding->why = say_why(judgement, blocker, offenders);
    finding->advice = say_advice(judgement, blocker, offenders);
    bool is_fit = offenders->repair_sql && !is_spoiled(offenders);
    finding->advice_sql = is_fit ? say_repair(judgement->arena, blocker, offenders) : NULL;
    finding->advice_tried = is_fit && blocker->repair_worked;
    found->headline = rh_arena_printf(judgement->arena, "%s would fail in production: %s",
                                      say_place(judgement, blocker), finding->title);
}

void rh_rule_offenders(const struct rule *rule, struct judgement *judgement)
{
    const struct blockers *blockers = &judgement->result->blockers;
    for (size_t i = 0; i < blockers->items.count; i++) {
        const struct blocker *blocker = &blockers->items.items[i];
        for (size_t j = 0; j < blocker->offenders.count; j++) {
            const struct offenders *offenders = &blocker->offenders.items[j];
            const char *id = rh_offence_rule(offenders->offence);
            if (id && strcmp(id, rule->id) == 0)
                add_offenders(judgement, rule, blocker, offenders);
        }
    }
}

/* --- blockers without a set question, behind the first failure --- */

void rh_rule_statement_error_of_blockers(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct blockers *blockers = &judgement->result->blockers;
    for (size_t i = 0; i < blockers->items.count; i++) {
        const struct blocker *blocker = &blockers->items.items[i];
        if (blocker->needs >= 0 || blocker->offenders.count > 0 || act_of(judgement, blocker))
            continue;
        struct server_message error = blocker->error;
        const struct statement top = {.step = blocker->step,
                                      .line = blocker->line,
                                      .sql = blocker->sql,
                                      .tag = blocker->tag,
                                      .transaction = -1,
                                      .error = &error};
        const struct act act = {.statement = &top, .top = &top, .next = NO_ACT};
        struct sqlstate_advice advice = rh_sqlstate_advice(judgement, &act);
        struct found *found = add(judgement, rule, blocker, NULL);
        struct finding *finding = &found->finding;
        if (error.table)
            finding->relation = error.schema
                                    ? rh_arena_printf(arena, "%s.%s", error.schema, error.table)
                                    : error.table;
        rh_evidence_text(found, "sqlstate", error.sqlstate);
        rh_evidence_text(found, "message", error.message);
        if (error.constraint)
            rh_evidence_text(found, "constraint", error.constraint);
        if (error.column)
            rh_evidence_text(found, "column", error.column);
        if (error.detail)
            rh_evidence_text(found, "detail", error.detail);
        if (error.context)
            rh_evidence_text(found, "context", error.context);
        finding->title = rh_arena_printf(arena, "%s: %s", error.sqlstate,
                                         error.message ? error.message : "no message");
        finding->why = rh_arena_printf(
            arena,
            "%s%s It stands behind a statement that failed; a second run that went on there "
            "met it.",
            advice.meaning, rh_say_context(arena, &error));
        finding->advice = advice.advice;
        finding->advice_sql = advice.sql;
        found->headline = rh_arena_printf(arena, "%s would fail in production: %s",
                                          say_place(judgement, blocker), finding->title);
    }
}
