#include "rehearsal/way_back.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "compare/compare.h"
#include "compare/freedoms.h"
#include "compare/round_trip.h"
#include "judge/rollback_plan.h"
#include "rehearsal/restore_test.h"
#include "rehearsal/way_back_int.h"
#include "trace/perform.h"
#include "trace/trace.h"

#include <string.h>

/* Writing at most some hundred rows, and removing them. */
#define WRITES_MAX_US 60000000
/* A phase runs the migration and its way back and reads the states about as long as the run did;
   with less than so many times that left, it is not begun. */
#define TIMES_NEEDED 2

/* --- time ----------------------------------------------------------------------------------------
 */

bool rh_way_back_has_time(const struct way_back *back, int phases_left, struct mono *ret_deadline)
{
    struct mono now = rh_clock_mono(), end = back->run_deadline;
    *ret_deadline = end;
    if (end.us == RH_NEVER.us)
        return true;
    int64_t share = (end.us - now.us) / (phases_left + 1);
    if (share < TIMES_NEEDED * back->result->duration_us)
        return false;
    *ret_deadline = rh_clock_after(now, share);
    return true;
}

enum err_code rh_way_back_reason(const struct way_back *back, enum err_code code,
                                 const struct err *why, const char **ret_reason, struct err *err)
{
    if (!code)
        return RH_OK;
    if (rh_interrupt_signal()) {
        *err = *why;
        err->code = RH_ERR_INTERRUPTED;
        return RH_ERR_INTERRUPTED;
    }
    *ret_reason = code == RH_ERR_TIMEOUT ? "its share of --timeout was over"
                                         : rh_arena_strdup(back->arena, why->message);
    return RH_OK;
}

/* --- running -------------------------------------------------------------------------------------
 */

enum err_code rh_way_back_migrate(const struct way_back *back, struct sandbox *clone, size_t first,
                                  size_t end, struct err *err)
{
    const struct rehearsal *rehearsal = back->rehearsal;
    const struct migration migration = rh_migration_part(&rehearsal->migration, first, end);
    const struct performance_options options = {
        .sandbox = clone,
        .engine = back->engine,
        .migration = &migration,
        .environment = rehearsal->options->environment,
        .no_isolation = rehearsal->options->no_isolation,
    };
    struct performance performance;
    enum err_code code = first == end ? RH_OK
                                      : rh_perform(&options, NULL, back->arena, &performance, err);
    if (code || first == end)
        return code;
    if (performance.interrupted || performance.timed_out)
        return rh_err_set(err, performance.interrupted ? RH_ERR_INTERRUPTED : RH_ERR_TIMEOUT,
                          "the migration was cut short");
    if (performance.server_died)
        return rh_err_set(err, RH_ERR_CONNECTION, "the server died while the migration ran again");
    if (!rh_performance_is_ok(&performance))
        return rh_err_set(err, RH_ERR_SERVER, "the migration failed when it ran again");
    return RH_OK;
}

static struct round_trip_failure *failure_of(const struct trace *trace, struct arena *arena)
{
    const struct step *step = NULL;
    for (size_t i = 0; i < trace->steps.count && !step; i++)
        if (trace->steps.items[i].reached && !trace->steps.items[i].ok)
            step = &trace->steps.items[i];
    if (!step && !trace->server_crashed)
        return NULL;
    struct round_trip_failure *failure = RH_NEW(arena, struct round_trip_failure);
    failure->step = step ? step->name : NULL;
    failure->exit_status = -1;
    for (size_t i = trace->statements.count; i > 0 && !failure->sqlstate; i--) {
        const struct statement *statement = &trace->statements.items[i - 1];
        const struct server_message *error = statement->error;
        if (!error)
            continue;
        failure->line = statement->line;
        failure->sql = statement->sql;
        failure->sqlstate = error->sqlstate;
        failure->message = error->message;
        failure->table = error->table && error->schema
                             ? rh_arena_printf(arena, "%s.%s", error->schema, error->table)
                             : NULL;
    }
    if (trace->server_crashed && !failure->message)
        failure->message = "the server died";
    else if (!trace->connected && !failure->message)
        failure->message = "it never connected to the database";
    else if (!failure->message) {
        failure->exit_status = step ? step->exit_status : -1;
        failure->message = rh_arena_printf(arena, "it ended with exit status %d",
                                           failure->exit_status);
    }
    return failure;
}

