#include "sandbox/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* An empty server answers in 40 ms; one that replays its log after a crash of the machine, in
 * minutes. */
#define START_TIMEOUT_US (120 * INT64_C(1000000))
/* Between two looks whether a server that starts is ready. */
#define START_POLL_US 1000
#define PID_FILE_MAX ((size_t)4096)
/* Between two looks whether a reload has happened; it takes about 1 ms. */
#define RELOAD_POLL_US 500
/* A fast shutdown writes what is dirty: gigabytes after a load. */
#define STOP_GRACE_US (600 * INT64_C(1000000))
/* An immediate shutdown gives its children 5 s (postmaster.c, SIGKILL_CHILDREN_AFTER_SECS). */
#define STOP_NOW_GRACE_US (7 * INT64_C(1000000))
#define LOG_TAIL_MAX ((size_t)64 * 1024)
/* With less than this left, a failure to write is the disk's. */
#define DISK_FULL_BYTES (INT64_C(32) << 20)

/* --- children that are programs of the server ------------------------------------------------- */

struct process_options rh_cluster_process_options(const struct sandbox *sandbox,
                                                  const char *const *argv)
{
    struct arena *arena = sandbox->arena;
    VEC(const char *) env = {0};
    static const char *const inherited[] = {"PATH", "LD_LIBRARY_PATH", "TMPDIR"};

    for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++)
        if (getenv(inherited[i]))
            *RH_PUSH(arena, &env) = rh_arena_printf(arena, "%s=%s", inherited[i],
                                                    getenv(inherited[i]));
    /* TZ spares initdb the search for the machine's time zone; ours is UTC. */
    *RH_PUSH(arena, &env) = "TZ=UTC";
    *RH_PUSH(arena, &env) = "LC_ALL=C";
    *RH_PUSH(arena, &env) = rh_arena_printf(arena, "HOME=%s", sandbox->directory);
    *RH_PUSH(arena, &env) = NULL;
    return (struct process_options){
        .argv = argv,
        .env = env.items,
        .directory = sandbox->directory,
        .stdin_fd = -1,
        .stdout_fd = -1,
        .stderr_fd = -1,
        .drop_privileges = sandbox->drops_privileges,
        .uid = sandbox->uid,
        .gid = sandbox->gid,
        .new_group = true, /* Ctrl-C on the terminal is ours to handle */
        .death_signal = SIGQUIT,
    };
}

/* --- the log ---------------------------------------------------------------------------------- */

/* The last bytes of the log, NUL-terminated. */
static struct text log_tail(const struct sandbox *sandbox, struct arena *arena)
{
    RH_CLEANUP_FD int fd = open(sandbox->log_path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0)
        return rh_text("");
    size_t size = (size_t)status.st_size < LOG_TAIL_MAX ? (size_t)status.st_size : LOG_TAIL_MAX;
    char *bytes = rh_arena_alloc(arena, size + 1);
    ssize_t got = pread(fd, bytes, size, status.st_size - (off_t)size);
    return (struct text){bytes, got > 0 ? (size_t)got : 0};
}

const char *rh_cluster_log_reason(const struct sandbox *sandbox, struct arena *arena)
{
    /* Worst first; the last line of a severity is what it ended with. */
    static const char *const severities[] = {"PANIC:  ", "FATAL:  ", "ERROR:  "};
    struct text tail = log_tail(sandbox, arena);

    for (size_t i = 0; i < sizeof(severities) / sizeof(severities[0]); i++) {
        const char *found = NULL;
        for (const char *at = tail.data; (at = strstr(at, severities[i])); at++)
            found = at + strlen(severities[i]);
        if (found)
            return rh_arena_strndup(arena, found, strcspn(found, "\r\n"));
    }
    return NULL;
}

static int64_t free_bytes(const struct sandbox *sandbox)
{
    struct statvfs space;

    if (statvfs(sandbox->directory, &space) != 0)
        return -1;
    return (int64_t)space.f_bavail * (int64_t)space.f_frsize;
}

enum err_code rh_cluster_disk_full(const struct sandbox *sandbox, struct err *err)
{
    char left[24];
    int64_t bytes = free_bytes(sandbox);

