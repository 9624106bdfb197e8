/* Rules on what became of values, keys and statistics in a migration that succeeded. */
#include "judge/judge_int.h"

#include "base/quote.h"

#include <string.h>

/* Names listed in one sentence. */
#define NAMES_SHOWN 5
/* Moving a busy key to bigint is a project of several deploys, and load that grows by a tenth a
   month fills the last quarter of the range within three of them: then it is time. At half of it
   one doubling is left: worth knowing, not yet worth a warning. */
#define HEADROOM_WARNING_PERCENT 75
#define HEADROOM_INFO_PERCENT 50
/* The planner reads smaller tables whole anyway, whatever it believes of their values. */
#define STATISTICS_ROWS_MIN 10000

static const char *say_column(struct judgement *judgement, const char *table, const char *column)
{
    return rh_arena_printf(judgement->arena, "%s.%s", table, column);
}

static const char *say_number(struct arena *arena, int64_t number)
{
    char text[32];
    rh_count_format(number, text);
    return rh_arena_strdup(arena, text);
}

/* --- lossy-cast, near-limit ----------------------------------------------------------------------
 */

static const char *why_lossy(enum cast_test test)
{
    switch (test) {
    case CAST_ROUND_TRIP:
        return "Each value was turned into the new type and back again: these did not come back "
               "as they were. Digits, letters or the time of day are gone, the statement "
               "succeeded, "
               "and nothing in the database remembers them.";
    case CAST_DISTINCT:
        return "These values were different before and are the same now: what told them apart is "
               "gone, the statement succeeded, and nothing in the database remembers it.";
    case CAST_KEYS:
        return "A json text keeps every key of an object, also one that comes twice; jsonb keeps "
               "the last one of them. The others are gone.";
    }
    return NULL;
}

void rh_rule_lossy_cast(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct risks *risks = &judgement->result->risks;
    for (size_t i = 0; i < risks->casts.count; i++) {
        const struct cast_risk *cast = &risks->casts.items[i];
        if (cast->not_asked || cast->changed <= 0)
            continue;
        const char *column = say_column(judgement, cast->table, cast->column);
        struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING,
                                               rh_judgement_act(judgement, cast->statement),
                                               cast->table);
        struct finding *finding = &found->finding;
        rh_evidence_count(found, "rows", cast->changed);
        rh_evidence_count(found, "values", cast->values);
        rh_evidence_count(found, "sample_percent", cast->sample_percent);
        rh_evidence_text(found, "column", cast->column);
        rh_evidence_text(found, "type_before", cast->type_before);
        rh_evidence_text(found, "type_after", cast->type_after);
        rh_evidence_text(found, "test", rh_cast_test_name(cast->test));
        found->weight = cast->changed;
        finding->title = rh_arena_printf(
            arena, "%s of %s (%s, was %s) lost something%s",
            rh_say_count(arena, cast->changed, "value"), column, cast->type_after,
            cast->type_before,
            cast->sample_percent >= 100
                ? ""
                : rh_arena_printf(arena, ", in a sample of %d %% of the table",
                                  cast->sample_percent));
        finding->why = why_lossy(cast->test);
        finding->advice =
            "If that is meant, keep a copy of the old values. If not, take a type that holds them, "
            "or write down in USING what is to become of those that do not fit.";
    }
}

void rh_rule_near_limit(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct risks *risks = &judgement->result->risks;
    for (size_t i = 0; i < risks->casts.count; i++) {
        const struct cast_risk *cast = &risks->casts.items[i];
        if (cast->not_asked || !cast->limit || cast->near <= 0 || cast->changed > 0)
            continue;
        struct found *found = rh_judgement_add(judgement, rule, SEVERITY_INFO,
                                               rh_judgement_act(judgement, cast->statement),
                                               cast->table);
        rh_evidence_count(found, "rows", cast->near);
        rh_evidence_count(found, "used_percent", cast->used_percent);
        rh_evidence_text(found, "column", cast->column);
        rh_evidence_text(found, "limit", cast->limit);
        found->weight = cast->near;
        found->finding.title = rh_arena_printf(
            arena, "%s of %s just fit into %s: the new limit is %s",
            rh_say_count(arena, cast->near, "value"),
            say_column(judgement, cast->table, cast->column), cast->type_after, cast->limit);
        found->finding.why = "They are within 5 % of what the new type can hold. Production goes "
                             "on while the copy does not: the next value may not fit, and then the "
                             "migration fails there, or the application's next INSERT does.";
        found->finding.advice = "Ask production for its longest or largest value right before the "
                                "migration, or leave more room.";
    }
}

/* --- integer-headroom, sequence-behind -----------------------------------------------------------
 */

static int percent_of(int64_t used, int64_t limit)
{
    return limit > 0 ? (int)((double)used * 100 / (double)limit) : 0;
}