/* The way back itself, with evidence, so that its failure is told like any other. */
static enum err_code run_down(struct way_back *back, struct sandbox *clone,
                              struct round_trip_phase *phase, struct err *err)
{
    const struct rehearsal *rehearsal = back->rehearsal;
    const struct trace_options options = {
        .sandbox = clone,
        .engine = back->engine,
        .migration = &rehearsal->way_back.downs,
        .environment = rehearsal->options->environment,
        .no_isolation = rehearsal->options->no_isolation,
        .output_path = rehearsal->files.output_path,
    };
    struct trace *trace = RH_NEW(back->arena, struct trace);
    struct mono began = rh_clock_mono();
    enum err_code code = rh_trace_run(&options, back->arena, trace, err);
    if (code)
        return code;
    phase->down_us = rh_clock_mono().us - began.us;
    if (trace->interrupted || trace->timed_out)
        return rh_err_set(err, trace->interrupted ? RH_ERR_INTERRUPTED : RH_ERR_TIMEOUT,
                          "the way back was cut short");
    phase->failure = failure_of(trace, back->arena);
    return RH_OK;
}

/* --- writes --------------------------------------------------------------------------------------
 */

static enum err_code connect(const struct way_back *back, struct sandbox *clone,
                             struct connection **ret_connection, struct err *err)
{
    struct connection_parameters superuser = rh_sandbox_superuser(clone);
    superuser.application_name = "rehearse/writes";
    return back->engine->connect(&superuser, rh_clock_after(rh_clock_mono(), WRITES_MAX_US),
                                 ret_connection, err);
}

/* Rows as an application could write them after the migration. */
static enum err_code write_rows(struct way_back *back, struct sandbox *clone,
                                const struct states *start, struct err *err)
{
    struct arena *arena = back->arena;
    struct schema_differences differences;
    struct freedoms freedoms;
    struct schema_state migrated;
    struct connection *reader = NULL, *writer = NULL;
    struct mono deadline = rh_clock_after(rh_clock_mono(), WRITES_MAX_US);
    enum err_code code = connect(back, clone, &reader, err);
    if (!code)
        code = back->engine->read_schema_state(reader, arena, deadline, &migrated, err);
    back->engine->close(reader);
    if (code)
        return code;
    rh_compare_schema(&start->schema, &migrated, arena, &differences);
    rh_freedoms_find(&differences, &back->result->data_differences, &migrated, arena, &freedoms);
    code = connect(back, clone, &writer, err);
    if (!code)
        code = back->engine->write_rows(writer, freedoms.items, freedoms.count, arena, deadline,
                                        &back->trip->writes, err);
    back->engine->close(writer);
    return code;
}

static enum err_code remove_rows(struct way_back *back, struct sandbox *clone, struct err *err)
{
    struct connection *connection = NULL;
    enum err_code code = connect(back, clone, &connection, err);
    if (!code)
        code = back->engine->remove_rows(connection, back->arena,
                                         rh_clock_after(rh_clock_mono(), WRITES_MAX_US),
                                         &back->trip->writes, err);
    back->engine->close(connection);
    return code;
}

/* --- phases --------------------------------------------------------------------------------------
 */

/* Where the way back leads to: the state before the first step that it undoes. */
static enum err_code read_start(struct way_back *back, struct sandbox *clone,
                                struct states *ret_start, struct err *err)
{
    size_t first = back->rehearsal->way_back.first;
    *ret_start = *back->before;
    if (first == 0)
        return RH_OK;
    enum err_code code = rh_way_back_migrate(back, clone, 0, first, err);
    return code ? code
                : rh_states_read_again(back->before, clone, back->engine, NULL, back->arena,
                                       ret_start, err);
}

void rh_way_back_compare(struct way_back *back, const struct states *start,
                         const struct states *end, struct round_trip_states *ret_states)
{
    bool has_data = !start->data_reason && !end->data_reason;
    *ret_states = (struct round_trip_states){
        .schema_before = &start->schema,
        .schema_after = &end->schema,
        .data_before = has_data ? &start->data : NULL,
        .data_after = has_data ? &end->data : NULL,
        .has_ledgers = rh_migration_has_command(&back->rehearsal->migration),
    };
    if (!has_data)
        *RH_PUSH(back->arena, &back->trip->notes) = rh_arena_printf(
            back->arena, "the data were not compared: %s",
            start->data_reason ? start->data_reason : end->data_reason);
}

static enum err_code read_end(struct way_back *back, struct sandbox *clone,
                              const struct states *start, struct states *ret_end, struct err *err)
{
    enum err_code code = rh_states_read_again(start, clone, back->engine, NULL, back->arena,
                                              ret_end, err);
    if (!code && (start->schema_reason || ret_end->schema_reason))
        code = rh_err_set(err, RH_ERR_SERVER, "the schema could not be read: %s",
                          start->schema_reason ? start->schema_reason : ret_end->schema_reason);
    return code;
}

