#include "judge/judge_int.h"

#include <string.h>

static bool is_index(const char *kind)
{
    return kind && (strcmp(kind, "index") == 0 || strcmp(kind, "partitioned index") == 0);
}

static bool is_truncate(const struct rewrite *rewrite)
{
    return rewrite->reason && strcmp(rewrite->reason, "truncate") == 0;
}

/* An index's table, as a lock of the run named it; NULL when none did. */
static const char *table_of_index(const struct judgement *judgement, const char *index)
{
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct statement *statement = judgement->acts.items[i].statement;
        for (size_t j = 0; j < statement->locks.count; j++) {
            const struct lock *lock = &statement->locks.items[j];
            if (is_index(lock->kind) && lock->table && strcmp(lock->relation, index) == 0)
                return lock->table;
        }
        for (size_t j = 0; j < statement->indexes.count; j++) {
            const struct index_work *work = &statement->indexes.items[j];
            if (work->table && work->index && strcmp(work->index, index) == 0)
                return work->table;
        }
    }
    return NULL;
}

static bool act_rewrites_table(const struct act *act, const char *relation)
{
    for (size_t i = 0; i < act->statement->rewrites.count; i++) {
        const struct rewrite *rewrite = &act->statement->rewrites.items[i];
        if (!is_index(rewrite->kind) && strcmp(rewrite->relation, relation) == 0)
            return true;
    }
    return false;
}

static bool act_works_on_indexes_of(const struct act *act, const char *relation)
{
    for (size_t i = 0; i < act->statement->indexes.count; i++) {
        const struct index_work *work = &act->statement->indexes.items[i];
        if (work->table && strcmp(work->table, relation) == 0)
            return true;
    }
    return false;
}

static bool act_has_work_on_index(const struct act *act, const char *index)
{
    for (size_t i = 0; i < act->statement->indexes.count; i++) {
        const struct index_work *work = &act->statement->indexes.items[i];
        if (work->index && strcmp(work->index, index) == 0)
            return true;
    }
    return false;
}

static bool act_drops_table(const struct act *act, const char *relation)
{
    for (size_t i = 0; i < act->statement->dropped.count; i++) {
        const struct dropped_object *dropped = &act->statement->dropped.items[i];
        if (dropped->type && strcmp(dropped->type, "table") == 0 &&
            strcmp(dropped->identity, relation) == 0)
            return true;
    }
    return false;
}

/* Whether this act, what encloses it or what it encloses does so: the parts of one client statement
   may each carry a part of its evidence. */
static bool anywhere_in_statement(const struct judgement *judgement, size_t act,
                                  const char *relation,
                                  bool (*does)(const struct act *act, const char *name))
{
    const struct statement *top = judgement->acts.items[act].top;
    size_t first = act;
    while (first > 0 && judgement->acts.items[first - 1].top == top)
        first--;
    for (size_t i = first; i < judgement->acts.count && judgement->acts.items[i].top == top; i++)
        if (does(&judgement->acts.items[i], relation))
            return true;
    return false;
}

static struct cause *cause_of(struct judgement *judgement, enum cause_kind kind, size_t act_index,
                              const char *relation)
{
    const struct act *act = &judgement->acts.items[act_index];
    struct cause *cause = NULL;
    /* Causes are few per transaction; those of the same one are the last. */
    for (size_t i = judgement->causes.count; i > 0 && !cause; i--) {
        struct cause *candidate = &judgement->causes.items[i - 1];
        if (candidate->kind == kind && candidate->transaction_key == act->transaction_key &&
            strcmp(candidate->relation, relation) == 0)
            cause = candidate;
        else if (candidate->transaction_key != act->transaction_key)
            break;
    }
    if (!cause) {
        cause = RH_PUSH(judgement->arena, &judgement->causes);
        *cause = (struct cause){
            .kind = kind,
            .transaction_key = act->transaction_key,
            .relation = relation,
            .block = rh_judgement_block(judgement, act->transaction_key, relation),
            .facts = rh_judgement_facts(judgement, relation),
            .bytes = NOT_OBSERVED,
            .rows = NOT_OBSERVED,
        };
    }
    for (size_t i = 0; i < cause->acts.count; i++) {
        const struct act *known = &judgement->acts.items[cause->acts.items[i]];
        if (known->top == act->top)
            return cause;
    }
    *RH_PUSH(judgement->arena, &cause->acts) = act_index;
    cause->duration_us += act->statement->duration_us > 0 ? act->statement->duration_us
                                                          : act->top->duration_us;
    return cause;
}

