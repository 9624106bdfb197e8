#include "base/process.h"

#include "base/file.h"
#include "base/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* From fork to exec: what a child does there takes milliseconds, unless a file system hangs. */
#define START_TIMEOUT_US INT64_C(30000000)
/* After SIGKILL only a task in uninterruptible sleep stays; we do not wait for ever for the disk.
 */
#define KILL_TIMEOUT_US INT64_C(10000000)
/* How often a polite wait looks whether the user has become urgent. */
#define URGENT_POLL_US INT64_C(50000)
/* 64 signals, one bit each (rt_sigaction(2), "C library/kernel differences"). */
#define KERNEL_SIGSET_BYTES ((size_t)8)
/* One read of a child's output. */
#define READ_BYTES ((size_t)16 * 1024)

/* What a child was doing when it failed; sent with errno over a pipe that exec closes. */
enum stage { STAGE_DESCRIPTORS, STAGE_PREPARE, STAGE_PRIVILEGES, STAGE_DIRECTORY, STAGE_EXEC };
struct failure {
    int stage;
    int errno_value;
};

/* Everything the child needs, made before the fork: it may only do async-signal-safe work. */
struct plan {
    const struct process_options *options;
    char *const *argv;
    char *const *shell_argv; /* "/bin/sh", the file, the rest: for scripts without "#!" */
    char *const *env;
    const char *path; /* search path, NULL when argv[0] has a '/' */
    char *candidate;  /* PATH_MAX bytes */
    int null_fd;
    int failure_fd;
    pid_t parent;
};

static _Noreturn void give_up(const struct plan *plan, enum stage stage)
{
    struct failure failure = {.stage = stage, .errno_value = errno};
    ssize_t ignored = write(plan->failure_fd, &failure, sizeof failure);
    (void)ignored;
    _exit(127);
}

/*
 * Handlers back to default (ours would write into the parent's pipe), nothing blocked. Asked of the
 * kernel: the C library refuses its own two signals, which somebody above us may have left ignored.
 */
static void reset_signals(void)
{
    /* The kernel's struct sigaction, whatever its layout: all zero is SIG_DFL without flags. */
    static const uint64_t standard[8] = {0};
    for (int i = 1; i <= SIGRTMAX; i++)
        syscall(SYS_rt_sigaction, i, standard, NULL, KERNEL_SIGSET_BYTES);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_descriptors(struct plan *plan)
{
    const struct process_options *options = plan->options;
    int fds[3] = {options->stdin_fd, options->stdout_fd, options->stderr_fd};

    /* All sources above 2 first, so that no dup2 overwrites one that is still needed. */
    plan->failure_fd = fcntl(plan->failure_fd, F_DUPFD_CLOEXEC, 3);
    if (plan->failure_fd < 0)
        _exit(127);
    for (int i = 0; i < 3; i++) {
        fds[i] = fcntl(fds[i] < 0 ? plan->null_fd : fds[i], F_DUPFD_CLOEXEC, 3);
        if (fds[i] < 0)
            give_up(plan, STAGE_DESCRIPTORS);
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(fds[i], i) < 0)
            give_up(plan, STAGE_DESCRIPTORS);
    }
    /* Marked, not closed: the failure pipe must live until exec, and prepare may use its own. */
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
        give_up(plan, STAGE_DESCRIPTORS);
}

static void drop_privileges(const struct plan *plan)
{
    const struct process_options *options = plan->options;
    /* prepare may have done it already (a user namespace is entered as the final user). */
    if (getuid() == options->uid && geteuid() == options->uid && getgid() == options->gid)
        return;
    if (setgroups(1, &options->gid) != 0 ||
        setresgid(options->gid, options->gid, options->gid) != 0 ||
        setresuid(options->uid, options->uid, options->uid) != 0)
        give_up(plan, STAGE_PRIVILEGES);
}

static void try_exec(const struct plan *plan, const char *file)
{
    execve(file, plan->argv, plan->env);
    if (errno == ENOEXEC) {
        ((const char **)plan->shell_argv)[1] = file;
        execve("/bin/sh", plan->shell_argv, plan->env);
    }
}

