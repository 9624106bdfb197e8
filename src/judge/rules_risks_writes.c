/* Rules on how many rows a transaction wrote, and in which tables. */
#include "judge/judge_int.h"

#include <string.h>

/* A backfill of fewer rows in one transaction is over before anybody minds: 10,000 rows take some
   200 ms (measured on 15: 500,000 rows with two indexes in 9.2 s). */
#define BACKFILL_ROWS_MIN 10000
/* Over the gate "blocked" fewer rows count as well: whoever wants one of them waits that long. */
#define BLOCKING_ROWS_MIN 1000

static bool changes_existing_rows(const struct statement *statement)
{
    return RH_IS_ONE_OF(statement->tag, "UPDATE", "DELETE", "MERGE");
}

static bool writes_rows(const struct statement *statement)
{
    return changes_existing_rows(statement) ||
           RH_IS_ONE_OF(statement->tag, "INSERT", "COPY", "TRUNCATE TABLE");
}

static bool is_code(const struct statement *statement)
{
    return !statement->tag || RH_IS_ONE_OF(statement->tag, "DO", "CALL", "SELECT", "EXECUTE");
}

/* Until when its row locks are held. */
static int64_t released_us(const struct judgement *judgement, const struct act *act)
{
    const struct trace *trace = judgement->trace;
    int64_t transaction = act->transaction_key;
    if (transaction >= 0 && (size_t)transaction < trace->transactions.count) {
        int64_t end_us = trace->transactions.items[transaction].end_us;
        return end_us >= 0 ? end_us : trace->duration_us;
    }
    return act->top->start_us + act->top->duration_us;
}

static int64_t held_us(const struct judgement *judgement, const struct act *act)
{
    int64_t us = released_us(judgement, act) - act->statement->start_us;
    return us > act->statement->duration_us ? us : act->statement->duration_us;
}

static const struct activity_risk *find_activity(const struct judgement *judgement,
                                                 const char *table)
{
    const struct risks *risks = &judgement->result->risks;
    for (size_t i = 0; i < risks->activity.count && risks->has_activity; i++) {
        const struct activity_risk *activity = &risks->activity.items[i];
        if (strcmp(activity->table, table) == 0 ||
            (activity->root && strcmp(activity->root, table) == 0))
            return activity;
    }
    return NULL;
}

/* --- backfill-unbatched --------------------------------------------------------------------------
 */

/* All rows of one existing table that one transaction changed. */
struct backfill {
    int64_t transaction_key;
    const char *table;
    const struct act *act; /* the first */
    int64_t rows, held_us, wal_bytes;
};

static bool is_table(const struct relation_facts *facts)
{
    return !facts->is_empty && RH_IS_ONE_OF(facts->kind, "table", "partitioned table");
}

static bool locks_rows_of(const struct act *act, const char *table)
{
    for (size_t i = 0; i < act->statement->locks.count; i++) {
        const struct lock *lock = &act->statement->locks.items[i];
        if (strcmp(lock->relation, table) == 0 && RH_IS_ONE_OF(lock->mode, "RowExclusiveLock"))
            return true;
    }
    return false;
}

/* The existing table whose rows the act changed: one it names, and of these one where rows were
   counted to have changed, or that it was seen to lock for it. NULL. */
static const char *changed_table(const struct judgement *judgement, const struct act *act)
{
    const char *named = NULL;
    for (size_t i = 0; i < judgement->trace->relations.count; i++) {
        const struct relation_facts *facts = &judgement->trace->relations.items[i];
        if (!is_table(facts) || !rh_act_names(act, facts->name))
            continue;
        const struct activity_risk *activity = find_activity(judgement, facts->name);
        if (judgement->result->risks.has_activity
                ? activity && activity->updated + activity->deleted > 0
                : locks_rows_of(act, facts->name))
            return facts->name;
        named = named ? named : facts->name;
    }
    return judgement->result->risks.has_activity ? NULL : named;
}

static bool has_counted_children(const struct statement *statement)
{
    for (size_t i = 0; i < statement->children.count; i++)
        if (statement->children.items[i].rows > 0)
            return true;
    return false;
}

typedef VEC(struct backfill) backfill_list;

static void count_backfill(struct judgement *judgement, backfill_list *backfills,
                           const struct act *act, const char *table, int64_t rows)
{
    struct backfill *backfill = NULL;
    for (size_t i = 0; i < backfills->count && !backfill; i++)
        if (backfills->items[i].transaction_key == act->transaction_key &&
            strcmp(backfills->items[i].table, table) == 0)
            backfill = &backfills->items[i];
    if (!backfill) {
        backfill = RH_PUSH(judgement->arena, backfills);
        *backfill = (struct backfill){.transaction_key = act->transaction_key,
                                      .table = table,
                                      .act = act,
                                      .held_us = held_us(judgement, act),
                                      .wal_bytes = NOT_OBSERVED};
    }
    backfill->rows += rows;
    if (act->statement->wal_bytes >= 0)
        backfill->wal_bytes = act->statement->wal_bytes +
                              (backfill->wal_bytes > 0 ? backfill->wal_bytes : 0);
}

