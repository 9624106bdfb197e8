#include "rehearsal/queries_int.h"

#include "base/say.h"
#include "compare/query_answers.h"
#include "compare/query_verdicts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Executions sampled of each pattern: parameters as skewed as production's. */
#define EXECUTIONS_EACH 400
/* Patterns that are compared; the rest, the cheapest, is counted. */
#define PATTERNS_MAX 2000
/* Share of the budget that one pattern may take before others have their turn. */
#define SLICE_PARTS 5
#define SLICE_LEAST_US INT64_C(500000)
/* A slow candidate is cut off so that the rounds of the first stage fit into a slice, but not
   before it took so many times the baseline's longest. */
#define CUT_RATIO 10.0
#define CUT_LEAST_US 25000.0
/* Where more than this share of the baseline's time is our own processor's, it is us we measure. */
#define OWN_SHARE_MAX 0.5
/* Of new connections: their first executions fill their caches, some milliseconds of work. What
   takes longer anyway is not run for that. */
#define WARMING_ROUNDS 3
#define WARMED_US 50000.0
/* What became slower and is tried again, the worst first. */
#define REPAIRS_MAX 12

int64_t rh_queries_slice_us(const struct queries *queries)
{
    int64_t slice = queries->options->budget_us / SLICE_PARTS;
    return slice < SLICE_LEAST_US ? SLICE_LEAST_US : slice;
}

/* --- rounds ----------------------------------------------------------------------------------- */

bool rh_queries_was_cut(const struct paired_outcome *outcome)
{
    return strcmp(outcome->sqlstate, "57014") == 0;
}

enum err_code rh_queries_round(struct queries *queries, struct candidate_pattern *pattern,
                               struct latency_rounds *rounds, struct err *err)
{
    struct paired_outcome outcomes[COMPARED_SIDES];
    size_t execution = pattern->next++ % pattern->sampled->count;
    enum err_code code = rh_paired_run(queries->paired, &pattern->sampled->executions[execution],
                                       pattern->manner, PAIRED_TIMES, queries->arena, outcomes,
                                       err);
    if (code)
        return code;
    bool counts = true;
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        counts &= !outcomes[side].sqlstate[0] || rh_queries_was_cut(&outcomes[side]);
    if (!counts) {
        rh_queries_observe(queries, pattern, execution, outcomes);
        return RH_OK;
    }
    pattern->query.timeouts += rh_queries_was_cut(&outcomes[SIDE_CANDIDATE]);
    pattern->own_us += outcomes[SIDE_BASELINE].own_us;
    pattern->elapsed_us += outcomes[SIDE_BASELINE].elapsed_us;
    *RH_PUSH(queries->arena, rounds) = (struct latency_round){
        .baseline_us = outcomes[SIDE_BASELINE].elapsed_us,
        .twin_us = outcomes[SIDE_TWIN].elapsed_us,
        .candidate_us = outcomes[SIDE_CANDIDATE].elapsed_us,
    };
    return RH_OK;
}

/* So that one slow pattern cannot eat the budget of all: what is over it counts as at least that.
 */
int64_t rh_queries_timeout_us(const struct queries *queries,
                              const struct candidate_pattern *pattern)
{
    double fits = (double)rh_queries_slice_us(queries) /
                  (1.5 * (double)rh_latency_stages[0].rounds);
    double slowest = fmax(pattern->slowest_us[SIDE_BASELINE], pattern->slowest_us[SIDE_TWIN]);
    double cut = fmax(fits, fmax(CUT_RATIO * slowest, CUT_LEAST_US));
    return cut > (double)queries->options->statement_timeout_us
               ? queries->options->statement_timeout_us
               : (int64_t)cut;
}

static void judge_rounds(struct queries *queries, struct candidate_pattern *pattern)
{
    rh_latency_compare(pattern->rounds.items, pattern->rounds.count, queries->patterns.count,
                       &queries->rules, &queries->random, &pattern->latency);
    pattern->is_timed = true;
}

