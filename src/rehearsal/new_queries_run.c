#include "rehearsal/new_queries_run.h"

#include "base/say.h"
#include "compare/query_costs.h"
#include "compare/query_plans.h"
#include "rehearsal/queries_int.h"
#include "rehearsal/query_repair.h"
#include "stats/quantile.h"
#include "trace/redact.h"

#include <stdlib.h>
#include <string.h>

/* Executions of a query that says no number: p99 has an interval from 368 on. More where its limit
   is not decided yet. */
#define EXECUTIONS_USUAL 500
#define EXECUTIONS_MOST 1200
/* Of a new session: its first executions fill its caches. */
#define WARMING_EXECUTIONS 3
/* Sets of parameters that are explained. */
#define EXPLAINED_EACH 3
/* One query may take this part of the budget before the others had their turn. */
#define SLICE_PARTS 5
#define SLICE_LEAST_US INT64_C(500000)
/* The longest that one execution may take; with a limit at least so many times that. */
#define EXECUTION_US INT64_C(10000000)
#define LIMIT_TIMES 2
/* Repairs: of so many queries, each measured so often, where it takes this long at least. */
#define REPAIRS_MAX 12
#define REPAIR_EXECUTIONS 40
#define REPAIR_LEAST_US 1000.0
/* ... and is one when the query takes half of its time or less. */
#define REPAIRED_RATIO 0.5
#define CONFIDENCE 0.95
#define SQLSTATE_READ_ONLY "25006"
#define SQLSTATE_IN_TRANSACTION "25001"

struct times {
    double *items;
    size_t count, capacity;
};

/* A query while it is measured. */
struct measured {
    struct new_query *query;
    struct paired_manner manner;
    struct sampled_execution *executions; /* those that succeed are moved to the front */
    size_t count;
    size_t next;
    int64_t timeout_us;
    struct times times;
    json_t *plan; /* owned; NULL */
    size_t plan_execution;
};

struct measuring {
    const struct new_queries_options *options;
    struct arena *arena;
    struct random random;
    struct replay_sample sample;
    struct paired *paired;
    VEC(struct measured) list;
    struct mono deadline;
    int64_t slice_us;
};

/* --- messages --------------------------------------------------------------------------------- */

static void add_16(struct buf *out, size_t number)
{
    rh_buf_add_char(out, (char)(number >> 8));
    rh_buf_add_char(out, (char)number);
}

/* The middle of Bind: all values as text; NULL has the length -1. */
static struct text bind_values(struct arena *arena, const struct query_values *values)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, SAMPLE_EXECUTION_BYTES_MAX);
    add_16(&out, 0);
    add_16(&out, values->values.count);
    for (size_t i = 0; i < values->values.count; i++) {
        const char *value = values->values.items[i];
        size_t len = value ? strlen(value) : 0xFFFFFFFF;
        add_16(&out, len >> 16 & 0xFFFF);
        add_16(&out, len & 0xFFFF);
        if (value)
            rh_buf_add(&out, value, len);
    }
    if (out.failed)
        return (struct text){NULL, 0};
    return (struct text){rh_text_dup(arena, rh_buf_text(&out)), out.len};
}

static uint32_t state_of(struct measuring *measuring, const char *role)
{
    struct replay_sample *sample = &measuring->sample;
    for (size_t i = 0; i < sample->states.count; i++)
        if (strcmp(sample->states.items[i].user, role) == 0)
            return (uint32_t)i;
    *RH_PUSH(measuring->arena, &sample->states) = (struct sampled_state){.user = role};
    return (uint32_t)sample->states.count - 1;
}

static void set_aside(struct new_query *query, const char *reason)
{
    query->outcome = NEW_QUERY_NOT_RUN;
    query->reason = reason;
}

