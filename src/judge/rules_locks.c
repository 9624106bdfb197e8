/* Rules on locks themselves: who could not read or write, for how long, and what could have bounded
 * it. */
#include "judge/judge_int.h"

#include "base/quote.h"

#include <string.h>

/* Statements listed in one sentence, and tables in a headline. */
#define STATEMENTS_SHOWN 6

/* What ran in the transaction after the block's first lock was taken. */
struct aftermath {
    size_t statements; /* client statements, or commands inside one string; control left out */
    int64_t duration_us;
    const struct act *longest;
};

static int64_t act_us(const struct act *act)
{
    return act->statement->duration_us > 0 ? act->statement->duration_us : 0;
}

static struct aftermath aftermath_of(const struct judgement *judgement, const struct block *block)
{
    struct aftermath aftermath = {0};
    const struct act *first = &judgement->acts.items[block->first_act];
    bool whole_statement = first->statement == first->top;
    for (size_t i = first->next; i != NO_ACT; i = judgement->acts.items[i].next) {
        const struct act *act = &judgement->acts.items[i];
        bool is_further = act->top != first->top ? act->statement == act->top : !whole_statement;
        if (!is_further || act->is_control)
            continue;
        aftermath.statements++;
        aftermath.duration_us += act_us(act);
        if (!aftermath.longest || act_us(act) > act_us(aftermath.longest))
            aftermath.longest = act;
    }
    return aftermath;
}

/* "line 3 (UPDATE)", where there are no lines "statement 3 (UPDATE)". */
static const char *say_act(const struct judgement *judgement, const struct act *act)
{
    struct arena *arena = judgement->arena;
    const struct step *step = rh_judgement_step(judgement, act->top);
    const char *place = act->top->line > 0 && step && !step->is_command
                            ? rh_arena_printf(arena, "line %d", act->top->line)
                            : rh_arena_printf(arena, "statement %d", act->top->index);
    return act->statement->tag ? rh_arena_printf(arena, "%s (%s)", place, act->statement->tag)
                               : place;
}

/* --- blocks-reads, blocks-writes --- */

static bool is_reads_over(const struct judgement *judgement, const struct block *block)
{
    int64_t limit_us = judgement->limits->blocked_us;
    return rh_block_read_us(block) > limit_us;
}

static void add_block_finding(struct judgement *judgement, const struct rule *rule,
                              const struct block *block)
{
    struct arena *arena = judgement->arena;
    const struct act *act = &judgement->acts.items[block->first_act];
    struct aftermath aftermath = aftermath_of(judgement, block);
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, act, block->relation);
    struct finding *finding = &found->finding;
    rh_evidence_block(judgement, found, block);
    rh_evidence_count(found, "further_statements", (int64_t)aftermath.statements);
    found->weight = rh_block_us(block);
    found->headline = rh_headline_block(judgement, act, block);
    finding->title = rh_arena_printf(
        arena, "%s: %s (limit %s)", rh_say_relation(arena, block->relation, block->facts),
        rh_say_blocked(arena, block), rh_say_limit(arena, judgement->limits->blocked_us));

    if (!block->mode) {
        finding->why = rh_arena_printf(
            arena,
            "A session that did what an application does waited that long while %s ran; the lock "
            "itself was too short-lived or too indirect to be seen.",
            say_act(judgement, act));
    } else if (aftermath.statements > 0) {
        finding->why = rh_arena_printf(
            arena,
            "%s took %s and kept it until the transaction ended, while %s ran for %s (longest: %s, "
            "%s). "
            "Meanwhile %s on it had to wait.",
            say_act(judgement, act), block->mode,
            rh_say_count(arena, (int64_t)aftermath.statements, "further statement"),
            rh_say_duration(arena, aftermath.duration_us), say_act(judgement, aftermath.longest),
            rh_say_duration(arena, act_us(aftermath.longest)), rh_say_waiters(block));
    } else {
        finding->why = rh_arena_printf(
            arena,
            "%s took %s and kept it until the transaction ended. Meanwhile %s on it had to wait.",
            say_act(judgement, act), block->mode, rh_say_waiters(block));
    }
    const struct clause *index = rh_act_clause(act, CLAUSE_CREATE_INDEX);
    if (index && index->safe_form) {
        finding->advice = "Build it CONCURRENTLY, each index in a migration of its own that the "
                          "tool runs outside a transaction; it takes longer and blocks nobody.";
        finding->advice_sql = rh_arena_printf(arena, "%s;", index->safe_form);
    } else if (aftermath.statements > 0) {
        finding->advice = "Take the lock last and let it go at once: give this statement a "
                          "transaction of its own, and do "
                          "the slow work before or after it.";
        finding->advice_sql =
            "BEGIN;\nSET LOCAL lock_timeout = '2s';\n-- only the statement that needs the "
            "lock\nCOMMIT;";
    } else {
        finding->advice =
            "Split it into a brief statement that needs the lock and slow work that does not, "
            "or run it in a maintenance window and raise --max-blocked for it.";
    }
}

