#include "rehearsal/queries_int.h"

#include "compare/query_plans.h"

#include <math.h>

/* Executions explained: of skewed parameters, one alone may have the plan of few. */
#define EXPLAINED_EACH 3

static void add_effort(struct query_effort *sum, const struct query_effort *one)
{
    if (sum->blocks < 0) {
        *sum = *one;
        return;
    }
    double worst = sum->estimate_ratio;
    sum->blocks += one->blocks;
    sum->temp_blocks += one->temp_blocks;
    sum->rows_scanned += one->rows_scanned;
    sum->rows += one->rows;
    sum->wal_records += one->wal_records;
    if (one->estimate_ratio > worst) {
        sum->estimate_ratio = one->estimate_ratio;
        sum->estimate_node = one->estimate_node;
        sum->estimate_rows = one->estimate_rows;
        sum->estimate_actual = one->estimate_actual;
    }
}

static void divide_effort(struct query_effort *effort, double count)
{
    if (effort->blocks < 0)
        return;
    effort->blocks /= count;
    effort->temp_blocks /= count;
    effort->rows_scanned /= count;
    effort->rows /= count;
    effort->wal_records /= count;
}

static enum err_code explain_all(struct queries *queries, const struct candidate_pattern *pattern,
                                 size_t execution, enum paired_plan kind,
                                 json_t *ret_plans[COMPARED_SIDES], struct err *err)
{
    enum err_code code = RH_OK;
    for (size_t side = 0; !code && side < COMPARED_SIDES; side++)
        code = rh_paired_explain(queries->paired, (enum compared_side)side,
                                 &pattern->sampled->executions[execution], pattern->manner, kind,
                                 queries->arena, &ret_plans[side], err);
    return code;
}

static void free_plans(json_t *plans[COMPARED_SIDES])
{
    for (size_t side = 0; side < COMPARED_SIDES; side++) {
        json_decref(plans[side]);
        plans[side] = NULL;
    }
}

/* Plans on which the twins do not agree are a matter of chance. True: they say something. */
static bool take_plans(struct queries *queries, json_t *const plans[COMPARED_SIDES],
                       struct query_plans *ret_plans)
{
    struct query_plan twin = {0};
    struct query_plans found = {0};
    if (!rh_query_plan_read(plans[SIDE_BASELINE], queries->arena, &found.baseline) ||
        !rh_query_plan_read(plans[SIDE_TWIN], queries->arena, &twin) ||
        !rh_query_plan_read_renamed(plans[SIDE_CANDIDATE], &queries->renames, queries->arena,
                                    &found.candidate) ||
        !rh_query_plan_equals(&found.baseline, &twin))
        return false;
    rh_query_plans_compare(&found, queries->arena);
    *ret_plans = found;
    return true;
}

static void take_efforts(struct queries *queries, struct candidate_pattern *pattern,
                         json_t *const plans[COMPARED_SIDES], double *count)
{
    struct query_effort efforts[COMPARED_SIDES];
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        if (!rh_query_plan_effort(plans[side], queries->arena, &efforts[side]))
            return;
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        add_effort(&pattern->query.effort[side], &efforts[side]);
    ++*count;
}

/* The plan of the candidate that read the most is what a repair starts from. */
static void keep_plan(struct candidate_pattern *pattern, json_t *plans[COMPARED_SIDES],
                      size_t execution, bool is_changed)
{
    if (pattern->candidate_plan && !is_changed)
        return;
    json_decref(pattern->candidate_plan);
    pattern->candidate_plan = json_incref(plans[SIDE_CANDIDATE]);
    pattern->plan_execution = execution;
}

static enum err_code explain_generic(struct queries *queries, struct candidate_pattern *pattern,
                                     struct err *err)
{
    json_t *plans[COMPARED_SIDES] = {0};
    if (pattern->sampled->executions[0].is_simple || pattern->manner.wraps)
        return RH_OK;
    enum err_code code = explain_all(queries, pattern, 0, PAIRED_PLAN_GENERIC, plans, err);
    if (!code)
        take_plans(queries, plans, &pattern->query.generic);
    free_plans(plans);
    return code;
}

enum err_code rh_queries_explain(struct queries *queries, struct candidate_pattern *pattern,
                                 struct err *err)
{
    double count = 0;
    enum err_code timed = rh_paired_set_timeout(queries->paired,
                                                rh_queries_timeout_us(queries, pattern), err);
    if (timed)
        return timed;
    for (size_t i = 0; i < pattern->sampled->count && i < EXPLAINED_EACH; i++) {
        json_t *plans[COMPARED_SIDES] = {0};
        struct query_plans found = {0};
        enum err_code code = explain_all(queries, pattern, i, PAIRED_PLAN_RUN, plans, err);
        /* Too slow to be run again, or it fails: what it would do says something as well. */
        if (!code && (!plans[SIDE_BASELINE] || !plans[SIDE_TWIN] || !plans[SIDE_CANDIDATE])) {
            free_plans(plans);
            code = explain_all(queries, pattern, i, PAIRED_PLAN_CUSTOM, plans, err);
        }
        if (!code) {
            take_efforts(queries, pattern, plans, &count);
            if (take_plans(queries, plans, &found) &&
                (!pattern->query.custom.is_compared ||
                 (found.is_changed && !pattern->query.custom.is_changed))) {
                pattern->query.custom = found;
                keep_plan(pattern, plans, i, found.is_changed);
            } else if (plans[SIDE_CANDIDATE]) {
                keep_plan(pattern, plans, i, false);
            }
        }
        free_plans(plans);
        if (code)
            return code;
    }
    for (size_t side = 0; side < COMPARED_SIDES && count > 0; side++)
        divide_effort(&pattern->query.effort[side], count);
    return explain_generic(queries, pattern, err);
}
