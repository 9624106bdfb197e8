#include "judge/judge_int.h"

#include <stdlib.h>
#include <string.h>

/* Longest part of a command line that is quoted in a sentence. */
#define SUBJECT_COLUMNS 48

bool rh_is_one_of(const char *s, const char *const *names, size_t count)
{
    if (!s)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(s, names[i]) == 0)
            return true;
    return false;
}

bool rh_is_toast(const char *relation)
{
    return strncmp(relation, "pg_toast.", 9) == 0 || strncmp(relation, "pg_toast_temp_", 14) == 0;
}

static int compare_facts(const void *a, const void *b)
{
    const struct relation_facts *const *left = a;
    const struct relation_facts *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

const struct relation_facts *rh_judgement_facts(const struct judgement *judgement,
                                                const char *relation)
{
    struct relation_facts wanted = {.name = relation};
    const struct relation_facts *key = &wanted;
    if (!relation || judgement->trace->relations.count == 0)
        return NULL;
    const struct relation_facts **found = bsearch(&key, judgement->facts,
                                                  judgement->trace->relations.count,
                                                  sizeof(judgement->facts[0]), compare_facts);
    return found ? *found : NULL;
}

/* Statements that only steer the session: they do no work while a lock is held. */
static bool is_control(const struct statement *statement)
{
    return RH_IS_ONE_OF(statement->tag, "BEGIN", "START TRANSACTION", "COMMIT", "END", "ROLLBACK",
                        "ABORT", "SAVEPOINT", "RELEASE", "PREPARE TRANSACTION", "SET", "RESET",
                        "SHOW", "DISCARD ALL", "DEALLOCATE", "LISTEN", "UNLISTEN");
}

static int64_t transaction_key(const struct statement *statement, const struct statement *top)
{
    /* A child's own number counts only when set: 0 is also what was never set, and a child runs in
       its parent's transaction unless a procedure committed in between. */
    int transaction = statement != top && statement->transaction > 0 ? statement->transaction
                                                                     : top->transaction;
    return transaction >= 0 ? transaction : -(int64_t)top->index - 1;
}

static void add_acts(struct judgement *judgement, const struct statement *statement,
                     const struct statement *top, size_t top_order)
{
    *RH_PUSH(judgement->arena, &judgement->acts) = (struct act){
        .statement = statement,
        .top = top,
        .top_order = top_order,
        .transaction_key = transaction_key(statement, top),
        .is_control = is_control(statement),
    };
    for (size_t i = 0; i < statement->children.count; i++)
        add_acts(judgement, &statement->children.items[i], top, top_order);
}

struct act_place {
    int64_t transaction_key;
    size_t act;
};

static int compare_act_places(const void *a, const void *b)
{
    const struct act_place *left = a;
    const struct act_place *right = b;
    if (left->transaction_key != right->transaction_key)
        return left->transaction_key < right->transaction_key ? -1 : 1;
    return left->act < right->act ? -1 : left->act > right->act;
}

/* Strings the acts of each transaction together; sessions may have run them interleaved. */
static void link_acts(struct judgement *judgement)
{
    size_t count = judgement->acts.count;
    struct act_place *places = rh_arena_alloc_array(judgement->arena, count + 1, sizeof(*places));
    for (size_t i = 0; i < count; i++)
        places[i] = (struct act_place){judgement->acts.items[i].transaction_key, i};
    qsort(places, count, sizeof(*places), compare_act_places);
    for (size_t i = 0; i < count; i++)
        judgement->acts.items[places[i].act].next = i + 1 < count &&
                                                            places[i + 1].transaction_key ==
                                                                places[i].transaction_key
                                                        ? places[i + 1].act
                                                        : NO_ACT;
}

void rh_judgement_init(struct judgement *judgement, struct result *result)
{
    const struct trace *trace = result->trace;
    *judgement = (struct judgement){
        .result = result, .arena = result->arena, .trace = trace, .limits = &result->limits};
    for (size_t i = 0; i < trace->statements.count; i++)
        add_acts(judgement, &trace->statements.items[i], &trace->statements.items[i], i);
    link_acts(judgement);
    judgement->facts = rh_arena_alloc_array(judgement->arena, trace->relations.count + 1,
                                            sizeof(judgement->facts[0]));
    for (size_t i = 0; i < trace->relations.count; i++)
        judgement->facts[i] = &trace->relations.items[i];
    qsort(judgement->facts, trace->relations.count, sizeof(judgement->facts[0]), compare_facts);
}

const struct step *rh_judgement_step(const struct judgement *judgement,
                                     const struct statement *statement)
{
    const struct trace *trace = judgement->trace;
    if (statement->step >= 0 && (size_t)statement->step < trace->steps.count)
        return &trace->steps.items[statement->step];
    for (size_t i = 0; i < trace->steps.count; i++)
        if (trace->steps.items[i].is_command && trace->steps.items[i].reached)
            return &trace->steps.items[i];
    return NULL;
}

const char *rh_judgement_subject(const struct judgement *judgement,
                                 const struct statement *statement)
{
    const struct step *step = NULL;
    if (statement)
        step = rh_judgement_step(judgement, statement);
    else if (judgement->trace->steps.count == 1)
        step = &judgement->trace->steps.items[0];
    if (!step || !step->name)
        return "the migration";
    if (!step->is_command)
        return step->name;
    return rh_arena_printf(
        judgement->arena, "\"%s\"",
        rh_text_one_line(judgement->arena, rh_text(step->name), SUBJECT_COLUMNS));
}

/* --- blocks --- */

/* PostgreSQL's table-level modes, weakest first ("Table-Level Locks", section 13.3 of the manual).
 */
static const char *const modes[] = {
    "AccessShareLock", "RowShareLock",          "RowExclusiveLock", "ShareUpdateExclusiveLock",
    "ShareLock",       "ShareRowExclusiveLock", "ExclusiveLock",    "AccessExclusiveLock"};

static size_t mode_strength(const char *mode)
{
    for (size_t i = 0; mode && i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(mode, modes[i]) == 0)
            return i + 1;
    return 0;
}

struct blocking_lock {
    int64_t transaction_key;
    const char *relation; /* the table */
    const struct lock *lock;
    size_t act;
};

static int compare_blocking_locks(const void *a, const void *b)
{
    const struct blocking_lock *left = a;
    const struct blocking_lock *right = b;
    if (left->transaction_key != right->transaction_key)
        return left->transaction_key < right->transaction_key ? -1 : 1;
    int order = strcmp(left->relation, right->relation);
    if (order != 0)
        return order;
    return left->act < right->act ? -1 : left->act > right->act;
}

/* The table a lock counts for; NULL for what is not named (TOAST: its table is locked as well). */
static const char *locked_table(const struct lock *lock)
{
    const char *table = lock->table ? lock->table : lock->relation;
    return table && !rh_is_toast(table) ? table : NULL;
}

/* End of the transaction the lock was taken in. */
static int64_t lock_end_us(const struct judgement *judgement, const struct lock *lock,
                           const struct act *act)
{
    const struct trace *trace = judgement->trace;
    if (lock->held_us >= 0)
        return lock->acquired_us + lock->held_us;
    if (act->transaction_key >= 0 && (size_t)act->transaction_key < trace->transactions.count) {
        int64_t end_us = trace->transactions.items[act->transaction_key].end_us;
        return end_us >= 0 ? end_us : trace->duration_us;
    }
    return act->top->start_us + act->top->duration_us;
}

static bool counts_towards_gate(const struct relation_facts *facts)
{
    return !facts || !facts->is_empty;
}

/* `locks` are those of one table in one transaction. */
static void add_block(struct judgement *judgement, const struct blocking_lock *locks, size_t count)
{
    struct block block = {
        .transaction_key = locks[0].transaction_key,
        .relation = locks[0].relation,
        .kind = "table",
        .facts = rh_judgement_facts(judgement, locks[0].relation),
        .first_act = locks[0].act,
        .from_us = INT64_MAX,
    };
    int64_t read_from_us = INT64_MAX, write_from_us = INT64_MAX, read_until_us = 0,
            write_until_us = 0;
    for (size_t i = 0; i < count; i++) {
        const struct lock *lock = locks[i].lock;
        if (mode_strength(lock->mode) > mode_strength(block.mode) || !block.mode)
            block.mode = lock->mode;
        if (lock->kind && strcmp(lock->relation, block.relation) == 0)
            block.kind = lock->kind;
        if (lock->waited_us > block.waited_us) {
            block.waited_us = lock->waited_us;
            block.waited_for = lock->waited_for;
        }
        if (lock->acquired_us < 0)
            continue;
        int64_t end_us = lock_end_us(judgement, lock, &judgement->acts.items[locks[i].act]);
        block.is_granted = true;
        if (lock->acquired_us < block.from_us)
            block.from_us = lock->acquired_us;
        if (end_us > block.until_us)
            block.until_us = end_us;
        if (lock->blocks_reads) {
            read_from_us = lock->acquired_us < read_from_us ? lock->acquired_us : read_from_us;
            read_until_us = end_us > read_until_us ? end_us : read_until_us;
        }
        if (lock->blocks_writes) {
            write_from_us = lock->acquired_us < write_from_us ? lock->acquired_us : write_from_us;
            write_until_us = end_us > write_until_us ? end_us : write_until_us;
        }
    }
    if (!block.is_granted)
        block.from_us = block.until_us = judgement->acts.items[block.first_act].top->start_us;
    if (read_until_us > read_from_us)
        block.read_us = read_until_us - read_from_us;
    if (write_until_us > write_from_us)
        block.write_us = write_until_us - write_from_us;
    block.counts = counts_towards_gate(block.facts);
    *RH_PUSH(judgement->arena, &judgement->blocks) = block;
}

static int compare_blocks(const void *a, const void *b)
{
    const struct block *left = a;
    const struct block *right = b;
    if (left->transaction_key != right->transaction_key)
        return left->transaction_key < right->transaction_key ? -1 : 1;
    return strcmp(left->relation, right->relation);
}

struct block *rh_judgement_block(struct judgement *judgement, int64_t key, const char *relation)
{
    struct block wanted = {.transaction_key = key, .relation = relation};
    if (!relation || judgement->blocks.count == 0)
        return NULL;
    return bsearch(&wanted, judgement->blocks.items, judgement->blocks.count,
                   sizeof(judgement->blocks.items[0]), compare_blocks);
}

/* The block that a probe's longest wait ran into: of its table, around its time, else the longest.
 */
static struct block *probed_block(struct judgement *judgement, const struct probe *probe)
{
    struct block *best = NULL;
    for (size_t i = 0; i < judgement->blocks.count; i++) {
        struct block *block = &judgement->blocks.items[i];
        if (strcmp(block->relation, probe->relation) != 0)
            continue;
        int64_t asked_us = block->from_us - block->waited_us;
        if (probe->longest_at_us + probe->longest_wait_us >= asked_us &&
            probe->longest_at_us <= block->until_us)
            return block;
        if (!best || rh_block_us(block) > rh_block_us(best))
            best = block;
    }
    return best;
}

static void add_probes(struct judgement *judgement)
{
    const struct trace *trace = judgement->trace;
    for (size_t i = 0; i < trace->probes.count; i++) {
        const struct probe *probe = &trace->probes.items[i];
        if ((probe->waits <= 0 && !probe->gave_up) || probe->longest_wait_us <= 0)
            continue;
        struct block *block = probed_block(judgement, probe);
        if (!block) {
            size_t act = 0;
            for (size_t j = 0; j < judgement->acts.count; j++)
                if (judgement->acts.items[j].top->index == probe->statement) {
                    act = j;
                    break;
                }
            if (act >= judgement->acts.count)
                continue;
            block = RH_PUSH(judgement->arena, &judgement->blocks);
            *block = (struct block){
                .transaction_key = judgement->acts.items[act].transaction_key,
                .relation = probe->relation,
                .kind = "table",
                .facts = rh_judgement_facts(judgement, probe->relation),
                .first_act = act,
                .from_us = probe->longest_at_us,
                .until_us = probe->longest_at_us + probe->longest_wait_us,
            };
            block->counts = counts_towards_gate(block->facts);
        }
        int64_t *slot = probe->is_write ? &block->probe_write_us : &block->probe_read_us;
        if (probe->longest_wait_us > *slot)
            *slot = probe->longest_wait_us;
    }
}

static int64_t longest_of(int64_t a, int64_t b, int64_t c)
{
    int64_t longest = a > b ? a : b;
    return longest > c ? longest : c;
}

int64_t rh_block_read_us(const struct block *block)
{
    return longest_of(block->read_us, block->probe_read_us, block->query_read_us);
}

int64_t rh_block_write_us(const struct block *block)
{
    return longest_of(block->write_us, block->probe_write_us, block->query_write_us);
}

int64_t rh_block_us(const struct block *block)
{
    int64_t read_us = rh_block_read_us(block), write_us = rh_block_write_us(block);
    return read_us > write_us ? read_us : write_us;
}

int64_t rh_block_weight(const struct block *block)
{
    return block->counts ? rh_block_us(block) : rh_block_us(block) - INT64_MAX / 2;
}

bool rh_block_is_over(const struct judgement *judgement, const struct block *block)
{
    int64_t limit_us = judgement->limits->blocked_us;
    return block->counts && limit_us >= 0 && rh_block_low_us(block) > limit_us;
}

void rh_judgement_find_blocks(struct judgement *judgement)
{
    VEC(struct blocking_lock) locks = {0};
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        for (size_t j = 0; j < act->statement->locks.count; j++) {
            const struct lock *lock = &act->statement->locks.items[j];
            if (!lock->preexisting || (!lock->blocks_reads && !lock->blocks_writes))
                continue;
            const char *table = locked_table(lock);
            if (table)
                *RH_PUSH(judgement->arena, &locks) = (struct blocking_lock){act->transaction_key,
                                                                            table, lock, i};
        }
    }
    if (locks.count > 0)
        qsort(locks.items, locks.count, sizeof(locks.items[0]), compare_blocking_locks);
    for (size_t first = 0, next; first < locks.count; first = next) {
        for (next = first + 1; next < locks.count; next++)
            if (locks.items[next].transaction_key != locks.items[first].transaction_key ||
                strcmp(locks.items[next].relation, locks.items[first].relation) != 0)
                break;
        add_block(judgement, locks.items + first, next - first);
    }
    add_probes(judgement);
    rh_judgement_take_traffic(judgement);
    rh_judgement_scale_blocks(judgement);
    if (judgement->blocks.count > 0)
        qsort(judgement->blocks.items, judgement->blocks.count, sizeof(judgement->blocks.items[0]),
              compare_blocks);
    for (size_t i = 0; i < judgement->blocks.count; i++) {
        const struct block *block = &judgement->blocks.items[i];
        if (block->counts && rh_block_us(block) > judgement->longest_block_us) {
            judgement->longest_block_us = rh_block_us(block);
            judgement->longest_block_relation = block->relation;
        }
    }
}