void rh_rule_blocks_reads(const struct rule *rule, struct judgement *judgement)
{
    for (size_t i = 0; i < judgement->blocks.count; i++) {
        const struct block *block = &judgement->blocks.items[i];
        if (rh_block_is_over(judgement, block) && !block->is_explained &&
            is_reads_over(judgement, block))
            add_block_finding(judgement, rule, block);
    }
}

void rh_rule_blocks_writes(const struct rule *rule, struct judgement *judgement)
{
    for (size_t i = 0; i < judgement->blocks.count; i++) {
        const struct block *block = &judgement->blocks.items[i];
        if (rh_block_is_over(judgement, block) && !block->is_explained &&
            !is_reads_over(judgement, block))
            add_block_finding(judgement, rule, block);
    }
}

/* --- lock-queue --- */

/* What canaries and queries waited beyond the time the lock was held: they stood in the queue
   behind us. */
static int64_t queued_us(const struct block *block)
{
    int64_t queued_read_us = rh_block_read_us(block) - block->read_us;
    int64_t queued_write_us = rh_block_write_us(block) - block->write_us;
    int64_t longest_us = queued_read_us > queued_write_us ? queued_read_us : queued_write_us;
    return longest_us > 0 ? longest_us : 0;
}

void rh_rule_lock_queue(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    int64_t limit_us = judgement->limits->blocked_us;
    for (size_t i = 0; i < judgement->blocks.count; i++) {
        struct block *block = &judgement->blocks.items[i];
        if (limit_us < 0 || !block->counts || block->waited_us <= 0)
            continue;
        bool waited_long = block->waited_us > limit_us;
        bool queue_long = queued_us(block) > 0 && block->waited_us + queued_us(block) > limit_us &&
                          rh_block_is_over(judgement, block);
        if (!waited_long && !queue_long)
            continue;
        const struct act *act = &judgement->acts.items[block->first_act];
        struct found *found = rh_judgement_add(judgement, rule, SEVERITY_ERROR, act,
                                               block->relation);
        struct finding *finding = &found->finding;
        rh_evidence_block(judgement, found, block);
        if (block->waited_for)
            rh_evidence_text(found, "waited_for", block->waited_for);
        int64_t queue_us = block->probe_read_us > block->probe_write_us ? block->probe_read_us
                                                                        : block->probe_write_us;
        found->weight = block->waited_us > queue_us ? block->waited_us : queue_us;
        finding->title = rh_arena_printf(
            arena,
            "%s: the migration waited %s for its lock, and everything behind it too (limit %s)",
            block->relation, rh_say_duration(arena, block->waited_us),
            rh_say_limit(arena, limit_us));
        found->headline = rh_arena_printf(
            arena, "%s would stand %s in the lock queue of %s, and everything behind it (limit %s)",
            rh_judgement_subject(judgement, act->top), rh_say_duration(arena, block->waited_us),
            block->relation, rh_say_limit(arena, limit_us));
        finding->why = rh_arena_printf(
            arena,
            "It asked for %s%s%s. A waiting request stands in the queue: every later request that "
            "conflicts with it waits as well, even a SELECT that the present holder would let "
            "through.%s",
            block->mode ? block->mode : "a lock", block->waited_for ? " while it was held by " : "",
            block->waited_for ? block->waited_for : "",
            queue_us > 0 ? rh_arena_printf(arena, " A canary session waited %s.",
                                           rh_say_duration(arena, queue_us))
                         : "");
        finding->advice =
            "Bound the wait with lock_timeout and try again until it gets through; end or wait "
            "for long transactions on the table first.";
        finding->advice_sql = rh_arena_printf(
            arena,
            "SET lock_timeout = '%s';  -- then retry with a pause\n"
            "-- who is in the way:\n"
            "SELECT pid, state, age(now(), xact_start), left(query, 60)\n"
            "FROM pg_stat_activity WHERE pid IN\n"
            "  (SELECT pid FROM pg_locks WHERE relation = %s::regclass);",
            rh_say_limit(arena, limit_us > 0 ? limit_us : 2000000),
            rh_quote_literal(arena, block->relation));
    }
}

/* --- lock-held-across-statements --- */

