/* The gates of the queries, and whether enough of them was decided. */
#include "judge/judge_int.h"

#include "model/comparison.h"

#include <math.h>
#include <string.h>

/* Of the time of what can be compared, so much must have a verdict; else there is no answer. */
#define DECIDED_LEAST 0.8
#define QUERY_SHOWN 50

static bool is_last_of(const struct workload_comparison *comparison,
                       const struct query_comparison *query)
{
    return query && comparison->queries.count > 0 &&
           query == &comparison->queries.items[comparison->queries.count - 1];
}

const struct query_comparison *rh_judgement_next_query(const struct judgement *judgement,
                                                       const struct query_comparison *query)
{
    const struct workload_comparison *old = &judgement->result->workload;
    const struct workload_comparison *new = &judgement->result->new_application;
    if (query && !is_last_of(old, query) && !is_last_of(new, query))
        return query + 1;
    if (!query && old->queries.count > 0)
        return old->queries.items;
    return !is_last_of(new, query) && new->queries.count > 0 ? new->queries.items : NULL;
}

bool rh_judgement_is_moot(const struct judgement *judgement, const struct query_comparison *query)
{
    return query->application == APPLICATION_OLD &&
           judgement->result->transformation.is_old_stopped;
}

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

/* Those that somebody sends. */
static const struct query_comparison *next_sent(const struct judgement *judgement,
                                                const struct query_comparison *query)
{
    do
        query = rh_judgement_next_query(judgement, query);
    while (query && rh_judgement_is_moot(judgement, query));
    return query;
}
#define EACH_QUERY(judgement, query)                                               \
    for (const struct query_comparison *query = next_sent(judgement, NULL); query; \
         query = next_sent(judgement, query))

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
    double worst = 0;
    bool is_any = false;
    if (limit < 0)
        return;
    EACH_QUERY(judgement, query)
    {
        is_any = true;
        worst = fmax(worst, error_rate(query, SIDE_CANDIDATE) - error_rate(query, SIDE_BASELINE));
    }
    struct gate *gate = RH_PUSH(arena, &judgement->result->gates);
    *gate = (struct gate){.name = "error_rate_max_delta",
                          .limit = rh_arena_printf(arena, "%.3g", limit),
                          .measured = rh_arena_printf(arena, "%.3g", worst),
                          .observed = is_any,
                          .ok = worst <= limit};
}

void rh_judgement_measure_query_gates(struct judgement *judgement)
{
    const struct workload_comparison *comparison = &judgement->result->workload;
    const struct query_limits *limits = &comparison->limits;
    struct worst p50 = {0}, p95 = {0}, p99 = {0};

    if (!comparison->was_made)
        return;
    EACH_QUERY(judgement, query)
    {
        consider(&p50, query, query->ratio);
        consider(&p95, query, query->p95_ratio);
        consider(&p99, query, query->p99_ratio);
    }
    add_multiplier(judgement, "p50_max_multiplier", limits->p50_max_multiplier, &p50);
    add_multiplier(judgement, "p95_max_multiplier", limits->p95_max_multiplier, &p95);
    add_multiplier(judgement, "p99_max_multiplier", limits->p99_max_multiplier, &p99);
    add_error_gate(judgement, limits->error_rate_max_delta);
}

/* NULL: enough of it was decided. */
static const char *doubt_of(const struct judgement *judgement,
                            const struct workload_comparison *comparison)
{
    struct arena *arena = judgement->arena;
    double decided = 0, open = 0;
    size_t open_count = 0;
    const struct query_comparison *first = NULL;

    for (size_t i = 0; i < comparison->queries.count; i++) {
        const struct query_comparison *query = &comparison->queries.items[i];
        if (rh_judgement_is_moot(judgement, query))
            continue;
        if (is_decided(query)) {
            decided += query->share;
        } else if (query->verdict != QUERY_NOT_COMPARABLE || query->is_refused) {
            open += query->share;
            open_count++;
            first = first ? first : query;
        }
    }
    if (decided + open <= 0)
        return "no query of the workload could be compared";
    if (decided >= DECIDED_LEAST * (decided + open))
        return NULL;
    return rh_arena_printf(
        arena, "%s%s could not be decided, %.0f %% of the workload's time (%s: %s)",
        first->application == APPLICATION_NEW ? "of the new application " : "",
        rh_say_count(arena, (int64_t)open_count, "query pattern"), open / (decided + open) * 100,
        rh_query_verdict_name(first->verdict), first->reason ? first->reason : "");
}

/* Of the recording's queries, whether all are the old application's, which is stopped by then. */
static bool all_are_moot(const struct judgement *judgement)
{
    const struct workload_comparison *comparison = &judgement->result->workload;
    for (size_t i = 0; i < comparison->queries.count; i++)
        if (!rh_judgement_is_moot(judgement, &comparison->queries.items[i]))
            return false;
    return comparison->queries.count > 0;
}

const char *rh_judgement_query_doubt(const struct judgement *judgement)
{
    const struct workload_comparison *old = &judgement->result->workload;
    const struct workload_comparison *new = &judgement->result->new_application;
    const char *doubt = NULL;
    if (old->was_made && !all_are_moot(judgement))
        doubt = doubt_of(judgement, old);
    if (!doubt && new->was_made)
        doubt = doubt_of(judgement, new);
    return doubt;
}

const char *rh_judgement_query_headline(const struct judgement *judgement)
{
    struct arena *arena = judgement->arena;
    size_t counts[QUERY_REPLAYER_BOUND + 1] = {0}, all = 0;

    EACH_QUERY(judgement, query)
    {
        counts[query->verdict]++;
        all++;
    }
    size_t open = counts[QUERY_TOO_FEW] + counts[QUERY_TOO_NOISY] + counts[QUERY_REPLAYER_BOUND] +
                  counts[QUERY_NOT_COMPARABLE];
    const char *text = rh_arena_printf(arena, "%s compared, none slower or failing",
                                       rh_say_count(arena, (int64_t)(all - open), "query pattern"));
    if (counts[QUERY_BETTER] > 0)
        text = rh_arena_printf(arena, "%s; %zu faster", text, counts[QUERY_BETTER]);
    if (open > 0)
        text = rh_arena_printf(arena, "%s; %zu not decided or not comparable", text, open);
    return text;
}
