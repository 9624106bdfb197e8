#include "rehearsal/traffic.h"

#include "base/interrupt.h"
#include "rehearsal/in_the_way.h"
#include "rehearsal/lock_chances.h"
#include "rehearsal/replaying.h"
#include "store/workload_file.h"
#include "trace/trace.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT_MAX_US (20 * INT64_C(1000000))

struct staging {
    struct rehearsal *rehearsal;
    const struct workload_options *options;
    struct traffic *traffic;
    int64_t length_us; /* that the replay was given, the migration included */
    struct traffic_fold baseline, here;
};

/* --- tables ----------------------------------------------------------------------------------- */

/* A table that the migration locked so that others wait, and for how long in all. */
struct locked_table {
    const char *relation;
    int64_t held_us;
};
struct locked_tables {
    VEC(struct locked_table) items;
};

static void look_at(struct arena *arena, const struct statement *statement,
                    struct locked_tables *tables)
{
    for (size_t i = 0; i < statement->locks.count; i++) {
        const struct lock *lock = &statement->locks.items[i];
        const char *relation = lock->table ? lock->table : lock->relation;
        struct locked_table *table = NULL;
        if (!lock->preexisting || !(lock->blocks_reads || lock->blocks_writes) || !relation ||
            strncmp(relation, "pg_toast.", 9) == 0)
            continue;
        for (size_t j = 0; j < tables->items.count && !table; j++)
            if (strcmp(tables->items.items[j].relation, relation) == 0)
                table = &tables->items.items[j];
        if (!table) {
            table = RH_PUSH(arena, &tables->items);
            table->relation = relation;
        }
        table->held_us += lock->held_us > 0 ? lock->held_us : 0;
    }
    for (size_t i = 0; i < statement->children.count; i++)
        look_at(arena, &statement->children.items[i], tables);
}

static int compare_tables(const void *a, const void *b)
{
    const struct locked_table *left = a, *right = b;
    if (left->held_us != right->held_us)
        return left->held_us > right->held_us ? -1 : 1;
    return strcmp(left->relation, right->relation);
}

/* The longest held first. */
static struct locked_tables locked_tables(const struct rehearsal *rehearsal)
{
    struct locked_tables tables = {0};
    for (size_t i = 0; i < rehearsal->trace.statements.count; i++)
        look_at(rehearsal->arena, &rehearsal->trace.statements.items[i], &tables);
    if (tables.items.count > 1)
        qsort(tables.items.items, tables.items.count, sizeof(tables.items.items[0]),
              compare_tables);
    return tables;
}

/* --- patterns --------------------------------------------------------------------------------- */

static void take_patterns(struct staging *staging)
{
    struct arena *arena = staging->rehearsal->arena;
    size_t count = rh_workload_reader_pattern_count(staging->options->reader);
    for (uint32_t number = 1; number <= count; number++) {
        const struct workload_pattern *pattern = rh_workload_reader_pattern(
            staging->options->reader, number);
        struct traffic_pattern *taken = RH_PUSH(arena, &staging->traffic->patterns);
        *taken = (struct traffic_pattern){
            .number = number,
            .fingerprint = pattern->fingerprint,
            .query = rh_arena_strdup(arena, pattern->query),
            .writes = pattern->flags & PATTERN_WRITES,
            .is_parsed = pattern->flags & PATTERN_IS_PARSED,
            .controls = pattern->flags & PATTERN_CONTROLS,
        };
        for (size_t i = 0; i < pattern->reads.count; i++)
            *RH_PUSH(arena, &taken->reads_from) = rh_arena_strdup(arena, pattern->reads.items[i]);
        for (size_t i = 0; i < pattern->writes.count; i++)
            *RH_PUSH(arena, &taken->writes_to) = rh_arena_strdup(arena, pattern->writes.items[i]);
    }
}

/* --- replays ---------------------------------------------------------------------------------- */

static enum err_code admit_roles(struct staging *staging, struct sandbox *clone, struct err *err)
{
    const struct engine *engine = staging->rehearsal->options->sandbox.engine;
    struct connection_parameters superuser = rh_sandbox_superuser(clone);
    struct mono deadline = rh_clock_after(rh_clock_mono(), CONNECT_MAX_US);
    struct connection *connection = NULL;
    enum err_code code = engine->connect(&superuser, deadline, &connection, err);
    if (code)
        return code;
    code = engine->admit_roles(connection, rh_sandbox_migration_role(clone).password, deadline,
                               err);
    engine->close(connection);
    return code;
}

