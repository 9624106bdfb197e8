#include "rehearsal/states.h"

#include "base/interrupt.h"
#include "compare/compare.h"

/* Each of the two readings of the data may take so long. */
#define DATA_BUDGET_US 20000000
/* About what the budget reads with two connections (one reads 90 MB of narrow rows in 0.75 s). */
#define SAMPLE_OVER_BYTES (INT64_C(1024) * 1024 * 1024)
/* A catalogue of a hundred thousand objects takes seconds; a server that does not answer at all
   must not keep a run. Beyond the budget of the data. */
#define ANSWER_MAX_US 60000000

/* The user's interrupt and the clock of the run end it; whatever else failed is a reason. */
static enum err_code reason_of(struct arena *arena, enum err_code code, const struct err *why,
                               const char **ret_reason, struct err *err)
{
    if (!code)
        return RH_OK;
    if (rh_interrupt_check(err))
        return err->code;
    *ret_reason = rh_arena_strdup(arena, why->message);
    return RH_OK;
}

enum err_code rh_states_read_on(const struct states_reading *reading, struct arena *arena,
                                struct states *ret_states, struct err *err)
{
    const struct states *previous = reading->previous;
    const struct data_state_options options = {
        .connections = reading->connections,
        .budget_us = DATA_BUDGET_US,
        .sample_over_bytes = SAMPLE_OVER_BYTES,
        .previous = previous ? &previous->data : NULL,
    };
    struct mono deadline = rh_clock_after(rh_clock_mono(), ANSWER_MAX_US);
    struct err why = RH_ERR_INIT;
    enum err_code code = reading->engine->read_schema_state(reading->connection, arena, deadline,
                                                            &ret_states->schema, &why);
    code = reason_of(arena, code, &why, &ret_states->schema_reason, err);
    if (reading->skips_data)
        ret_states->data_reason = reading->skips_data;
    else if (!code && !(previous && previous->data_reason)) {
        deadline = rh_clock_after(rh_clock_mono(), DATA_BUDGET_US + ANSWER_MAX_US);
        code = reading->engine->read_data_state(reading->connection, reading->others, &options,
                                                arena, deadline, &ret_states->data, &why);
        code = reason_of(arena, code, &why, &ret_states->data_reason, err);
    }
    return code;
}

static enum err_code read_states(const struct sandbox *sandbox, const struct engine *engine,
                                 struct progress *progress, const struct states *previous,
                                 struct arena *arena, struct states *states, struct err *err)
{
    struct connection_parameters superuser = rh_sandbox_superuser(sandbox);
    struct states_reading reading = {.engine = engine, .others = &superuser, .previous = previous};
    struct mono deadline = rh_clock_after(rh_clock_mono(), ANSWER_MAX_US);
    struct err why = RH_ERR_INIT;
    rh_progress_phase(progress, "read the state %s", previous ? "afterwards" : "before");
    superuser.application_name = "rehearse/state";
    enum err_code code = engine->connect(&superuser, deadline, &reading.connection, &why);
    if (code) {
        code = reason_of(arena, code, &why, &states->schema_reason, err);
        states->data_reason = states->schema_reason;
        return code;
    }
    code = rh_states_read_on(&reading, arena, states, err);
    engine->close(reading.connection);
    return code;
}

enum err_code rh_states_read(const struct sandbox *sandbox, const struct engine *engine,
                             struct progress *progress, struct arena *arena,
                             struct states *ret_states, struct err *err)
{
    *ret_states = (struct states){0};
    return read_states(sandbox, engine, progress, NULL, arena, ret_states, err);
}

struct states rh_states_by_name(const struct states *states)
{
    struct states copy = *states;
    copy.schema.lineage = copy.data.lineage = NULL;
    return copy;
}

enum err_code rh_states_read_again(const struct states *before, const struct sandbox *sandbox,
                                   const struct engine *engine, struct progress *progress,
                                   struct arena *arena, struct states *ret_states, struct err *err)
{
    *ret_states = (struct states){0};
    return read_states(sandbox, engine, progress, before, arena, ret_states, err);
}

enum err_code rh_states_compare(const struct states *before, const struct sandbox *sandbox,
                                const struct engine *engine, struct progress *progress,
                                struct result *result, struct states *ret_after, struct err *err)
{
    struct states after = {0};
    const struct trace *trace = result->trace;
    if (trace->server_crashed || trace->interrupted || trace->timed_out) {
        after.schema_reason = after.data_reason = trace->server_crashed
                                                      ? "the server did not live to be asked"
                                                      : "the run was cut short";
    } else {
        enum err_code code = read_states(sandbox, engine, progress, before, result->arena, &after,
                                         err);
        if (code)
            return code;
    }
    result->schema_differences.reason = before->schema_reason ? before->schema_reason
                                                              : after.schema_reason;
    result->data_differences.reason = before->data_reason ? before->data_reason : after.data_reason;
    if (!result->schema_differences.reason)
        rh_compare_schema(&before->schema, &after.schema, result->arena,
                          &result->schema_differences);
    if (!result->data_differences.reason)
        rh_compare_data(&before->data, &after.data, result->arena, &result->data_differences);
    if (ret_after)
        *ret_after = after;
    return RH_OK;
}
