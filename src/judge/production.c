/* Times of a copy that is a sample, as production's rows would make them. */
#include "judge/judge_int.h"

struct production_time rh_judgement_production(const struct judgement *judgement, int64_t from_us,
                                               int64_t until_us, int session)
{
    const struct trace *trace = judgement->trace;
    const struct scaling_facts *scaling = &judgement->result->scaling;
    double us = (double)(until_us - from_us), low_us = us, high_us = us;

    if (!scaling->was_tried)
        return (struct production_time){.us = until_us - from_us};
    if (scaling->reason)
        return (struct production_time){.is_scaled = true, .refusal = scaling->reason};
    for (size_t i = 0; i < trace->statements.count; i++) {
        const struct statement *statement = &trace->statements.items[i];
        const struct scaled_duration *scaled = statement->in_production;
        int64_t end_us = statement->start_us + statement->duration_us;
        int64_t first_us = statement->start_us > from_us ? statement->start_us : from_us;
        int64_t last_us = end_us < until_us ? end_us : until_us;
        if (!scaled || last_us <= first_us || (session >= 0 && statement->session != session))
            continue;
        if (scaled->refusal)
            return (struct production_time){.is_scaled = true, .refusal = scaled->refusal};
        double share = (double)(last_us - first_us) / (double)statement->duration_us;
        us += share * (double)(scaled->duration_us - statement->duration_us);
        low_us += share * (double)(scaled->low_us - statement->duration_us);
        high_us += share * (double)(scaled->high_us - statement->duration_us);
    }
    return (struct production_time){.is_scaled = true,
                                    .us = (int64_t)us,
                                    .low_us = (int64_t)low_us,
                                    .high_us = (int64_t)high_us};
}

static void stretch(int64_t *us, double factor)
{
    *us = (int64_t)((double)*us * factor);
}

/* What the other judges of a block read is production's time then. */
static void scale_block(struct judgement *judgement, struct block *block)
{
    int64_t here_us = block->until_us - block->from_us;
    int session = judgement->acts.items[block->first_act].top->session;

    block->production = rh_judgement_production(judgement, block->from_us, block->until_us,
                                                session);
    block->here_us = rh_block_us(block);
    if (!block->production.is_scaled || block->production.refusal || here_us <= 0)
        return;
    double factor = (double)block->production.us / (double)here_us;
    stretch(&block->read_us, factor);
    stretch(&block->write_us, factor);
    stretch(&block->probe_read_us, factor);
    stretch(&block->probe_write_us, factor);
    stretch(&block->query_read_us, factor);
    stretch(&block->query_write_us, factor);
}

void rh_judgement_scale_blocks(struct judgement *judgement)
{
    for (size_t i = 0; i < judgement->blocks.count; i++)
        scale_block(judgement, &judgement->blocks.items[i]);
}

static int64_t bound_us(const struct block *block, int64_t of_production_us)
{
    const struct production_time *production = &block->production;

    if (!production->is_scaled || production->refusal || production->us <= 0)
        return rh_block_us(block);
    return (int64_t)((double)rh_block_us(block) * (double)of_production_us /
                     (double)production->us);
}

int64_t rh_block_low_us(const struct block *block)
{
    return bound_us(block, block->production.low_us);
}

int64_t rh_block_high_us(const struct block *block)
{
    return bound_us(block, block->production.high_us);
}

const char *rh_judgement_unscaled(const struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    int64_t limit_us = judgement->limits->blocked_us;

    for (size_t i = 0; i < judgement->blocks.count && limit_us >= 0; i++) {
        const struct block *block = &judgement->blocks.items[i];
        const struct production_time *production = &block->production;
        if (!block->counts || !production->is_scaled || rh_block_is_over(judgement, block))
            continue;
        if (production->refusal)
            return rh_arena_printf(arena,
                                   "%s was blocked for %s here, and what that means on "
                                   "production's rows is unknown: %s",
                                   block->relation, rh_say_duration(arena, block->here_us),
                                   production->refusal);
        if (rh_block_high_us(block) > limit_us)
            return rh_arena_printf(arena, "%s would be blocked for %s to %s in production",
                                   block->relation, rh_say_duration(arena, rh_block_low_us(block)),
                                   rh_say_duration(arena, rh_block_high_us(block)));
    }
    return NULL;
}

const char *rh_say_production(struct arena *arena, const struct production_time *production,
                              int64_t here_us)
{
    if (!production->is_scaled)
        return rh_say_duration(arena, here_us);
    if (production->refusal)
        return rh_arena_printf(arena, "%s here", rh_say_duration(arena, here_us));
    return rh_arena_printf(
        arena, "%s in production (%s to %s; %s here)", rh_say_duration(arena, production->us),
        rh_say_duration(arena, production->low_us), rh_say_duration(arena, production->high_us),
        rh_say_duration(arena, here_us));
}