static enum err_code warm(struct queries *queries, struct candidate_pattern *pattern,
                          struct mono until, struct err *err)
{
    struct latency_rounds ignored = {0};
    enum err_code code = RH_OK;
    for (size_t n = 0; !code && n < WARMING_ROUNDS && !rh_clock_passed(until); n++)
        code = rh_queries_round(queries, pattern, &ignored, err);
    return code;
}

/* Up to the rounds of the stage, or the end of its slice. */
static enum err_code time_pattern(struct queries *queries, struct candidate_pattern *pattern,
                                  size_t stage, struct err *err)
{
    struct mono until = rh_clock_earlier(
        queries->deadline, rh_clock_after(rh_clock_mono(), rh_queries_slice_us(queries)));
    size_t tries = 0, count = rh_latency_stages[stage].rounds;
    enum err_code code = rh_paired_set_timeout(queries->paired,
                                               rh_queries_timeout_us(queries, pattern), err);

    if (!code && stage > 0 && pattern->slowest_us[SIDE_CANDIDATE] < WARMED_US)
        code = warm(queries, pattern, until, err);
    while (!code && pattern->rounds.count < count && tries++ < count && !rh_clock_passed(until))
        code = rh_queries_round(queries, pattern, &pattern->rounds, err);
    if (!code && rh_latency_stages[stage].is_judged && pattern->rounds.count > 0)
        judge_rounds(queries, pattern);
    return code;
}

static bool is_due(const struct candidate_pattern *pattern, size_t stage)
{
    return !pattern->not_comparable && (!pattern->is_timed || pattern->latency.is_open) &&
           pattern->rounds.count < rh_latency_stages[stage].rounds;
}

static bool any_is_due(const struct queries *queries, size_t stage)
{
    for (size_t i = 0; i < queries->patterns.count; i++)
        if (is_due(&queries->patterns.items[i], stage))
            return true;
    return false;
}

static enum err_code time_stage(struct queries *queries, size_t stage, struct err *err)
{
    if (!any_is_due(queries, stage))
        return RH_OK;
    enum err_code code = stage == 0 ? RH_OK : rh_paired_reconnect(queries->paired, err);
    for (size_t i = 0; !code && i < queries->patterns.count; i++) {
        if (!is_due(&queries->patterns.items[i], stage))
            continue;
        if (rh_clock_passed(queries->deadline)) {
            queries->comparison.budget_ran_out = true;
            return RH_OK;
        }
        code = time_pattern(queries, &queries->patterns.items[i], stage, err);
    }
    return code;
}

static enum err_code time_all(struct queries *queries, struct err *err)
{
    enum err_code code = RH_OK;
    for (size_t stage = 0; !code && stage < LATENCY_STAGES && !queries->comparison.budget_ran_out;
         stage++)
        code = time_stage(queries, stage, err);
    /* The budget may have ended between two looks. */
    for (size_t i = 0; !code && i < queries->patterns.count; i++) {
        struct candidate_pattern *pattern = &queries->patterns.items[i];
        if (pattern->rounds.count > (pattern->is_timed ? pattern->latency.rounds : 0))
            judge_rounds(queries, pattern);
    }
    return code;
}

/* --- patterns --------------------------------------------------------------------------------- */

static int compare_patterns(const void *a, const void *b)
{
    const struct candidate_pattern *left = a, *right = b;
    if (left->total_us != right->total_us)
        return left->total_us > right->total_us ? -1 : 1;
    return (left->sampled->pattern->number > right->sampled->pattern->number) -
           (left->sampled->pattern->number < right->sampled->pattern->number);
}

static bool is_transformed(const struct queries *queries, size_t index)
{
    const struct transform_survey *survey = queries->options->survey;
    return survey && (survey->patterns[index].outcome == REWRITE_DONE ||
                      survey->patterns[index].outcome == REWRITE_REFUSED);
}

