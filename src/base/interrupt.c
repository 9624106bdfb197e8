#include "base/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/*
 * The one piece of global state of this program: a signal belongs to the process, and a handler has
 * no argument. Handlers touch the atomics and the pipe alone.
 */
static int wake_pipe[2] = {-1, -1};
static atomic_int first_signal;
static atomic_bool urgent;
static struct mono run_deadline = {INT64_MAX};

static void on_signal(int signal_number)
{
    int saved_errno = errno;
    int none = 0;
    if (!atomic_compare_exchange_strong(&first_signal, &none, signal_number))
        atomic_store(&urgent, true);
    /* The pipe is non-blocking and one byte is enough for ever: a full pipe is no failure. */
    ssize_t ignored = write(wake_pipe[1], "!", 1);
    (void)ignored;
    errno = saved_errno;
}

enum err_code rh_interrupt_install(struct err *err)
{
    if (wake_pipe[0] != -1)
        return RH_OK;
    if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return rh_err_set_errno(err, errno, "cannot create a pipe for signals");

    static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        struct sigaction old;
        sigaction(stops[i], NULL, &old);
        /* nohup and background jobs of a shell have it ignored: that is the user's wish. */
        if (old.sa_handler == SIG_IGN)
            continue;
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        sigemptyset(&action.sa_mask);
        if (sigaction(stops[i], &action, NULL) != 0)
            return rh_err_set_errno(err, errno, "cannot handle signal %d", stops[i]);
    }
    /* A write to a peer that went away is an error to handle, not our end. */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    /* Inherited as ignored, children would be reaped behind our back and their pids reused. */
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &standard, NULL);
    return RH_OK;
}

int rh_interrupt_fd(void)
{
    return wake_pipe[0];
}

int rh_interrupt_signal(void)
{
    return atomic_load(&first_signal);
}

bool rh_interrupt_is_urgent(void)
{
    return atomic_load(&urgent);
}

void rh_interrupt_set_deadline(struct mono deadline)
{
    run_deadline = deadline;
}

struct mono rh_interrupt_deadline(void)
{
    return run_deadline;
}

enum err_code rh_interrupt_check(struct err *err)
{
    int signal_number = rh_interrupt_signal();
    if (signal_number != 0)
        return rh_err_set(err, RH_ERR_INTERRUPTED, "interrupted by SIG%s",
                          sigabbrev_np(signal_number));
    if (rh_clock_passed(run_deadline))
        return rh_err_set(err, RH_ERR_TIMEOUT, "the time limit of the whole run has passed");
    return RH_OK;
}