static _Noreturn void exec_command(const struct plan *plan)
{
    if (plan->path == NULL) {
        try_exec(plan, plan->argv[0]);
        give_up(plan, STAGE_EXEC);
    }
    const char *name = plan->argv[0];
    size_t name_len = strlen(name);
    bool denied = false;
    for (const char *at = plan->path;; at++) {
        size_t len = strcspn(at, ":");
        /* An empty element is the current directory (POSIX, Base Definitions 8.3). */
        if (len + name_len + 2 <= PATH_MAX) {
            memcpy(plan->candidate, at, len);
            if (len > 0)
                plan->candidate[len] = '/';
            memcpy(plan->candidate + len + (len > 0 ? 1 : 0), name, name_len + 1);
            try_exec(plan, plan->candidate);
            struct stat status;
            if (errno == EACCES) {
                /* A folder we may not search is as good as empty; a file we may not run is news. */
                if (stat(plan->candidate, &status) == 0)
                    denied = true;
            } else if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG)
                give_up(plan, STAGE_EXEC);
        }
        at += len;
        if (*at == '\0')
            break;
    }
    errno = denied ? EACCES : ENOENT;
    give_up(plan, STAGE_EXEC);
}

static _Noreturn void run_child(struct plan *plan)
{
    const struct process_options *options = plan->options;
    reset_signals();
    if (options->new_group)
        setpgid(0, 0);
    set_descriptors(plan);
    if (options->prepare != NULL) {
        int failed = options->prepare(options->prepare_context);
        if (failed != 0) {
            errno = failed;
            give_up(plan, STAGE_PREPARE);
        }
    }
    if (options->drop_privileges)
        drop_privileges(plan);
    if (options->directory != NULL && chdir(options->directory) != 0)
        give_up(plan, STAGE_DIRECTORY);
    if (!options->survives_us) {
        /* After the change of user, which clears it (prctl(2)). */
        prctl(PR_SET_PDEATHSIG, options->death_signal != 0 ? options->death_signal : SIGKILL);
        if (getppid() != plan->parent)
            _exit(127); /* the parent was gone before that took hold */
    }
    exec_command(plan);
}

static enum err_code report_failure(const struct process_options *options, struct failure failure,
                                    struct err *err)
{
    const char *name = options->argv[0];
    switch ((enum stage)failure.stage) {
    case STAGE_DESCRIPTORS:
        rh_err_set_errno(err, failure.errno_value, "cannot set up the input and output of \"%s\"",
                         name);
        break;
    case STAGE_PREPARE:
        rh_err_set_errno(err, failure.errno_value, "cannot prepare \"%s\"", name);
        break;
    case STAGE_PRIVILEGES:
        rh_err_set_errno(err, failure.errno_value, "cannot run \"%s\" as user id %u", name,
                         options->uid);
        break;
    case STAGE_DIRECTORY:
        rh_err_set_errno(err, failure.errno_value, "cannot run \"%s\" in \"%s\"", name,
                         options->directory);
        break;
    case STAGE_EXEC:
        if (failure.errno_value == ENOENT && strchr(name, '/') == NULL) {
            rh_err_set(err, RH_ERR_ENVIRONMENT, "cannot run \"%s\": command not found", name);
            err->errno_value = ENOENT;
            rh_err_hint(err, "Is it installed, and its folder in PATH?");
        } else {
            rh_err_set_errno(err, failure.errno_value, "cannot run \"%s\"", name);
        }
        break;
    }
    err->code = RH_ERR_ENVIRONMENT;
    return RH_ERR_ENVIRONMENT;
}

static const char *find_path(const char *const *env)
{
    const char *path = NULL;
    if (env == NULL) {
        path = getenv("PATH");
    } else {
        for (; *env != NULL; env++) {
            if (strncmp(*env, "PATH=", 5) == 0)
                path = *env + 5;
        }
    }
    return path != NULL && path[0] != '\0' ? path : "/usr/local/bin:/usr/bin:/bin";
}

