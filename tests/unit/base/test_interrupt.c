#include "unit.h"

#include "base/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

/* Handlers and state belong to the process, so every test runs in a child of its own. */

static void first_signal_is_kept(void *context)
{
    (void)context;
    struct err err = RH_ERR_INIT;
    CHECK(rh_interrupt_fd() == -1);
    CHECK(rh_interrupt_install(&err) == RH_OK);
    CHECK(rh_interrupt_install(&err) == RH_OK);
    CHECK(rh_interrupt_check(&err) == RH_OK);
    struct pollfd wait = {.fd = rh_interrupt_fd(), .events = POLLIN};
    CHECK(poll(&wait, 1, 0) == 0);
    raise(SIGTERM);
    CHECK(poll(&wait, 1, 0) == 1);
    CHECK(rh_interrupt_signal() == SIGTERM);
    CHECK(!rh_interrupt_is_urgent());
    CHECK(rh_interrupt_check(&err) == RH_ERR_INTERRUPTED);
    CHECK(strcmp(err.message, "interrupted by SIGTERM") == 0);
    raise(SIGINT);
    CHECK(rh_interrupt_signal() == SIGTERM);
    CHECK(rh_interrupt_is_urgent());
    for (int i = 0; i < 100000; i++)
        raise(SIGINT); /* a full pipe must not block the handler */
    CHECK(poll(&wait, 1, 0) == 1);
}

static void ignored_signals_stay_ignored(void *context)
{
    (void)context;
    struct err err = RH_ERR_INIT;
    signal(SIGHUP, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    CHECK(rh_interrupt_install(&err) == RH_OK);
    raise(SIGHUP);
    CHECK(rh_interrupt_signal() == 0);
    struct sigaction action;
    CHECK(sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    int ends[2];
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    CHECK(write(ends[1], "x", 1) == -1 && errno == EPIPE);
}

static void deadline_is_a_timeout(void *context)
{
    (void)context;
    struct err err = RH_ERR_INIT;
    CHECK(rh_interrupt_deadline().us == RH_NEVER.us);
    rh_interrupt_set_deadline(rh_clock_after(rh_clock_mono(), 60000000));
    CHECK(rh_interrupt_check(&err) == RH_OK);
    rh_interrupt_set_deadline(rh_clock_mono());
    CHECK(rh_interrupt_check(&err) == RH_ERR_TIMEOUT);
    CHECK(rh_err_exit_status(err.code) == 124);
}

static void test_interrupt_keeps_the_first_signal(void **state)
{
    (void)state;
    assert_int_equal(in_child(first_signal_is_kept, NULL), 0);
}

static void test_interrupt_leaves_ignored_signals_when_installed(void **state)
{
    (void)state;
    assert_int_equal(in_child(ignored_signals_stay_ignored, NULL), 0);
}

static void test_interrupt_times_out_when_the_deadline_passed(void **state)
{
    (void)state;
    assert_int_equal(in_child(deadline_is_a_timeout, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupt_keeps_the_first_signal),
        cmocka_unit_test(test_interrupt_leaves_ignored_signals_when_installed),
        cmocka_unit_test(test_interrupt_times_out_when_the_deadline_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