static enum err_code start_replay(struct staging *staging, struct sandbox *clone,
                                  struct replaying *replaying, struct err *err)
{
    const struct replaying_options options = {
        .workload = staging->options->path,
        .key_path = staging->options->key_path,
        .speed = staging->options->speed,
        .target = rh_sandbox_migration_role(clone),
        .directory = rh_sandbox_directory(clone),
    };
    enum err_code code = admit_roles(staging, clone, err);
    return code ? code : rh_replaying_start(&options, staging->rehearsal->arena, replaying, err);
}

/* Short recordings are not spent on it. */
static int64_t lead_in_us(const struct staging *staging)
{
    double recorded_us = (double)rh_workload_reader_totals(staging->options->reader)->duration_us /
                         staging->options->speed;
    return recorded_us / 4 < (double)TRAFFIC_LEAD_IN_US ? (int64_t)(recorded_us / 4)
                                                        : TRAFFIC_LEAD_IN_US;
}

static enum err_code trace_there(struct staging *staging, struct sandbox *clone, struct err *err)
{
    struct rehearsal *rehearsal = staging->rehearsal;
    const struct trace_options trace_options = rh_rehearsal_trace_options(rehearsal, clone);
    struct trace *trace = RH_NEW(rehearsal->arena, struct trace);
    staging->traffic->trace = trace;
    return rh_trace_run(&trace_options, rehearsal->arena, trace, err);
}

static enum err_code block(struct staging *staging, struct sandbox *clone,
                           struct in_the_way **ret_session, struct err *err)
{
    struct traffic *traffic = staging->traffic;
    struct connection_parameters superuser = rh_sandbox_superuser(clone);
    if (traffic->blocker == BLOCKER_NONE)
        return RH_OK;
    return rh_in_the_way_start(staging->rehearsal->options->sandbox.engine, &superuser,
                               traffic->blocker, traffic->blocker_relation, traffic->blocker_us,
                               ret_session, err);
}

/* When the migration began, since the recording did: the trace has its wall clock. */
static int64_t began_us(const struct trace *trace, const struct replaying *replaying)
{
    int64_t ago_us = rh_clock_wall().us - trace->started_at.us;
    return rh_clock_mono().us - ago_us - replaying->began.us;
}

static void take_end(struct staging *staging, const struct replaying_end *end)
{
    struct traffic *traffic = staging->traffic;
    struct rehearsal *rehearsal = staging->rehearsal;
    traffic->sessions = end->sessions;
    if (end->is_replayer_bound) {
        traffic->is_replayer_bound = true;
        if (end->late_us > traffic->replayer_lag_us)
            traffic->replayer_lag_us = end->late_us;
    }
    for (size_t i = 0; i < end->gaps.count; i++)
        rh_result_note(&rehearsal->result, rh_arena_printf(rehearsal->arena, "Of the workload: %s.",
                                                           end->gaps.items[i]));
}

/* With the migration in the midst of it. */
static enum err_code run_loaded(struct staging *staging, struct err *err)
{
    RH_CLEANUP_SANDBOX struct sandbox *clone = NULL;
    RH_CLEANUP_REPLAYING struct replaying replaying = REPLAYING_INIT;
    struct in_the_way *session = NULL;
    struct replaying_end end = {0};
    bool has_workload = staging->options->reader;
    enum err_code code = rh_sandbox_clone(staging->rehearsal->prepared, &clone, err);

    rh_progress_phase(staging->rehearsal->options->progress, "migrate under %s",
                      has_workload ? "the workload" : "a blocker");
    if (!code && has_workload && !(code = start_replay(staging, clone, &replaying, err)) &&
        !(code = rh_replaying_begin(&replaying, err)))
        code = rh_replaying_rest(&replaying, lead_in_us(staging), err);
    if (!code)
        code = block(staging, clone, &session, err);
    if (!code)
        code = trace_there(staging, clone, err);
    rh_in_the_way_end(session);
    if (code || !has_workload)
        return code;
    int64_t started_us = began_us(staging->traffic->trace, &replaying);
    int64_t ended_us = started_us + staging->traffic->trace->duration_us;
    if ((code = rh_replaying_rest(&replaying, TRAFFIC_LEAD_OUT_US, err)))
        return code;
    staging->length_us = rh_clock_mono().us - replaying.began.us;
    if ((code = rh_replaying_end(&replaying, staging->rehearsal->arena, &end, err)) ||
        (code = rh_replaying_fold(&replaying, &staging->here, err)))
        return code;
    take_end(staging, &end);
    rh_traffic_fold_finish(&staging->here, &staging->baseline, started_us, ended_us);
    return RH_OK;
}