const struct act *rh_judgement_act(const struct judgement *judgement, int statement)
{
    for (size_t i = 0; i < judgement->acts.count && statement > 0; i++)
        if (judgement->acts.items[i].top->index == statement)
            return &judgement->acts.items[i];
    return NULL;
}

/* --- adding findings --- */

const struct clause *rh_act_clause(const struct act *act, enum clause_kind kind)
{
    const struct statement *const places[] = {act->statement, act->top};
    for (size_t place = 0; place < 2; place++)
        for (size_t i = 0; i < places[place]->clauses.count; i++)
            if (places[place]->clauses.items[i].kind == kind)
                return &places[place]->clauses.items[i];
    return NULL;
}

struct found *rh_judgement_add(struct judgement *judgement, const struct rule *rule,
                               enum severity severity, const struct act *act, const char *relation)
{
    struct found *found = RH_PUSH(judgement->arena, &judgement->found);
    found->order = judgement->found.count;
    found->finding = (struct finding){
        .rule = rule->id,
        .severity = severity,
        .relation = relation,
        .evidence = json_object(),
    };
    if (act) {
        const struct step *step = rh_judgement_step(judgement, act->top);
        found->finding.step = step ? step->name : NULL;
        found->finding.line = act->statement->line > 0 ? act->statement->line : act->top->line;
        found->finding.statement = act->top->index;
    }
    return found;
}

void rh_evidence_json(struct found *found, const char *key, json_t *value)
{
    if (json_object_set_new(found->finding.evidence, key, value) != 0)
        RH_PANIC("cannot set evidence \"%s\"", key);
}

void rh_evidence_text(struct found *found, const char *key, const char *value)
{
    rh_evidence_json(found, key, rh_json_text(value));
}

void rh_evidence_count(struct found *found, const char *key, int64_t value)
{
    rh_evidence_json(found, key, rh_json_count(value));
}

void rh_evidence_ms(struct found *found, const char *key, int64_t us)
{
    rh_evidence_json(found, key, rh_json_ms(us));
}
