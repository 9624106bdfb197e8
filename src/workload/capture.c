#include "workload/capture.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "workload/capture_int.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* As for a trace: a wait that ends within it costs no wake-up. */
#define SPIN_US 50
/* How often the path looks after its recorder. */
#define TICK_US INT64_C(100000)
/* After the newest socket of the port has been made the one that is connected to: how long the
   older one still accepts what was on its way to it. */
#define YIELD_US INT64_C(500000)
/* The recorder has it all, but for what is still in the ring. */
#define FINISH_MAX_US (5 * 60 * INT64_C(1000000))
/* Kept free on the disk for the end of the file: the last batch, sums and totals. */
#define BALLAST_BYTES (8 * 1024 * 1024)

static void note(const struct capture *capture, const char *sentence)
{
    if (capture->options->note)
        capture->options->note(capture->options->context, sentence);
}

/* --- the file, on the recorder's thread ---------------------------------------------------------
 */

static enum err_code on_pattern(void *context, const struct workload_pattern *pattern,
                                struct err *err)
{
    struct capture *capture = context;

    return rh_workload_writer_pattern(capture->writer, pattern, err);
}

static enum err_code on_event(void *context, const struct workload_event *event, struct err *err)
{
    struct capture *capture = context;

    return rh_workload_writer_event(capture->writer, event, err);
}

static enum err_code on_flush(void *context, struct err *err)
{
    struct capture *capture = context;

    return rh_workload_writer_flush(capture->writer, err);
}

static uint64_t on_bytes(void *context)
{
    const struct capture *capture = context;

    return rh_workload_writer_bytes(capture->writer);
}

static void drop_ballast(struct capture *capture)
{
    if (capture->ballast_fd >= 0)
        close(capture->ballast_fd);
    capture->ballast_fd = -1;
}

static enum err_code on_finish(void *context, const struct err *failure, struct err *err)
{
    struct capture *capture = context;
    const struct capture_recorder_figures figures = rh_capture_recorder_figures(capture->recorder);

    drop_ballast(capture);
    rh_capture_totals(capture->totals_arena, capture, &capture->last_figures, &figures, failure,
                      &capture->totals);
    if (failure)
        return rh_workload_writer_keep(capture->writer, &capture->totals, err);
    return rh_workload_writer_finish(capture->writer, &capture->totals, err);
}

/* Without it the file may be short of its end when the disk is full: no reason not to begin. */
static void open_ballast(struct capture *capture)
{
    const char *out = capture->options->out, *slash = strrchr(out, '/');
    char *directory = slash ? rh_arena_strndup(capture->arena, out, (size_t)(slash - out) + 1)
                            : rh_arena_strdup(capture->arena, ".");

    capture->ballast_fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (capture->ballast_fd >= 0 && posix_fallocate(capture->ballast_fd, 0, BALLAST_BYTES) != 0)
        drop_ballast(capture);
}

/* --- the end of the recording --------------------------------------------------------------------
 */

/* Nothing more is recorded; the recorder's thread finishes the file. The forwarding goes on. */
static void end_recording(struct capture *capture)
{
    if (capture->is_recorded)
        return;
    capture->is_recorded = true;
    rh_capture_path_stop(capture->path, false);
    rh_capture_path_give_up(capture->path);
    capture->last_figures = rh_capture_path_figures(capture->path);
    rh_capture_ring_close(capture->ring);
}

static void leave(struct capture *capture);

static void recording_is_over(struct capture *capture)
{
    end_recording(capture);
    if (capture->options->exits_when_recorded)
        leave(capture);
}

static void on_limit(void *context)
{
    struct capture *capture = context;

    if (!capture->is_recorded && !capture->options->exits_when_recorded)
        note(capture,
             "note: the time of --for is over: the recording ends, the forwarding goes on");
    recording_is_over(capture);
}