static void prepare(struct measuring *measuring, struct new_query *query)
{
    struct arena *arena = measuring->arena;
    size_t count = query->parameters.count > 0 ? query->parameters.count : 1;
    struct measured measured = {
        .query = query,
        .manner = {.pattern = (uint32_t)measuring->list.count + 1,
                   .wraps = query->flags & PATTERN_WRITES},
        .executions = rh_arena_alloc_array(arena, count, sizeof(struct sampled_execution)),
        .count = count,
        .timeout_us = LIMIT_TIMES * query->limit_us > EXECUTION_US ? LIMIT_TIMES * query->limit_us
                                                                   : EXECUTION_US,
    };
    uint32_t state = state_of(measuring, query->role ? query->role : measuring->options->role);
    for (size_t i = 0; i < count; i++) {
        struct query_values none = {0};
        measured.executions[i] = (struct sampled_execution){
            .query = rh_text(query->sql),
            .values = bind_values(arena, query->parameters.count > 0 ? &query->parameters.items[i]
                                                                     : &none),
            .state = state,
        };
        if (!measured.executions[i].values.data) {
            set_aside(query, "its parameters are larger than what is sent");
            return;
        }
    }
    *RH_PUSH(arena, &measuring->list) = measured;
}

static enum err_code run_one(struct measuring *measuring, const struct measured *measured,
                             size_t execution, struct paired_outcome *ret_outcome, struct err *err)
{
    return rh_paired_run_on(measuring->paired, SIDE_CANDIDATE, &measured->executions[execution],
                            measured->manner, PAIRED_TIMES, measuring->arena, ret_outcome, err);
}

static struct mono slice_end(const struct measuring *measuring)
{
    return rh_clock_earlier(measuring->deadline,
                            rh_clock_after(rh_clock_mono(), measuring->slice_us));
}

/* --- does it run? ----------------------------------------------------------------------------- */

static void add_error(struct arena *arena, struct new_query *query,
                      const struct paired_outcome *outcome)
{
    struct new_query_error *error = NULL;
    query->failed++;
    for (size_t i = 0; i < query->errors.count; i++)
        if (strcmp(query->errors.items[i].sqlstate, outcome->sqlstate) == 0)
            error = &query->errors.items[i];
    if (!error) {
        error = RH_PUSH(arena, &query->errors);
        memcpy(error->sqlstate, outcome->sqlstate, sizeof(error->sqlstate));
        if (rh_queries_names_no_values(outcome->sqlstate))
            error->message = rh_arena_strdup(arena, outcome->message);
        else if (strncmp(outcome->sqlstate, "22", 2) == 0 ||
                 strncmp(outcome->sqlstate, "23", 2) == 0)
            error->message = rh_mask_message(arena, outcome->sqlstate, rh_text(outcome->message));
    }
    error->failed++;
}

/* Every set of parameters once, as far as its time goes; those that fail are not timed. */
static enum err_code try_all(struct measuring *measuring, struct measured *measured,
                             struct err *err)
{
    struct new_query *query = measured->query;
    struct mono until = slice_end(measuring);
    size_t kept = 0;
    for (size_t i = 0; i < measured->count; i++) {
        struct paired_outcome outcome;
        if (i > 0 && rh_clock_passed(until))
            break;
        enum err_code code = run_one(measuring, measured, i, &outcome, err);
        /* The text did not tell that it writes: a function does. */
        if (!code && !measured->manner.wraps && strcmp(outcome.sqlstate, SQLSTATE_READ_ONLY) == 0) {
            measured->manner.wraps = true;
            code = run_one(measuring, measured, i, &outcome, err);
        }
        if (code)
            return code;
        if (query->role && rh_paired_lacks_role(measuring->paired, query->role))
            set_aside(query, rh_arena_printf(measuring->arena, "there is no role \"%s\" here",
                                             query->role));
        else if (outcome.wants_copy)
            set_aside(query, "COPY is not measured");
        else if (strcmp(outcome.sqlstate, SQLSTATE_IN_TRANSACTION) == 0)
            set_aside(query, "it cannot run inside a transaction, and so cannot be undone");
        if (query->reason) {
            measured->count = 0;
            return RH_OK;
        }
        query->tried++;
        if (outcome.sqlstate[0] && !rh_queries_was_cut(&outcome))
            add_error(measuring->arena, query, &outcome);
        else
            measured->executions[kept++] = measured->executions[i];
    }
    measured->count = kept;
    return RH_OK;
}