static enum err_code migrate_and_return(struct way_back *back, struct sandbox *clone,
                                        struct round_trip_phase *phase, struct err *err)
{
    struct states start, end;
    const struct rehearsal *rehearsal = back->rehearsal;
    bool writes = phase == &back->trip->after_writes;
    enum err_code code = read_start(back, clone, &start, err);
    if (!code)
        code = rh_way_back_migrate(back, clone, rehearsal->way_back.first,
                                   rehearsal->migration.steps.count, err);
    if (!code && writes)
        code = write_rows(back, clone, &start, err);
    if (!code && writes && back->trip->writes.rows == 0)
        return rh_err_set(err, RH_ERR_SERVER, "no row could be generated");
    if (!code)
        code = run_down(back, clone, phase, err);
    if (code || phase->failure)
        return code;
    if (writes)
        code = remove_rows(back, clone, err);
    if (!code)
        code = read_end(back, clone, &start, &end, err);
    if (code)
        return code;
    struct round_trip_states states;
    if (!writes) {
        back->returned = end;
        rh_way_back_compare(back, &start, &end, &states);
    } else {
        rh_way_back_compare(back, &back->returned, &end, &states);
        states.written_to = back->trip->writes.touched.items;
        states.written_to_count = back->trip->writes.touched.count;
    }
    rh_compare_round_trip(&states, writes, back->arena, back->trip);
    return RH_OK;
}

static enum err_code run_phase(struct way_back *back, struct round_trip_phase *phase,
                               int phases_left, const char *what, struct err *err)
{
    RH_CLEANUP_SANDBOX struct sandbox *clone = NULL;
    struct mono began = rh_clock_mono(), deadline;
    struct err why = RH_ERR_INIT;
    phase->down_us = NOT_OBSERVED;
    if (!rh_way_back_has_time(back, phases_left, &deadline)) {
        phase->reason = "no time was left of --timeout";
        return RH_OK;
    }
    rh_interrupt_set_deadline(deadline);
    enum err_code code = rh_rehearsal_clone(back->rehearsal, &clone, &why);
    rh_progress_phase(back->rehearsal->options->progress, "%s", what);
    if (!code)
        code = migrate_and_return(back, clone, phase, &why);
    rh_interrupt_set_deadline(back->run_deadline);
    phase->duration_us = rh_clock_mono().us - began.us;
    phase->ran = !code;
    return rh_way_back_reason(back, code, &why, &phase->reason, err);
}

static enum err_code rehearse_given(struct way_back *back, struct err *err)
{
    struct round_trip *trip = back->trip;
    enum err_code code = run_phase(back, &trip->at_once, 2, "rehearse the way back", err);
    if (code || !trip->at_once.ran) {
        trip->reason = trip->at_once.reason;
        return code;
    }
    if (!trip->at_once.failure)
        code = run_phase(back, &trip->after_writes, 1, "rehearse the way back after writes", err);
    else
        trip->after_writes.reason = "the way back fails without them";
    trip->verdict = rh_round_trip_verdict_of(trip);
    return code;
}

static void describe(struct way_back *back)
{
    const struct migration_way_back *given = &back->rehearsal->way_back;
    struct round_trip *trip = back->trip;
    trip->is_given = given->is_given;
    trip->way_back = given->text;
    trip->ends_at = given->ends_at;
    trip->ends_why = given->ends_why;
    for (size_t i = 0; i < given->downs.steps.count; i++)
        *RH_PUSH(back->arena, &trip->steps) = given->downs.steps.items[i].name;
}

enum err_code rh_way_back_rehearse(struct rehearsal *rehearsal, const struct states *before,
                                   struct err *err)
{
    struct way_back back = {
        .rehearsal = rehearsal,
        .result = &rehearsal->result,
        .trip = &rehearsal->result.round_trip,
        .engine = rehearsal->options->sandbox.engine,
        .arena = rehearsal->arena,
        .before = before,
        .run_deadline = rh_interrupt_deadline(),
    };
    describe(&back);
    rh_rollback_plan_make(back.result, &before->schema, &before->data, back.arena,
                          &back.trip->plan);
    const char *why_not = rh_rehearsal_why_not_again(rehearsal);
    enum err_code code = RH_OK;
    back.trip->restore_test.was_asked = rehearsal->options->restore_test;
    back.trip->restore_test.reason = back.trip->reason = why_not;
    back.trip->is_declined = rehearsal->options->no_way_back;
    if (why_not)
        return RH_OK;
    if (back.trip->is_declined)
        back.trip->reason = "--no-way-back was given";
    else if (rehearsal->way_back.downs.steps.count > 0)
        code = rehearse_given(&back, err);
    else
        code = rh_plan_trial_run(&back, err);
    if (!code && rehearsal->options->restore_test)
        code = rh_restore_test_run(&back, err);
    return code;
}