static bool wait_readable(int fd, struct mono deadline)
{
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = poll(&wait, 1, rh_clock_poll_ms(deadline));
        if (ready > 0)
            return true;
        if (ready == 0 && rh_clock_passed(deadline))
            return false;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

static void reap(struct process *process)
{
    int status = 0;
    while (waitpid(process->pid, &status, 0) < 0) {
        if (errno != EINTR)
            break;
    }
    process->status = status;
    process->has_ended = true;
    process->pid = 0;
    rh_fd_closep(&process->pidfd);
}

/* Waits for exec or for the news of its failure; then the child is gone and reaped. */
static enum err_code await_exec(struct process *process, const struct process_options *options,
                                int failure_fd, struct err *err)
{
    struct failure failure;
    ssize_t got = 0;
    if (!wait_readable(failure_fd, rh_clock_after(rh_clock_mono(), START_TIMEOUT_US))) {
        rh_process_stop(process, SIGKILL, 0);
        return rh_err_set(err, RH_ERR_TIMEOUT, "cannot start \"%s\" within 30 s", options->argv[0]);
    }
    do {
        got = read(failure_fd, &failure, sizeof failure);
    } while (got < 0 && errno == EINTR);
    if (got == 0)
        return RH_OK; /* closed by exec */
    reap(process);
    *process = (struct process)PROCESS_INIT;
    if (got != (ssize_t)sizeof failure)
        return rh_err_set_errno(err, errno, "cannot start \"%s\"", options->argv[0]);
    return report_failure(options, failure, err);
}

enum err_code rh_process_start(struct process *process, const struct process_options *options,
                               struct err *err)
{
    RH_ASSERT(options->argv != NULL && options->argv[0] != NULL);
    *process = (struct process)PROCESS_INIT;

    RH_CLEANUP_FD int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0)
        return rh_err_set_errno(err, errno, "cannot open \"/dev/null\"");
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return rh_err_set_errno(err, errno, "cannot create a pipe");
    RH_CLEANUP_FD int read_end = ends[0];
    RH_CLEANUP_FD int write_end = ends[1];

    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    size_t argc = 0;
    while (options->argv[argc] != NULL)
        argc++;
    const char **shell_argv = rh_arena_alloc_array(arena, argc + 2, sizeof *shell_argv);
    shell_argv[0] = "/bin/sh";
    for (size_t i = 1; i < argc; i++)
        shell_argv[i + 1] = options->argv[i];

    struct plan plan = {
        .options = options,
        .argv = (char *const *)options->argv,
        .shell_argv = (char *const *)shell_argv,
        .env = options->env != NULL ? (char *const *)options->env : environ,
        .path = strchr(options->argv[0], '/') == NULL ? find_path(options->env) : NULL,
        .candidate = rh_arena_alloc(arena, PATH_MAX),
        .null_fd = null_fd,
        .failure_fd = write_end,
        .parent = getpid(),
    };

    /* No handler of ours may run in the child before it has reset them. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    /* fork, not vfork: prepare may change user and namespaces, which must not happen in our memory.
     */
    pid_t pid = fork();
    if (pid == 0)
        run_child(&plan);
    int fork_errno = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return rh_err_set_errno(err, fork_errno, "cannot start \"%s\"", options->argv[0]);

    process->pid = pid;
    process->has_group = options->new_group;
    if (options->new_group)
        setpgid(pid, pid); /* also here: whoever is first, a signal finds the group */
    /* Race-free: nobody but us reaps the pid. */
    process->pidfd = pidfd_open(pid, 0);
    if (process->pidfd < 0) {
        int saved_errno = errno;
        kill(pid, SIGKILL);
        reap(process);
        *process = (struct process)PROCESS_INIT;
        return rh_err_set_errno(err, saved_errno, "cannot watch \"%s\" (pidfd_open)",
                                options->argv[0]);
    }
    rh_fd_closep(&write_end);
    return await_exec(process, options, read_end, err);
}

bool rh_process_poll(struct process *process)
{
    if (process->pid == 0)
        return process->has_ended;
    struct pollfd ended = {.fd = process->pidfd, .events = POLLIN};
    if (poll(&ended, 1, 0) <= 0)
        return false;
    reap(process);
    return true;
}