/* --- how it gets there ------------------------------------------------------------------------ */

static enum err_code explain(struct measuring *measuring, struct measured *measured,
                             struct err *err)
{
    struct new_query *query = measured->query;
    for (size_t i = 0; i < measured->count && i < EXPLAINED_EACH; i++) {
        struct query_effort effort = QUERY_EFFORT_INIT;
        struct query_plan plan;
        json_t *json = NULL;
        enum err_code code = rh_paired_explain(measuring->paired, SIDE_CANDIDATE,
                                               &measured->executions[i], measured->manner,
                                               PAIRED_PLAN_RUN, measuring->arena, &json, err);
        /* Too slow to be run again: what it would do says something as well. */
        if (!code && !json)
            code = rh_paired_explain(measuring->paired, SIDE_CANDIDATE, &measured->executions[i],
                                     measured->manner, PAIRED_PLAN_CUSTOM, measuring->arena, &json,
                                     err);
        if (code)
            return code;
        (void)rh_query_plan_effort(json, measuring->arena, &effort);
        if (!rh_query_plan_read(json, measuring->arena, &plan) ||
            (measured->plan && effort.blocks <= query->effort.blocks)) {
            json_decref(json);
            continue;
        }
        json_decref(measured->plan);
        measured->plan = json;
        measured->plan_execution = i;
        query->plan = plan;
        query->effort = effort;
        rh_query_costs(json, measuring->arena, &query->costs);
    }
    return RH_OK;
}

/* --- how long it takes ------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct new_query_time time_of(const double *sorted, size_t count, double level)
{
    struct new_query_time time = {.us = -1, .low_us = -1, .high_us = -1};
    bool has_low, has_high;
    size_t low, high;
    if (count == 0)
        return time;
    time.us = sorted[rh_quantile_rank(count, level)];
    rh_quantile_interval(count, level, CONFIDENCE, &has_low, &low, &has_high, &high);
    time.low_us = has_low ? sorted[low] : -1;
    time.high_us = has_high ? sorted[high] : -1;
    return time;
}

static void take_times(struct arena *arena, struct measured *measured)
{
    struct new_query *query = measured->query;
    size_t count = measured->times.count;
    double *sorted = rh_arena_memdup(arena, measured->times.items, count * sizeof(double));
    double sum = 0;
    qsort(sorted, count, sizeof(double), by_value);
    for (size_t i = 0; i < count; i++)
        sum += sorted[i];
    query->executions = (int64_t)count;
    query->p50 = time_of(sorted, count, 0.50);
    query->p95 = time_of(sorted, count, 0.95);
    query->p99 = time_of(sorted, count, 0.99);
    query->mean_us = count > 0 ? sum / (double)count : -1;
}

static bool is_over(const struct new_query *query)
{
    return query->limit_us >= 0 && query->p95.low_us > (double)query->limit_us;
}

static bool is_within(const struct new_query *query)
{
    return query->limit_us < 0 ||
           (query->p95.high_us >= 0 && query->p95.high_us <= (double)query->limit_us);
}

static enum err_code time_one(struct measuring *measuring, struct measured *measured,
                              struct times *times, struct err *err)
{
    struct paired_outcome outcome;
    enum err_code code = run_one(measuring, measured, measured->next++ % measured->count, &outcome,
                                 err);
    if (code)
        return code;
    if (rh_queries_was_cut(&outcome))
        measured->query->cut++;
    else if (outcome.sqlstate[0])
        return RH_OK; /* it succeeded before: chance, and no time */
    if (times)
        *RH_PUSH(measuring->arena, times) = outcome.elapsed_us;
    return RH_OK;
}

static enum err_code time_all(struct measuring *measuring, struct measured *measured,
                              struct err *err)
{
    const struct new_query *query = measured->query;
    size_t usual = query->repeat > 0 ? (size_t)query->repeat : EXECUTIONS_USUAL;
    size_t most = query->repeat > 0 ? usual : EXECUTIONS_MOST, tries = 0;
    struct mono until = slice_end(measuring);
    enum err_code code = RH_OK;

