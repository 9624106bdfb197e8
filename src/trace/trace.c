#include "trace/trace.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "observe/observer.h"
#include "sql/clauses.h"
#include "trace/perform.h"
#include "trace/recorder.h"
#include "trace/redact.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Installing the evidence and reading the catalogue of a hundred thousand relations takes seconds.
 */
#define PREPARE_MAX_US (60 * 1000 * 1000)
#define FINISH_MAX_US (60 * 1000 * 1000)
/* The server has so long to say that a process of its own died. */
#define CRASH_WORDS_US (3 * 1000 * 1000)
#define LOG_TAIL_BYTES (16 * 1024)
#define LOG_TAIL_LINES 20

/* Everything that has to go at the end, whatever happened. */
struct tracing {
    const struct trace_options *options;
    struct trace *trace;
    struct loop *loop;
    struct recorder *recorder;
    struct observer *observer;
};

static void tracing_deinit(struct tracing *tracing)
{
    rh_observer_free(tracing->observer);
    rh_recorder_free(tracing->recorder);
    rh_loop_free(tracing->loop);
}

static enum err_code make_secret(struct arena *arena, const char **ret_secret, struct err *err)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return rh_err_set_errno(err, errno, "cannot get random bytes");
    char *secret = rh_arena_alloc(arena, 2 * sizeof(bytes) + 1);
    rh_text_hex(bytes, sizeof(bytes), secret);
    *ret_secret = secret;
    return RH_OK;
}

static enum err_code prepare(struct tracing *tracing, struct arena *arena, struct err *err)
{
    const struct trace_options *options = tracing->options;
    const char *secret = NULL;
    enum err_code code;
    if ((code = make_secret(arena, &secret, err)) || (code = rh_loop_new(&tracing->loop, err)))
        return code;
    const struct recorder_options recorder_options = {
        .engine = options->engine,
        .loop = tracing->loop,
        .trace = tracing->trace,
        .evidence_secret = secret,
        .log_path = rh_sandbox_log_path(options->sandbox),
        .data_directory = rh_sandbox_data_directory(options->sandbox),
        .event = options->event,
        .event_context = options->event_context};
    if ((code = rh_recorder_new(&recorder_options, &tracing->recorder, err)))
        return code;
    const struct observer_options observer_options = {
        .engine = options->engine,
        .superuser = rh_sandbox_superuser(options->sandbox),
        .loop = tracing->loop,
        .evidence_secret = secret,
        .handler = rh_recorder_observer_handler(tracing->recorder)};
    if ((code = rh_observer_new(&observer_options, rh_clock_after(rh_clock_mono(), PREPARE_MAX_US),
                                &tracing->observer, err)))
        return code;
    rh_recorder_set_observer(tracing->recorder, tracing->observer);
    return RH_OK;
}

/* --- the recorder as the audience --- */

static void on_place(void *context, int step, int line, int column)
{
    const struct tracing *tracing = context;
    rh_recorder_set_place(tracing->recorder, step, line, column);
}

static void on_script(void *context, int step, struct text script, size_t offset)
{
    const struct tracing *tracing = context;
    rh_recorder_set_script(tracing->recorder, step, script, offset);
}

static void on_drops_rows(void *context, bool drops_rows)
{
    const struct tracing *tracing = context;
    rh_recorder_set_drops_rows(tracing->recorder, drops_rows);
}

static void on_step_started(void *context, int index)
{
    const struct tracing *tracing = context;
    struct step *step = &tracing->trace->steps.items[index];
    step->reached = true;
    step->start_us = rh_recorder_now(tracing->recorder);
    rh_recorder_emit(tracing->recorder, "step_started",
                     json_pack("{s:i, s:s}", "step", index, "name", step->name));
}

static void on_step_ended(void *context, int index, bool ok, int exit_status)
{
    const struct tracing *tracing = context;
    struct step *step = &tracing->trace->steps.items[index];
    step->ok = ok;
    step->exit_status = exit_status;
    step->duration_us = rh_recorder_now(tracing->recorder) - step->start_us;
    rh_recorder_emit(tracing->recorder, "step_ended",
                     json_pack("{s:i, s:b, s:I}", "step", index, "ok", ok, "duration_us",
                               (json_int_t)step->duration_us));
}

static bool is_idle(const void *context)
{
    const struct tracing *tracing = context;
    return rh_recorder_is_idle(tracing->recorder);
}

static void on_ended(void *context)
{
    const struct tracing *tracing = context;
    tracing->trace->duration_us = rh_recorder_now(tracing->recorder);
    rh_recorder_finish(tracing->recorder);
}

static void list_steps(const struct migration *migration, struct trace *trace)
{
    for (size_t i = 0; i < migration->steps.count; i++) {
        const struct migration_step *from = &migration->steps.items[i];
        struct step *step = RH_PUSH(trace->arena, &trace->steps);
        step->name = from->name;
        step->path = from->path;
        step->is_command = from->kind == STEP_COMMAND;
        memcpy(step->sha256, from->sha256, sizeof(step->sha256));
        step->exit_status = -1;
    }
}

/* The tool's own ROLLBACK may follow the statement that failed. */
static bool has_error(const struct trace *trace, int step)
{
    for (size_t i = trace->statements.count; i-- > 0 && trace->statements.items[i].step == step;)
        if (trace->statements.items[i].error)
            return true;
    return false;
}

