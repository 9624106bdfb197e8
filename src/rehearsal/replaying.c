#include "rehearsal/replaying.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "replay/samples.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opening thousands of sessions and preparing their statements: seconds; a server that does not
   answer, no more. */
#define PREPARE_MAX_US (120 * INT64_C(1000000))
/* Requests under way when it is told to end are waited for by the replay itself, briefly. */
#define END_MAX_US (30 * INT64_C(1000000))
#define GRACE_US (2 * INT64_C(1000000))
/* Between two looks at the file of samples, before the replay begins. */
#define LOOK_US 5000
/* The recording begins so long after it was said: it must not be in the past when it is read. */
#define HEAD_START_US 20000
#define SAID_MAX_BYTES ((size_t)16 * 1024)
#define RESULT_MAX_BYTES ((size_t)256 * 1024 * 1024)
#define SAMPLES_AT_ONCE 4096

static enum err_code open_nameless(const char *directory, int *ret_fd, struct err *err)
{
    *ret_fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*ret_fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        /* A file system without nameless files. */
        char path[4096];
        int length = snprintf(path, sizeof(path), "%s/replay-XXXXXX", directory);
        if (length > 0 && (size_t)length < sizeof(path)) {
            *ret_fd = mkostemp(path, O_CLOEXEC);
            if (*ret_fd >= 0)
                unlink(path);
        }
    }
    if (*ret_fd < 0)
        return rh_err_set_errno(err, errno, "cannot make a file in %s", directory);
    return RH_OK;
}

/* A value of a connection string. */
static const char *quoted(struct arena *arena, const char *value)
{
    RH_CLEANUP_BUF struct buf text;
    rh_buf_init(&text, 4096);
    rh_buf_add_char(&text, '\'');
    for (const char *c = value; *c; c++) {
        if (*c == '\'' || *c == '\\')
            rh_buf_add_char(&text, '\\');
        rh_buf_add_char(&text, *c);
    }
    rh_buf_add_char(&text, '\'');
    return rh_text_dup(arena, rh_buf_text(&text));
}

static enum err_code write_password(const struct replaying_options *options, struct arena *arena,
                                    struct replaying *replaying, struct err *err)
{
    replaying->password_path = rh_file_join(arena, options->directory, "replay.pgpass");
    return rh_file_write(replaying->password_path,
                         rh_text(rh_arena_printf(arena, "*:*:*:*:%s\n", options->target.password)),
                         0600, err);
}

/* Its last words, as an error of ours. */
static enum err_code failure(const struct replaying *replaying, struct err *err)
{
    char said[SAID_MAX_BYTES];
    char status[48];
    struct stat facts;
    off_t from = fstat(replaying->said_fd, &facts) == 0 && facts.st_size > (off_t)sizeof(said)
                     ? facts.st_size - (off_t)sizeof(said)
                     : 0;
    ssize_t got = pread(replaying->said_fd, said, sizeof(said), from);
    struct text text = rh_text_trim((struct text){said, got > 0 ? (size_t)got : 0});
    static const char prefix[] = "error: ";
    const char *line = text.len > 0 ? memmem(text.data, text.len, prefix, strlen(prefix)) : NULL;
    if (line) {
        line += strlen(prefix);
        size_t length = (size_t)(text.data + text.len - line);
        const char *end = memchr(line, '\n', length);
        return rh_err_set(err, RH_ERR_ENVIRONMENT, "%.*s",
                          (int)(end ? (size_t)(end - line) : length), line);
    }
    return rh_err_set(err, RH_ERR_ENVIRONMENT, "the replay ended with %s",
                      rh_process_status_text(&replaying->process, status));
}

/* Waits for the child's end, the interrupt, or so long. */
static enum err_code wait_for(struct replaying *replaying, int64_t us, struct err *err)
{
    struct mono until = rh_clock_earlier(rh_clock_after(rh_clock_mono(), us),
                                         rh_interrupt_deadline());
    while (!rh_process_poll(&replaying->process)) {
        enum err_code code = rh_interrupt_check(err);
        if (code)
            return code;
        if (rh_clock_passed(until))
            break;
        struct pollfd watched[] = {{.fd = replaying->process.pidfd, .events = POLLIN},
                                   {.fd = rh_interrupt_fd(), .events = POLLIN}};
        if (poll(watched, 2, rh_clock_poll_ms(until)) < 0 && errno != EINTR)
            return rh_err_set_errno(err, errno, "cannot wait for the replay");
    }
    return RH_OK;
}