    for (size_t i = 0; !code && i < WARMING_EXECUTIONS && !rh_clock_passed(until); i++)
        code = time_one(measuring, measured, NULL, err);
    while (!code && tries++ < 2 * most && measured->times.count < most &&
           (measured->times.count == 0 || !rh_clock_passed(until))) {
        if ((code = time_one(measuring, measured, &measured->times, err)))
            break;
        if (measured->times.count < usual || measured->times.count % 100 > 0)
            continue;
        take_times(measuring->arena, measured);
        if (is_over(query) || is_within(query))
            break;
    }
    if (!code && measured->times.count > 0)
        take_times(measuring->arena, measured);
    return code;
}

static void conclude(struct measuring *measuring, struct new_query *query)
{
    struct arena *arena = measuring->arena;
    char longest[24];
    rh_duration_format(EXECUTION_US, longest);
    if (query->failed > 0) {
        query->outcome = NEW_QUERY_FAILED;
    } else if (query->executions == 0) {
        set_aside(query, "the budget was spent before its turn");
    } else if (is_over(query)) {
        query->outcome = NEW_QUERY_SLOW;
    } else if (2 * query->cut > query->executions && query->limit_us < 0) {
        query->outcome = NEW_QUERY_SLOW;
        query->reason = rh_arena_printf(arena, "it did not end within %s", longest);
    } else if (is_within(query)) {
        query->outcome = NEW_QUERY_FINE;
    } else {
        query->outcome = NEW_QUERY_UNDECIDED;
        query->reason = query->p95.high_us >= 0
                            ? "its limit lies within the interval of its p95"
                            : rh_arena_printf(arena, "%s are too few to tell its p95",
                                              rh_say_count(arena, query->executions, "execution"));
    }
}

/* --- repairs ---------------------------------------------------------------------------------- */

struct repairing {
    struct measuring *measuring;
    struct measured *measured;
};

static enum err_code compare_plans(const struct repairing *repairing, struct query_retry *retry,
                                   struct err *err)
{
    struct measuring *measuring = repairing->measuring;
    const struct measured *measured = repairing->measured;
    struct query_plans plans = {0};
    json_t *json = NULL;
    enum err_code code = rh_paired_explain(
        measuring->paired, SIDE_CANDIDATE, &measured->executions[measured->plan_execution],
        measured->manner, PAIRED_PLAN_RUN, measuring->arena, &json, err);
    if (!code && json && rh_query_plan_read(measured->plan, measuring->arena, &plans.baseline) &&
        rh_query_plan_read(json, measuring->arena, &plans.candidate)) {
        rh_query_plans_compare(&plans, measuring->arena);
        retry->difference = plans.difference;
    }
    /* By the same plan it is the machine that was faster. */
    retry->is_repaired = plans.is_changed;
    json_decref(json);
    return code;
}

static enum err_code measure_again(void *context, struct query_retry *ret_retry, struct err *err)
{
    const struct repairing *repairing = context;
    struct measuring *measuring = repairing->measuring;
    struct measured *measured = repairing->measured;
    const struct new_query_time *before = &measured->query->p50;
    struct mono until = rh_clock_after(rh_clock_mono(), measuring->slice_us);
    struct times times = {0};
    int64_t cut = measured->query->cut;
    enum err_code code = time_one(measuring, measured, NULL, err);

    for (size_t tries = 0;
         !code && tries < REPAIR_EXECUTIONS && (times.count == 0 || !rh_clock_passed(until));
         tries++)
        code = time_one(measuring, measured, &times, err);
    measured->query->cut = cut;
    if (code || times.count == 0)
        return code;
    qsort(times.items, times.count, sizeof(double), by_value);
    const struct new_query_time after = time_of(times.items, times.count, 0.5);
    double high_us = after.high_us >= 0 ? after.high_us : times.items[times.count - 1];
    double low_us = before->low_us >= 0 ? before->low_us : before->us;
    ret_retry->was_tried = true;
    ret_retry->p50_us = after.us;
    ret_retry->ratio = before->us > 0 ? after.us / before->us : 1;
    ret_retry->is_repaired = ret_retry->ratio <= REPAIRED_RATIO && high_us < low_us;
    return ret_retry->is_repaired ? compare_plans(repairing, ret_retry, err) : RH_OK;
}