/* What the server did not say itself, the trace cannot show. */
static enum err_code check_failures(const struct performance *performance,
                                    const struct trace *trace, struct err *err)
{
    for (size_t i = 0; i < performance->steps.count; i++) {
        const struct performed_step *step = &performance->steps.items[i];
        if (step->ok || step->failure.code != RH_ERR_SERVER || has_error(trace, (int)i))
            continue;
        *err = step->failure;
        rh_err_while(err, "while running \"%s\"", trace->steps.items[i].name);
        return err->code;
    }
    return RH_OK;
}

static enum err_code perform(struct tracing *tracing, struct performance *performance,
                             struct err *err)
{
    const struct trace_options *options = tracing->options;
    struct trace *trace = tracing->trace;
    const struct performance_options performance_options = {.sandbox = options->sandbox,
                                                            .engine = options->engine,
                                                            .migration = options->migration,
                                                            .environment = options->environment,
                                                            .no_isolation = options->no_isolation,
                                                            .output_path = options->output_path,
                                                            .progress = options->progress,
                                                            .loop = tracing->loop};
    const struct audience audience = {.context = tracing,
                                      .handler = rh_recorder_tap_handler(tracing->recorder),
                                      .place = on_place,
                                      .script = on_script,
                                      .drops_rows = on_drops_rows,
                                      .step_started = on_step_started,
                                      .step_ended = on_step_ended,
                                      .is_idle = is_idle,
                                      .ended = on_ended};
    list_steps(options->migration, trace);
    rh_recorder_start(tracing->recorder);
    enum err_code code = rh_perform(&performance_options, &audience, trace->arena, performance,
                                    err);
    trace->timed_out = performance->timed_out;
    trace->interrupted = performance->interrupted;
    return code;
}

/* --- the end --- */

/* The last lines of the server's log. Row values stand in them as in any message: masked. */
static void read_log_tail(const struct trace_options *options, struct trace *trace)
{
    RH_CLEANUP_FD int fd = open(rh_sandbox_log_path(options->sandbox), O_RDONLY | O_CLOEXEC);
    char *buffer = rh_arena_alloc(trace->arena, LOG_TAIL_BYTES);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return;
    off_t from = status.st_size > LOG_TAIL_BYTES ? status.st_size - LOG_TAIL_BYTES : 0;
    ssize_t got = pread(fd, buffer, LOG_TAIL_BYTES, from);
    if (got <= 0)
        return;
    struct text rest = {buffer, (size_t)got};
    size_t lines = 0, start = rest.len;
    while (start > 0 && lines < LOG_TAIL_LINES)
        if (rest.data[--start] == '\n' && start + 1 < rest.len)
            lines++;
    while (start < rest.len) {
        const char *end = memchr(rest.data + start, '\n', rest.len - start);
        size_t len = (end ? (size_t)(end - rest.data) : rest.len) - start;
        if (len > 0)
            *RH_PUSH(trace->arena, &trace->log_tail) = rh_mask_log_line(
                trace->arena, (struct text){rest.data + start, len});
        start += len + 1;
    }
}

/* A statement that no one ended, or an observer cut off: a server that died would look like that.
 */
static bool is_suspicious(const struct trace *trace)
{
    if (trace->timed_out || trace->interrupted)
        return false;
    for (size_t i = trace->statements.count; i > 0; i--)
        if (!trace->statements.items[i - 1].finished)
            return true;
    return trace->observer_lost;
}

static void look_for_crash(struct tracing *tracing, bool server_died)
{
    const struct trace_options *options = tracing->options;
    struct trace *trace = tracing->trace;
    const char *reason = NULL;
    bool crashed = rh_sandbox_has_crashed(options->sandbox, &reason);
    /* A client hears of a killed backend before the server has said so in its log. */
    struct mono until = rh_clock_after(rh_clock_mono(), CRASH_WORDS_US);
    while (!crashed && is_suspicious(trace) && !rh_clock_passed(until)) {
        struct pollfd server = {.fd = rh_sandbox_server_pidfd(options->sandbox), .events = POLLIN};
        (void)poll(&server, 1, 10);
        crashed = rh_sandbox_has_crashed(options->sandbox, &reason);
    }
    if (!crashed && !trace->server_crashed && !server_died)
        return;
    trace->server_crashed = true;
    if (reason)
        trace->crash_reason = rh_arena_strdup(trace->arena, reason);
    read_log_tail(options, trace);
}

static void finish_observing(struct tracing *tracing, struct trace *trace)
{
    struct err err = RH_ERR_INIT;
    enum err_code code = rh_observer_finish(tracing->observer, trace,
                                            rh_clock_after(rh_clock_mono(), FINISH_MAX_US), &err);
    if (code)
        *RH_PUSH(trace->arena, &trace->not_observed) = rh_arena_printf(
            trace->arena, "what the migration left behind was not observed: %s", err.message);
}

enum err_code rh_trace_run(const struct trace_options *options, struct arena *arena,
                           struct trace *trace, struct err *err)
{
    struct tracing tracing = {.options = options, .trace = trace};
    struct performance performance = {0};
    memset(trace, 0, sizeof(*trace));
    trace->arena = arena;
    trace->started_at = rh_clock_wall();
    enum err_code code = prepare(&tracing, arena, err);
    if (!code) {
        code = perform(&tracing, &performance, err);
        if (!code)
            code = check_failures(&performance, trace, err);
        for (size_t i = 0; i < trace->statements.count; i++)
            rh_sql_clauses(&trace->statements.items[i], arena);
        look_for_crash(&tracing, performance.server_died);
        finish_observing(&tracing, trace);
    }
    tracing_deinit(&tracing);
    return code;
}
