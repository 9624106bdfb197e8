#include "trace/trace.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "observe/observer.h"
#include "sql/clauses.h"
#include "trace/drive_int.h"
#include "trace/recorder.h"
#include "trace/redact.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Spin before sleeping: the tap answers within the time a statement of its own takes; a
   relay's cost is the wake-up. */
#define SPIN_US 50
/* Installing the evidence and reading the catalogue of a hundred thousand relations takes seconds.
 */
#define PREPARE_MAX_US (60 * 1000 * 1000)
#define FINISH_MAX_US (60 * 1000 * 1000)
/* The server has so long to say that a process of its own died. */
#define CRASH_WORDS_US (3 * 1000 * 1000)
#define LOG_TAIL_BYTES (16 * 1024)
#define LOG_TAIL_LINES 20
#define LISTEN_BACKLOG 64

/* Everything that has to go at the end, whatever happened. */
struct tracing {
    struct loop *loop;
    struct recorder *recorder;
    struct observer *observer;
    struct tap *tap;
    struct loop_watch *server_watch;
    struct drive drive;
};

static void tracing_deinit(struct tracing *tracing)
{
    rh_loop_watch_free(tracing->server_watch);
    rh_tap_free(tracing->tap);
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
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(secret + 2 * i, 3, "%02x", bytes[i]);
    *ret_secret = secret;
    return RH_OK;
}

/* The tap's own socket, where clients of ours connect as to a server: DIRECTORY/.s.PGSQL.5432. */
static enum err_code listen_on_socket(struct tracing *tracing, struct err *err)
{
    struct drive *drive = &tracing->drive;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    enum err_code code;
    char *directory = rh_file_join(drive->arena, rh_sandbox_directory(drive->options->sandbox),
                                   "tap");
    char *path = rh_arena_printf(drive->arena, "%s/.s.PGSQL.5432", directory);
    if (strlen(path) >= sizeof(address.sun_path))
        return rh_err_set(err, RH_ERR_ENVIRONMENT, "the path \"%s\" is too long for a socket",
                          path);
    if ((code = rh_file_make_directories(directory, 0700, err)))
        return code;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    (void)unlink(path);
    RH_CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, LISTEN_BACKLOG) < 0)
        return rh_err_set_errno(err, errno, "cannot listen on \"%s\"", path);
    drive->role = rh_sandbox_migration_role(drive->options->sandbox);
    drive->role.socket_directory = directory;
    drive->role.host = NULL;
    drive->role.port = 5432;
    drive->role.application_name = "rehearse";
    return rh_tap_listen(tracing->tap, rh_fd_take(&fd), err);
}

static void on_server_ended(void *context, unsigned events)
{
    struct tracing *tracing = context;
    (void)events;
    tracing->drive.server_died = true;
    rh_loop_watch_set(tracing->server_watch, 0);
    rh_loop_stop(tracing->loop);
}

static enum err_code prepare(struct tracing *tracing, const struct trace_options *options,
                             struct arena *arena, struct trace *trace, struct err *err)
{
    struct drive *drive = &tracing->drive;
    const char *secret = NULL;
    enum err_code code;
    *drive = (struct drive){.options = options, .arena = arena, .trace = trace};
    if ((code = make_secret(arena, &secret, err)) || (code = rh_loop_new(&tracing->loop, err)))
        return code;
    rh_loop_set_spin(tracing->loop, SPIN_US);
    const struct recorder_options recorder_options = {
        .engine = options->engine,
        .loop = tracing->loop,
        .trace = trace,
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
    const struct tap_options tap_options = {
        .server_socket_path = rh_sandbox_socket_path(options->sandbox)};
    const struct tap_handler handler = rh_recorder_tap_handler(tracing->recorder);
    if ((code = rh_tap_new(tracing->loop, &tap_options, &handler, &tracing->tap, err)) ||
        (code = listen_on_socket(tracing, err)) ||
        (code = rh_loop_watch_new(tracing->loop, rh_sandbox_server_pidfd(options->sandbox),
                                  on_server_ended, tracing, &tracing->server_watch, err)))
        return code;
    rh_loop_watch_set(tracing->server_watch, LOOP_READABLE);
    drive->loop = tracing->loop;
    drive->tap = tracing->tap;
    drive->recorder = tracing->recorder;
    return RH_OK;
}

/* --- draining --- */

static void on_look(void *context)
{
    rh_loop_stop(context);
}

enum err_code rh_drive_drain(struct drive *drive, struct err *err)
{
    struct mono deadline = rh_clock_after(rh_clock_mono(), DRAIN_MAX_US);
    struct loop_timer *timer = NULL;
    enum err_code code = RH_OK;
    while ((rh_tap_open_sessions(drive->tap) > 0 || !rh_recorder_is_idle(drive->recorder)) &&
           !drive->server_died && !code && !rh_clock_passed(deadline)) {
        if (!timer) {
            timer = rh_loop_timer_new(drive->loop, on_look, drive->loop);
            rh_loop_timer_start(timer, 1000, 1000);
        }
        code = rh_loop_run(drive->loop, RH_NEVER, err);
    }
    rh_loop_timer_free(timer);
    return code;
}

/* --- steps --- */

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

static enum err_code run_step(struct tracing *tracing, size_t index, struct err *err)
{
    struct drive *drive = &tracing->drive;
    struct trace *trace = drive->trace;
    const struct migration_step *from = &drive->options->migration->steps.items[index];
    struct step *step = &trace->steps.items[index];
    int exit_status = -1;
    bool ok = false;
    enum err_code code;

