/*
 * Child processes: started with exec failure reported, reset signals, closed descriptors and a
 * death signal (they die with us, also after kill -9); waited for with a deadline; own pids only.
 *
 * One owner; rh_process_stop is the destructor and accepts a process that was never started.
 */
#ifndef RH_BASE_PROCESS_H
#define RH_BASE_PROCESS_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <sys/types.h>

struct process {
    pid_t pid;  /* 0: not running (never started, or reaped) */
    int pidfd;  /* readable once it ended; -1 when not running */
    int status; /* wait status, valid once has_ended */
    bool has_ended;
    bool has_group; /* leads a process group of its own */
};
#define PROCESS_INIT \
    {                \
        .pidfd = -1  \
    }

struct process_options {
    const char *const *argv; /* NULL-terminated; argv[0] is searched in PATH unless it has a '/' */
    const char *const *env;  /* NULL-terminated "A=b"; NULL: ours */
    const char *directory;   /* NULL: ours */
    int stdin_fd, stdout_fd, stderr_fd; /* -1: /dev/null; duplicated, still owned by the caller */
    bool drop_privileges;               /* to uid/gid below; only when we are root */
    uid_t uid;
    gid_t gid;
    bool new_group;   /* own process group, so that a signal reaches its children too */
    bool survives_us; /* no death signal (only for --keep) */
    int death_signal; /* sent when we die; 0: SIGKILL. A server prefers its own: SIGQUIT */
    /* Runs in the child between fork and exec; only async-signal-safe work. A non-zero return is
       reported as "cannot prepare" with that errno. NULL for none. */
    int (*prepare)(void *context);
    void *prepare_context;
};

/* "command not found" and the like are RH_ERR_ENVIRONMENT with errno_value set. */
enum err_code rh_process_start(struct process *process, const struct process_options *options,
                               struct err *err) RH_MUST_CHECK;
/* Waits until it ended: RH_ERR_TIMEOUT at the deadline (the child goes on), RH_ERR_INTERRUPTED. */
enum err_code rh_process_wait(struct process *process, struct mono deadline,
                              struct err *err) RH_MUST_CHECK;
/* Reaps if it ended; true when it has. */
bool rh_process_poll(struct process *process);
void rh_process_signal(struct process *process, int signal_number); /* the group if it has one */
/* `signal_number`, then SIGKILL after grace_us; always reaps. Safe on PROCESS_INIT. */
void rh_process_stop(struct process *process, int signal_number, int64_t grace_us);
void rh_process_stopp(struct process *process); /* SIGTERM, 2 s */
#define RH_CLEANUP_PROCESS __attribute__((cleanup(rh_process_stopp)))
/* "exit status 3", "killed by SIGSEGV". */
const char *rh_process_status_text(const struct process *process, char out[static 48]);
int rh_process_exit_status(const struct process *process); /* 128 + signal when killed */

/* Runs to the end and collects at most max_output_bytes of stdout and of stderr each (the rest is
   read and dropped). A non-zero status is no error here: look at process->status. */
enum err_code rh_process_run(const struct process_options *options, struct mono deadline,
                             size_t max_output_bytes, struct arena *arena,
                             struct process *ret_process, struct text *ret_stdout,
                             struct text *ret_stderr, struct err *err) RH_MUST_CHECK;

/* argv of the command line as a person would type it, quoted where a shell needs it. */
char *rh_process_command_text(struct arena *arena, const char *const *argv);

#endif
