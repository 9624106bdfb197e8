#include "compare/query_verdicts.h"

#include "base/say.h"
#include "base/text.h"
#include "model/workload.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Blocks are exact where time is not: from twice as many, and 0.8 MB more, they are evidence by
   themselves. */
#define BLOCKS_RATIO 2.0
#define BLOCKS_LEAST 100.0
#define TEMP_BLOCKS_LEAST 100.0

/* What writes leaves dead rows behind, also when it is rolled back, and where they come to lie is a
   matter of chance: where nothing that can be counted says why (another plan, more blocks, more WAL
   records, more to keep up to date), so much slower is not enough. */
#define WRITES_RATIO 3.0
#define SAME_BLOCKS 1.1
#define SAME_RECORDS 1.2

struct latency_rules rh_query_latency_rules(const struct query_limits *limits)
{
    struct latency_rules rules = rh_latency_rules_default();
    const double set[] = {limits->p50_max_multiplier, limits->p95_max_multiplier,
                          limits->p99_max_multiplier};
    for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++)
        if (set[i] > 1 && set[i] < rules.least_ratio)
            rules.least_ratio = set[i];
    /* What the sign of twenty rounds cannot show is not asked of fewer. */
    if (limits->min_query_count > 0)
        rules.least_rounds = (size_t)limits->min_query_count;
    return rules;
}

static void fill_side(struct query_times *times, const struct latency_comparison *latency,
                      enum compared_side side)
{
    const struct latency_value *values[LATENCY_LEVELS];
    for (size_t level = 0; level < LATENCY_LEVELS; level++) {
        const struct latency_quantile *quantile = &latency->quantiles[level];
        values[level] = side == SIDE_BASELINE ? &quantile->baseline
                        : side == SIDE_TWIN   ? &quantile->twin
                                              : &quantile->candidate;
    }
    times->p50_us = values[LATENCY_P50]->us;
    times->p95_us = values[LATENCY_P95]->us;
    times->p99_us = values[LATENCY_P99]->us;
    times->p50_low_us = values[LATENCY_P50]->low_us;
    times->p50_high_us = values[LATENCY_P50]->high_us;
    times->mean_us = side == SIDE_BASELINE ? latency->baseline_mean_us
                     : side == SIDE_TWIN   ? latency->twin_mean_us
                                           : latency->candidate_mean_us;
}

static void fill_times(struct query_comparison *query, const struct latency_comparison *latency)
{
    const struct latency_quantile *quantiles = latency->quantiles;
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        fill_side(&query->sides[side], latency, (enum compared_side)side);
    query->rounds = (int64_t)latency->rounds;
    query->ratio = quantiles[LATENCY_P50].ratio;
    query->ratio_low = quantiles[LATENCY_P50].ratio_low;
    query->ratio_high = quantiles[LATENCY_P50].ratio_high;
    query->noise = quantiles[LATENCY_P50].noise;
    query->p95_ratio = quantiles[LATENCY_P95].is_supported ? quantiles[LATENCY_P95].ratio : 0;
    query->p99_ratio = quantiles[LATENCY_P99].is_supported ? quantiles[LATENCY_P99].ratio : 0;
    query->slower_share = latency->slower_share;
    query->p_value = latency->outcome == LATENCY_FASTER ? latency->p_faster : latency->p_slower;
    /* Of both twins, so that one stall of one of them is not counted as saved. */
    double before_us = (query->sides[SIDE_BASELINE].mean_us + query->sides[SIDE_TWIN].mean_us) / 2;
    query->added_ms_per_s = (query->sides[SIDE_CANDIDATE].mean_us - before_us) *
                            query->calls_per_s / 1000;
}

static bool is_observed(const struct query_comparison *query)
{
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        if (query->effort[side].blocks < 0)
            return false;
    return true;
}

static bool is_more(double before, double after, double least)
{
    return after >= BLOCKS_RATIO * before && after - before >= least;
}

static bool reads_more_blocks(const struct query_comparison *query)
{
    const struct query_effort *effort = query->effort;
    return is_more(fmax(effort[SIDE_BASELINE].blocks, effort[SIDE_TWIN].blocks),
                   effort[SIDE_CANDIDATE].blocks, BLOCKS_LEAST);
}

bool rh_query_reads_more(const struct query_comparison *query)
{
    const struct query_effort *effort = query->effort;
    return is_observed(query) &&
           (reads_more_blocks(query) ||
            is_more(fmax(effort[SIDE_BASELINE].temp_blocks, effort[SIDE_TWIN].temp_blocks),
                    effort[SIDE_CANDIDATE].temp_blocks, TEMP_BLOCKS_LEAST));
}

static const struct query_error *new_error(const struct query_comparison *query)
{
    for (size_t i = 0; i < query->errors.count; i++)
        if (query->errors.items[i].change == ERROR_NEW)
            return &query->errors.items[i];
    return NULL;
}

static bool writes_more(const struct query_comparison *query)
{
    const struct query_effort *effort = query->effort;
    double before = fmax(effort[SIDE_BASELINE].wal_records, effort[SIDE_TWIN].wal_records);
    return before > 0 && effort[SIDE_CANDIDATE].wal_records > SAME_RECORDS * before;
}

static bool is_slower_by_dead_rows(const struct query_comparison *query,
                                   const struct latency_comparison *latency)
{
    const struct query_effort *effort = query->effort;
    double before = fmax(effort[SIDE_BASELINE].blocks, effort[SIDE_TWIN].blocks);
    return query->flags & PATTERN_WRITES && query->custom.is_compared &&
           !query->custom.is_changed && before > 0 &&
           effort[SIDE_CANDIDATE].blocks <= SAME_BLOCKS * before && !writes_more(query) &&
           (!query->cause || query->cause_is_indexes) &&
           latency->quantiles[LATENCY_P50].ratio < WRITES_RATIO;
}

