#include "rehearsal/workload_stage.h"

#include "base/interrupt.h"
#include "rehearsal/migrated_clone.h"
#include "rehearsal/queries.h"
#include "rehearsal/traffic.h"
#include "store/workload_file.h"

enum err_code rh_workload_check(struct workload_options *options, struct arena *arena,
                                struct err *err)
{
    struct queries_options queries = {0};
    if (!options->path)
        return RH_OK;
    enum err_code code = rh_workload_reader_need_executions(options->reader, err);
    if (code || !options->transform)
        return code;
    struct transform_survey *survey = RH_NEW(arena, struct transform_survey);
    rh_queries_take_patterns(options->reader, arena, &queries);
    code = rh_queries_survey(options->transform, arena, &queries, survey, err);
    options->survey = queries.survey;
    return code;
}

/* --- comparison ------------------------------------------------------------------------------- */

/* What the new release sends, on a candidate as fresh as the old one's was: that may have been
   analyzed since. */
static enum err_code compare_new(struct rehearsal *rehearsal, struct queries_options *queries,
                                 struct sandbox **candidate, struct err *err)
{
    struct upstream_host host;
    struct upstream upstream;
    rh_sandbox_destroy(*candidate);
    *candidate = NULL;
    enum err_code code = rh_migrated_clone(rehearsal, candidate, err);
    if (code)
        return code;
    queries->places[SIDE_CANDIDATE] = rh_migrated_place(*candidate, &host, &upstream);
    queries->source = rh_workload_reader_source(rehearsal->options->workload.reader);
    queries->is_new_application = true;
    rh_progress_phase(rehearsal->options->progress, "compare queries of the new release");
    return rh_compare_queries(queries, rehearsal->arena, &rehearsal->result.new_application, err);
}

static enum err_code compare(struct rehearsal *rehearsal,
                             struct sandbox *clones[static COMPARED_SIDES], struct err *err)
{
    const struct workload_options *options = &rehearsal->options->workload;
    struct upstream_host hosts[COMPARED_SIDES];
    struct upstream upstreams[COMPARED_SIDES];
    struct queries_options queries = {
        .has_own_twin = true,
        .source = rh_workload_reader_source(options->reader),
        .budget_us = options->compare_budget_us,
        .statement_timeout_us = QUERIES_STATEMENT_TIMEOUT_US,
        .may_change_candidate = true,
        .limits = options->limits,
        .survey = options->survey,
    };
    for (size_t side = 0; side < COMPARED_SIDES; side++) {
        enum err_code code = side == SIDE_CANDIDATE
                                 ? rh_migrated_clone(rehearsal, &clones[side], err)
                                 : rh_sandbox_clone(rehearsal->prepared, &clones[side], err);
        if (code)
            return code;
        queries.places[side] = rh_migrated_place(clones[side], &hosts[side], &upstreams[side]);
    }
    rh_queries_take_patterns(options->reader, rehearsal->arena, &queries);
    rh_progress_phase(rehearsal->options->progress, "compare queries");
    enum err_code code = rh_compare_queries(&queries, rehearsal->arena, &rehearsal->result.workload,
                                            err);
    if (!code && options->survey)
        code = compare_new(rehearsal, &queries, &clones[SIDE_CANDIDATE], err);
    return code;
}

static enum err_code compare_on_clones(struct rehearsal *rehearsal, struct err *err)
{
    struct sandbox *clones[COMPARED_SIDES] = {0};
    enum err_code code = compare(rehearsal, clones, err);
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        rh_sandbox_destroy(clones[side]);
    rehearsal->result.workload.workload = rehearsal->options->workload.path;
    rehearsal->result.new_application.workload = rehearsal->options->workload.path;
    return code;
}

/* --- the stage -------------------------------------------------------------------------------- */

/* Whose queries failed while the migration ran. */
static void mark_transformed(const struct transform_survey *survey, struct traffic *traffic)
{
    for (size_t i = 0; i < traffic->patterns.count; i++) {
        struct traffic_pattern *pattern = &traffic->patterns.items[i];
        enum rewrite_outcome outcome = survey->patterns[pattern->number - 1].outcome;
        pattern->is_transformed = outcome == REWRITE_DONE || outcome == REWRITE_REFUSED;
    }
}

static enum err_code run(struct rehearsal *rehearsal, struct err *err)
{
    const struct workload_options *options = &rehearsal->options->workload;
    enum err_code code = rh_traffic_run(rehearsal, err);
    if (code || !options->path)
        return code;
    if (options->survey) {
        mark_transformed(options->survey, &rehearsal->result.traffic);
        rehearsal->result.transformation = options->survey->summary;
    }
    return compare_on_clones(rehearsal, err);
}

enum err_code rh_workload_stage(struct rehearsal *rehearsal, struct err *err)
{
    const struct workload_options *options = &rehearsal->options->workload;
    struct traffic *traffic = &rehearsal->result.traffic;
    struct err why = RH_ERR_INIT;

    if (!options->path && options->blocker == BLOCKER_NONE)
        return RH_OK;
    traffic->workload = options->path;
    traffic->why_not = rh_rehearsal_why_not_again(rehearsal);
    if (traffic->why_not)
        return RH_OK;
    enum err_code code = run(rehearsal, &why);
    if (!code)
        return RH_OK;
    if (rh_interrupt_check(err))
        return err->code;
    traffic->why_not = rh_arena_strdup(rehearsal->arena, why.message);
    return RH_OK;
}
