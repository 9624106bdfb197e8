#include "judge/judge_int.h"

#include <string.h>

#define US_PER_S 1000000

/* Nothing but the sampler could have seen its locks, and what it did is known all the same: from
   its name, from its report, or because it wrote no WAL and so changed nothing. Of every other
   command the event triggers tell; when they did not, something is wrong. */
static bool is_known_otherwise(const struct statement *statement)
{
    static const char *const untold[] = {"TRUNCATE", "VACUUM", "CLUSTER", "REINDEX", "LOCK"};
    if (strcmp(statement->tag, "DO") == 0 || strcmp(statement->tag, "CALL") == 0)
        return statement->wal_bytes == 0 && statement->children.count == 0;
    for (size_t i = 0; i < sizeof(untold) / sizeof(untold[0]); i++)
        if (strncmp(statement->tag, untold[i], strlen(untold[i])) == 0)
            return true;
    return statement->indexes.count > 0 && statement->indexes.items[0].concurrently;
}

/* It ran alone, so that whatever it locked was free again within its own duration, which is within
   the limit. */
static bool is_bounded(const struct judgement *judgement, const struct act *act)
{
    const struct statement *statement = act->statement;
    int64_t limit_us = judgement->limits->blocked_us;
    return statement == act->top && statement->finished && !statement->in_transaction &&
           (judgement->trace->outside_only || is_known_otherwise(statement)) &&
           (limit_us < 0 || statement->duration_us <= limit_us);
}

static bool is_unseen(const struct act *act)
{
    return act->statement->observation == OBSERVED_NOT && rh_tag_can_block(act->statement->tag);
}

int64_t rh_judgement_unseen_us(const struct judgement *judgement)
{
    int64_t longest_us = 0;
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        if (is_unseen(act) && is_bounded(judgement, act) &&
            act->statement->duration_us > longest_us)
            longest_us = act->statement->duration_us;
    }
    return longest_us;
}

const char *rh_judgement_blind_spot(const struct judgement *judgement)
{
    const struct trace *trace = judgement->trace;
    if (trace->observer_lost)
        return "the observer lost its connection: what happened afterwards was not observed";
    if (!trace->evidence_intact)
        return "the migration removed or disabled our event triggers: part of it was not observed";
    for (size_t i = 0; i < judgement->acts.count; i++) {
        const struct act *act = &judgement->acts.items[i];
        const struct statement *statement = act->statement;
        if (!is_unseen(act) || is_bounded(judgement, act))
            continue;
        /* What failed blocked nobody for longer than it ran; its error says more than a guess. */
        if (!act->top->ok)
            continue;
        return rh_arena_printf(
            judgement->arena, "statement %d (%s) was not observed%s%s", act->top->index,
            statement->tag, statement->not_observed_reason ? ": " : "",
            statement->not_observed_reason ? statement->not_observed_reason : "");
    }
    return NULL;
}

int64_t rh_judgement_lag_us(const struct judgement *judgement)
{
    int64_t rate = judgement->limits->replica_apply_bytes_per_s;
    int64_t wal_bytes = judgement->trace->wal_bytes;
    if (rate <= 0 || wal_bytes < 0)
        return NOT_OBSERVED;
    return (int64_t)((double)wal_bytes / (double)rate * US_PER_S);
}

static struct gate *add_gate(struct judgement *judgement, const char *name, const char *limit)
{
    struct gate *gate = RH_PUSH(judgement->arena, &judgement->result->gates);
    *gate = (struct gate){.name = name, .limit = limit};
    return gate;
}

/* `measured_us` at least; `complete`: nothing more can have been missed. */
static void measure_time(struct judgement *judgement, const char *name, int64_t limit_us,
                         int64_t measured_us, bool complete)
{
    if (limit_us < 0)
        return;
    struct gate *gate = add_gate(judgement, name, rh_say_limit(judgement->arena, limit_us));
    bool is_over = measured_us > limit_us;
    gate->observed = measured_us >= 0 && (complete || is_over);
    gate->ok = gate->observed && !is_over;
    if (measured_us >= 0)
        gate->measured = complete ? rh_say_duration(judgement->arena, measured_us)
                                  : rh_arena_printf(judgement->arena, "at least %s",
                                                    rh_say_duration(judgement->arena, measured_us));
}

