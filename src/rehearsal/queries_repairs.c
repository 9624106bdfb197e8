#include "rehearsal/queries_int.h"

#include "compare/query_plans.h"
#include "rehearsal/query_repair.h"

/* Rounds of a repair, and its share of time. */
#define REPAIR_ROUNDS 40
/* Of the p50: a repair brings the pattern back to about its baseline. */
#define REPAIRED_RATIO 1.5
/* ... or at least takes away most of what was added. */
#define REPAIRED_SHARE 0.2

struct repairing {
    struct queries *queries;
    struct candidate_pattern *pattern;
};

static enum err_code retry(void *context, struct query_retry *ret_retry, struct err *err)
{
    const struct repairing *repairing = context;
    struct queries *queries = repairing->queries;
    struct candidate_pattern *pattern = repairing->pattern;
    struct latency_rounds rounds = {0};
    struct latency_comparison latency;
    struct mono until = rh_clock_after(rh_clock_mono(), rh_queries_slice_us(queries));
    enum err_code code = RH_OK;
    json_t *plan = NULL;

    for (size_t tries = 0; !code && tries < REPAIR_ROUNDS && !rh_clock_passed(until); tries++)
        code = rh_queries_round(queries, pattern, &rounds, err);
    if (code)
        return code;
    rh_latency_compare(rounds.items, rounds.count, 1, &queries->rules, &queries->random, &latency);
    const struct latency_quantile *median = &latency.quantiles[LATENCY_P50];
    double before_us = pattern->query.sides[SIDE_BASELINE].mean_us,
           worse_us = pattern->query.sides[SIDE_CANDIDATE].mean_us;
    bool takes_away = latency.candidate_mean_us - before_us <=
                      REPAIRED_SHARE * (worse_us - before_us);
    ret_retry->was_tried = true;
    ret_retry->p50_us = median->candidate.us;
    ret_retry->ratio = median->ratio;
    ret_retry->is_repaired = rounds.count > 0 && takes_away &&
                             (latency.outcome != LATENCY_SLOWER ||
                              median->ratio <= REPAIRED_RATIO ||
                              latency.candidate_mean_us <= worse_us / 10);
    if (!ret_retry->is_repaired)
        return RH_OK;
    struct query_plans plans = {0};
    code = rh_paired_explain(queries->paired, SIDE_CANDIDATE,
                             &pattern->sampled->executions[pattern->plan_execution],
                             pattern->manner, PAIRED_PLAN_RUN, queries->arena, &plan, err);
    if (!code && plan && pattern->candidate_plan &&
        rh_query_plan_read(pattern->candidate_plan, queries->arena, &plans.baseline) &&
        rh_query_plan_read(plan, queries->arena, &plans.candidate)) {
        rh_query_plans_compare(&plans, queries->arena);
        ret_retry->difference = plans.difference;
    }
    json_decref(plan);
    return code;
}

enum err_code rh_queries_repair(struct queries *queries, struct candidate_pattern *pattern,
                                struct err *err)
{
    struct repairing repairing = {queries, pattern};
    const struct query_repair repair = {.paired = queries->paired,
                                        .arena = queries->arena,
                                        .plan = pattern->candidate_plan,
                                        .measure = retry,
                                        .context = &repairing};
    if (!pattern->candidate_plan)
        return RH_OK;
    enum err_code code = rh_paired_set_timeout(queries->paired,
                                               queries->options->statement_timeout_us, err);
    if (!code)
        code = rh_query_repair(&repair, &pattern->query.after_analyze, &pattern->query.proposal,
                               err);
    return code;
}
