#include "rehearsal/repeat.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "compare/compare_ends.h"

#include <poll.h>
#include <string.h>

/* A backend that is told of its client's end ends within milliseconds. */
#define SILENCE_MAX_US (INT64_C(10) * 1000 * 1000)
#define SILENCE_POLL_MS 1
#define ANSWER_MAX_US (INT64_C(10) * 1000 * 1000)

static const struct engine *engine_of(const struct repeating *repeating)
{
    return repeating->rehearsal->options->sandbox.engine;
}

/* --- one run -------------------------------------------------------------------------------------
 */

static enum err_code perform(const struct repeating *repeating, struct sandbox *sandbox,
                             const struct migration *migration, const struct cut_request *request,
                             struct loop *loop, struct repeated *repeated, struct err *err)
{
    const struct rehearsal *rehearsal = repeating->rehearsal;
    const struct cutter_options cutter_options = {
        .engine = engine_of(repeating), .sandbox = sandbox, .loop = loop, .request = request};
    const struct performance_options options = {
        .sandbox = sandbox,
        .engine = engine_of(repeating),
        .migration = migration,
        .environment = rehearsal->options->environment,
        .no_isolation = rehearsal->options->no_isolation,
        .output_path = rehearsal->files.directory
                           ? rh_file_join(rehearsal->arena, rehearsal->files.directory, "again.log")
                           : NULL,
        .loop = loop,
    };
    struct cutter *cutter = NULL;
    enum err_code code = rh_cutter_new(&cutter_options, rehearsal->arena, &cutter, err);
    if (code)
        return code;
    const struct audience audience = rh_cutter_audience(cutter);
    code = rh_perform(&options, &audience, rehearsal->arena, &repeated->performance, err);
    repeated->report = rh_cutter_report(cutter);
    rh_cutter_free(cutter);
    return code;
}

enum err_code rh_repeat(const struct repeating *repeating, struct sandbox *sandbox,
                        size_t first_step, const struct cut_request *request,
                        struct repeated *repeated, struct err *err)
{
    RH_CLEANUP_LOOP struct loop *loop = NULL;
    const struct migration *whole = &repeating->rehearsal->migration;
    const struct migration migration = rh_migration_part(whole, first_step, whole->steps.count);
    struct mono deadline = rh_interrupt_deadline(), began = rh_clock_mono();
    enum err_code code = rh_loop_new(&loop, err);
    *repeated = (struct repeated){0};
    if (code)
        return code;
    rh_interrupt_set_deadline(
        rh_clock_earlier(deadline, rh_clock_after(began, repeating->run_max_us)));
    code = perform(repeating, sandbox, &migration, request, loop, repeated, err);
    rh_interrupt_set_deadline(deadline);
    repeated->duration_us = rh_clock_mono().us - began.us;
    if (code)
        return code;
    if ((code = rh_interrupt_check(err)))
        return code;
    repeated->took_too_long = repeated->performance.timed_out;
    return RH_OK;
}

/* A client of ours that never got to a statement: what it heard. */
static const char *client_failure(const struct repeating *repeating,
                                  const struct performance *performance)
{
    for (size_t i = 0; i < performance->steps.count; i++)
        if (performance->steps.items[i].failure.code)
            return rh_arena_strdup(repeating->rehearsal->arena,
                                   performance->steps.items[i].failure.message);
    return NULL;
}

void rh_repeat_tell(const struct repeating *repeating, const struct repeated *repeated,
                    size_t first_step, struct repeated_run *run)
{
    struct arena *arena = repeating->rehearsal->arena;
    const struct migration *migration = &repeating->rehearsal->migration;
    const struct performance *performance = &repeated->performance;
    *run = (struct repeated_run){
        .was_run = true,
        .ok = rh_performance_is_ok(performance) && !repeated->took_too_long,
        .step = first_step > 0 ? migration->steps.items[first_step].name : NULL,
        .statements = repeated->report.statements,
        .ddl = repeated->report.ddl,
        .exit_status = -1,
        .duration_us = repeated->duration_us,
    };
    if (run->ok)
        return;
    run->error = repeated->report.error;
    run->error_sql = repeated->report.error_sql;
    for (size_t i = 0; i < performance->steps.count; i++)
        if (performance->steps.items[i].reached && !performance->steps.items[i].ok)
            run->exit_status = performance->steps.items[i].exit_status;
    if (repeated->took_too_long) {
        char limit[24];
        rh_duration_format(repeating->run_max_us, limit);
        run->reason = rh_arena_printf(arena, "it did not end within %s", limit);
    } else if (performance->server_died) {
        run->reason = "the server died";
    } else if (!run->error) {
        run->reason = client_failure(repeating, performance);
        if (!run->reason && run->exit_status >= 0)
            run->reason = rh_arena_printf(arena, "it ended with status %d", run->exit_status);
    }
}

/* --- its end -------------------------------------------------------------------------------------
 */

static struct end_state end_of(const struct states *states)
{
    return (struct end_state){.schema = states->schema_reason ? NULL : &states->schema,
                              .data = states->data_reason ? NULL : &states->data};
}