static void take_transformed(const struct queries *queries, size_t index,
                             struct query_comparison *query)
{
    const struct transformed_pattern *transformed = &queries->options->survey->patterns[index];
    if (!is_transformed(queries, index))
        return;
    query->application = queries->options->is_new_application ? APPLICATION_NEW : APPLICATION_OLD;
    if (query->application == APPLICATION_NEW) {
        query->sent = transformed->query;
        query->is_refused = transformed->outcome == REWRITE_REFUSED;
    }
}

static struct candidate_pattern make_pattern(struct queries *queries, size_t index, double seconds)
{
    const struct sampled_pattern *sampled = &queries->sample.patterns.items[index];
    const struct workload_pattern_sums *sums = queries->options->sums
                                                   ? queries->options->sums[index]
                                                   : NULL;
    double weight = sums && sums->weight > 0 ? sums->weight : 1;
    struct candidate_pattern pattern = {
        .sampled = sampled,
        .total_us = (sums ? (double)sums->total_us : (double)sampled->calls) * weight,
        .manner = {.pattern = sampled->pattern->number,
                   .wraps = sampled->pattern->flags & PATTERN_WRITES},
        .is_observed = rh_arena_alloc_array(queries->arena, sampled->count + 1, sizeof(bool)),
        .query = {.fingerprint = sampled->pattern->fingerprint,
                  .query = rh_arena_strdup(queries->arena, sampled->pattern->query),
                  .flags = sampled->pattern->flags,
                  .calls = sampled->calls,
                  .weight = weight,
                  .calls_per_s = (double)sampled->calls * weight / seconds},
    };
    if (queries->options->survey)
        take_transformed(queries, index, &pattern.query);
    for (size_t side = 0; side < COMPARED_SIDES; side++)
        pattern.query.effort[side] = (struct query_effort)QUERY_EFFORT_INIT;
    for (size_t i = 0; i < sampled->count; i++)
        pattern.query.is_prepared |= sampled->executions[i].is_named;
    if (pattern.query.is_refused)
        pattern.not_comparable = rh_arena_printf(queries->arena,
                                                 "the transform cannot say what "
                                                 "the release sends: %s",
                                                 queries->options->survey->patterns[index].why);
    else if (sampled->count == 0)
        pattern.not_comparable = sampled->why_not ? sampled->why_not
                                                  : "no execution of it can be sent by itself";
    return pattern;
}

/* A file of SQL has no times: then each pattern counts by its executions. */
static void weigh_by_calls(struct queries *queries)
{
    double all_us = 0;
    for (size_t i = 0; i < queries->patterns.count; i++)
        all_us += queries->patterns.items[i].total_us;
    if (all_us > 0 || queries->patterns.count == 0)
        return;
    for (size_t i = 0; i < queries->patterns.count; i++) {
        struct candidate_pattern *pattern = &queries->patterns.items[i];
        pattern->total_us = (double)pattern->query.calls * pattern->query.weight;
    }
    *RH_PUSH(queries->arena, &queries->comparison.notes) =
        "the workload has no times: each pattern counts by its executions";
}

static void make_patterns(struct queries *queries)
{
    double seconds = fmax((double)queries->sample.duration_us / 1e6, 1);
    for (size_t i = 0; i < queries->sample.patterns.count; i++) {
        const struct sampled_pattern *sampled = &queries->sample.patterns.items[i];
        if (sampled->calls == 0 ||
            sampled->pattern->flags & (PATTERN_CONTROLS | PATTERN_HAS_SECRET) ||
            (queries->options->is_new_application && !is_transformed(queries, i)))
            continue;
        *RH_PUSH(queries->arena, &queries->patterns) = make_pattern(queries, i, seconds);
    }
    weigh_by_calls(queries);
    if (queries->patterns.count > 1)
        qsort(queries->patterns.items, queries->patterns.count, sizeof(queries->patterns.items[0]),
              compare_patterns);
    if (queries->patterns.count > PATTERNS_MAX) {
        queries->comparison.left_out = (int64_t)(queries->patterns.count - PATTERNS_MAX);
        queries->patterns.count = PATTERNS_MAX;
    }
}