static void add_index_name(struct judgement *judgement, struct cause *cause, const char *index)
{
    if (!index || rh_is_one_of(index, cause->indexes.items, cause->indexes.count))
        return;
    *RH_PUSH(judgement->arena, &cause->indexes) = index;
}

static void find_table_rewrites(struct judgement *judgement, size_t i)
{
    const struct statement *statement = judgement->acts.items[i].statement;
    for (size_t j = 0; j < statement->rewrites.count; j++) {
        const struct rewrite *rewrite = &statement->rewrites.items[j];
        if (!rewrite->preexisting || is_index(rewrite->kind) || is_truncate(rewrite) ||
            rh_is_toast(rewrite->relation))
            continue;
        struct cause *cause = cause_of(judgement, CAUSE_REWRITE, i, rewrite->relation);
        if (!cause->reason || strcmp(cause->reason, "unknown") == 0)
            cause->reason = rewrite->reason;
        if (rewrite->bytes > cause->bytes)
            cause->bytes = rewrite->bytes;
    }
}

/* Indexes that changed their file without their table having done so. */
static void find_index_rebuilds(struct judgement *judgement, size_t i)
{
    const struct statement *statement = judgement->acts.items[i].statement;
    for (size_t j = 0; j < statement->rewrites.count; j++) {
        const struct rewrite *rewrite = &statement->rewrites.items[j];
        if (!rewrite->preexisting || !is_index(rewrite->kind) || is_truncate(rewrite) ||
            rh_is_toast(rewrite->relation))
            continue;
        const char *table = rewrite->table ? rewrite->table
                                           : table_of_index(judgement, rewrite->relation);
        if (table && rh_is_toast(table))
            continue;
        if (anywhere_in_statement(judgement, i, rewrite->relation, act_has_work_on_index))
            continue; /* REINDEX: index-blocks-writes tells it, or it was CONCURRENTLY */
        if (table && anywhere_in_statement(judgement, i, table, act_rewrites_table)) {
            add_index_name(judgement, cause_of(judgement, CAUSE_REWRITE, i, table),
                           rewrite->relation);
            continue;
        }
        struct cause *cause = cause_of(judgement, CAUSE_INDEX_REBUILD, i,
                                       table ? table : rewrite->relation);
        cause->reason = rewrite->reason;
        add_index_name(judgement, cause, rewrite->relation);
        if (rewrite->bytes >= 0)
            cause->bytes = (cause->bytes > 0 ? cause->bytes : 0) + rewrite->bytes;
    }
}

static bool is_seen_before(const struct judgement *judgement, size_t act, const char *relation)
{
    for (size_t i = 0; i < act; i++) {
        const struct statement *statement = judgement->acts.items[i].statement;
        for (size_t j = 0; j < statement->locks.count; j++)
            if (strcmp(statement->locks.items[j].relation, relation) == 0)
                return true;
    }
    return false;
}

/* A change of type makes every index on the column anew in name, but keeps the files of those whose
   order stays (PostgreSQL 15, CheckIndexCompatible): which of them it built is not told. */
static bool only_changes_types(const struct act *act)
{
    return rh_act_clause(act, CLAUSE_COLUMN_TYPE) && !rh_act_clause(act, CLAUSE_ADD_UNIQUE) &&
           !rh_act_clause(act, CLAUSE_ADD_PRIMARY_KEY) && !rh_act_clause(act, CLAUSE_ADD_EXCLUDE);
}

/*
 * An index that a constraint built (ADD UNIQUE, PRIMARY KEY, EXCLUDE): no command of its own is
 * reported for it, but its statement is the first to lock an index, and for itself alone, on a
 * table that it read.
 */