static enum err_code read_twin(struct repeating *repeating, struct err *err)
{
    struct rehearsal *rehearsal = repeating->rehearsal;
    RH_CLEANUP_SANDBOX struct sandbox *clone = NULL;
    struct states like = rh_states_by_name(repeating->end);
    struct repeated repeated;
    enum err_code code;
    repeating->has_twin = true;
    if ((code = rh_rehearsal_clone(rehearsal, &clone, err)) ||
        (code = rh_repeat(repeating, clone, 0, NULL, &repeated, err)))
        return code;
    rh_repeat_await_silence(repeating, clone);
    if (!rh_performance_is_ok(&repeated.performance)) {
        repeating->twin.schema_reason = repeating->twin.data_reason = "another run of it failed";
        return RH_OK;
    }
    return rh_states_read_again(&like, clone, engine_of(repeating), NULL, rehearsal->arena,
                                &repeating->twin, err);
}

enum err_code rh_repeat_compare(struct repeating *repeating, struct sandbox *sandbox,
                                bool renumbers, struct end_difference *difference, struct err *err)
{
    struct rehearsal *rehearsal = repeating->rehearsal;
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    struct states like = rh_states_by_name(repeating->end), states;
    enum err_code code;
    if ((code = rh_states_read_again(&like, sandbox, engine_of(repeating), NULL, scratch, &states,
                                     err)))
        return code;
    const struct end_state expected = end_of(repeating->end), actual = end_of(&states);
    rh_compare_ends(&expected, &actual, NULL, renumbers, rehearsal->arena, difference);
    if (!difference->was_compared) {
        const char *reason = repeating->end->schema_reason ? repeating->end->schema_reason
                                                           : states.schema_reason;
        difference->reason = reason ? rh_arena_strdup(rehearsal->arena, reason) : NULL;
    }
    if (difference->count == 0)
        return RH_OK;
    if (!repeating->has_twin && (code = read_twin(repeating, err)))
        return code;
    const struct end_state twin = end_of(&repeating->twin);
    rh_compare_ends(&expected, &actual, &twin, renumbers, rehearsal->arena, difference);
    return RH_OK;
}

/* --- looking at the server -----------------------------------------------------------------------
 */

static struct connection *connect(const struct repeating *repeating, const struct sandbox *sandbox)
{
    struct connection_parameters superuser = rh_sandbox_superuser(sandbox);
    struct connection *connection = NULL;
    struct err ignored = RH_ERR_INIT;
    superuser.application_name = "rehearse/repeat";
    if (engine_of(repeating)->connect(&superuser, rh_clock_after(rh_clock_mono(), ANSWER_MAX_US),
                                      &connection, &ignored))
        return NULL;
    return connection;
}

void rh_repeat_await_silence(const struct repeating *repeating, const struct sandbox *sandbox)
{
    static const char *const nobody[] = {"0"};
    const struct engine *engine = engine_of(repeating);
    struct mono until = rh_clock_after(rh_clock_mono(), SILENCE_MAX_US);
    struct connection *connection = connect(repeating, sandbox);
    struct err ignored = RH_ERR_INIT;
    while (connection && !rh_clock_passed(until)) {
        RH_CLEANUP_ROWS struct rows *rows = NULL;
        if (engine->ask(connection, ENGINE_QUERY_SESSION_LOCKS, nobody, 1, until, &rows,
                        &ignored) ||
            rh_rows_int(rows, 0, 3, 0) == 0)
            break;
        struct pollfd interrupt = {.fd = rh_interrupt_fd(), .events = POLLIN};
        if (poll(&interrupt, 1, SILENCE_POLL_MS) > 0)
            break;
    }
    engine->close(connection);
}

static bool was_left_anyway(const struct trace *trace, const char *kind, const char *identity)
{
    for (size_t i = 0; i < trace->leftovers.count; i++)
        if (strcmp(trace->leftovers.items[i].kind, kind) == 0 &&
            strcmp(trace->leftovers.items[i].identity, identity) == 0)
            return true;
    return false;
}

struct repeat_names rh_repeat_unfinished(const struct repeating *repeating,
                                         const struct sandbox *sandbox)
{
    const struct engine *engine = engine_of(repeating);
    struct rehearsal *rehearsal = repeating->rehearsal;
    struct repeat_names found = {0};
    RH_CLEANUP_ROWS struct rows *rows = NULL;
    struct connection *connection = connect(repeating, sandbox);
    struct err ignored = RH_ERR_INIT;
    if (connection && !engine->ask(connection, ENGINE_QUERY_LEFTOVERS, NULL, 0,
                                   rh_clock_after(rh_clock_mono(), ANSWER_MAX_US), &rows, &ignored))
        for (size_t i = 0; i < rh_rows_count(rows) && i < DIFFERENCES_KEPT_MAX; i++) {
            const char *kind = rh_rows_value(rows, i, 0), *identity = rh_rows_value(rows, i, 1);
            if (!was_left_anyway(&rehearsal->trace, kind, identity))
                *RH_PUSH(rehearsal->arena, &found.names) = rh_arena_printf(rehearsal->arena,
                                                                           "%s %s", kind, identity);
        }
    engine->close(connection);
    return found;
}
