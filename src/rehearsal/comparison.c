#include "rehearsal/comparison.h"

#include "judge/judge.h"
#include "rehearsal/production_target.h"
#include "rehearsal/queries.h"

#include <string.h>

#define CONNECT_US INT64_C(30000000)

struct target {
    struct url_upstream upstream;
    const char *server_version;
};

static enum err_code refuse_production(const struct comparison_options *options, const char *name,
                                       const char *hosts, struct rows *rows, struct arena *arena,
                                       struct err *err)
{
    const struct production_patterns patterns = {options->production, options->production_count};
    const char *why = rh_production_target_why(rows, hosts, &patterns, true, arena);
    if (!why)
        return RH_OK;
    rh_err_set(err, RH_ERR_USAGE, "the %s is refused: %s", name, why);
    rh_err_hint(err, "Queries are compared on copies: give the URLs of throw-away servers.");
    return RH_ERR_USAGE;
}

static enum err_code look_at(const struct comparison_options *options, const char *url,
                             const char *name, struct arena *arena, struct target *ret_target,
                             struct err *err)
{
    const struct engine *engine = options->engine;
    struct mono deadline = rh_clock_after(rh_clock_mono(), CONNECT_US);
    struct url_place place = {0};
    struct connection *connection = NULL;
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    enum err_code code = engine->describe_url(url, arena, &place, err);

    if (!code)
        code = engine->describe_upstream(url, arena, &ret_target->upstream, err);
    const struct connection_parameters parameters = {
        .url = url, .host = name, .application_name = "rehearse"};
    if (!code)
        code = engine->connect(&parameters, deadline, &connection, err);
    if (!code) {
        const char *own = rh_arena_printf(arena, "{%lld}",
                                          (long long)engine->backend_pid(connection));
        code = engine->ask(connection, ENGINE_QUERY_TARGET, &own, 1, deadline, &rows, err);
    }
    engine->close(connection);
    if (code) {
        rh_err_while(err, "while looking at the %s", name);
        return code;
    }
    const char *version = rh_rows_value(rows, 0, TARGET_SERVER_VERSION);
    ret_target->server_version = rh_arena_strndup(arena, version ? version : "",
                                                  strcspn(version ? version : "", " "));
    return refuse_production(options, name, place.hosts, rows, arena, err);
}

static struct paired_place place_of(const struct target *target)
{
    return (struct paired_place){.upstream = &target->upstream.upstream,
                                 .user = target->upstream.user,
                                 .database = target->upstream.database,
                                 .password = target->upstream.password};
}

static enum err_code compare(const struct comparison_options *options, struct result *result,
                             struct err *err)
{
    struct arena *arena = result->arena;
    struct target *targets = rh_arena_alloc_array(arena, COMPARED_SIDES, sizeof(*targets));
    struct queries_options queries = {
        .has_own_twin = options->urls[SIDE_TWIN] != NULL,
        .source = rh_workload_reader_source(options->workload),
        .budget_us = options->budget_us,
        .statement_timeout_us = options->statement_timeout_us,
        .seed = options->seed,
        .may_change_candidate = options->may_change_candidate,
        .limits = options->query_limits,
    };

    for (size_t side = 0; side < COMPARED_SIDES; side++) {
        if (!options->urls[side])
            continue;
        enum err_code code = look_at(options, options->urls[side],
                                     rh_compared_side_name((enum compared_side)side), arena,
                                     &targets[side], err);
        if (code)
            return code;
    }
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        queries.places[side] = place_of(&targets[options->urls[side] ? side : SIDE_BASELINE]);
    rh_queries_take_patterns(options->workload, arena, &queries);
    struct transform_survey survey = {0};
    enum err_code code = options->transform
                             ? rh_queries_survey(options->transform, arena, &queries, &survey, err)
                             : RH_OK;
    if (!code)
        code = rh_compare_queries(&queries, arena, &result->workload, err);
    if (!code && options->transform) {
        result->transformation = survey.summary;
        queries.source = rh_workload_reader_source(options->workload);
        queries.is_new_application = true;
        code = rh_compare_queries(&queries, arena, &result->new_application, err);
        result->new_application.workload = options->workload_path;
    }
    if (code)
        return code;
    const char *before = targets[SIDE_BASELINE].server_version,
               *after = targets[SIDE_CANDIDATE].server_version;
    result->fidelity.server_version = before;
    if (strcmp(before, after) != 0)
        *RH_PUSH(arena, &result->workload.notes) = rh_arena_printf(
            arena, "the baseline runs PostgreSQL %s, the candidate %s: what differs may be that",
            before, after);
    result->workload.workload = options->workload_path;
    return RH_OK;
}

enum err_code rh_comparison_run(const struct comparison_options *options, struct result *result,
                                struct err *err)
{
    struct mono started = rh_clock_mono();
    enum err_code code;

    result->rehearse_version = REHEARSE_VERSION;
    result->started_at = rh_clock_wall();
    result->trace = RH_NEW(result->arena, struct trace);
    result->limits = rh_limits_default();
    result->limits.fail_on = options->fail_on;
    code = compare(options, result, err);
    if (!code) {
        result->duration_us = rh_clock_mono().us - started.us;
        rh_judge_comparison(result);
    }
    return code;
}