enum err_code rh_process_wait(struct process *process, struct mono deadline, struct err *err)
{
    while (!rh_process_poll(process)) {
        if (process->pid == 0)
            return RH_OK; /* never started: nothing to wait for */
        enum err_code code = rh_interrupt_check(err);
        if (code != RH_OK)
            return code;
        if (rh_clock_passed(deadline))
            return rh_err_set(err, RH_ERR_TIMEOUT, "process %d is still running", process->pid);
        struct pollfd waits[2] = {
            {.fd = process->pidfd, .events = POLLIN},
            {.fd = rh_interrupt_fd(), .events = POLLIN}, /* poll ignores -1 */
        };
        struct mono until = rh_clock_earlier(deadline, rh_interrupt_deadline());
        if (poll(waits, 2, rh_clock_poll_ms(until)) < 0 && errno != EINTR)
            return rh_err_set_errno(err, errno, "cannot wait for process %d", process->pid);
    }
    return RH_OK;
}

void rh_process_signal(struct process *process, int signal_number)
{
    if (process->pid == 0)
        return;
    /* The pid is ours until we reap it, so neither call can hit a stranger. */
    if (process->has_group)
        kill(-process->pid, signal_number);
    else
        pidfd_send_signal(process->pidfd, signal_number, NULL, 0);
}

static bool await_end(struct process *process, struct mono deadline, bool is_polite)
{
    for (;;) {
        struct mono slice = rh_clock_earlier(
            deadline, rh_clock_after(rh_clock_mono(), is_polite ? URGENT_POLL_US : INT64_MAX));
        if (wait_readable(process->pidfd, slice))
            return true;
        if (rh_clock_passed(deadline) || (is_polite && rh_interrupt_is_urgent()))
            return false;
    }
}

void rh_process_stop(struct process *process, int signal_number, int64_t grace_us)
{
    if (process->pid == 0)
        return;
    struct mono now = rh_clock_mono();
    bool has_ended = await_end(process, now, false);
    if (!has_ended && signal_number != SIGKILL) {
        rh_process_signal(process, signal_number);
        has_ended = await_end(process, rh_clock_after(now, grace_us), true);
    }
    /* A group is killed even when its leader has ended: until it is reaped its pid, and so the
       group's, cannot be another's. */
    if (!has_ended || process->has_group)
        rh_process_signal(process, SIGKILL);
    if (!has_ended)
        has_ended = await_end(process, rh_clock_after(rh_clock_mono(), KILL_TIMEOUT_US), false);
    if (has_ended) {
        reap(process);
        return;
    }
    rh_fd_closep(&process->pidfd);
    process->pid = 0;
    process->has_ended = true;
    process->status = SIGKILL;
}

void rh_process_stopp(struct process *process)
{
    rh_process_stop(process, SIGTERM, 2000000);
}

const char *rh_process_status_text(const struct process *process, char out[static 48])
{
    if (!process->has_ended)
        snprintf(out, 48, "%s", process->pid == 0 ? "not started" : "still running");
    else if (WIFSIGNALED(process->status)) {
        const char *name = sigabbrev_np(WTERMSIG(process->status));
        if (name != NULL)
            snprintf(out, 48, "killed by SIG%s", name);
        else
            snprintf(out, 48, "killed by signal %d", WTERMSIG(process->status));
    } else
        snprintf(out, 48, "exit status %d", WEXITSTATUS(process->status));
    return out;
}

int rh_process_exit_status(const struct process *process)
{
    RH_ASSERT(process->has_ended);
    if (WIFSIGNALED(process->status))
        return 128 + WTERMSIG(process->status);
    return WEXITSTATUS(process->status);
}

/* A pipe whose read end, ours, never blocks. */
static enum err_code open_output(int *ret_read, int *ret_write, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return rh_err_set_errno(err, errno, "cannot create a pipe");
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        int saved_errno = errno;
        close(ends[0]);
        close(ends[1]);
        return rh_err_set_errno(err, saved_errno, "cannot set up a pipe");
    }
    *ret_read = ends[0];
    *ret_write = ends[1];
    return RH_OK;
}