void rh_rule_integer_headroom(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct risks *risks = &judgement->result->risks;
    for (size_t i = 0; i < risks->headroom.count; i++) {
        const struct headroom_risk *key = &risks->headroom.items[i];
        int percent = percent_of(key->used, key->limit);
        if (percent < HEADROOM_INFO_PERCENT)
            continue;
        struct found *found = rh_judgement_add(
            judgement, rule, percent >= HEADROOM_WARNING_PERCENT ? SEVERITY_WARNING : SEVERITY_INFO,
            NULL, key->table);
        rh_evidence_text(found, "column", key->column);
        rh_evidence_text(found, "type", key->type);
        rh_evidence_text(found, "role", key->role);
        rh_evidence_text(found, "source", key->source);
        rh_evidence_count(found, "used", key->used);
        rh_evidence_count(found, "limit", key->limit);
        rh_evidence_count(found, "percent", percent);
        found->weight = percent;
        found->finding.title = rh_arena_printf(
            arena, "%s (%s, %s) has used %d %% of its numbers: %s of %s%s%s",
            say_column(judgement, key->table, key->column), key->type, key->role, percent,
            say_number(arena, key->used), say_number(arena, key->limit),
            key->source ? ", which are those of " : "", key->source ? key->source : "");
        found->finding.why = "At the last number every INSERT fails, for as long as it takes to "
                             "write the table anew. Foreign keys and variables of the application "
                             "run out at the same time.";
        found->finding.advice =
            "Plan the move to bigint now: a new column kept in step by a trigger, filled in "
            "batches, swapped in one short transaction; the columns that refer to it first.";
    }
}

void rh_rule_sequence_behind(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct risks *risks = &judgement->result->risks;
    for (size_t i = 0; i < risks->sequences.count; i++) {
        const struct sequence_risk *sequence = &risks->sequences.items[i];
        if (sequence->was_behind)
            continue;
        struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING, NULL,
                                               sequence->table);
        rh_evidence_text(found, "sequence", sequence->sequence);
        rh_evidence_text(found, "column", sequence->column);
        rh_evidence_count(found, "next", sequence->next);
        rh_evidence_count(found, "highest", sequence->highest);
        found->weight = sequence->highest - sequence->next;
        found->finding.title = rh_arena_printf(
            arena, "%s gives %s next, and %s goes up to %s already", sequence->sequence,
            say_number(arena, sequence->next),
            say_column(judgement, sequence->table, sequence->column),
            say_number(arena, sequence->highest));
        found->finding.why = "The migration wrote numbers of its own, or made the sequence anew. "
                             "The column is unique, so INSERTs that take the next number fail "
                             "with 23505, one after the other, until the sequence has passed it.";
        found->finding.advice = "Set the sequence in the same transaction as the rows.";
        found->finding.advice_sql = rh_arena_printf(
            arena, "SELECT setval(%s, (SELECT max(%s) FROM %s));",
            rh_quote_literal(arena, sequence->sequence), sequence->column, sequence->table);
    }
}

/* --- statistics-lost -----------------------------------------------------------------------------
 */

/* A partitioned table stands for its partitions. */
static const char *told_as(const struct statistics_risk *lost)
{
    return lost->root ? lost->root : lost->table;
}

/* Of the table itself, or of its partitions together. */
static int64_t rows_with_statistics(const struct risks *risks, const char *table)
{
    int64_t own = 0, parts = 0;
    for (size_t i = 0; i < risks->statistics.count; i++) {
        const struct statistics_risk *lost = &risks->statistics.items[i];
        if (strcmp(told_as(lost), table) != 0)
            continue;
        if (!lost->root)
            own = lost->rows;
        bool is_counted = !lost->root;
        for (size_t j = 0; j < i && !is_counted; j++)
            is_counted = strcmp(risks->statistics.items[j].table, lost->table) == 0;
        parts += is_counted ? 0 : lost->rows;
    }
    return own > parts ? own : parts;
}

/* One finding per table: ANALYZE makes all of them at once. */
static void add_lost_statistics(const struct rule *rule, struct judgement *judgement,
                                const struct statistics_risk *lost, int64_t rows)
{
    struct arena *arena = judgement->arena;
    const struct risks *risks = &judgement->result->risks;
    const char *table = told_as(lost);
    VEC(const char *) names = {0};
    json_t *columns = json_array();
    for (size_t i = 0; i < risks->statistics.count; i++) {
        const struct statistics_risk *other = &risks->statistics.items[i];
        const char *name = other->is_extended
                               ? rh_arena_printf(arena, "statistics object %s", other->name)
                               : other->name;
        if (strcmp(told_as(other), table) != 0 || rh_is_one_of(name, names.items, names.count))
            continue;
        *RH_PUSH(arena, &names) = name;
        json_array_append_new(columns, rh_json_text(other->name));
    }
    const struct act *act = NULL;
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *candidate = &judgement->acts.items[i];
        bool is_alter = RH_IS_ONE_OF(candidate->statement->tag, "ALTER TABLE", "CREATE TABLE",
                                     "CREATE TABLE AS");
        if (is_alter && rh_act_has_effect(judgement, candidate) && rh_act_names(candidate, table) &&
            rh_act_names(candidate, lost->name))
            act = candidate;
    }
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING, act, table);
    rh_evidence_json(found, "columns", columns);
    rh_evidence_count(found, "rows", rows);
    found->weight = rows;
    found->finding.title = rh_arena_printf(
        arena, "the planner knows nothing of %s of %s (%s) any more",
        rh_say_list(arena, names.items, names.count, NAMES_SHOWN), table,
        rh_say_count(arena, rows, "row"));
    found->finding.why =
        "A column that gets a new type, or is made anew, loses its statistics, also where no row "
        "is written. Until the next ANALYZE the planner guesses: queries on it may change to plans "
        "that take a thousand times as long. Autovacuum comes only after a tenth of the rows "
        "changed.";
    found->finding.advice = "Let the migration end with ANALYZE, outside of the transaction that "
                            "locks the table.";
    found->finding.advice_sql = rh_arena_printf(arena, "ANALYZE %s;", table);
}