static const char *new_index_of(const struct judgement *judgement, size_t act, const char *relation)
{
    const struct statement *statement = judgement->acts.items[act].statement;
    if (only_changes_types(&judgement->acts.items[act]))
        return NULL;
    for (size_t i = 0; i < statement->locks.count; i++) {
        const struct lock *lock = &statement->locks.items[i];
        if (is_index(lock->kind) && !lock->preexisting && lock->blocks_reads && lock->table &&
            strcmp(lock->table, relation) == 0 && !is_seen_before(judgement, act, lock->relation))
            return lock->relation;
    }
    return NULL;
}

static void find_index_work(struct judgement *judgement, size_t i)
{
    const struct act *act = &judgement->acts.items[i];
    for (size_t j = 0; j < act->statement->indexes.count; j++) {
        const struct index_work *work = &act->statement->indexes.items[j];
        const char *table = work->table && work->table[0] ? work->table
                                                          : table_of_index(judgement, work->index);
        if (!table || !table[0])
            table = work->index;
        if (work->concurrently || !work->preexisting_table || rh_is_toast(table) ||
            anywhere_in_statement(judgement, i, table, act_rewrites_table) ||
            anywhere_in_statement(judgement, i, table, act_drops_table))
            continue;
        add_index_name(judgement, cause_of(judgement, CAUSE_INDEX_WORK, i, table), work->index);
    }
    for (size_t j = 0; j < act->statement->scans.count; j++) {
        const struct scan *scan = &act->statement->scans.items[j];
        const char *index = scan->preexisting ? new_index_of(judgement, i, scan->relation) : NULL;
        if (index && rh_judgement_block(judgement, act->transaction_key, scan->relation) &&
            !anywhere_in_statement(judgement, i, scan->relation, act_works_on_indexes_of) &&
            !anywhere_in_statement(judgement, i, scan->relation, act_rewrites_table))
            add_index_name(judgement, cause_of(judgement, CAUSE_INDEX_WORK, i, scan->relation),
                           index);
    }
}

static void find_scans(struct judgement *judgement, size_t i)
{
    const struct act *act = &judgement->acts.items[i];
    for (size_t j = 0; j < act->statement->scans.count; j++) {
        const struct scan *scan = &act->statement->scans.items[j];
        if (!scan->preexisting || scan->rows == 0 || rh_is_toast(scan->relation))
            continue;
        const struct block *block = rh_judgement_block(judgement, act->transaction_key,
                                                       scan->relation);
        if (!block || !block->is_granted ||
            judgement->acts.items[block->first_act].top_order > act->top_order ||
            anywhere_in_statement(judgement, i, scan->relation, act_rewrites_table) ||
            anywhere_in_statement(judgement, i, scan->relation, act_works_on_indexes_of) ||
            new_index_of(judgement, i, scan->relation))
            continue;
        struct cause *cause = cause_of(judgement, CAUSE_SCAN, i, scan->relation);
        if (scan->rows > cause->rows)
            cause->rows = scan->rows;
    }
}

/*
 * Who is to blame for a table blocked beyond the gate: every cause that alone took longer than the
 * gate, or half of the time or more. What remains (locks held while other things went on) is told
 * by blocks-reads and blocks-writes.
 */
static void blame(struct judgement *judgement)
{
    int64_t limit_us = judgement->limits->blocked_us;
    for (size_t i = 0; i < judgement->causes.count; i++) {
        struct cause *cause = &judgement->causes.items[i];
        struct block *block = cause->block;
        if (!block)
            continue;
        if (block->here_us > 0)
            cause->duration_us = (int64_t)((double)cause->duration_us *
                                           ((double)rh_block_us(block) / (double)block->here_us));
        if (!rh_block_is_over(judgement, block))
            continue;
        if (cause->duration_us > limit_us || cause->duration_us * 2 >= rh_block_us(block)) {
            cause->is_blamed = true;
            block->is_explained = true;
        }
    }
}

void rh_judgement_find_causes(struct judgement *judgement)
{
    for (size_t i = 0; i < judgement->acts.count; i++) {
        find_table_rewrites(judgement, i);
        find_index_rebuilds(judgement, i);
        find_index_work(judgement, i);
        find_scans(judgement, i);
    }
    blame(judgement);
}
