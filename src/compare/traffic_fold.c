#include "compare/traffic_fold.h"

#include <stdlib.h>
#include <string.h>

/* Errors told apart per pattern; the rest are counted with the last. */
#define ERRORS_MAX 16

void rh_traffic_fold_init(struct traffic_fold *fold, struct arena *arena, struct traffic *traffic,
                          bool is_baseline)
{
    *fold = (struct traffic_fold){.arena = arena, .traffic = traffic, .is_baseline = is_baseline};
}

/* The first tick at or behind a moment. */
static size_t tick_of(int64_t at_us)
{
    if (at_us <= 0)
        return 0;
    int64_t tick = (at_us + TRAFFIC_TICK_US - 1) / TRAFFIC_TICK_US;
    return tick < TRAFFIC_TICKS_MAX ? (size_t)tick : TRAFFIC_TICKS_MAX - 1;
}

static void step(struct traffic_fold *fold, size_t tick, int32_t by)
{
    if (tick >= fold->ticks) {
        size_t wanted = fold->ticks ? fold->ticks : 1024;
        while (wanted <= tick)
            wanted *= 2;
        int32_t *grown = rh_arena_alloc_array(fold->arena, wanted, sizeof(*grown));
        if (fold->ticks)
            memcpy(grown, fold->steps, fold->ticks * sizeof(*grown));
        fold->steps = grown;
        fold->ticks = wanted;
    }
    fold->steps[tick] += by;
}

static void count_error(struct traffic_fold *fold, struct traffic_pattern *pattern,
                        const char *sqlstate)
{
    struct traffic_error *error = NULL;
    for (size_t i = 0; i < pattern->errors.count && !error; i++)
        if (strcmp(pattern->errors.items[i].sqlstate, sqlstate) == 0)
            error = &pattern->errors.items[i];
    if (!error && pattern->errors.count == ERRORS_MAX)
        error = &pattern->errors.items[ERRORS_MAX - 1];
    if (!error) {
        error = RH_PUSH(fold->arena, &pattern->errors);
        memcpy(error->sqlstate, sqlstate, sizeof(error->sqlstate));
    }
    if (fold->is_baseline)
        error->baseline++;
    else
        error->here++;
}

void rh_traffic_fold_add(struct traffic_fold *fold, const struct traffic_execution *execution)
{
    struct traffic *traffic = fold->traffic;
    int64_t took_us = execution->complete_us - execution->sent_us;

    step(fold, tick_of(execution->intended_us), 1);
    step(fold, tick_of(execution->complete_us), -1);
    if (execution->complete_us > fold->last_us)
        fold->last_us = execution->complete_us;
    if (fold->is_baseline)
        traffic->baseline_calls++;
    else
        traffic->calls++;
    if (execution->pattern == 0 || execution->pattern > traffic->patterns.count)
        return;

    struct traffic_pattern *pattern = &traffic->patterns.items[execution->pattern - 1];
    if (execution->sqlstate[0] && !execution->was_cancelled_as_recorded)
        count_error(fold, pattern, execution->sqlstate);
    if (fold->is_baseline) {
        pattern->baseline_calls++;
        if (took_us > pattern->baseline_longest_us)
            pattern->baseline_longest_us = took_us;
        return;
    }
    pattern->calls++;
    if (took_us > pattern->longest_us)
        pattern->longest_us = took_us;
    if (execution->complete_us - execution->intended_us < TRAFFIC_WAIT_US)
        return;
    if (traffic->queries.count == TRAFFIC_QUERIES_MAX) {
        traffic->queries_left_out++;
        return;
    }
    *RH_PUSH(fold->arena, &traffic->queries) = (struct traffic_query){
        .pattern = execution->pattern - 1,
        .session = execution->session,
        .intended_us = execution->intended_us,
        .sent_us = execution->sent_us,
        .complete_us = execution->complete_us,
    };
}

