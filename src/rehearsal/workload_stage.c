#include "rehearsal/workload_stage.h"

#include "base/interrupt.h"
#include "rehearsal/migrated_clone.h"
#include "rehearsal/queries.h"
#include "rehearsal/traffic.h"
#include "store/workload_file.h"

enum err_code rh_workload_check(const struct workload_options *options, struct err *err)
{
    struct workload_reader *reader = NULL;
    if (!options->path)
        return RH_OK;
    enum err_code code = rh_workload_reader_open(options->path, options->key, &reader, err);
    if (!code)
        code = rh_workload_reader_need_executions(reader, err);
    rh_workload_reader_free(reader);
    return code;
}

/* --- comparison ------------------------------------------------------------------------------- */

static enum err_code compare(struct rehearsal *rehearsal, struct workload_reader *reader,
                             struct sandbox *clones[static COMPARED_SIDES], struct err *err)
{
    const struct workload_options *options = &rehearsal->options->workload;
    struct upstream_host hosts[COMPARED_SIDES];
    struct upstream upstreams[COMPARED_SIDES];
    struct queries_options queries = {
        .has_own_twin = true,
        .source = rh_workload_reader_source(reader),
        .budget_us = options->compare_budget_us,
        .statement_timeout_us = QUERIES_STATEMENT_TIMEOUT_US,
        .may_change_candidate = true,
        .limits = options->limits,
    };
    for (size_t side = 0; side < COMPARED_SIDES; side++) {
        enum err_code code = side == SIDE_CANDIDATE
                                 ? rh_migrated_clone(rehearsal, &clones[side], err)
                                 : rh_sandbox_clone(rehearsal->prepared, &clones[side], err);
        if (code)
            return code;
        queries.places[side] = rh_migrated_place(clones[side], &hosts[side], &upstreams[side]);
    }
    rh_queries_take_patterns(reader, rehearsal->arena, &queries);
    rh_progress_phase(rehearsal->options->progress, "compare queries");
    return rh_compare_queries(&queries, rehearsal->arena, &rehearsal->result.workload, err);
}

static enum err_code compare_on_clones(struct rehearsal *rehearsal, struct workload_reader *reader,
                                       struct err *err)
{
    struct sandbox *clones[COMPARED_SIDES] = {0};
    enum err_code code = compare(rehearsal, reader, clones, err);
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        rh_sandbox_destroy(clones[side]);
    rehearsal->result.workload.workload = rehearsal->options->workload.path;
    return code;
}

/* --- the stage -------------------------------------------------------------------------------- */

static enum err_code run(struct rehearsal *rehearsal, struct workload_reader **ret_reader,
                         struct err *err)
{
    const struct workload_options *options = &rehearsal->options->workload;
    enum err_code code = RH_OK;
    if (options->path)
        code = rh_workload_reader_open(options->path, options->key, ret_reader, err);
    if (!code)
        code = rh_traffic_run(rehearsal, *ret_reader, err);
    if (!code && options->path)
        code = compare_on_clones(rehearsal, *ret_reader, err);
    return code;
}

enum err_code rh_workload_stage(struct rehearsal *rehearsal, struct err *err)
{
    const struct workload_options *options = &rehearsal->options->workload;
    struct traffic *traffic = &rehearsal->result.traffic;
    struct workload_reader *reader = NULL;
    struct err why = RH_ERR_INIT;

    if (!options->path && options->blocker == BLOCKER_NONE)
        return RH_OK;
    traffic->workload = options->path;
    traffic->why_not = rh_rehearsal_why_not_again(rehearsal);
    if (traffic->why_not)
        return RH_OK;
    enum err_code code = run(rehearsal, &reader, &why);
    rh_workload_reader_free(reader);
    if (!code)
        return RH_OK;
    if (rh_interrupt_check(err))
        return err->code;
    traffic->why_not = rh_arena_strdup(rehearsal->arena, why.message);
    return RH_OK;
}