static void measure_bytes(struct judgement *judgement, const char *name, int64_t limit_bytes,
                          int64_t measured_bytes, bool complete)
{
    if (limit_bytes < 0)
        return;
    struct gate *gate = add_gate(judgement, name, rh_say_bytes(judgement->arena, limit_bytes));
    bool is_over = measured_bytes > limit_bytes;
    gate->observed = measured_bytes >= 0 && (complete || is_over);
    gate->ok = gate->observed && !is_over;
    if (measured_bytes >= 0)
        gate->measured = rh_arena_printf(judgement->arena, "%s%s", complete ? "" : "at least ",
                                         rh_say_bytes(judgement->arena, measured_bytes));
}

/* The longest anything waited or would have: behind a lock, or behind the migration's own wait. */
static int64_t blocked_us(const struct judgement *judgement)
{
    int64_t longest_us = judgement->longest_block_us;
    int64_t unseen_us = rh_judgement_unseen_us(judgement);
    if (unseen_us > longest_us)
        longest_us = unseen_us;
    for (size_t i = 0; i < judgement->blocks.count; i++) {
        const struct block *block = &judgement->blocks.items[i];
        if (block->counts && block->waited_us > longest_us)
            longest_us = block->waited_us;
    }
    return longest_us;
}

static void measure_blocked(struct judgement *judgement, bool seen)
{
    const char *unscaled = rh_judgement_unscaled(judgement);
    size_t before = judgement->result->gates.count;

    measure_time(judgement, "blocked", judgement->limits->blocked_us, blocked_us(judgement),
                 seen && !unscaled);
    if (judgement->result->gates.count == before)
        return;
    struct gate *gate = &judgement->result->gates.items[before];
    gate->reason = seen ? unscaled : NULL;
    if (judgement->result->scaling.was_tried && !judgement->result->scaling.reason && !unscaled &&
        gate->measured)
        gate->measured = rh_arena_printf(judgement->arena, "%s in production", gate->measured);
}

/* What a sample took says little: production's time decides, where its whole range lies on one
   side of the limit. */
static void measure_duration(struct judgement *judgement, bool whole)
{
    struct arena *arena = judgement->arena;
    int64_t limit_us = judgement->limits->duration_us;
    int64_t here_us = judgement->trace->duration_us;
    struct production_time production = rh_judgement_production(judgement, 0, here_us, -1);

    if (limit_us < 0 || !production.is_scaled) {
        measure_time(judgement, "duration", limit_us, here_us, whole);
        return;
    }
    struct gate *gate = add_gate(judgement, "duration", rh_say_limit(arena, limit_us));
    int64_t low_us = production.refusal ? here_us : production.low_us;
    bool is_over = low_us > limit_us;
    bool is_under = whole && !production.refusal && production.high_us <= limit_us;
    gate->observed = is_over || is_under;
    gate->ok = is_under;
    gate->measured = rh_say_production(arena, &production, here_us);
    if (!gate->observed && whole)
        gate->reason = production.refusal
                           ? production.refusal
                           : rh_arena_printf(
                                 arena, "it would take %s in production",
                                 rh_arena_printf(arena, "%s to %s", rh_say_duration(arena, low_us),
                                                 rh_say_duration(arena, production.high_us)));
}

void rh_judgement_measure_gates(struct judgement *judgement)
{
    const struct trace *trace = judgement->trace;
    const struct limits *limits = judgement->limits;
    /* Cut short: what was measured is what it took until then. */
    bool whole = !trace->timed_out && !trace->interrupted && !trace->server_crashed;
    bool seen = whole && trace->statements.count > 0 && !rh_judgement_blind_spot(judgement);
    /* More rows, more bytes: of a sample they are the least there can be. */
    bool sampled = judgement->result->scaling.was_tried;

    measure_blocked(judgement, seen);
    measure_duration(judgement, whole);
    size_t first = judgement->result->gates.count;
    measure_bytes(judgement, "wal", limits->wal_bytes, trace->wal_bytes,
                  whole && trace->wal_bytes >= 0 && !sampled);
    int64_t peak_bytes = trace->peak_disk_bytes;
    measure_bytes(judgement, "disk", limits->disk_bytes, peak_bytes,
                  whole && peak_bytes >= 0 && !sampled);
    measure_time(judgement, "lag", limits->lag_us, rh_judgement_lag_us(judgement),
                 whole && !sampled);
    for (size_t i = first; sampled && whole && i < judgement->result->gates.count; i++) {
        struct gate *gate = &judgement->result->gates.items[i];
        if (!gate->observed && gate->measured)
            gate->reason = "what a sample made the server write is not scaled to production";
    }
}

const struct gate *rh_judgement_gate(const struct judgement *judgement, const char *name)
{
    for (size_t i = 0; i < judgement->result->gates.count; i++)
        if (strcmp(judgement->result->gates.items[i].name, name) == 0)
            return &judgement->result->gates.items[i];
    return NULL;
}