static int compare_queries(const void *a, const void *b)
{
    const struct traffic_query *left = a, *right = b;
    if (left->sent_us != right->sent_us)
        return left->sent_us < right->sent_us ? -1 : 1;
    return left->session < right->session ? -1 : left->session > right->session;
}

static int compare_depths(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

/* What 95 of 100 moments of the baseline stay at or below: how many are under way as a rule. */
static int64_t usual_depth(const struct traffic_fold *fold)
{
    size_t ticks = tick_of(fold->last_us);
    if (ticks == 0 || fold->ticks == 0)
        return 0;
    if (ticks > fold->ticks)
        ticks = fold->ticks;
    int64_t *depths = rh_arena_alloc_array(fold->arena, ticks, sizeof(*depths));
    int64_t depth = 0;
    for (size_t i = 0; i < ticks; i++)
        depths[i] = depth += fold->steps[i];
    qsort(depths, ticks, sizeof(*depths), compare_depths);
    return depths[(ticks - 1) * 95 / 100];
}

/* The moment behind which it is not above `usual` for good; -1: it never came down, 0: it never
   was above. */
static int64_t recovery(const struct traffic_fold *fold, size_t from_tick, int64_t ended_us,
                        int64_t usual)
{
    size_t ticks = tick_of(fold->last_us);
    size_t over = 0;
    int64_t depth = 0;
    for (size_t i = 0; i < ticks && i < fold->ticks; i++) {
        depth += fold->steps[i];
        /* Twice the usual, and a query more: chance alone goes above what is usual. */
        if (i >= from_tick && depth > 2 * usual + 1)
            over = i + 1;
    }
    if (over == 0)
        return 0;
    if (over >= ticks)
        return -1;
    int64_t at_us = (int64_t)over * TRAFFIC_TICK_US;
    return at_us > ended_us ? at_us - ended_us : 0;
}

void rh_traffic_fold_finish(struct traffic_fold *fold, const struct traffic_fold *baseline,
                            int64_t started_us, int64_t ended_us)
{
    struct traffic *traffic = fold->traffic;
    size_t ticks = tick_of(fold->last_us), first_tick = tick_of(started_us);
    size_t stride = ticks / TRAFFIC_DEPTHS_MAX + 1;
    int64_t depth = 0, highest = 0;

    traffic->depth_before = usual_depth(baseline);
    traffic->pool_exhausted_at_us = traffic->pool_exhausted_us = -1;
    for (size_t i = 0; i < ticks && i < fold->ticks; i++) {
        int64_t at_us = (int64_t)i * TRAFFIC_TICK_US - started_us;
        depth += fold->steps[i];
        if (depth > highest)
            highest = depth;
        if (i >= first_tick && depth > traffic->depth_peak) {
            traffic->depth_peak = depth;
            traffic->depth_peak_at_us = at_us;
        }
        if (traffic->pool > 0 && i >= first_tick && depth >= traffic->pool) {
            if (traffic->pool_exhausted_at_us < 0) {
                traffic->pool_exhausted_at_us = at_us;
                traffic->pool_exhausted_us = 0;
            }
            traffic->pool_exhausted_us += TRAFFIC_TICK_US;
        }
        if ((i + 1) % stride == 0) {
            *RH_PUSH(fold->arena, &traffic->depths) = (struct traffic_depth){at_us, highest};
            highest = 0;
        }
    }
    traffic->recovered_us = recovery(fold, first_tick, ended_us, traffic->depth_before);
    traffic->begun_us = -started_us;
    traffic->ended_us = fold->last_us - started_us;
    for (size_t i = 0; i < traffic->queries.count; i++) {
        traffic->queries.items[i].intended_us -= started_us;
        traffic->queries.items[i].sent_us -= started_us;
        traffic->queries.items[i].complete_us -= started_us;
    }
    if (traffic->queries.count > 0)
        qsort(traffic->queries.items, traffic->queries.count, sizeof(traffic->queries.items[0]),
              compare_queries);
}