    rh_bytes_format(bytes < 0 ? 0 : bytes, left);
    rh_err_set_errno(err, ENOSPC, "the disk that holds the sandbox is full: \"%s\" (%s free)",
                     sandbox->directory, left);
    rh_err_hint(err, "Free some space, or choose a larger disk with REHEARSE_SANDBOX_DIR.");
    return err->code;
}

/* The system's words, or the server's when a write came out short. */
bool rh_cluster_says_disk_full(const char *text)
{
    return strstr(text, "No space left on device") ||
           (strstr(text, "could not extend file") && strstr(text, "wrote only"));
}

enum err_code rh_cluster_check_disk(const struct sandbox *sandbox, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    int64_t bytes = free_bytes(sandbox);

    if (rh_cluster_says_disk_full(log_tail(sandbox, arena).data) ||
        (bytes >= 0 && bytes < DISK_FULL_BYTES))
        return rh_cluster_disk_full(sandbox, err);
    return RH_OK;
}

/* --- start ------------------------------------------------------------------------------------ */

static enum err_code did_not_start(struct sandbox *sandbox, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    char status[48];
    enum err_code code;

    if ((code = rh_cluster_check_disk(sandbox, err)))
        return code;
    const char *reason = rh_cluster_log_reason(sandbox, arena);
    rh_process_status_text(&sandbox->process, status);
    rh_err_set(err, RH_ERR_ENVIRONMENT, "the sandbox server did not start: %s",
               reason ? reason : status);
    if (sandbox->setting_count)
        rh_err_hint(err, "It was started with the settings given by --set.");
    return err->code;
}

/* Not yet there, or there and not yet open; anything else will not pass by waiting. */
static bool is_starting(const struct err *err)
{
    static const char *const transient[] = {
        "No such file",  "Connection refused",    "starting up", "not yet accepting",
        "shutting down", "closed the connection", "in recovery", "Resource temporarily unavailable",
    };

    for (size_t i = 0; i < sizeof(transient) / sizeof(transient[0]); i++)
        if (strstr(err->message, transient[i]))
            return true;
    return false;
}

/* The last line of postmaster.pid, which pg_ctl waits for too (miscadmin.h, PM_STATUS_READY): a
   connection before that is one more process to start, only to be refused. */
static bool says_ready(const struct sandbox *sandbox)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct err ignored = RH_ERR_INIT;
    struct text text;

    return rh_file_read(rh_file_join(arena, rh_sandbox_data_directory(sandbox), "postmaster.pid"),
                        PID_FILE_MAX, arena, &text, &ignored) == RH_OK &&
           rh_text_ends_with(rh_text_trim(text), "\nready");
}

static enum err_code await_ready(struct sandbox *sandbox, struct err *err)
{
    struct mono deadline = rh_clock_after(rh_clock_mono(), START_TIMEOUT_US);
    const struct connection_parameters parameters = {
        .socket_directory = sandbox->socket_directory,
        .port = 5432,
        .user = sandbox->superuser,
        .password = sandbox->superuser_password,
        .database = sandbox->database,
        .application_name = "rehearse",
    };

    for (;;) {
        struct err failure = RH_ERR_INIT;
        enum err_code code = RH_ERR_CONNECTION;
        if (says_ready(sandbox)) {
            code = sandbox->engine->connect(&parameters, deadline, &sandbox->connection, &failure);
            if (!code)
                return RH_OK;
            if (code != RH_ERR_CONNECTION || !is_starting(&failure)) {
                *err = failure;
                return code;
            }
        }
        if (rh_process_poll(&sandbox->process))
            return did_not_start(sandbox, err);
        if (rh_clock_passed(deadline))
            return rh_err_set(err, RH_ERR_TIMEOUT, "the sandbox server did not answer within %d s",
                              (int)(START_TIMEOUT_US / 1000000));
        struct mono pause = rh_clock_after(rh_clock_mono(), START_POLL_US);
        struct err interrupted = RH_ERR_INIT;
        code = rh_process_wait(&sandbox->process, pause, &interrupted);
        if (code == RH_ERR_INTERRUPTED || (code == RH_ERR_TIMEOUT && !rh_clock_passed(pause))) {
            *err = interrupted;
            return code;
        }
    }
}