/* Rows that code, or an INSERT ... ON CONFLICT DO UPDATE, changed: those the counters know and no
   statement reported. Only where one statement can have done it, and it commits nothing in
   between. */
static void count_code(struct judgement *judgement, backfill_list *backfills)
{
    const struct risks *risks = &judgement->result->risks;
    for (size_t i = 0; i < risks->activity.count && risks->has_activity; i++) {
        const struct activity_risk *activity = &risks->activity.items[i];
        int64_t rows = activity->updated + activity->deleted;
        const struct act *only = NULL;
        size_t count = 0;
        for (size_t j = 0; j < backfills->count; j++)
            if (strcmp(backfills->items[j].table, activity->table) == 0)
                rows -= backfills->items[j].rows;
        for (size_t j = 0; j < judgement->acts.count; j++) {
            const struct act *act = &judgement->acts.items[j];
            if (act->statement != act->top || act->is_control || !act->top->ok ||
                !(is_code(act->top) || RH_IS_ONE_OF(act->top->tag, "INSERT")) ||
                !rh_act_names(act, activity->table))
                continue;
            only = act;
            count += strcasestr(act->top->sql, "commit") ? 2 : 1;
        }
        if (rows >= BLOCKING_ROWS_MIN && count == 1 && !activity->root &&
            rh_judgement_facts(judgement, activity->table))
            count_backfill(judgement, backfills, only, activity->table, rows);
    }
}

static void add_backfill(const struct rule *rule, struct judgement *judgement,
                         const struct backfill *backfill)
{
    struct arena *arena = judgement->arena;
    int64_t limit_us = judgement->limits->blocked_us;
    bool is_over = limit_us >= 0 && backfill->held_us > limit_us;
    if (backfill->rows < (is_over ? BLOCKING_ROWS_MIN : BACKFILL_ROWS_MIN))
        return;
    struct found *found = rh_judgement_add(judgement, rule,
                                           is_over ? SEVERITY_ERROR : SEVERITY_WARNING,
                                           backfill->act, backfill->table);
    struct finding *finding = &found->finding;
    rh_evidence_count(found, "rows", backfill->rows);
    rh_evidence_ms(found, "row_lock_ms", backfill->held_us);
    rh_evidence_count(found, "dead_rows", backfill->rows);
    rh_evidence_count(found, "wal_bytes", backfill->wal_bytes);
    found->weight = backfill->held_us;
    const char *rows = rh_say_count(arena, backfill->rows, "row");
    const char *held = rh_say_duration(arena, backfill->held_us);
    const char *wal = backfill->wal_bytes > 0
                          ? rh_arena_printf(arena, ", %s of WAL",
                                            rh_say_bytes(arena, backfill->wal_bytes))
                          : "";
    finding->title = rh_arena_printf(
        arena, "%s of %s changed in one transaction, locked for up to %s%s%s", rows,
        backfill->table, held,
        is_over ? rh_arena_printf(arena, " (limit %s)", rh_say_limit(arena, limit_us)) : "", wal);
    found->headline = rh_arena_printf(arena, "%s would lock %s of %s for %s (limit %s)",
                                      rh_judgement_subject(judgement, backfill->act->top), rows,
                                      backfill->table, held, rh_say_limit(arena, limit_us));
    finding->why =
        "Whoever wants to change one of these rows waits until the transaction ends. Each old "
        "version of a row stays in the table until vacuum has been, which cannot begin before "
        "then; replicas get all of it at once; and a failure near the end starts from nothing.";
    finding->advice =
        "Write in batches of some thousand rows along the key, each in a transaction of its own, "
        "with a pause in between; make it a job of its own, outside of the deploy.";
}

void rh_rule_backfill_unbatched(const struct rule *rule, struct judgement *judgement)
{
    backfill_list backfills = {0};
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        const struct statement *statement = act->statement;
        if (!act->top->ok || statement->rows <= 0 || !changes_existing_rows(statement) ||
            has_counted_children(statement))
            continue;
        const char *table = changed_table(judgement, act);
        if (table)
            count_backfill(judgement, &backfills, act, table, statement->rows);
    }
    count_code(judgement, &backfills);
    for (size_t i = 0; i < backfills.count; i++)
        add_backfill(rule, judgement, &backfills.items[i]);
}

/* --- cascade-rows --------------------------------------------------------------------------------
 */