/* Reads what is there; closes *fd at the end of the stream. */
static void drain(int *fd, struct buf *buf)
{
    char bytes[READ_BYTES];
    while (*fd >= 0) {
        ssize_t got = read(*fd, bytes, sizeof bytes);
        if (got > 0)
            rh_buf_add(buf, bytes, (size_t)got);
        else if (got < 0 && errno == EINTR)
            continue;
        else if (got < 0 && errno == EAGAIN)
            return;
        else
            rh_fd_closep(fd);
    }
}

enum err_code rh_process_run(const struct process_options *options, struct mono deadline,
                             size_t max_output_bytes, struct arena *arena,
                             struct process *ret_process, struct text *ret_stdout,
                             struct text *ret_stderr, struct err *err)
{
    RH_CLEANUP_FD int out_fd = -1;
    RH_CLEANUP_FD int out_write = -1;
    RH_CLEANUP_FD int err_fd = -1;
    RH_CLEANUP_FD int err_write = -1;
    enum err_code code = open_output(&out_fd, &out_write, err);
    if (code == RH_OK)
        code = open_output(&err_fd, &err_write, err);
    if (code != RH_OK)
        return code;

    struct process_options with_pipes = *options;
    with_pipes.stdout_fd = out_write;
    with_pipes.stderr_fd = err_write;
    RH_CLEANUP_PROCESS struct process process = PROCESS_INIT;
    code = rh_process_start(&process, &with_pipes, err);
    if (code != RH_OK)
        return code;
    rh_fd_closep(&out_write);
    rh_fd_closep(&err_write);

    RH_CLEANUP_BUF struct buf out_buf;
    RH_CLEANUP_BUF struct buf err_buf;
    rh_buf_init(&out_buf, max_output_bytes);
    rh_buf_init(&err_buf, max_output_bytes);
    for (;;) {
        /* The end of the process is the end, even if a daemon it left behind holds the pipes. */
        bool has_ended = rh_process_poll(&process);
        drain(&out_fd, &out_buf);
        drain(&err_fd, &err_buf);
        if (has_ended)
            break;
        code = rh_interrupt_check(err);
        if (code != RH_OK)
            return code;
        if (rh_clock_passed(deadline))
            return rh_err_set(err, RH_ERR_TIMEOUT, "\"%s\" did not end in time", options->argv[0]);
        struct pollfd waits[4] = {
            {.fd = process.pidfd, .events = POLLIN},
            {.fd = out_fd, .events = POLLIN},
            {.fd = err_fd, .events = POLLIN},
            {.fd = rh_interrupt_fd(), .events = POLLIN},
        };
        struct mono until = rh_clock_earlier(deadline, rh_interrupt_deadline());
        if (poll(waits, 4, rh_clock_poll_ms(until)) < 0 && errno != EINTR)
            return rh_err_set_errno(err, errno, "cannot wait for \"%s\"", options->argv[0]);
    }
    *ret_process = process;
    process = (struct process)PROCESS_INIT;
    struct text out_text = rh_buf_text(&out_buf);
    struct text err_text = rh_buf_text(&err_buf);
    *ret_stdout = (struct text){rh_text_dup(arena, out_text), out_text.len};
    *ret_stderr = (struct text){rh_text_dup(arena, err_text), err_text.len};
    return RH_OK;
}

char *rh_process_command_text(struct arena *arena, const char *const *argv)
{
    /* Characters that no POSIX shell gives a meaning to inside a word. */
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";
    RH_CLEANUP_BUF struct buf line;
    rh_buf_init(&line, SIZE_MAX / 2);
    for (size_t i = 0; argv[i] != NULL; i++) {
        const char *word = argv[i];
        if (i > 0)
            rh_buf_add_char(&line, ' ');
        if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
            rh_buf_add_str(&line, word);
            continue;
        }
        rh_buf_add_char(&line, '\'');
        for (; *word != '\0'; word++) {
            if (*word == '\'')
                rh_buf_add_str(&line, "'\\''");
            else
                rh_buf_add_char(&line, *word);
        }
        rh_buf_add_char(&line, '\'');
    }
    return rh_text_dup(arena, rh_buf_text(&line));
}
