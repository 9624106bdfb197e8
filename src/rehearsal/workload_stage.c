#include "rehearsal/workload_stage.h"

#include "base/interrupt.h"
#include "rehearsal/queries.h"
#include "rehearsal/traffic.h"
#include "store/workload_file.h"
#include "trace/perform.h"

enum err_code rh_workload_check(const struct workload_options *options, struct err *err)
{
    struct workload_reader *reader = NULL;
    if (!options->path)
        return RH_OK;
    enum err_code code = rh_workload_reader_open(options->path, options->key, &reader, err);
    if (!code && options->transform) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct queries_options queries = {0};
        struct transform_survey survey;
        rh_queries_take_patterns(reader, arena, &queries);
        code = rh_queries_survey(options->transform, arena, &queries, &survey, err);
    }
    rh_workload_reader_free(reader);
    return code;
}

/* --- comparison ------------------------------------------------------------------------------- */

/* The migration once more, where nobody looks. */
static enum err_code migrate(const struct rehearsal *rehearsal, struct sandbox *clone,
                             struct err *err)
{
    const struct performance_options options = {
        .sandbox = clone,
        .engine = rehearsal->options->sandbox.engine,
        .migration = &rehearsal->migration,
        .environment = rehearsal->options->environment,
        .no_isolation = rehearsal->options->no_isolation,
    };
    struct performance performance;
    enum err_code code = rh_perform(&options, NULL, rehearsal->arena, &performance, err);
    if (!code && !rh_performance_is_ok(&performance))
        code = rh_err_set(err, RH_ERR_SERVER, "the migration failed when it ran again");
    return code;
}

/* As the superuser, who can take the workload's roles; `host` and `upstream` are filled, and must
   live as long. */
static struct paired_place place_of(const struct sandbox *clone, struct upstream_host *host,
                                    struct upstream *upstream)
{
    struct connection_parameters role = rh_sandbox_superuser(clone);
    *host = (struct upstream_host){.name = rh_sandbox_socket_path(clone)};
    *upstream = (struct upstream){.hosts = host, .host_count = 1, .tls_mode = TLS_MODE_DISABLE};
    return (struct paired_place){.upstream = upstream,
                                 .user = role.user,
                                 .database = role.database,
                                 .password = role.password};
}

static enum err_code make_clone(struct rehearsal *rehearsal, enum compared_side side,
                                struct sandbox **ret_clone, struct err *err)
{
    enum err_code code = rh_sandbox_clone(rehearsal->prepared, ret_clone, err);
    if (!code && side == SIDE_CANDIDATE)
        code = migrate(rehearsal, *ret_clone, err);
    return code;
}

/* What the new release sends, on a candidate as fresh as the old one's was: that may have been
   analyzed since. */
static enum err_code compare_new(struct rehearsal *rehearsal, struct workload_reader *reader,
                                 struct queries_options *queries, struct sandbox **candidate,
                                 struct err *err)
{
    struct upstream_host host;
    struct upstream upstream;
    rh_sandbox_destroy(*candidate);
    *candidate = NULL;
    enum err_code code = make_clone(rehearsal, SIDE_CANDIDATE, candidate, err);
    if (code)
        return code;
    queries->places[SIDE_CANDIDATE] = place_of(*candidate, &host, &upstream);
    queries->source = rh_workload_reader_source(reader);
    queries->is_new_application = true;
    rh_progress_phase(rehearsal->options->progress, "compare queries of the new release");
    return rh_compare_queries(queries, rehearsal->arena, &rehearsal->result.new_application, err);
}

static enum err_code compare(struct rehearsal *rehearsal, struct workload_reader *reader,
                             const struct transform_survey *survey,
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
        .survey = survey,
    };
    for (size_t side = 0; side < COMPARED_SIDES; side++) {
        enum err_code code = make_clone(rehearsal, (enum compared_side)side, &clones[side], err);
        if (code)
            return code;
        queries.places[side] = place_of(clones[side], &hosts[side], &upstreams[side]);
    }
    rh_queries_take_patterns(reader, rehearsal->arena, &queries);
    rh_progress_phase(rehearsal->options->progress, "compare queries");
    enum err_code code = rh_compare_queries(&queries, rehearsal->arena, &rehearsal->result.workload,
                                            err);
    if (!code && survey)
        code = compare_new(rehearsal, reader, &queries, &clones[SIDE_CANDIDATE], err);
    return code;
}

static enum err_code compare_on_clones(struct rehearsal *rehearsal, struct workload_reader *reader,
                                       const struct transform_survey *survey, struct err *err)
{
    struct sandbox *clones[COMPARED_SIDES] = {0};
    enum err_code code = compare(rehearsal, reader, survey, clones, err);
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

static enum err_code run(struct rehearsal *rehearsal, struct workload_reader **ret_reader,
                         struct err *err)
{
    const struct workload_options *options = &rehearsal->options->workload;
    struct transform_survey survey;
    struct queries_options queries = {0};
    enum err_code code = RH_OK;
    if (options->path)
        code = rh_workload_reader_open(options->path, options->key, ret_reader, err);
    if (!code && options->transform) {
        rh_queries_take_patterns(*ret_reader, rehearsal->arena, &queries);
        code = rh_queries_survey(options->transform, rehearsal->arena, &queries, &survey, err);
    }
    if (!code)
        code = rh_traffic_run(rehearsal, *ret_reader, err);
    if (!code && queries.survey) {
        mark_transformed(&survey, &rehearsal->result.traffic);
        rehearsal->result.transformation = survey.summary;
    }
    if (!code && options->path)
        code = compare_on_clones(rehearsal, *ret_reader, queries.survey, err);
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