    step->reached = true;
    step->start_us = rh_recorder_now(tracing->recorder);
    rh_progress_phase(drive->options->progress, "run %s", from->name);
    rh_recorder_emit(tracing->recorder, "step_started",
                     json_pack("{s:i, s:s}", "step", (int)index, "name", from->name));
    if (from->kind == STEP_SQL)
        code = rh_drive_sql(drive, from, (int)index, &ok, err);
    else
        code = rh_drive_command(drive, from, (int)index, &ok, &exit_status, err);
    step->ok = ok && !code;
    step->exit_status = exit_status;
    step->duration_us = rh_recorder_now(tracing->recorder) - step->start_us;
    rh_recorder_emit(tracing->recorder, "step_ended",
                     json_pack("{s:i, s:b, s:I}", "step", (int)index, "ok", step->ok, "duration_us",
                               (json_int_t)step->duration_us));
    return code;
}

static enum err_code run_steps(struct tracing *tracing, struct err *err)
{
    struct trace *trace = tracing->drive.trace;
    list_steps(tracing->drive.options->migration, trace);
    rh_recorder_start(tracing->recorder);
    for (size_t i = 0; i < trace->steps.count && !tracing->drive.server_died; i++) {
        enum err_code code = run_step(tracing, i, err);
        if (code)
            return code;
        if (!trace->steps.items[i].ok)
            break;
    }
    return RH_OK;
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

static void look_for_crash(struct tracing *tracing)
{
    const struct trace_options *options = tracing->drive.options;
    struct trace *trace = tracing->drive.trace;
    const char *reason = NULL;
    bool crashed = rh_sandbox_has_crashed(options->sandbox, &reason);
    /* A client hears of a killed backend before the server has said so in its log. */
    struct mono until = rh_clock_after(rh_clock_mono(), CRASH_WORDS_US);
    while (!crashed && is_suspicious(trace) && !rh_clock_passed(until)) {
        struct pollfd server = {.fd = rh_sandbox_server_pidfd(options->sandbox), .events = POLLIN};
        (void)poll(&server, 1, 10);
        crashed = rh_sandbox_has_crashed(options->sandbox, &reason);
    }
    if (!crashed && !trace->server_crashed && !tracing->drive.server_died)
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
    struct tracing tracing = {0};
    memset(trace, 0, sizeof(*trace));
    trace->arena = arena;
    trace->started_at = rh_clock_wall();
    enum err_code code = prepare(&tracing, options, arena, trace, err);
    if (!code) {
        code = run_steps(&tracing, err);
        trace->duration_us = rh_recorder_now(tracing.recorder);
        trace->timed_out = code == RH_ERR_TIMEOUT;
        trace->interrupted = code == RH_ERR_INTERRUPTED;
        if (trace->timed_out || trace->interrupted)
            code = RH_OK;
        rh_recorder_finish(tracing.recorder);
        for (size_t i = 0; i < trace->statements.count; i++)
            rh_sql_clauses(&trace->statements.items[i], arena);
        look_for_crash(&tracing);
        finish_observing(&tracing, trace);
    }
    tracing_deinit(&tracing);
    return code;
}