static const char *say_blocks(const struct query_comparison *query, struct arena *arena)
{
    const struct query_effort *effort = query->effort;
    bool is_temporary = !reads_more_blocks(query);
    double before = is_temporary
                        ? fmax(effort[SIDE_BASELINE].temp_blocks, effort[SIDE_TWIN].temp_blocks)
                        : fmax(effort[SIDE_BASELINE].blocks, effort[SIDE_TWIN].blocks);
    double after = is_temporary ? effort[SIDE_CANDIDATE].temp_blocks
                                : effort[SIDE_CANDIDATE].blocks;
    return rh_arena_printf(arena, "reads %s instead of %s %sblocks",
                           rh_say_number(arena, llround(after)),
                           rh_say_number(arena, llround(before)), is_temporary ? "temporary " : "");
}

static void by_outcome(struct query_comparison *query, const struct latency_comparison *latency,
                       struct arena *arena)
{
    switch (latency->outcome) {
    case LATENCY_SLOWER:
        if (is_slower_by_dead_rows(query, latency)) {
            query->verdict = QUERY_TOO_NOISY;
            query->cause = NULL;
            query->reason = "slower, but by the same plan over the same blocks: it may be the dead "
                            "rows that writing leaves when it is rolled back";
            return;
        }
        query->verdict = QUERY_WORSE;
        query->is_slower = true;
        if (latency->is_partly_slower && latency->quantiles[LATENCY_P50].direction <= 0)
            query->reason = rh_arena_printf(arena, "slower for %.1f %% of its executions",
                                            latency->slower_share * 100);
        return;
    case LATENCY_FASTER:
        query->verdict = QUERY_BETTER;
        return;
    case LATENCY_SAME:
        query->verdict = QUERY_SAME;
        return;
    case LATENCY_NOISY:
        query->verdict = QUERY_TOO_NOISY;
        query->reason = rh_arena_printf(
            arena, "the times vary so much that a factor of %.2g cannot be excluded",
            fmax(latency->quantiles[LATENCY_P50].ratio_high,
                 latency->quantiles[LATENCY_P50].ratio_twin_high));
        return;
    case LATENCY_TOO_FEW:
        query->verdict = QUERY_TOO_FEW;
        query->reason = rh_arena_printf(arena, "timed %s",
                                        rh_say_count(arena, (int64_t)latency->rounds, "time"));
        return;
    }
}

/* Whether the clock has an answer of its own. */
static bool is_told_by_time(const struct query_timing *timing)
{
    return timing->latency && !timing->is_replayer_bound && !timing->is_refuted &&
           timing->latency->outcome != LATENCY_NOISY && timing->latency->outcome != LATENCY_TOO_FEW;
}

void rh_query_verdict(struct query_comparison *query, const struct query_timing *timing,
                      struct arena *arena)
{
    const struct query_error *error = new_error(query);

    if (timing->latency && timing->latency->rounds > 0)
        fill_times(query, timing->latency);
    if (error) {
        query->verdict = QUERY_WORSE;
        query->reason = rh_arena_printf(arena, "fails with SQLSTATE %s", error->sqlstate);
    } else if (timing->not_comparable) {
        query->verdict = QUERY_NOT_COMPARABLE;
        query->reason = timing->not_comparable;
    } else if (rh_query_reads_more(query) && !is_told_by_time(timing)) {
        query->verdict = QUERY_WORSE;
        query->reason = rh_arena_printf(arena, "%s, though its times do not tell",
                                        say_blocks(query, arena));
    } else if (timing->is_replayer_bound) {
        query->verdict = QUERY_REPLAYER_BOUND;
        query->reason = "this machine was too busy to time it: the client, not the servers, was "
                        "slow";
    } else if (timing->is_refuted) {
        query->verdict = QUERY_TOO_NOISY;
        query->reason = "slower in one measurement, and not in another over new connections";
    } else if (timing->latency) {
        by_outcome(query, timing->latency, arena);
    } else {
        query->verdict = QUERY_TOO_FEW;
        query->reason = "it was not timed";
    }
}

static int rank_of(const struct query_comparison *query)
{
    switch (query->verdict) {
    case QUERY_WORSE:
        return new_error(query) ? 0 : 1;
    case QUERY_REPLAYER_BOUND:
    case QUERY_TOO_NOISY:
    case QUERY_TOO_FEW:
    case QUERY_NOT_COMPARABLE:
        return 2;
    case QUERY_SAME:
    case QUERY_BETTER:
        break;
    }
    return 3;
}

static double cost_of(const struct query_comparison *query)
{
    return query->verdict == QUERY_WORSE
               ? query->added_ms_per_s
               : query->sides[SIDE_BASELINE].mean_us * (double)query->calls;
}

static int compare_queries(const void *a, const void *b)
{
    const struct query_comparison *left = a, *right = b;
    int by_rank = rank_of(left) - rank_of(right);
    if (by_rank)
        return by_rank;
    if (cost_of(left) != cost_of(right))
        return cost_of(left) > cost_of(right) ? -1 : 1;
    return (left->fingerprint > right->fingerprint) - (left->fingerprint < right->fingerprint);
}

void rh_query_comparisons_finish(struct workload_comparison *comparison)
{
    if (comparison->queries.count > 1)
        qsort(comparison->queries.items, comparison->queries.count,
              sizeof(comparison->queries.items[0]), compare_queries);
    comparison->added_ms_per_s = 0;
    for (size_t i = 0; i < comparison->queries.count; i++)
        if (comparison->queries.items[i].verdict == QUERY_WORSE)
            comparison->added_ms_per_s += comparison->queries.items[i].added_ms_per_s;
}
