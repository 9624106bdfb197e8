/* Rules on the way back: does it run, does it bring back what was, and what is lost for good. */
#include "judge/judge_int.h"

#include <string.h>

/* Differences named in one title; all of them are in the evidence. */
#define DIFFERENCES_SHOWN 4

static const struct round_trip *trip_of(const struct judgement *judgement)
{
    return &judgement->result->round_trip;
}

static const char *say_way_back(const struct judgement *judgement)
{
    const struct round_trip *trip = trip_of(judgement);
    return trip->way_back ? rh_arena_printf(judgement->arena, "the way back (%s)", trip->way_back)
                          : "the way back";
}

/* --- down-fails ----------------------------------------------------------------------------------
 */

static json_t *rows_json(const struct writes *writes)
{
    json_t *list = json_array();
    for (size_t i = 0; i < writes->tables.count; i++) {
        const struct table_writes *table = &writes->tables.items[i];
        for (size_t j = 0; j < table->rows.count; j++) {
            const struct freedom *freedom = &table->rows.items[j].freedom;
            json_t *row = json_object();
            if (!table->rows.items[j].is_written) {
                json_decref(row);
                continue;
            }
            json_object_set_new(row, "table", rh_json_text(table->table));
            json_object_set_new(row, "uses", rh_json_text(rh_freedom_name(freedom->kind)));
            json_object_set_new(row, "column", rh_json_text(freedom->column));
            json_array_append_new(list, row);
        }
    }
    return list;
}

static const char *advise_failure(const struct round_trip_failure *failure, bool after_writes)
{
    if (failure->exit_status > 0)
        return "Read its output: it is in output.log of the run's directory. No statement failed, "
               "so the command itself refuses (a tool whose migration has no way back does): mend "
               "it, or say that there is none: a plan written from what was seen is in "
               "rollback.md.";
    return after_writes ? "Say in the way back what becomes of such rows (a value for NULL, "
                          "another label, a shorter text, a table to move them to), before it "
                          "tightens anything."
                        : "Mend it and run it here again, or say that there is none: a plan "
                          "written from what was seen is in rollback.md.";
}

static void add_failure(const struct rule *rule, struct judgement *judgement,
                        const struct round_trip_failure *failure, bool after_writes)
{
    struct arena *arena = judgement->arena;
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, NULL, failure->table);
    struct finding *finding = &found->finding;
    const char *when = after_writes ? " on rows written after the migration" : "";
    rh_evidence_text(found, "sqlstate", failure->sqlstate);
    rh_evidence_text(found, "message", failure->message);
    rh_evidence_text(found, "sql", failure->sql);
    if (after_writes)
        rh_evidence_json(found, "rows", rows_json(&trip_of(judgement)->writes));
    finding->step = failure->step;
    finding->line = failure->line;
    finding->title = rh_arena_printf(arena, "%s fails%s: %s", say_way_back(judgement), when,
                                     failure->message);
    found->headline = finding->title;
    finding->why = after_writes
                       ? "Undone at once it works. But a migration is rolled back after the "
                         "application has used it: rows were written that the migration newly "
                         "allows, and the way back does not allow them."
                       : "A way back that was never run is found out on the night that it is "
                         "needed, with the new version already broken.";
    finding->advice = advise_failure(failure, after_writes);
}

void rh_rule_down_fails(const struct rule *rule, struct judgement *judgement)
{
    const struct round_trip *trip = trip_of(judgement);
    if (trip->at_once.failure)
        add_failure(rule, judgement, trip->at_once.failure, false);
    if (trip->after_writes.failure)
        add_failure(rule, judgement, trip->after_writes.failure, true);
}

/* --- lists of differences ------------------------------------------------------------------------
 */

struct told {
    VEC(const char *) sentences;
    json_t *list;
    const char *relation;
    int64_t count;
    bool has_count;
};

static void tell(struct judgement *judgement, struct told *told,
                 const struct round_trip_difference *difference)
{
    json_t *item = json_object();
    if (!told->list)
        told->list = json_array();
    json_object_set_new(item, "subject",
                        rh_json_text(rh_round_trip_subject_name(difference->subject)));
    json_object_set_new(item, "sentence", rh_json_text(difference->sentence));
    if (difference->count >= 0) {
        json_object_set_new(item, "count", rh_json_count(difference->count));
        told->count += difference->count;
        told->has_count = true;
    }
    json_array_append_new(told->list, item);
    *RH_PUSH(judgement->arena, &told->sentences) = difference->sentence;
    if (!told->relation)
        told->relation = difference->table;
}

static struct found *add_told(const struct rule *rule, struct judgement *judgement,
                              enum severity severity, const struct told *told, const char *words)
{
    struct found *found = rh_judgement_add(judgement, rule, severity, NULL, told->relation);
    rh_evidence_json(found, "differences", told->list);
    found->weight = (int64_t)told->sentences.count;
    found->finding.title = rh_arena_printf(judgement->arena, "%s %s: %s", say_way_back(judgement),
                                           words,
                                           rh_say_list(judgement->arena, told->sentences.items,
                                                       told->sentences.count, DIFFERENCES_SHOWN));
    found->headline = found->finding.title;
    return found;
}

/* --- down-differs --------------------------------------------------------------------------------
 */