static bool is_prepared(const struct replaying *replaying)
{
    struct stat facts;
    return fstat(replaying->samples_fd, &facts) == 0 &&
           facts.st_size >= SAMPLES_HEAD_BYTES + SAMPLE_BYTES;
}

static enum err_code await_prepared(struct replaying *replaying, struct err *err)
{
    struct mono deadline = rh_clock_after(rh_clock_mono(), PREPARE_MAX_US);
    while (!is_prepared(replaying)) {
        if (rh_process_poll(&replaying->process))
            return failure(replaying, err);
        if (rh_clock_passed(deadline))
            return rh_err_set(err, RH_ERR_TIMEOUT, "the replay was not ready within %d s",
                              (int)(PREPARE_MAX_US / 1000000));
        enum err_code code = wait_for(replaying, LOOK_US, err);
        if (code)
            return code;
    }
    return RH_OK;
}

enum err_code rh_replaying_start(const struct replaying_options *options, struct arena *arena,
                                 struct replaying *ret_replaying, struct err *err)
{
    struct replaying *replaying = ret_replaying;
    const struct connection_parameters *target = &options->target;
    int gate[2] = {-1, -1};
    enum err_code code;

    replaying->result_path = rh_file_join(arena, options->directory, "replay.json");
    if ((code = open_nameless(options->directory, &replaying->samples_fd, err)) ||
        (code = open_nameless(options->directory, &replaying->said_fd, err)) ||
        (code = write_password(options, arena, replaying, err)))
        return code;
    if (pipe2(gate, O_CLOEXEC) < 0)
        return rh_err_set_errno(err, errno, "cannot make a pipe");
    replaying->gate_fd = gate[1];

    VEC(const char *) argv = {0};
    const char *const words[] = {
        "/proc/self/exe",
        "replay",
        options->workload,
        "--to",
        rh_arena_printf(arena, "host=%s port=%u user=%s dbname=%s passfile=%s",
                        quoted(arena, target->socket_directory), target->port,
                        quoted(arena, target->user), quoted(arena, target->database),
                        quoted(arena, replaying->password_path)),
        "--speed",
        rh_arena_printf(arena, "%g", options->speed),
        "--gate-fd",
        "0",
        "--samples-fd",
        "1",
        "--out",
        replaying->result_path,
        "--no-config",
        "--quiet",
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        *RH_PUSH(arena, &argv) = words[i];
    if (options->key_path) {
        *RH_PUSH(arena, &argv) = "--workload-key";
        *RH_PUSH(arena, &argv) = options->key_path;
    }
    *RH_PUSH(arena, &argv) = NULL;
    const struct process_options process_options = {
        .argv = argv.items,
        .stdin_fd = gate[0],
        .stdout_fd = replaying->samples_fd,
        .stderr_fd = replaying->said_fd,
        .new_group = true,
    };
    code = rh_process_start(&replaying->process, &process_options, err);
    close(gate[0]);
    return code ? code : await_prepared(replaying, err);
}

enum err_code rh_replaying_begin(struct replaying *replaying, struct err *err)
{
    uint8_t bytes[8];
    replaying->began = rh_clock_after(rh_clock_mono(), HEAD_START_US);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)((uint64_t)replaying->began.us >> (8 * i));
    if (write(replaying->gate_fd, bytes, sizeof(bytes)) != sizeof(bytes))
        return rh_process_poll(&replaying->process)
                   ? failure(replaying, err)
                   : rh_err_set_errno(err, errno, "cannot tell the replay to begin");
    return RH_OK;
}