void rh_rule_statistics_lost(const struct rule *rule, struct judgement *judgement)
{
    const struct risks *risks = &judgement->result->risks;
    for (size_t i = 0; i < risks->statistics.count; i++) {
        const struct statistics_risk *lost = &risks->statistics.items[i];
        int64_t rows = rows_with_statistics(risks, told_as(lost));
        bool is_told = rows < STATISTICS_ROWS_MIN;
        for (size_t j = 0; j < i && !is_told; j++)
            is_told = strcmp(told_as(&risks->statistics.items[j]), told_as(lost)) == 0;
        if (!is_told)
            add_lost_statistics(rule, judgement, lost, rows);
    }
    rh_rule_queries_statistics_lost(rule, judgement);
}

/* --- null-unhandled ------------------------------------------------------------------------------
 */

/* The assignment to that column in the statement, or in what ran inside it; NULL where it says NULL
   itself, or is none. */
static const struct clause *assignment(const struct judgement *judgement, int statement,
                                       const char *column, const struct act **ret_act)
{
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        if (act->top->index != statement)
            continue;
        for (size_t j = 0; j < act->statement->clauses.count; j++) {
            const struct clause *clause = &act->statement->clauses.items[j];
            if (clause->kind == CLAUSE_SET_VALUE && strcmp(clause->column, column) == 0) {
                *ret_act = act;
                return clause;
            }
        }
    }
    return NULL;
}

static void add_null(const struct rule *rule, struct judgement *judgement, const struct act *act,
                     const char *table, const char *column, int64_t rows, const char *sources)
{
    struct arena *arena = judgement->arena;
    const char *name = say_column(judgement, table, column);
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING, act, table);
    rh_evidence_count(found, "rows", rows);
    rh_evidence_text(found, "column", column);
    found->weight = rows;
    if (sources) {
        rh_evidence_text(found, "sources", sources);
        found->finding.title = rh_arena_printf(arena,
                                               "%s got NULL as %s, though one of %s has a value",
                                               rh_say_count(arena, rows, "row"), name, sources);
        found->finding.why = "An expression with || or an operator is NULL as soon as one of its "
                             "operands is: what the others hold does not arrive.";
    } else {
        found->finding.title = rh_arena_printf(arena, "an UPDATE turned %s of %s into NULL",
                                               rh_say_count(arena, rows, "value"), name);
        found->finding.why = "The expression gave NULL for rows that had a value: an operand was "
                             "NULL, a CASE had no ELSE, a subquery found no row. The old values "
                             "are gone.";
    }
    found->finding.advice = "Say what NULL is to become: coalesce(x, ''), concat_ws(' ', a, b), an "
                            "ELSE, or a WHERE that leaves such rows alone.";
}

void rh_rule_null_unhandled(const struct rule *rule, struct judgement *judgement)
{
    const struct data_differences *data = &judgement->result->data_differences;
    const struct risks *risks = &judgement->result->risks;
    for (size_t i = 0; i < data->list.count; i++) {
        const struct data_difference *difference = &data->list.items[i];
        const struct act *act = NULL;
        if (difference->subject == DATA_COLUMN && difference->column &&
            difference->change == DIFFERENCE_CHANGED && difference->vanished_values > 0 &&
            difference->explanation == EXPLAINED_NAMED &&
            assignment(judgement, difference->statement, difference->column, &act))
            add_null(rule, judgement, act, difference->table, difference->column,
                     difference->vanished_values, NULL);
    }
    for (size_t i = 0; i < risks->nulls.count; i++) {
        const struct null_risk *item = &risks->nulls.items[i];
        const struct act *act = rh_judgement_act(judgement, item->statement);
        /* Rows it updated beyond those that have a value now were given NULL. */
        int64_t rows = item->updated - item->filled;
        bool is_told = false;
        for (size_t j = 0; j < judgement->found.count; j++) {
            const struct finding *told = &judgement->found.items[j].finding;
            is_told = is_told ||
                      (strcmp(told->rule, rule->id) == 0 && told->statement == item->statement);
        }
        rows = rows < item->rows ? rows : item->rows;
        if (item->not_asked || item->filled < 0 || rows <= 0 || is_told)
            continue;
        (void)assignment(judgement, item->statement, item->column, &act);
        add_null(rule, judgement, act, item->table, item->column, rows, item->sources);
    }
}