static enum err_code look_at_all(struct queries *queries, struct err *err)
{
    for (size_t i = 0; i < queries->patterns.count; i++) {
        struct candidate_pattern *pattern = &queries->patterns.items[i];
        if (rh_clock_passed(queries->deadline)) {
            queries->comparison.budget_ran_out = true;
            return RH_OK;
        }
        enum err_code code = RH_OK;
        if (!pattern->not_comparable)
            code = rh_queries_answer(queries, pattern, err);
        if (!code && !pattern->not_comparable)
            code = rh_queries_explain(queries, pattern, err);
        if (code)
            return code;
    }
    return RH_OK;
}

/* --- verdicts --------------------------------------------------------------------------------- */

/* Corrected for how many were timed. */
static void settle(struct queries *queries)
{
    struct latency_comparison *all = rh_arena_alloc_array(
        queries->arena, queries->patterns.count + 1, sizeof(*all));
    size_t count = 0;
    for (size_t i = 0; i < queries->patterns.count; i++)
        if (queries->patterns.items[i].is_timed)
            all[count++] = queries->patterns.items[i].latency;
    rh_latency_settle(all, count, &queries->rules);
    count = 0;
    for (size_t i = 0; i < queries->patterns.count; i++)
        if (queries->patterns.items[i].is_timed)
            queries->patterns.items[i].latency = all[count++];
}

static void give_verdict(struct queries *queries, struct candidate_pattern *pattern)
{
    const struct query_timing timing = {
        .latency = pattern->is_timed ? &pattern->latency : NULL,
        .is_replayer_bound = pattern->own_us > OWN_SHARE_MAX * pattern->elapsed_us,
        .is_refuted = pattern->is_refuted,
        .not_comparable = pattern->not_comparable,
    };
    const struct query_observations observations = {pattern->observations.items,
                                                    pattern->observations.count};
    rh_query_answers_compare(&observations, queries->arena, &pattern->query);
    rh_query_verdict(&pattern->query, &timing, queries->arena);
}

/* In blocks over new connections (stats/latency.h), within about that time. */
static enum err_code confirm(struct queries *queries, struct candidate_pattern *pattern,
                             int64_t slice_us, struct err *err)
{
    struct mono begun = rh_clock_mono();
    size_t block_rounds = rh_latency_block_rounds(&pattern->latency);
    struct latency_rounds rounds = {0};
    enum err_code code = RH_OK;
    bool is_padded = false;

    for (int i = 0; !code && i < LATENCY_BLOCKS; i++) {
        /* What is slow needs few rounds: each block has its part of the time. */
        struct mono until = rh_clock_after(begun, slice_us * (i + 1) / LATENCY_BLOCKS);
        size_t full = (size_t)(i + 1) * block_rounds, first = rounds.count;
        if ((code = rh_paired_reconnect(queries->paired, err)) ||
            (code = rh_paired_set_timeout(queries->paired, rh_queries_timeout_us(queries, pattern),
                                          err)))
            break;
        code = warm(queries, pattern, until, err);
        for (size_t tries = 0; !code && rounds.count < full && tries < 2 * block_rounds &&
                               (rounds.count == first || !rh_clock_passed(until));
             tries++)
            code = rh_queries_round(queries, pattern, &rounds, err);
        /* Blocks are told by their length. */
        is_padded |= rounds.count < full;
        for (size_t n = 0; rounds.count > first && rounds.count < full; n++) {
            struct latency_round copy = rounds.items[first + n];
            *RH_PUSH(queries->arena, &rounds) = copy;
        }
    }
    if (code)
        return code;
    if (rh_latency_confirms(&pattern->latency, rounds.items, rounds.count))
        return pattern->manner.wraps ? rh_queries_find_cause(queries, pattern, err) : RH_OK;
    /* What more connections show counts more than what fewer did, where it is clear enough. Copies
       of rounds make nothing clear. */
    struct latency_comparison again;
    pattern->is_refuted = true;
    if (is_padded)
        return RH_OK;
    rh_latency_compare(rounds.items, rounds.count, 1, &queries->rules, &queries->random, &again);
    pattern->is_refuted = again.outcome != LATENCY_SAME;
    if (!pattern->is_refuted)
        pattern->latency = again;
    return RH_OK;
}

