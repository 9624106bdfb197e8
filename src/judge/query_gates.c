/* The gates of the queries, and whether enough of them was decided. */
#include "judge/judge_int.h"

#include "model/comparison.h"

#include <math.h>
#include <string.h>

/* Of the time of what can be compared, so much must have a verdict; else there is no answer. */
#define DECIDED_LEAST 0.8
#define QUERY_SHOWN 50

static bool is_decided(const struct query_comparison *query)
{
    return query->verdict == QUERY_SAME || query->verdict == QUERY_BETTER ||
           query->verdict == QUERY_WORSE;
}

struct worst {
    const struct query_comparison *query;
    double ratio;
};

static void add_multiplier(struct judgement *judgement, const char *name, double limit,
                           const struct worst *worst)
{
    struct arena *arena = judgement->arena;
    if (limit < 0)
        return;
    struct gate *gate = RH_PUSH(arena, &judgement->result->gates);
    *gate = (struct gate){.name = name, .limit = rh_arena_printf(arena, "%.3g", limit)};
    gate->observed = worst->query != NULL;
    gate->ok = gate->observed && worst->ratio <= limit;
    if (gate->observed)
        gate->measured = gate->ok
                             ? rh_arena_printf(arena, "%.3g", worst->ratio)
                             : rh_arena_printf(arena, "%.3g (%s)", worst->ratio,
                                               rh_text_one_line(arena, rh_text(worst->query->query),
                                                                QUERY_SHOWN));
    else
        gate->reason = "no pattern was timed often enough";
}

/* A ratio that chance may have made is none: what is not slower beyond doubt, be it that it fails
   or reads more, counts as 1 at most. */
static void consider(struct worst *worst, const struct query_comparison *query, double ratio)
{
    if (ratio <= 0 || !is_decided(query))
        return;
    if (!query->is_slower)
        ratio = fmin(ratio, 1);
    if (!worst->query || ratio > worst->ratio)
        *worst = (struct worst){query, ratio};
}

static double error_rate(const struct query_comparison *query, enum compared_side side)
{
    int64_t failed = query->sides[side].errors;
    int64_t tried = query->results.compared + query->results.undetermined;
    int64_t most = 0;
    for (size_t i = 0; i < COMPARED_SIDES; i++)
        most = query->sides[i].errors > most ? query->sides[i].errors : most;
    return tried + most > 0 ? (double)failed / (double)(tried + most) : 0;
}

static void add_error_gate(struct judgement *judgement, double limit)
{
    struct arena *arena = judgement->arena;
    const struct workload_comparison *comparison = &judgement->result->workload;
    double worst = 0;
    if (limit < 0)
        return;
    for (size_t i = 0; i < comparison->queries.count; i++) {
        const struct query_comparison *query = &comparison->queries.items[i];
        worst = fmax(worst, error_rate(query, SIDE_CANDIDATE) - error_rate(query, SIDE_BASELINE));
    }
    struct gate *gate = RH_PUSH(arena, &judgement->result->gates);
    *gate = (struct gate){.name = "error_rate_max_delta",
                          .limit = rh_arena_printf(arena, "%.3g", limit),
                          .measured = rh_arena_printf(arena, "%.3g", worst),
                          .observed = comparison->queries.count > 0,
                          .ok = worst <= limit};
}

void rh_judgement_measure_query_gates(struct judgement *judgement)
{
    const struct workload_comparison *comparison = &judgement->result->workload;
    const struct query_limits *limits = &comparison->limits;
    struct worst p50 = {0}, p95 = {0}, p99 = {0};

    if (!comparison->was_made)
        return;
    for (size_t i = 0; i < comparison->queries.count; i++) {
        const struct query_comparison *query = &comparison->queries.items[i];
        consider(&p50, query, query->ratio);
        consider(&p95, query, query->p95_ratio);
        consider(&p99, query, query->p99_ratio);
    }
    add_multiplier(judgement, "p50_max_multiplier", limits->p50_max_multiplier, &p50);
    add_multiplier(judgement, "p95_max_multiplier", limits->p95_max_multiplier, &p95);
    add_multiplier(judgement, "p99_max_multiplier", limits->p99_max_multiplier, &p99);
    add_error_gate(judgement, limits->error_rate_max_delta);
}

const char *rh_judgement_query_doubt(const struct judgement *judgement)
{
    const struct workload_comparison *comparison = &judgement->result->workload;
    double decided = 0, open = 0;
    size_t open_count = 0;
    const struct query_comparison *first = NULL;

    if (!comparison->was_made)
        return NULL;
    for (size_t i = 0; i < comparison->queries.count; i++) {
        const struct query_comparison *query = &comparison->queries.items[i];
        if (is_decided(query)) {
            decided += query->share;
        } else if (query->verdict != QUERY_NOT_COMPARABLE) {
            open += query->share;
            open_count++;
            first = first ? first : query;
        }
    }
    if (decided + open <= 0)
        return "no query of the workload could be compared";
    if (decided >= DECIDED_LEAST * (decided + open))
        return NULL;
    return rh_arena_printf(judgement->arena,
                           "%s could not be decided, %.0f %% of the workload's time (%s: %s)",
                           rh_say_count(judgement->arena, (int64_t)open_count, "query pattern"),
                           open / (decided + open) * 100, rh_query_verdict_name(first->verdict),
                           first->reason ? first->reason : "");
}

const char *rh_judgement_query_headline(const struct judgement *judgement)
{
    const struct workload_comparison *comparison = &judgement->result->workload;
    struct arena *arena = judgement->arena;
    size_t counts[QUERY_REPLAYER_BOUND + 1] = {0};

    for (size_t i = 0; i < comparison->queries.count; i++)
        counts[comparison->queries.items[i].verdict]++;
    size_t open = counts[QUERY_TOO_FEW] + counts[QUERY_TOO_NOISY] + counts[QUERY_REPLAYER_BOUND] +
                  counts[QUERY_NOT_COMPARABLE];
    const char *text = rh_arena_printf(
        arena, "%s compared, none slower or failing",
        rh_say_count(arena, (int64_t)(comparison->queries.count - open), "query pattern"));
    if (counts[QUERY_BETTER] > 0)
        text = rh_arena_printf(arena, "%s; %zu faster", text, counts[QUERY_BETTER]);
    if (open > 0)
        text = rh_arena_printf(arena, "%s; %zu not decided or not comparable", text, open);
    return text;
}