void rh_rule_down_differs(const struct rule *rule, struct judgement *judgement)
{
    const struct round_trip *trip = trip_of(judgement);
    struct told told = {0};
    bool is_order_alone = true;
    for (size_t i = 0; i < trip->differences.count; i++) {
        const struct round_trip_difference *difference = &trip->differences.items[i];
        if (difference->is_loss)
            continue;
        tell(judgement, &told, difference);
        is_order_alone &= difference->subject == ROUND_TRIP_ORDER;
    }
    if (!told.sentences.count)
        return;
    struct finding *finding = &add_told(rule, judgement,
                                        is_order_alone ? SEVERITY_INFO : SEVERITY_ERROR, &told,
                                        "does not lead back")
                                   ->finding;
    if (is_order_alone) {
        finding->why = "A column that is added comes last. INSERT without a list of columns, COPY "
                       "without one, and code that reads SELECT * by position see another table "
                       "than before; nothing else does.";
        finding->advice = "Name the columns wherever rows are written or read by position. Only a "
                          "table made anew has them in another order.";
        return;
    }
    finding->why = "The former version of the application comes back to another database than the "
                   "one it left. What is lost is missed much later: a default by the first INSERT "
                   "without it, a privilege by the first query, an index by load.";
    finding->advice = "Let the way back say what the difference says. Drop and add loses defaults, "
                      "privileges, comments, order and every object that hangs on it; ALTER and "
                      "RENAME keep them.";
}

/* --- down-loses-data -----------------------------------------------------------------------------
 */

/* The statement of the migration whose own words destroyed it; 0. */
static int destroyed_by(const struct judgement *judgement,
                        const struct round_trip_difference *difference)
{
    const struct data_differences *data = &judgement->result->data_differences;
    for (size_t i = 0; i < data->list.count; i++) {
        const struct data_difference *up = &data->list.items[i];
        bool is_gone = up->change == DIFFERENCE_REMOVED ||
                       (up->subject == DATA_ROWS && up->rows_after < up->rows_before);
        if (!is_gone || !up->table || !difference->table ||
            strcmp(up->table, difference->table) != 0 ||
            (up->explanation != EXPLAINED_NAMED && up->explanation != EXPLAINED_CODE))
            continue;
        if (up->subject != DATA_COLUMN ||
            (difference->column && up->column && strcmp(up->column, difference->column) == 0))
            return up->statement;
    }
    return 0;
}

static void add_loss(const struct rule *rule, struct judgement *judgement, enum severity severity,
                     const struct told *told)
{
    if (!told->sentences.count)
        return;
    struct found *found = add_told(rule, judgement, severity, told, "does not bring back all data");
    struct finding *finding = &found->finding;
    if (told->has_count) {
        rh_evidence_count(found, "lost", told->count);
        found->weight = told->count;
    }
    if (severity == SEVERITY_WARNING) {
        finding->why = "The migration itself destroys it, in so many words: no way back could make "
                       "it again. Rolled back, the former version finds an empty place where its "
                       "data were.";
        finding
            ->advice = "Keep it for a while: rename instead of dropping, or copy it to a table of "
                       "its own, and drop that with a later release. Until then only a backup "
                       "brings it back.";
        return;
    }
    finding->why = "The migration does not say that it destroys this, and after its way back it is "
                   "gone or altered. Nothing in the database remembers it.";
    finding->advice = "Keep the former values where the way back finds them (a column or table of "
                      "their own), or say in the migration that they go.";
}

void rh_rule_down_loses_data(const struct rule *rule, struct judgement *judgement)
{
    struct round_trip *trip = &judgement->result->round_trip;
    struct told said = {0}, unsaid = {0};
    for (size_t i = 0; i < trip->differences.count; i++) {
        struct round_trip_difference *difference = &trip->differences.items[i];
        if (!difference->is_loss)
            continue;
        difference->dropped_by = destroyed_by(judgement, difference);
        tell(judgement, difference->dropped_by ? &said : &unsaid, difference);
    }
    add_loss(rule, judgement, SEVERITY_ERROR, &unsaid);
    add_loss(rule, judgement, SEVERITY_WARNING, &said);
}

/* --- restore-fails, restore-differs --------------------------------------------------------------
 */

void rh_rule_restore_fails(const struct rule *rule, struct judgement *judgement)
{
    const struct restore_test *test = &trip_of(judgement)->restore_test;
    if (!test->failure)
        return;
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, NULL, NULL);
    struct finding *finding = &found->finding;
    rh_evidence_text(found, "message", test->failure);
    finding->title = rh_arena_printf(
        judgement->arena, "a dump of the migrated database cannot be restored: %s", test->failure);
    found->headline = finding->title;
    finding->why = "Every backup taken by pg_dump after this migration has the same fault, and the "
                   "day it is needed is the day it is found.";
    finding
        ->advice = "Mostly a function that a constraint, index or generated column calls finds "
                   "its tables by search_path, which a restore leaves empty: qualify the names in "
                   "it, or give it SET search_path.";
}

void rh_rule_restore_differs(const struct rule *rule, struct judgement *judgement)
{
    const struct restore_test *test = &trip_of(judgement)->restore_test;
    struct told told = {0};
    for (size_t i = 0; i < test->differences.count; i++)
        tell(judgement, &told, &test->differences.items[i]);
    if (!told.sentences.count)
        return;
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, NULL, told.relation);
    struct finding *finding = &found->finding;
    rh_evidence_json(found, "differences", told.list);
    found->weight = (int64_t)told.sentences.count;
    finding->title = rh_arena_printf(judgement->arena,
                                     "a restored dump of the migrated database differs from it: %s",
                                     rh_say_list(judgement->arena, told.sentences.items,
                                                 told.sentences.count, DIFFERENCES_SHOWN));
    found->headline = finding->title;
    finding->why = "What is restored from a backup after this migration is not what was backed up.";
    finding->advice = "Look at each difference: what pg_dump cannot carry must be made again by "
                      "whoever restores, and is better not relied upon.";
}
