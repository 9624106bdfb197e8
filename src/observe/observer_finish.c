#include "observe/observer_int.h"

#include <string.h>

#define CONTROL_TIMEOUT_US 5000000

static void say_not_observed(struct trace *trace, const char *sentence)
{
    *RH_PUSH(trace->arena, &trace->not_observed) = rh_arena_strdup(trace->arena, sentence);
}

static void fill_leftovers(const struct observer *observer, const struct rows *rows,
                           struct trace *trace)
{
    for (size_t i = 0; i < rh_rows_count(rows); i++) {
        struct leftover *leftover = RH_PUSH(trace->arena, &trace->leftovers);
        const char *kind = rh_rows_value(rows, i, 0);
        const char *identity = rh_rows_value(rows, i, 1);
        const char *table = rh_rows_value(rows, i, 2);
        leftover->kind = rh_arena_strdup(trace->arena, kind ? kind : "");
        leftover->identity = rh_arena_strdup(trace->arena, identity ? identity : "");
        leftover->table = table ? rh_arena_strdup(trace->arena, table) : NULL;
        for (size_t j = 0; j < observer->leftovers_before.count; j++) {
            const struct leftover_fact *before = &observer->leftovers_before.items[j];
            if (!strcmp(before->kind, leftover->kind) &&
                !strcmp(before->identity, leftover->identity))
                leftover->preexisting = true;
        }
    }
}

static enum err_code ask_state_after(struct observer *observer, struct connection *control,
                                     struct trace *trace, struct mono deadline, struct err *err)
{
    const struct engine *engine = observer->engine;
    struct rows *intact RH_CLEANUP_ROWS = NULL;
    struct rows *leftovers RH_CLEANUP_ROWS = NULL;
    struct rows *size RH_CLEANUP_ROWS = NULL;
    enum err_code code;

    if (engine->features & ENGINE_INSIDE_EVIDENCE) {
        if ((code = engine->ask(control, ENGINE_QUERY_EVIDENCE_INTACT, NULL, 0, deadline, &intact,
                                err)))
            return code;
        trace->evidence_intact = rh_rows_count(intact) == 1 && rh_rows_bool(intact, 0, 0);
    }
    if ((code = engine->ask(control, ENGINE_QUERY_LEFTOVERS, NULL, 0, deadline, &leftovers, err)))
        return code;
    fill_leftovers(observer, leftovers, trace);
    if ((code = engine->ask(control, ENGINE_QUERY_DATABASE_SIZE, NULL, 0, deadline, &size, err)))
        return code;
    int64_t bytes = rh_rows_int(size, 0, 0, NOT_OBSERVED);
    if (bytes != NOT_OBSERVED && observer->database_bytes_before != NOT_OBSERVED) {
        trace->disk_growth_bytes = bytes - observer->database_bytes_before;
        if (bytes > trace->peak_disk_bytes)
            trace->peak_disk_bytes = bytes;
    }
    return RH_OK;
}

enum err_code rh_observer_finish(struct observer *observer, struct trace *trace,
                                 struct mono deadline, struct err *err)
{
    struct observer_statistics statistics = rh_observer_statistics(observer);
    struct connection *control = NULL;
    struct err why = RH_ERR_INIT;
    enum err_code code;

    rh_sampler_stop(observer);
    trace->sample_count = statistics.sample_count;
    trace->sampling_interval_us = statistics.interval_us;
    trace->longest_sampling_gap_us = statistics.longest_gap_us;
    trace->observer_lost = observer->is_lost;
    trace->evidence_intact = false;
    trace->disk_growth_bytes = NOT_OBSERVED;
    trace->peak_disk_bytes = observer->is_lost ? NOT_OBSERVED : statistics.peak_database_bytes;
    if (observer->sampler.failed_count)
        say_not_observed(trace, "Some samples of the locks were refused by the server.");

    /* A session of its own: what is queued on the others does not matter any more. */
    code = rh_observer_connect(
        observer, "observer", observer->engine->observer_session_sql,
        rh_clock_earlier(deadline, rh_clock_after(rh_clock_mono(), CONTROL_TIMEOUT_US)), &control,
        &why);
    rh_canaries_finish(observer, control, deadline);
    rh_canaries_report(observer, trace);
    if (!code) {
        code = ask_state_after(observer, control, trace, deadline, &why);
        observer->engine->close(control);
    }
    if (!code)
        return RH_OK;
    if (observer->is_lost) {
        /* reported when it happened; the server may be gone altogether */
        say_not_observed(trace,
                         "The observer lost the server: its state after the run is unknown.");
        return RH_OK;
    }
    *err = why;
    rh_err_while(err, "while reading what the migration left");
    return code;
}