static bool is_named(const struct judgement *judgement, const struct activity_risk *activity)
{
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        if (act->is_control)
            continue;
        if (rh_act_names(act, activity->table) ||
            (activity->root && rh_act_names(act, activity->root)))
            return true;
        /* What a function of the database writes is its own affair; DDL writes no rows. */
        if (is_code(act->top) && act->top->ok && locks_rows_of(act, activity->table))
            return true;
    }
    return false;
}

/* Counters include what was rolled back: then they say nothing of what stayed. */
static bool was_all_kept(const struct judgement *judgement)
{
    for (size_t i = 0; i < judgement->trace->transactions.count; i++)
        if (!judgement->trace->transactions.items[i].committed)
            return false;
    for (size_t i = 0; i < judgement->trace->statements.count; i++)
        if (!judgement->trace->statements.items[i].ok ||
            RH_IS_ONE_OF(judgement->trace->statements.items[i].tag, "ROLLBACK"))
            return false;
    return true;
}

/* The statement that wrote there: seen to lock the table, else the only one that writes rows. */
static const struct act *writer_of(const struct judgement *judgement, const char *table)
{
    const struct act *only = NULL;
    size_t writers = 0;
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        if (!act->top->ok)
            continue;
        if (writes_rows(act->statement) && locks_rows_of(act, table))
            return act;
        if (act->statement != act->top && writes_rows(act->top) && act->statement->rows < 0)
            continue; /* the server's own, for a foreign key, or a trigger's */
        if (writes_rows(act->statement) && !has_counted_children(act->statement)) {
            only = act;
            writers++;
        }
        if (is_code(act->statement) && !act->is_control)
            writers++;
    }
    return writers == 1 ? only : NULL;
}

const struct activity_risk *rh_judgement_cascade(const struct judgement *judgement,
                                                 const char *table)
{
    const struct risks *risks = &judgement->result->risks;
    for (size_t i = 0; i < risks->activity.count && risks->has_activity && table; i++) {
        const struct activity_risk *activity = &risks->activity.items[i];
        if (strcmp(activity->table, table) == 0 && activity->updated + activity->deleted > 0)
            return was_all_kept(judgement) && !is_named(judgement, activity) &&
                           writer_of(judgement, table)
                       ? activity
                       : NULL;
    }
    return NULL;
}

static bool is_told(const struct judgement *judgement, const char *table)
{
    for (size_t i = 0; i < judgement->found.count; i++) {
        const struct finding *finding = &judgement->found.items[i].finding;
        if (strcmp(finding->rule, "data-lost") == 0 && finding->relation &&
            strcmp(finding->relation, table) == 0)
            return true;
    }
    return false;
}

void rh_rule_cascade_rows(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct risks *risks = &judgement->result->risks;
    for (size_t i = 0; i < risks->activity.count; i++) {
        const char *table = risks->activity.items[i].table;
        const struct activity_risk *activity = rh_judgement_cascade(judgement, table);
        if (!activity || is_told(judgement, table))
            continue;
        const struct act *act = writer_of(judgement, table);
        int64_t rows = activity->updated + activity->deleted;
        int64_t us = held_us(judgement, act);
        int64_t limit_us = judgement->limits->blocked_us;
        bool is_over = limit_us >= 0 && us > limit_us && rows >= BLOCKING_ROWS_MIN;
        struct found *found = rh_judgement_add(
            judgement, rule, is_over ? SEVERITY_ERROR : SEVERITY_WARNING, act, table);
        rh_evidence_count(found, "rows", rows);
        rh_evidence_count(found, "updated", activity->updated);
        rh_evidence_count(found, "deleted", activity->deleted);
        rh_evidence_count(found, "inserted", activity->inserted);
        rh_evidence_ms(found, "row_lock_ms", us);
        rh_evidence_text(found, "ways", activity->ways);
        found->weight = rows;
        const char *what = activity->deleted == 0   ? "changed"
                           : activity->updated == 0 ? "deleted"
                                                    : "changed or deleted";
        found->finding.title = rh_arena_printf(
            arena, "%s of %s %s, which no statement names%s%s", rh_say_count(arena, rows, "row"),
            table, what, activity->ways ? ": " : "", activity->ways ? activity->ways : "");
        found->headline = rh_arena_printf(
            arena, "%s would lock %s of %s for %s (limit %s) without naming it",
            rh_judgement_subject(judgement, act->top), rh_say_count(arena, rows, "row"), table,
            rh_say_duration(arena, us), rh_say_limit(arena, limit_us));
        found->finding.why = "A foreign key's action or a trigger reached further than the text "
                             "says: these rows take time, locks and WAL too, and where the foreign "
                             "key has no index each of them costs a scan.";
        found->finding.advice = "Change them by a statement of their own, dependents first, or "
                                "count them into the time the migration takes; switch the trigger "
                                "off where it is not meant.";
    }
}