static bool is_suspected(const struct candidate_pattern *pattern)
{
    return pattern->is_timed && pattern->latency.outcome == LATENCY_SLOWER;
}

/* Beyond the budget, by half of it at most, as long as each has the least slice. */
static enum err_code confirm_all(struct queries *queries, struct err *err)
{
    int64_t slice_us = rh_queries_slice_us(queries), count = 0;
    enum err_code code = RH_OK;
    for (size_t i = 0; i < queries->patterns.count; i++)
        count += is_suspected(&queries->patterns.items[i]);
    if (count > 0 && slice_us > queries->options->budget_us / 2 / count)
        slice_us = queries->options->budget_us / 2 / count;
    if (slice_us < SLICE_LEAST_US)
        slice_us = SLICE_LEAST_US;
    for (size_t i = 0; !code && i < queries->patterns.count; i++)
        if (is_suspected(&queries->patterns.items[i]))
            code = confirm(queries, &queries->patterns.items[i], slice_us, err);
    return code;
}

static enum err_code repair_all(struct queries *queries, struct err *err)
{
    size_t tried = 0;
    if (!queries->options->may_change_candidate)
        return RH_OK;
    for (size_t i = 0; i < queries->patterns.count && tried < REPAIRS_MAX; i++) {
        struct candidate_pattern *pattern = &queries->patterns.items[i];
        if (pattern->query.verdict != QUERY_WORSE || !pattern->is_timed)
            continue;
        enum err_code code = rh_queries_repair(queries, pattern, err);
        if (code)
            return code;
        tried++;
    }
    return RH_OK;
}

static void add_notes(struct queries *queries)
{
    struct workload_comparison *comparison = &queries->comparison;
    struct arena *arena = queries->arena;
    const char *role = rh_paired_missing_role(queries->paired);
    if (role)
        *RH_PUSH(arena, &comparison->notes) = rh_arena_printf(
            arena,
            "the role \"%s\" of the workload cannot be taken here: its queries ran as the "
            "user of the URL",
            role);
    if (comparison->budget_ran_out)
        *RH_PUSH(arena, &comparison->notes) = "the budget ran out: what was not decided by then "
                                              "says so; --compare-budget allows for more";
    if (comparison->left_out > 0)
        *RH_PUSH(arena, &comparison->notes) = rh_arena_printf(
            arena, "%s of the least time were left out",
            rh_say_count(arena, comparison->left_out, "pattern"));
}

static void finish(struct queries *queries)
{
    struct workload_comparison *comparison = &queries->comparison;
    double all_us = 0, compared_us = 0;
    for (size_t i = 0; i < queries->patterns.count; i++)
        all_us += queries->patterns.items[i].total_us;
    for (size_t i = 0; i < queries->patterns.count; i++) {
        struct candidate_pattern *pattern = &queries->patterns.items[i];
        pattern->query.share = all_us > 0 ? pattern->total_us / all_us : 0;
        *RH_PUSH(queries->arena, &comparison->queries) = pattern->query;
        comparison->executions += (int64_t)pattern->rounds.count * COMPARED_SIDES;
        compared_us += pattern->is_timed ? pattern->total_us : 0;
    }
    comparison->was_made = true;
    comparison->covered = all_us > 0 ? compared_us / all_us : 0;
    const struct workload_production *production = &queries->options->production;
    /* What a transform changed is not what production sends. */
    comparison->knows_production = production->is_known && production->total_us > 0 &&
                                   !queries->options->is_new_application;
    if (comparison->knows_production)
        comparison->production_covered = comparison->covered * (double)production->covered_us /
                                         (double)production->total_us;
    comparison->limits = queries->options->limits;
    comparison->has_own_twin = queries->options->has_own_twin;
    comparison->seed = queries->options->seed;
    add_notes(queries);
    rh_query_comparisons_finish(comparison);
}