enum err_code rh_replaying_rest(struct replaying *replaying, int64_t us, struct err *err)
{
    enum err_code code = wait_for(replaying, us, err);
    if (!code && replaying->process.has_ended && rh_process_exit_status(&replaying->process) != 0)
        code = failure(replaying, err);
    return code;
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static enum err_code read_end(const struct replaying *replaying, struct arena *arena,
                              struct replaying_end *ret_end, struct err *err)
{
    struct text text;
    enum err_code code = rh_file_read(replaying->result_path, RESULT_MAX_BYTES, arena, &text, err);
    if (code)
        return code;
    json_t *json = json_loadb(text.data, text.len, 0, NULL);
    if (!json)
        return rh_err_set(err, RH_ERR_FORMAT, "the replay's result cannot be read");
    const json_t *replayer = json_object_get(json, "replayer");
    ret_end->late_us = (int64_t)number_of(json_object_get(replayer, "late_us"), "p99");
    ret_end->is_replayer_bound = ret_end->late_us > TRAFFIC_WAIT_US ||
                                 number_of(replayer, "busy_share") > REPLAYER_BOUND_BUSY_SHARE;
    ret_end->sessions = (int64_t)number_of(json, "sessions");
    const json_t *gaps = json_object_get(json, "gaps"), *gap;
    size_t i;
    json_array_foreach(gaps, i, gap) * RH_PUSH(arena, &ret_end->gaps) = rh_arena_printf(
        arena, "%lld %s", (long long)json_integer_value(json_object_get(gap, "count")),
        json_string_value(json_object_get(gap, "detail")));
    json_decref(json);
    return RH_OK;
}

enum err_code rh_replaying_end(struct replaying *replaying, struct arena *arena,
                               struct replaying_end *ret_end, struct err *err)
{
    static const uint8_t any[8];
    /* It may have come to its own end: then nobody reads this. */
    ssize_t ignored = write(replaying->gate_fd, any, sizeof(any));
    (void)ignored;
    rh_fd_closep(&replaying->gate_fd);
    enum err_code code = wait_for(replaying, END_MAX_US, err);
    if (code)
        return code;
    if (!replaying->process.has_ended) {
        rh_process_stop(&replaying->process, SIGTERM, GRACE_US);
        return rh_err_set(err, RH_ERR_TIMEOUT, "the replay did not end within %d s",
                          (int)(END_MAX_US / 1000000));
    }
    if (rh_process_exit_status(&replaying->process) != 0)
        return failure(replaying, err);
    return read_end(replaying, arena, ret_end, err);
}

static void fold_one(const struct replaying *replaying, const uint8_t *record,
                     struct traffic_fold *fold)
{
    struct replay_execution execution;
    enum sample_kind kind;
    unsigned flags;
    if (!rh_sample_decode(record, &kind, &execution, &flags) || kind != SAMPLE_EXECUTION)
        return;
    struct traffic_execution folded = {
        .pattern = execution.result.pattern,
        .session = execution.session,
        .intended_us = execution.intended_us - replaying->began.us,
        .sent_us = execution.sent_us - replaying->began.us,
        .complete_us = execution.complete_us - replaying->began.us,
        .was_cancelled_as_recorded = flags & SAMPLE_WAS_CANCELLED,
    };
    memcpy(folded.sqlstate, execution.result.sqlstate, sizeof(folded.sqlstate));
    rh_traffic_fold_add(fold, &folded);
}

enum err_code rh_replaying_fold(const struct replaying *replaying, struct traffic_fold *fold,
                                struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    uint8_t *records = rh_arena_alloc(arena, (size_t)SAMPLES_AT_ONCE * SAMPLE_BYTES);
    off_t at = SAMPLES_HEAD_BYTES;
    for (;;) {
        ssize_t got = pread(replaying->samples_fd, records, (size_t)SAMPLES_AT_ONCE * SAMPLE_BYTES,
                            at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return rh_err_set_errno(err, errno, "cannot read what the replay told");
        size_t count = (size_t)got / SAMPLE_BYTES;
        if (count == 0)
            return RH_OK;
        for (size_t i = 0; i < count; i++)
            fold_one(replaying, records + i * SAMPLE_BYTES, fold);
        at += (off_t)(count * SAMPLE_BYTES);
    }
}

void rh_replaying_deinit(struct replaying *replaying)
{
    rh_fd_closep(&replaying->gate_fd);
    rh_process_stop(&replaying->process, SIGTERM, GRACE_US);
    rh_fd_closep(&replaying->samples_fd);
    rh_fd_closep(&replaying->said_fd);
    if (replaying->password_path)
        unlink(replaying->password_path);
    if (replaying->result_path)
        unlink(replaying->result_path);
}