void rh_rule_lock_held_across_statements(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    for (size_t i = 0; i < judgement->blocks.count; i++) {
        const struct block *block = &judgement->blocks.items[i];
        if (!block->is_granted)
            continue;
        struct aftermath aftermath = aftermath_of(judgement, block);
        if (aftermath.statements == 0)
            continue;
        const struct act *act = &judgement->acts.items[block->first_act];
        struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING, act,
                                               block->relation);
        struct finding *finding = &found->finding;
        rh_evidence_block(judgement, found, block);
        rh_evidence_count(found, "further_statements", (int64_t)aftermath.statements);
        rh_evidence_ms(found, "further_ms", aftermath.duration_us);
        found->weight = rh_block_weight(block);
        finding->title = rh_arena_printf(
            arena, "%s%s stayed locked while %s ran: %s", block->relation,
            block->counts ? "" : " (empty here)",
            rh_say_count(arena, (int64_t)aftermath.statements, "further statement"),
            rh_say_blocked(arena, block));
        finding->why = rh_arena_printf(arena,
                                       "%s took %s; PostgreSQL keeps a lock until the transaction "
                                       "ends, so what ran afterwards (%s, "
                                       "longest: %s) made everybody wait longer.",
                                       say_act(judgement, act), block->mode,
                                       rh_say_duration(arena, aftermath.duration_us),
                                       say_act(judgement, aftermath.longest));
        finding
            ->advice = "Commit right after it, or put it last. Where the tool wraps a file in one "
                       "transaction, give this statement a file of its own.";
    }
}

/* --- no-lock-timeout --- */

static bool asks_without_timeout(const struct act *act)
{
    /* A child may know a timeout that a function set; it never knows less than what encloses it. */
    if (act->top->lock_timeout_ms != 0 || act->statement->lock_timeout_ms > 0)
        return false;
    for (size_t i = 0; i < act->statement->locks.count; i++) {
        const struct lock *lock = &act->statement->locks.items[i];
        if (lock->preexisting && (lock->blocks_reads || lock->blocks_writes))
            return true;
    }
    return false;
}

static const char *first_blocked_table(const struct act *act)
{
    for (size_t i = 0; i < act->statement->locks.count; i++) {
        const struct lock *lock = &act->statement->locks.items[i];
        const char *table = lock->table ? lock->table : lock->relation;
        if (lock->preexisting && (lock->blocks_reads || lock->blocks_writes) && !rh_is_toast(table))
            return table;
    }
    return NULL;
}

void rh_rule_no_lock_timeout(const struct rule *rule, struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    const struct act *first = NULL;
    int last_index = 0;
    json_t *statements = json_array();
    VEC(const char *) places = {0};
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        if (act->top->index == last_index || !asks_without_timeout(act))
            continue;
        last_index = act->top->index;
        first = first ? first : act;
        json_array_append_new(statements, json_integer(act->top->index));
        const struct step *step = rh_judgement_step(judgement, act->top);
        *RH_PUSH(arena, &places) = act->top->line > 0 && step && !step->is_command
                                       ? rh_arena_printf(arena, "%s:%d", step->name, act->top->line)
                                       : rh_arena_printf(arena, "statement %d", act->top->index);
    }
    if (!first) {
        json_decref(statements);
        return;
    }
    struct found *found = rh_judgement_add(judgement, rule, SEVERITY_WARNING, first,
                                           first_blocked_table(first));
    struct finding *finding = &found->finding;
    rh_evidence_json(found, "statements", statements);
    found->weight = (int64_t)places.count;
    finding->title = rh_arena_printf(
        arena, "%s for blocking locks while lock_timeout was 0 (wait for ever)",
        places.count == 1 ? "1 statement asked"
                          : rh_arena_printf(arena, "%zu statements asked", places.count));
    finding->why = rh_arena_printf(
        arena,
        "In production the lock may be taken by a long query or a forgotten transaction; the "
        "migration then waits without end, and all that comes after it waits in the queue behind "
        "it. Asked for by %s.",
        rh_say_list(arena, places.items, places.count, STATEMENTS_SHOWN));
    const struct step *step = rh_judgement_step(judgement, first->top);
    if (step && step->is_command) {
        finding->advice =
            "Give the role or the connection of the migration a lock_timeout and let the tool "
            "retry: a lock_timeout that strikes has changed nothing.";
        finding->advice_sql =
            "ALTER ROLE <migration role> SET lock_timeout = '2s';\n"
            "-- or, where the tool takes libpq options: PGOPTIONS='-c lock_timeout=2s'";
    } else {
        finding->advice =
            "Set it at the top of the file and retry when it strikes: nothing has been changed "
            "then. SET LOCAL inside a transaction.";
        finding->advice_sql = "SET lock_timeout = '2s';";
    }
}
