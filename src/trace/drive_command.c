/*
 * A wrapped command, and files that only psql can run: a child that finds our tap where it looks
 * for a database, and nothing else.
 */
#include "trace/drive_int.h"

#include "base/file.h"
#include "base/isolate.h"
#include "trace/environment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* The port of PostgreSQL, as the command sees it in its own network namespace. */
#define ISOLATED_PORT 5432
#define LISTEN_BACKLOG 64
/* Between SIGTERM and SIGKILL. */
#define STOP_GRACE_US (2 * 1000 * 1000)

struct command {
    struct drive *drive;
    struct process process;
    int output_fd; /* its stdout and stderr, our end */
    int log_fd;    /* -1: not kept */
    bool has_ended;
    struct loop_watch *output_watch, *process_watch;
};

/* --- what the command writes --- */

/* Reads what is there; false when the last writer closed it. */
static bool read_output(struct command *command)
{
    char buffer[16 * 1024];
    for (;;) {
        ssize_t got = read(command->output_fd, buffer, sizeof(buffer));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN;
        if (got == 0)
            return false;
        rh_progress_output(command->drive->options->progress, (struct text){buffer, (size_t)got});
        for (ssize_t done = 0; command->log_fd >= 0 && done < got;) {
            ssize_t put = write(command->log_fd, buffer + done, (size_t)(got - done));
            if (put < 0 && errno != EINTR)
                break; /* a full disk must not end the migration; the run fails when it writes its
                          own files */
            done += put > 0 ? put : 0;
        }
    }
}

static void on_output(void *context, unsigned events)
{
    struct command *command = context;
    (void)events;
    if (!read_output(command))
        rh_loop_watch_set(command->output_watch, 0);
}

static void on_process(void *context, unsigned events)
{
    struct command *command = context;
    (void)events;
    if (!rh_process_poll(&command->process))
        return;
    command->has_ended = true;
    rh_loop_watch_set(command->process_watch, 0);
    rh_loop_stop(command->drive->loop);
}

/* --- listeners --- */