static void tell_of_recorder(struct capture *capture,
                             const struct capture_recorder_figures *figures)
{
    const struct capture_path_figures path = rh_capture_path_figures(capture->path);

    if (figures->is_full && !capture->is_recorded) {
        if (!capture->options->exits_when_recorded)
            note(capture, "note: the workload has reached --max-bytes: the recording ends, the "
                          "forwarding goes on");
        recording_is_over(capture);
    }
    if (capture->has_told_failure)
        return;
    if (figures->has_failed && !capture->is_recorded) {
        capture->has_told_failure = true;
        note(capture, "warning: the recording has failed: what there is of it is kept, the "
                      "forwarding goes on");
        end_recording(capture);
    } else if (path.has_stopped && !capture->is_recorded) {
        capture->has_told_failure = true;
        note(capture, "warning: the recorder did not keep up: the recording ends, the forwarding "
                      "goes on (--when-full shed would leave out whole sessions instead)");
        end_recording(capture);
    }
}

static void on_tick(void *context)
{
    struct capture *capture = context;
    const struct capture_recorder_figures figures = rh_capture_recorder_figures(capture->recorder);

    tell_of_recorder(capture, &figures);
    rh_capture_path_tick(capture->path);
    if (!capture->has_told_binding && rh_tap_statistics(capture->tap).unbound_offers > 0) {
        capture->has_told_binding = true;
        note(capture,
             "note: clients that would bind SCRAM to the TLS channel cannot log in here: "
             "the certificate of --tls-cert is not the server's own (see \"rehearse doctor\")");
    }
    if (!capture->is_leaving)
        return;
    if (rh_interrupt_is_urgent() || rh_tap_open_sessions(capture->tap) == 0)
        rh_loop_stop(capture->loop);
}

/* --- leaving ---------------------------------------------------------------------------------- */

static void on_yielded(void *context)
{
    struct capture *capture = context;

    rh_tap_stop_listening(capture->tap);
}

static void on_drained(void *context)
{
    struct capture *capture = context;

    rh_loop_stop(capture->loop);
}

/* Nobody new comes in; those who are here go on until they end or the drain is over. */
static void leave(struct capture *capture)
{
    if (capture->is_leaving)
        return;
    capture->is_leaving = true;
    rh_loop_ignore_interrupt(capture->loop);
    rh_listen_yield(&capture->sockets);
    rh_listen_remove(&capture->sockets);
    rh_loop_timer_start(capture->yielding, YIELD_US, 0);
    rh_loop_timer_start(
        capture->draining,
        capture->options->drain_us > YIELD_US ? capture->options->drain_us : YIELD_US, 0);
}

/* --- commands -----------------------------------------------------------------------------------
 */

static const char *command(void *context, const char *name)
{
    struct capture *capture = context;

    if (capture->is_recorded || rh_capture_path_figures(capture->path).has_stopped)
        return "the recording is over\n";
    if (strcmp(name, "start") == 0)
        rh_capture_path_start(capture->path);
    else
        rh_capture_path_stop(capture->path, true);
    return NULL;
}