static enum err_code start_server(struct sandbox *sandbox, enum cluster_mode mode, struct err *err)
{
    struct arena *arena = sandbox->arena;
    struct namespaces plan;
    enum err_code code;

    if ((code = rh_settings_write(sandbox, mode, err)) ||
        (sandbox->overlay && (code = rh_overlay_before_start(sandbox, err))))
        return code;
    RH_CLEANUP_FD int log = open(sandbox->log_path,
                                 O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (log < 0)
        return rh_err_set_errno(err, errno, "cannot create \"%s\"", sandbox->log_path);
    rh_namespaces_plan(sandbox, &plan);
    const char *const argv[] = {rh_file_join(arena, sandbox->server.bin_directory, "postgres"),
                                "-D", sandbox->data_directory, NULL};
    struct process_options options = rh_cluster_process_options(sandbox, argv);
    options.stdout_fd = options.stderr_fd = log;
    options.survives_us = sandbox->is_kept_alive;
    options.prepare = rh_namespaces_enter;
    options.prepare_context = &plan;
    if ((code = rh_process_start(&sandbox->process, &options, err)))
        return code;
    sandbox->mode = mode;
    if ((code = rh_marker_update(sandbox, err)) ||
        (sandbox->overlay && (code = rh_overlay_after_start(sandbox, err))) ||
        (code = await_ready(sandbox, err))) {
        rh_cluster_stop_now(sandbox);
        return code;
    }
    return RH_OK;
}

enum err_code rh_cluster_ensure(struct sandbox *sandbox, enum cluster_mode mode, struct err *err)
{
    struct err failure = RH_ERR_INIT;
    enum err_code code;

    if (sandbox->mode != CLUSTER_STOPPED)
        return RH_OK;
    code = start_server(sandbox, mode, &failure);
    /* The first start of a copy fails for another's fault when the template is broken. */
    if (code == RH_ERR_ENVIRONMENT && failure.errno_value == 0 && sandbox->template_path &&
        sandbox->setting_count == 0) {
        rh_progress_note(sandbox->progress, "cached cluster not used: %s", failure.message);
        if ((code = rh_template_replace(sandbox, err)))
            return code;
        code = start_server(sandbox, mode, &failure);
    }
    if (code) {
        *err = failure;
        return code;
    }
    sandbox->template_path = NULL;
    /* A clone has its base's notes. */
    if (!sandbox->base && rh_namespaces_shares_network(sandbox))
        rh_sandbox_note(sandbox,
                        "this machine forbids namespaces: the sandbox server can reach the "
                        "network");
    return RH_OK;
}

/* --- stop ------------------------------------------------------------------------------------- */

void rh_cluster_stop_now(struct sandbox *sandbox)
{
    rh_roles_disconnect(sandbox);
    rh_process_stop(&sandbox->process, SIGQUIT, STOP_NOW_GRACE_US);
    sandbox->mode = CLUSTER_STOPPED;
}

enum err_code rh_cluster_stop(struct sandbox *sandbox, struct err *err)
{
    rh_roles_disconnect(sandbox);
    rh_process_stop(&sandbox->process, SIGINT, STOP_GRACE_US);
    sandbox->mode = CLUSTER_STOPPED;
    if (sandbox->process.status != 0) {
        char status[48];
        enum err_code code = rh_cluster_check_disk(sandbox, err);
        if (code)
            return code;
        return rh_err_set(err, RH_ERR_SERVER, "the sandbox server did not stop in order: %s",
                          rh_process_status_text(&sandbox->process, status));
    }
    return RH_OK;
}

/* A session sees its own reload, which it does when told by the server that has done it. */
static enum err_code reload(struct sandbox *sandbox, enum cluster_mode mode, struct err *err)
{
    static const char loaded_at[] = "SELECT pg_conf_load_time()";
    struct mono deadline = rh_clock_after(rh_clock_mono(), START_TIMEOUT_US);
    RH_CLEANUP_ROWS struct rows *before = NULL;
    enum err_code code;