/* The same stretch, left alone. First, so that its sums are there when the other's are folded. */
static enum err_code run_baseline(struct staging *staging, int64_t length_us, struct err *err)
{
    RH_CLEANUP_SANDBOX struct sandbox *clone = NULL;
    RH_CLEANUP_REPLAYING struct replaying replaying = REPLAYING_INIT;
    struct replaying_end end = {0};
    enum err_code code = rh_sandbox_clone(staging->rehearsal->prepared, &clone, err);

    rh_progress_phase(staging->rehearsal->options->progress, "replay the workload on the baseline");
    if (code || (code = start_replay(staging, clone, &replaying, err)) ||
        (code = rh_replaying_begin(&replaying, err)) ||
        (code = rh_replaying_rest(&replaying, length_us, err)) ||
        (code = rh_replaying_end(&replaying, staging->rehearsal->arena, &end, err)))
        return code;
    if (end.is_replayer_bound) {
        staging->traffic->is_replayer_bound = true;
        staging->traffic->replayer_lag_us = end.late_us;
    }
    return rh_replaying_fold(&replaying, &staging->baseline, err);
}

/* --- the stage -------------------------------------------------------------------------------- */

static const struct workload_pattern *pattern_of(const void *reader, uint32_t number)
{
    return number >= 1 && number <= rh_workload_reader_pattern_count(reader)
               ? rh_workload_reader_pattern(reader, number)
               : NULL;
}

static enum err_code find_timeouts(struct staging *staging, const struct locked_tables *tables,
                                   struct err *err)
{
    struct rehearsal *rehearsal = staging->rehearsal;
    VEC(const char *) relations = {0};
    struct traffic_timeouts timeouts;
    for (size_t i = 0; i < tables->items.count; i++)
        *RH_PUSH(rehearsal->arena, &relations) = tables->items.items[i].relation;
    if (relations.count == 0)
        return RH_OK;
    const struct lock_chances_options options = {
        .source = rh_workload_reader_source(staging->options->reader),
        .pattern = pattern_of,
        .context = staging->options->reader,
        .relations = relations.items,
        .relation_count = relations.count,
        .limit_us = rehearsal->options->limits.blocked_us,
    };
    enum err_code code = rh_lock_chances(&options, rehearsal->arena, &timeouts, err);
    for (size_t i = 0; !code && i < timeouts.count; i++)
        *RH_PUSH(rehearsal->arena, &staging->traffic->timeouts) = timeouts.items[i];
    return code;
}

static enum err_code run(struct staging *staging, struct err *err)
{
    struct rehearsal *rehearsal = staging->rehearsal;
    struct traffic *traffic = staging->traffic;
    struct locked_tables tables = locked_tables(rehearsal);
    enum err_code code = RH_OK;

    if (traffic->blocker != BLOCKER_NONE && !traffic->blocker_relation) {
        if (tables.items.count == 0) {
            rh_result_note(&rehearsal->result, "No blocker was put in its way: it locks no table "
                                               "so that others wait.");
            traffic->blocker = BLOCKER_NONE;
        } else {
            traffic->blocker_relation = tables.items.items[0].relation;
        }
    }
    if (!staging->options->reader && traffic->blocker == BLOCKER_NONE)
        return RH_OK;
    if (staging->options->reader) {
        take_patterns(staging);
        rh_traffic_fold_init(&staging->baseline, rehearsal->arena, traffic, true);
        rh_traffic_fold_init(&staging->here, rehearsal->arena, traffic, false);
        int64_t length_us = lead_in_us(staging) + rehearsal->trace.duration_us +
                            TRAFFIC_LEAD_OUT_US;
        if ((code = run_baseline(staging, length_us, err)))
            return code;
    }
    if ((code = run_loaded(staging, err)))
        return code;
    if (staging->options->reader && (code = find_timeouts(staging, &tables, err)))
        return code;
    traffic->was_run = true;
    return RH_OK;
}

enum err_code rh_traffic_run(struct rehearsal *rehearsal, struct err *err)
{
    const struct workload_options *options = &rehearsal->options->workload;
    struct traffic *traffic = &rehearsal->result.traffic;
    struct staging staging = {.rehearsal = rehearsal, .options = options, .traffic = traffic};

    traffic->speed = options->speed;
    traffic->pool = options->pool;
    traffic->blocker = options->blocker;
    traffic->blocker_relation = options->blocker_relation;
    traffic->blocker_us = options->blocker_us;
    return run(&staging, err);
}