static bool wants_repair(const struct measured *measured)
{
    const struct new_query *query = measured->query;
    if (!measured->plan || query->executions == 0 || query->p50.us < REPAIR_LEAST_US)
        return false;
    return query->outcome == NEW_QUERY_SLOW || query->outcome == NEW_QUERY_UNDECIDED ||
           rh_query_costs_want_index(&query->costs);
}

static enum err_code repair(struct measuring *measuring, struct measured *measured, struct err *err)
{
    struct repairing repairing = {measuring, measured};
    const struct query_repair repair = {.paired = measuring->paired,
                                        .arena = measuring->arena,
                                        .plan = measured->plan,
                                        .measure = measure_again,
                                        .context = &repairing};
    enum err_code code = rh_paired_set_timeout(measuring->paired, measured->timeout_us, err);
    if (!code)
        code = rh_query_repair(&repair, &measured->query->after_analyze, &measured->query->proposal,
                               err);
    return code;
}

/* --- all -------------------------------------------------------------------------------------- */

static enum err_code measure_one(struct measuring *measuring, struct measured *measured,
                                 struct err *err)
{
    enum err_code code = rh_paired_set_timeout(measuring->paired, measured->timeout_us, err);
    if (!code)
        code = try_all(measuring, measured, err);
    if (!code && measured->count > 0)
        code = explain(measuring, measured, err);
    if (!code && measured->count > 0)
        code = time_all(measuring, measured, err);
    if (!code && !measured->query->reason)
        conclude(measuring, measured->query);
    return code;
}

static enum err_code measure_all(struct measuring *measuring, struct err *err)
{
    size_t repairs = 0;
    for (size_t i = 0; i < measuring->list.count; i++) {
        struct measured *measured = &measuring->list.items[i];
        if (rh_clock_passed(measuring->deadline)) {
            set_aside(measured->query, "the budget was spent before its turn");
            continue;
        }
        enum err_code code = measure_one(measuring, measured, err);
        if (code)
            return code;
    }
    /* Behind all of them: an ANALYZE for one changes the plans of others. */
    for (size_t i = 0; i < measuring->list.count && repairs < REPAIRS_MAX; i++) {
        struct measured *measured = &measuring->list.items[i];
        if (!wants_repair(measured))
            continue;
        enum err_code code = repair(measuring, measured, err);
        if (code)
            return code;
        repairs++;
    }
    return RH_OK;
}

enum err_code rh_new_queries_measure(const struct new_queries_options *options,
                                     struct new_queries *queries, struct arena *arena,
                                     struct err *err)
{
    struct measuring measuring = {.options = options, .arena = arena};
    struct paired_options paired = {.sample = &measuring.sample,
                                    .random = &measuring.random,
                                    .statement_timeout_us = EXECUTION_US};
    struct mono began = rh_clock_mono();

    for (size_t side = 0; side < COMPARED_SIDES; side++)
        paired.places[side] = options->place;
    rh_random_seed(&measuring.random, 0); /* draws which side is connected first, and no value */
    measuring.slice_us = options->budget_us / SLICE_PARTS;
    if (measuring.slice_us < SLICE_LEAST_US)
        measuring.slice_us = SLICE_LEAST_US;
    for (size_t i = 0; i < queries->list.count; i++)
        if (!queries->list.items[i].reason)
            prepare(&measuring, &queries->list.items[i]);
    enum err_code code = rh_paired_open(&paired, &measuring.paired, err);
    if (code)
        return code;
    measuring.deadline = rh_clock_after(rh_clock_mono(), options->budget_us);
    code = measure_all(&measuring, err);
    for (size_t i = 0; i < measuring.list.count; i++)
        json_decref(measuring.list.items[i].plan);
    rh_paired_close(measuring.paired);
    if (!code) {
        queries->was_run = true;
        queries->duration_us = rh_clock_mono().us - began.us;
    }
    return code;
}