static enum err_code listen_on(struct drive *drive, int *fd, struct err *err)
{
    int flags = fcntl(*fd, F_GETFL);
    if (flags < 0 || fcntl(*fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return rh_err_set_errno(err, errno, "cannot set up a listener");
    return rh_tap_listen(drive->tap, rh_fd_take(fd), err);
}

static enum err_code listen_on_loopback(struct drive *drive, uint16_t *ret_port, struct err *err)
{
    RH_CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 ||
        listen(fd, LISTEN_BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return rh_err_set_errno(err, errno, "cannot listen on 127.0.0.1");
    *ret_port = ntohs(address.sin_port);
    return listen_on(drive, &fd, err);
}

/* --- the command --- */

/* psql for a file: in the file's directory, so that \i finds its neighbours. */
static enum err_code psql_arguments(struct drive *drive, const struct migration_step *step,
                                    int index, const char *const **ret_argv,
                                    const char **ret_directory, struct err *err)
{
    struct arena *arena = drive->arena;
    const char *psql = rh_sandbox_client_program(drive->options->sandbox, "psql", err);
    if (!psql)
        return err->code;
    const char *slash = strrchr(step->path, '/');
    *ret_directory = slash
                         ? rh_arena_strndup(arena, step->path,
                                            slash == step->path ? 1 : (size_t)(slash - step->path))
                         : ".";
    const char *file = slash ? slash + 1 : step->path;
    if (step->section.len != step->content.len) {
        char *part = rh_arena_printf(arena, "%s/step-%d.sql",
                                     rh_sandbox_directory(drive->options->sandbox), index);
        enum err_code code = rh_file_write(part, step->section, 0600, err);
        if (code)
            return code;
        file = part;
    }
    /* A name that begins with a dash is no option. */
    if (file[0] == '-')
        file = rh_arena_printf(arena, "./%s", file);
    VEC(const char *) argv = {0};
    *RH_PUSH(arena, &argv) = psql;
    *RH_PUSH(arena, &argv) = "-X";
    *RH_PUSH(arena, &argv) = "-v";
    *RH_PUSH(arena, &argv) = "ON_ERROR_STOP=1";
    if (step->tool_transaction)
        *RH_PUSH(arena, &argv) = "--single-transaction";
    *RH_PUSH(arena, &argv) = "-f";
    *RH_PUSH(arena, &argv) = file;
    *RH_PUSH(arena, &argv) = NULL;
    *ret_argv = argv.items;
    return RH_OK;
}

static enum err_code start(struct command *command, const struct migration_step *step, int index,
                           int output_fd, struct err *err)
{
    struct drive *drive = command->drive;
    struct endpoint endpoint = {.host = "127.0.0.1",
                                .port = ISOLATED_PORT,
                                .database = drive->role.database,
                                .user = drive->role.user,
                                .password = drive->role.password ? drive->role.password : ""};
    const char *const *argv = step->argv;
    const char *directory = NULL;
    enum err_code code;

    if (step->kind == STEP_PSQL &&
        (code = psql_arguments(drive, step, index, &argv, &directory, err)))
        return code;
    if (drive->options->no_isolation && (code = listen_on_loopback(drive, &endpoint.port, err)))
        return code;
    if (step->kind == STEP_COMMAND)
        argv = rh_environment_expand_all(drive->arena, &endpoint, argv);
    const struct process_options options = {
        .argv = argv,
        .env = rh_environment_build(drive->arena, &endpoint, (const char *const *)environ,
                                    drive->options->environment),
        .directory = directory,
        .stdin_fd = -1,
        .stdout_fd = output_fd,
        .stderr_fd = output_fd,
        .new_group = true};
    if (drive->options->no_isolation && step->kind == STEP_COMMAND)
        rh_progress_note(drive->options->progress,
                         "warning: the command runs without isolation: nothing keeps it from "
                         "reaching other servers than the sandbox");
    if (drive->options->no_isolation)
        return rh_process_start(&command->process, &options, err);

    struct isolation isolation = {.listener_fds = {-1, -1}};
    if ((code = rh_isolate_start(&command->process, &options, ISOLATED_PORT, &isolation, err)))
        return code;
    for (size_t i = 0; i < 2; i++)
        if (isolation.listener_fds[i] >= 0 && !code)
            code = listen_on(drive, &isolation.listener_fds[i], err);
    for (size_t i = 0; i < 2; i++)
        rh_fd_closep(&isolation.listener_fds[i]);
    return code;
}

static enum err_code run(struct command *command, struct err *err)
{
    struct drive *drive = command->drive;
    enum err_code code;
    if ((code = rh_loop_watch_new(drive->loop, command->output_fd, on_output, command,
                                  &command->output_watch, err)) ||
        (code = rh_loop_watch_new(drive->loop, command->process.pidfd, on_process, command,
                                  &command->process_watch, err)))
        return code;
    rh_loop_watch_set(command->output_watch, LOOP_READABLE);
    rh_loop_watch_set(command->process_watch, LOOP_READABLE);
    while (!command->has_ended && !drive->server_died && !code)
        code = rh_loop_run(drive->loop, RH_NEVER, err);
    /* What it started in the background may still speak to the server: until it is silent. */
    if (!code && !drive->server_died)
        code = rh_drive_drain(drive, err);
    return code;
}

enum err_code rh_drive_command(struct drive *drive, const struct migration_step *from, int index,
                               struct performed_step *step, struct err *err)
{
    struct command command = {.drive = drive, .process = PROCESS_INIT, .log_fd = -1};
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return rh_err_set_errno(err, errno, "cannot make a pipe");
    RH_CLEANUP_FD int read_fd = pipe_fds[0];
    RH_CLEANUP_FD int write_fd = pipe_fds[1];
    RH_CLEANUP_FD int log_fd = -1;
    if (fcntl(read_fd, F_SETFL, O_NONBLOCK) < 0)
        return rh_err_set_errno(err, errno, "cannot set up a pipe");
    command.output_fd = read_fd;
    if (drive->options->output_path) {
        log_fd = open(drive->options->output_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log_fd < 0)
            return rh_err_set_errno(err, errno, "cannot write \"%s\"", drive->options->output_path);
        command.log_fd = log_fd;
    }
    if (from->kind == STEP_PSQL && drive->audience->script)
        drive->audience->script(drive->audience->context, index, from->content,
                                (size_t)(from->section.data - from->content.data));
    else
        rh_drive_place(drive, -1, 0, 0);

    enum err_code code = start(&command, from, index, write_fd, err);
    rh_fd_closep(&write_fd);
    write_fd = -1;
    if (!code)
        code = run(&command, err);
    /* Its group goes with it, whatever it left behind. */
    rh_process_stop(&command.process, SIGTERM, STOP_GRACE_US);
    (void)read_output(&command);
    rh_loop_watch_free(command.output_watch);
    rh_loop_watch_free(command.process_watch);
    rh_drive_place(drive, -1, 0, 0);
    if (code)
        return code;
    step->exit_status = rh_process_exit_status(&command.process);
    step->ok = command.has_ended && step->exit_status == 0;
    return RH_OK;
}