static void on_commands(void *context, unsigned events)
{
    struct capture *capture = context;
    struct signalfd_siginfo info;

    (void)events;
    while (read(capture->commands_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        (void)command(capture, info.ssi_signo == SIGUSR1 ? "start" : "stop");
}

/* Before any thread is made: a signal that is blocked in all of them comes to the descriptor. */
static enum err_code open_commands(struct capture *capture, struct err *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    capture->commands_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (capture->commands_fd < 0)
        return rh_err_set_errno(err, errno, "cannot listen to SIGUSR1 and SIGUSR2");

    enum err_code code = rh_loop_watch_new(capture->loop, capture->commands_fd, on_commands,
                                           capture, &capture->commands, err);

    if (!code)
        rh_loop_watch_set(capture->commands, LOOP_READABLE);
    return code;
}

/* --- beginning ----------------------------------------------------------------------------------
 */

/* Two descriptors a session: as many as we may have. */
static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static enum err_code open_recording(struct capture *capture, struct err *err)
{
    const struct capture_options *options = capture->options;
    const char *slash = strrchr(options->out, '/');
    const struct capture_ring_options ring = {
        .bytes = (size_t)options->ring_bytes,
        .spill_directory = slash ? rh_arena_strndup(capture->arena, options->out,
                                                    (size_t)(slash - options->out) + 1)
                                 : ".",
        .spill_bytes = options->spill_bytes};
    enum err_code code = rh_workload_writer_open(options->out, &capture->about, options->key,
                                                 &capture->writer, err);

    if (!code)
        code = rh_capture_ring_new(&ring, &capture->ring, err);
    if (code)
        return code;
    open_ballast(capture);

    struct capture_path_options path = {.ring = capture->ring,
                                        .began = capture->began,
                                        .has_digests = !capture->about.is_masked,
                                        .copy_max_bytes = options->copy_max_bytes,
                                        .keys = capture->about.keys.items,
                                        .key_count = capture->about.keys.count,
                                        .sheds = options->sheds};

    memcpy(path.digest_key, capture->about.digest_key, sizeof(path.digest_key));
    capture->path = rh_capture_path_new(&path);
    return RH_OK;
}

/* The last step: from here on there is a thread, and what it finishes is in place. */
static enum err_code start_recorder(struct capture *capture, struct err *err)
{
    const struct capture_options *options = capture->options;

    return rh_capture_recorder_start(
        &(struct capture_recorder_options){.ring = capture->ring,
                                           .mask = capture->mask,
                                           .keys = capture->about.keys.items,
                                           .key_count = capture->about.keys.count,
                                           .max_bytes = (uint64_t)options->max_bytes,
                                           .sink = {.pattern = on_pattern,
                                                    .event = on_event,
                                                    .flush = on_flush,
                                                    .bytes = on_bytes,
                                                    .finish = on_finish,
                                                    .context = capture}},
        &capture->recorder, err);
}

static enum err_code open_tap(struct capture *capture, struct err *err)
{
    const struct capture_options *options = capture->options;
    const struct tap_options tap = {.upstream = &capture->upstream.upstream,
                                    .client_tls = options->client_tls,
                                    .requires_client_tls = options->requires_client_tls};
    const struct tap_handler handler = rh_capture_path_handler(capture->path);
    enum err_code code = rh_tap_new(capture->loop, &tap, &handler, &capture->tap, err);

    if (!code)
        code = rh_listen_open(options->listen, &capture->sockets, err);
    for (size_t i = 0; !code && i < capture->sockets.count; i++)
        code = rh_tap_listen(capture->tap, capture->sockets.fds[i], err);
    return code;
}

static enum err_code open_metrics(struct capture *capture, struct err *err)
{
    const struct metrics_handler handler = {
        .context = capture, .page = rh_capture_page, .command = command};

    if (!capture->options->metrics)
        return RH_OK;
    return rh_metrics_server_new(capture->loop, capture->options->metrics, &handler,
                                 &capture->metrics, err);
}

static enum err_code begin(struct capture *capture, struct err *err)
{
    const struct capture_options *options = capture->options;
    enum err_code code = options->engine->describe_upstream(options->url, capture->arena,
                                                            &capture->upstream, err);

    if (code || (code = rh_loop_new(&capture->loop, err)) || (code = open_commands(capture, err)) ||
        (code = rh_capture_about(capture, err)))
        return code;
    capture->began = rh_clock_mono();
    if ((code = open_recording(capture, err)) || (code = open_tap(capture, err)) ||
        (code = open_metrics(capture, err)) || (code = start_recorder(capture, err)))
        return code;
    capture->tick = rh_loop_timer_new(capture->loop, on_tick, capture);
    capture->limit = rh_loop_timer_new(capture->loop, on_limit, capture);
    capture->yielding = rh_loop_timer_new(capture->loop, on_yielded, capture);
    capture->draining = rh_loop_timer_new(capture->loop, on_drained, capture);
    rh_loop_timer_start(capture->tick, TICK_US, TICK_US);
    if (options->for_us > 0)
        rh_loop_timer_start(capture->limit, options->for_us, 0);
    rh_loop_set_spin(capture->loop, SPIN_US);
    if (!options->starts_paused)
        rh_capture_path_start(capture->path);
    if (options->ready)
        options->ready(options->context);
    return RH_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

static enum err_code forward(struct capture *capture, struct err *err)
{
    enum err_code code = rh_loop_run(capture->loop, RH_NEVER, err);

    if (code == RH_ERR_INTERRUPTED || code == RH_ERR_TIMEOUT) {
        leave(capture);
        code = rh_loop_run(capture->loop, RH_NEVER, err);
    }
    return code;
}

static void free_capture(struct capture *capture)
{
    rh_metrics_server_free(capture->metrics);
    rh_tap_free(capture->tap);
    rh_loop_watch_free(capture->commands);
    if (capture->commands_fd >= 0)
        close(capture->commands_fd);
    if (capture->loop) {
        rh_loop_timer_free(capture->tick);
        rh_loop_timer_free(capture->limit);
        rh_loop_timer_free(capture->yielding);
        rh_loop_timer_free(capture->draining);
    }
    rh_loop_free(capture->loop);
    rh_capture_recorder_free(capture->recorder);
    rh_capture_path_free(capture->path);
    rh_capture_ring_free(capture->ring);
    rh_workload_writer_free(capture->writer);
    rh_value_mask_free(capture->mask);
    drop_ballast(capture);
}

/* The recorder's thread made them in an arena of its own. */
static void copy_totals(const struct capture *capture, struct workload_totals *ret_totals)
{
    const struct workload_totals *from = &capture->totals;

    *ret_totals = *from;
    memset(&ret_totals->gaps, 0, sizeof(ret_totals->gaps));
    memset(&ret_totals->fidelity.notes, 0, sizeof(ret_totals->fidelity.notes));
    for (size_t i = 0; i < from->gaps.count; i++)
        *RH_PUSH(capture->arena, &ret_totals->gaps) = (struct workload_gap){
            from->gaps.items[i].kind, from->gaps.items[i].count,
            rh_arena_strdup(capture->arena, from->gaps.items[i].detail)};
    for (size_t i = 0; i < from->fidelity.notes.count; i++)
        *RH_PUSH(capture->arena, &ret_totals->fidelity.notes) = rh_arena_strdup(
            capture->arena, from->fidelity.notes.items[i]);
}

static enum err_code finish(struct capture *capture, struct capture_result *result, struct err *err)
{
    enum err_code code;

    /* Sessions that are left end, on both sides and in the recording. */
    rh_metrics_server_free(capture->metrics);
    capture->metrics = NULL;
    rh_tap_free(capture->tap);
    capture->tap = NULL;
    end_recording(capture);
    code = rh_capture_recorder_finish(capture->recorder,
                                      rh_clock_after(rh_clock_mono(), FINISH_MAX_US), err);
    result->path = capture->last_figures;
    result->recorder = rh_capture_recorder_figures(capture->recorder);
    copy_totals(capture, &result->totals);
    result->duration_us = result->recorder.recorded_us;
    result->has_file = rh_file_exists(capture->options->out);
    return code;
}

enum err_code rh_capture_run(const struct capture_options *options, struct arena *arena,
                             struct capture_result *ret_result, struct err *err)
{
    struct capture capture = {
        .options = options, .arena = arena, .commands_fd = -1, .ballast_fd = -1};
    struct capture_result result = {.duration_us = 0};

    raise_limits();
    capture.totals_arena = rh_arena_new();

    enum err_code code = begin(&capture, err);

    if (!code) {
        struct err forward_err = RH_ERR_INIT;
        enum err_code forward_code = forward(&capture, &forward_err);

        code = finish(&capture, &result, err);
        if (!code && forward_code) {
            *err = forward_err;
            code = forward_code;
        }
    }
    free_capture(&capture);
    rh_arena_free(capture.totals_arena);
    *ret_result = result;
    return code;
}