    if ((code = rh_settings_write(sandbox, mode, err)) || (code = rh_roles_connect(sandbox, err)) ||
        (code = rh_roles_query(sandbox, loaded_at, NULL, 0, &before, err)) ||
        (code = rh_roles_query(sandbox, "SELECT pg_reload_conf()", NULL, 0, NULL, err)))
        return code;
    for (;;) {
        RH_CLEANUP_ROWS struct rows *now = NULL;
        if ((code = rh_roles_query(sandbox, loaded_at, NULL, 0, &now, err)))
            return code;
        if (strcmp(rh_rows_value(before, 0, 0), rh_rows_value(now, 0, 0)) != 0)
            break;
        if (rh_clock_passed(deadline))
            return rh_err_set(err, RH_ERR_TIMEOUT,
                              "the sandbox server did not reload its settings");
        struct err ignored = RH_ERR_INIT;
        if (rh_process_wait(&sandbox->process, rh_clock_after(rh_clock_mono(), RELOAD_POLL_US),
                            &ignored) == RH_OK)
            return did_not_start(sandbox, err);
    }
    sandbox->mode = mode;
    return RH_OK;
}

enum err_code rh_cluster_switch(struct sandbox *sandbox, enum cluster_mode mode, struct err *err)
{
    enum err_code code;

    if (sandbox->mode == mode)
        return RH_OK;
    if (sandbox->mode == CLUSTER_STOPPED)
        return rh_cluster_ensure(sandbox, mode, err);
    if (sandbox->mode == CLUSTER_PREPARING && mode == CLUSTER_RUNNING)
        return reload(sandbox, mode, err);
    if ((code = rh_cluster_stop(sandbox, err)))
        return code;
    return start_server(sandbox, mode, err);
}

/* --- crashes ---------------------------------------------------------------------------------- */

/* "terminated by signal 9: Killed" of "server process (PID 7) was terminated by signal 9: Killed".
 */
static const char *find_crash(struct arena *arena, struct text text)
{
    static const char *const marks[] = {") was terminated by ", ") exited with exit code "};

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        for (const char *at = text.data; (at = strstr(at, marks[i])); at++) {
            const char *line = at;
            while (line > text.data && line[-1] != '\n')
                line--;
            const char *log = strstr(line, "LOG:  ");
            /* A session that ends in FATAL exits with code 1, a background worker as it likes:
               those take nobody down (postmaster.c, CleanupBackend). */
            if (!log || log > at || (i == 1 && at[strlen(marks[1])] == '1'))
                continue;
            at += strlen(") ");
            if (strncmp(at, "was ", 4) == 0)
                at += 4;
            return rh_arena_strndup(arena, at, strcspn(at, "\r\n"));
        }
    return NULL;
}

static void read_log_for_crash(struct sandbox *sandbox)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_FD int fd = open(sandbox->log_path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    char *bytes = rh_arena_alloc(arena, LOG_TAIL_MAX + 1);
    ssize_t got;

    while (fd >= 0 && !sandbox->crash_reason &&
           (got = pread(fd, bytes, LOG_TAIL_MAX, sandbox->log_offset)) > 0) {
        /* Whole lines only; the rest is read again. A line longer than the buffer goes as it is. */
        const char *newline = memrchr(bytes, '\n', (size_t)got);
        size_t used = newline ? (size_t)(newline + 1 - bytes)
                              : ((size_t)got == LOG_TAIL_MAX ? LOG_TAIL_MAX : 0);
        if (used == 0)
            return;
        bytes[used] = 0;
        sandbox->log_offset += (int64_t)used;
        sandbox->crash_reason = find_crash(sandbox->arena, (struct text){bytes, used});
    }
}

bool rh_sandbox_has_crashed(struct sandbox *sandbox, const char **ret_reason)
{
    if (!sandbox->crash_reason)
        read_log_for_crash(sandbox);
    if (!sandbox->crash_reason && sandbox->mode != CLUSTER_STOPPED &&
        rh_process_poll(&sandbox->process)) {
        int status = sandbox->process.status;
        sandbox->crash_reason = WIFSIGNALED(status)
                                    ? rh_arena_printf(sandbox->arena, "terminated by signal %d",
                                                      WTERMSIG(status))
                                    : rh_arena_printf(sandbox->arena, "ended with exit status %d",
                                                      WEXITSTATUS(status));
    }
    if (sandbox->crash_reason)
        *ret_reason = sandbox->crash_reason;
    return sandbox->crash_reason != NULL;
}