static enum err_code compare(struct queries *queries, struct err *err)
{
    const struct queries_options *options = queries->options;
    enum err_code code = rh_replay_sample(options->source, options->patterns,
                                          options->pattern_count, EXECUTIONS_EACH, &queries->random,
                                          queries->arena, &queries->sample, err);
    if (code)
        return code;
    if (queries->sample.states.count == 0)
        *RH_PUSH(queries->arena, &queries->sample.states) = (struct sampled_state){.user = ""};
    if (options->is_new_application)
        rh_transform_sample(options->survey, queries->arena, &queries->sample);
    struct paired_options paired = {.sample = &queries->sample,
                                    .random = &queries->random,
                                    .statement_timeout_us = options->statement_timeout_us};
    memcpy(paired.places, options->places, sizeof(paired.places));
    make_patterns(queries);
    if ((code = rh_paired_open(&paired, &queries->paired, err)))
        return code;
    if ((code = rh_queries_find_names(queries, err)))
        return code;
    queries->deadline = rh_clock_after(rh_clock_mono(), options->budget_us);
    if ((code = look_at_all(queries, err)) || (code = time_all(queries, err)))
        return code;
    settle(queries);
    if ((code = confirm_all(queries, err)))
        return code;
    for (size_t i = 0; i < queries->patterns.count; i++)
        give_verdict(queries, &queries->patterns.items[i]);
    return repair_all(queries, err);
}

enum err_code rh_compare_queries(const struct queries_options *options, struct arena *arena,
                                 struct workload_comparison *ret_comparison, struct err *err)
{
    struct mono started = rh_clock_mono();
    struct queries queries = {.options = options, .arena = arena};

    queries.rules = rh_query_latency_rules(&options->limits);
    rh_random_seed(&queries.random, options->seed);
    enum err_code code = compare(&queries, err);
    if (!code) {
        finish(&queries);
        queries.comparison.duration_us = rh_clock_mono().us - started.us;
        *ret_comparison = queries.comparison;
    }
    for (size_t i = 0; i < queries.patterns.count; i++)
        json_decref(queries.patterns.items[i].candidate_plan);
    rh_paired_close(queries.paired);
    return code;
}

void rh_queries_take_patterns(const struct workload_reader *reader, struct arena *arena,
                              struct queries_options *queries)
{
    size_t count = rh_workload_reader_pattern_count(reader);
    const struct workload_pattern **patterns = rh_arena_alloc_array(arena, count + 1,
                                                                    sizeof(*patterns));
    const struct workload_pattern_sums **sums = rh_arena_alloc_array(arena, count + 1,
                                                                     sizeof(*sums));
    for (size_t i = 0; i < count; i++) {
        patterns[i] = rh_workload_reader_pattern(reader, (uint32_t)i + 1);
        sums[i] = rh_workload_reader_sums(reader, (uint32_t)i + 1);
    }
    queries->patterns = patterns;
    queries->sums = sums;
    queries->pattern_count = count;
    queries->production = rh_workload_reader_totals(reader)->production;
}

enum err_code rh_queries_survey(const struct transform *transform, struct arena *arena,
                                struct queries_options *queries,
                                struct transform_survey *ret_survey, struct err *err)
{
    enum err_code code = rh_transform_survey(transform, queries->patterns, queries->sums,
                                             queries->pattern_count, arena, ret_survey, err);
    if (!code)
        queries->survey = ret_survey;
    return code;
}
