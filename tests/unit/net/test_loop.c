/* The loop: watches, timers, deadlines, interrupt, changes from within callbacks, spinning. */
#include "base/file.h"
#include "base/interrupt.h"
#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)

/* A socket pair whose end 0 is watched. */
struct pair {
    struct loop *loop;
    int fds[2];
    struct loop_watch *watch;
    unsigned calls, events;
    bool reads, stops, frees;
    struct pair *closes_other;
};

static void on_ready(void *context, unsigned events)
{
    struct pair *pair = context;
    char byte;
    pair->calls++;
    pair->events |= events;
    if (pair->reads && read(pair->fds[0], &byte, 1) < 0)
        assert_int_equal(errno, EAGAIN);
    if (pair->closes_other) {
        rh_loop_watch_free(pair->closes_other->watch);
        pair->closes_other->watch = NULL;
        close(pair->closes_other->fds[0]);
    }
    if (pair->frees) {
        rh_loop_watch_free(pair->watch);
        pair->watch = NULL;
    }
    if (pair->stops)
        rh_loop_stop(pair->loop);
}

static void open_pair(struct loop *loop, struct pair *pair, unsigned events)
{
    struct err err = RH_ERR_INIT;
    pair->loop = loop;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair->fds),
                     0);
    assert_int_equal(rh_loop_watch_new(loop, pair->fds[0], on_ready, pair, &pair->watch, &err),
                     RH_OK);
    rh_loop_watch_set(pair->watch, events);
}

static void close_pair(struct pair *pair)
{
    rh_loop_watch_free(pair->watch);
    close(pair->fds[0]);
    close(pair->fds[1]);
}

static struct loop *new_loop(void)
{
    struct loop *loop;
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_loop_new(&loop, &err), RH_OK);
    return loop;
}

static enum err_code run_for(struct loop *loop, int64_t us)
{
    struct err err = RH_ERR_INIT;
    return rh_loop_run(loop, rh_clock_after(rh_clock_mono(), us), &err);
}

static void test_loop_watch_hears_readable_and_writable(void **state)
{
    (void)state;
    RH_CLEANUP_LOOP struct loop *loop = new_loop();
    struct pair pair = {.stops = true};
    open_pair(loop, &pair, LOOP_READABLE);
    assert_int_equal(run_for(loop, 2000), RH_ERR_TIMEOUT);
    assert_int_equal(pair.calls, 0);
    assert_int_equal(write(pair.fds[1], "x", 1), 1);
    assert_int_equal(run_for(loop, SECOND_US), RH_OK);
    assert_int_equal(pair.events, LOOP_READABLE);
    rh_loop_watch_set(pair.watch, LOOP_READABLE | LOOP_WRITABLE);
    assert_int_equal(run_for(loop, SECOND_US), RH_OK);
    assert_int_equal(pair.events, LOOP_READABLE | LOOP_WRITABLE);
    close_pair(&pair);
}

static void test_loop_watch_is_silent_when_paused_and_goes_on_after(void **state)
{
    (void)state;
    RH_CLEANUP_LOOP struct loop *loop = new_loop();
    struct pair pair = {.stops = true};
    open_pair(loop, &pair, LOOP_READABLE);
    assert_int_equal(write(pair.fds[1], "x", 1), 1);
    rh_loop_watch_set(pair.watch, 0);
    assert_int_equal(run_for(loop, 5000), RH_ERR_TIMEOUT);
    assert_int_equal(pair.calls, 0);
    rh_loop_watch_set(pair.watch, LOOP_READABLE);
    assert_int_equal(run_for(loop, SECOND_US), RH_OK);
    assert_int_equal(pair.calls, 1);
    /* Level-triggered: it was not read. */
    assert_int_equal(run_for(loop, SECOND_US), RH_OK);
    assert_int_equal(pair.calls, 2);
    close_pair(&pair);
}

static void test_loop_watch_frees_itself_in_its_callback(void **state)
{
    (void)state;
    RH_CLEANUP_LOOP struct loop *loop = new_loop();
    struct pair pair = {.frees = true, .stops = true};
    open_pair(loop, &pair, LOOP_READABLE);
    assert_int_equal(write(pair.fds[1], "x", 1), 1);
    assert_int_equal(run_for(loop, SECOND_US), RH_OK);
    assert_int_equal(run_for(loop, 3000), RH_ERR_TIMEOUT);
    assert_int_equal(pair.calls, 1);
    close_pair(&pair);
}

static void test_loop_watch_is_silent_once_freed_by_another_in_the_same_round(void **state)
{
    (void)state;
    RH_CLEANUP_LOOP struct loop *loop = new_loop();
    struct pair a = {.reads = true}, b = {.reads = true};
    open_pair(loop, &a, LOOP_READABLE);
    open_pair(loop, &b, LOOP_READABLE);
    a.closes_other = &b;
    b.closes_other = &a;
    assert_int_equal(write(a.fds[1], "x", 1), 1);
    assert_int_equal(write(b.fds[1], "x", 1), 1);
    assert_int_equal(run_for(loop, 5000), RH_ERR_TIMEOUT);
    assert_int_equal(a.calls + b.calls, 1);
    struct pair *left = a.watch ? &a : &b;
    rh_loop_watch_free(left->watch);
    close(left->fds[0]);
    close(a.fds[1]);
    close(b.fds[1]);
}

static void test_loop_watch_reports_a_hangup_as_readable(void **state)
{
    (void)state;
    RH_CLEANUP_LOOP struct loop *loop = new_loop();
    struct pair pair = {.stops = true};
    open_pair(loop, &pair, LOOP_READABLE);
    close(pair.fds[1]);
    assert_int_equal(run_for(loop, SECOND_US), RH_OK);
    assert_true(pair.events & LOOP_READABLE);
    char byte;
    assert_int_equal(read(pair.fds[0], &byte, 1), 0);
    pair.fds[1] = -1;
    close_pair(&pair);
}

static void test_loop_watch_reports_an_error_again_and_again(void **state)
{
    (void)state;
    /* A connection refused: POLLERR, for which libuv stops its handle. */
    RH_CLEANUP_LOOP struct loop *loop = new_loop();
    struct pair pair = {.stops = true, .loop = loop};
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
    close(pipe_fds[0]); /* a pipe without a reader: its other end is in error */
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_loop_watch_new(loop, pipe_fds[1], on_ready, &pair, &pair.watch, &err),
                     RH_OK);
    rh_loop_watch_set(pair.watch, LOOP_WRITABLE);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(run_for(loop, SECOND_US), RH_OK);
        assert_int_equal(pair.calls, i);
        assert_int_equal(pair.events, LOOP_WRITABLE);
    }
    rh_loop_watch_free(pair.watch);
    close(pipe_fds[1]);
}

static void test_loop_watch_refuses_a_descriptor_that_cannot_be_watched(void **state)
{
    (void)state;
    RH_CLEANUP_LOOP struct loop *loop = new_loop();
    struct loop_watch *watch = NULL;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(rh_loop_watch_new(loop, fd, on_ready, NULL, &watch, &err), RH_ERR_IO);
    assert_int_equal(err.errno_value, EPERM);
    assert_null(watch);
}

struct ticks {
    struct loop *loop;
    struct loop_timer *timer;
    struct mono at[8];
    unsigned count, stop_at;
    bool frees, restarts;
};

static void on_tick(void *context)
{
    struct ticks *ticks = context;
    assert_true(ticks->count < 8);
    ticks->at[ticks->count++] = rh_loop_now(ticks->loop);
    if (ticks->restarts)
        rh_loop_timer_start(ticks->timer, 1000, 0);
    if (ticks->frees)
        rh_loop_timer_free(ticks->timer);
    if (ticks->count == ticks->stop_at)
        rh_loop_stop(ticks->loop);
}

static void test_loop_timer_is_never_early(void **state)
{
    (void)state;
    static const int64_t delays_us[] = {0, 1, 300, 999, 1000, 1500, 4200};
    RH_CLEANUP_LOOP struct loop *loop = new_loop();
    struct ticks ticks = {.loop = loop};
    ticks.timer = rh_loop_timer_new(loop, on_tick, &ticks);
    for (size_t i = 0; i < sizeof(delays_us) / sizeof(delays_us[0]); i++) {
        for (int round = 0; round < 5; round++) {
            ticks.count = 0;
            ticks.stop_at = 1;
            struct mono start = rh_clock_mono();
            rh_loop_timer_start(ticks.timer, delays_us[i], 0);
            assert_int_equal(run_for(loop, SECOND_US), RH_OK);
            assert_true(ticks.at[0].us - start.us >= delays_us[i]);
        }
    }
    rh_loop_timer_free(ticks.timer);
}

static void test_loop_timer_repeats_until_stopped(void **state)
{
    (void)state;
    RH_CLEANUP_LOOP struct loop *loop = new_loop();
    struct ticks ticks = {.loop = loop, .stop_at = 4};
    ticks.timer = rh_loop_timer_new(loop, on_tick, &ticks);
    struct mono start = rh_clock_mono();
    rh_loop_timer_start(ticks.timer, 1000, 2000);
    assert_int_equal(run_for(loop, SECOND_US), RH_OK);
    assert_true(ticks.at[3].us - start.us >= 7000);
    rh_loop_timer_stop(ticks.timer);
    assert_int_equal(run_for(loop, 6000), RH_ERR_TIMEOUT);
    assert_int_equal(ticks.count, 4);
    rh_loop_timer_free(ticks.timer);
}

static void test_loop_timer_may_restart_or_free_itself(void **state)
{
    (void)state;
    RH_CLEANUP_LOOP struct loop *loop = new_loop();
    struct ticks a = {.loop = loop, .restarts = true, .stop_at = 3},
                 b = {.loop = loop, .frees = true};
    a.timer = rh_loop_timer_new(loop, on_tick, &a);
    b.timer = rh_loop_timer_new(loop, on_tick, &b);
    rh_loop_timer_start(a.timer, 0, 0);
    rh_loop_timer_start(b.timer, 0, 1000);
    assert_int_equal(run_for(loop, SECOND_US), RH_OK);
    assert_int_equal(a.count, 3);
    assert_int_equal(b.count, 1);
    rh_loop_timer_free(a.timer);
}

static void test_loop_run_ends_at_its_deadline_and_not_before(void **state)
{
    (void)state;
    RH_CLEANUP_LOOP struct loop *loop = new_loop();
    struct err err = RH_ERR_INIT;
    struct mono deadline = rh_clock_after(rh_clock_mono(), 3300);
    assert_int_equal(rh_loop_run(loop, deadline, &err), RH_ERR_TIMEOUT);
    assert_true(rh_clock_passed(deadline));
    assert_string_equal(err.message, "the deadline passed");
    /* One that has passed already. */
    assert_int_equal(rh_loop_run(loop, deadline, &err), RH_ERR_TIMEOUT);
}

static void test_loop_stop_before_run_ends_the_next_run_alone(void **state)
{
    (void)state;
    RH_CLEANUP_LOOP struct loop *loop = new_loop();
    rh_loop_stop(loop);
    assert_int_equal(run_for(loop, SECOND_US), RH_OK);
    assert_int_equal(run_for(loop, 1000), RH_ERR_TIMEOUT);
}

static void test_loop_free_closes_what_is_left(void **state)
{
    (void)state;
    struct loop *loop = new_loop();
    struct pair pair = {.reads = true};
    open_pair(loop, &pair, LOOP_READABLE);
    struct ticks ticks = {.loop = loop};
    rh_loop_timer_start(rh_loop_timer_new(loop, on_tick, &ticks), SECOND_US, 0);
    rh_loop_free(loop);
    rh_loop_free(NULL);
    assert_int_equal(ticks.count, 0);
    close(pair.fds[0]);
    close(pair.fds[1]);
}

/* In a child, because the handlers belong to the process and the first signal is remembered for
 * ever. */
static int interrupted_child(void)
{
    struct err err = RH_ERR_INIT;
    struct loop *loop;
    if (rh_loop_new(&loop, &err) != RH_OK || rh_interrupt_install(&err) != RH_OK)
        return 10;
    kill(getpid(), SIGTERM);
    if (rh_loop_run(loop, rh_clock_after(rh_clock_mono(), SECOND_US), &err) != RH_ERR_INTERRUPTED)
        return 11;
    /* Still so: whoever waits again during clean-up hears it again. */
    if (rh_loop_run(loop, RH_NEVER, &err) != RH_ERR_INTERRUPTED)
        return 12;
    rh_loop_free(loop);
    return 0;
}

static void test_loop_run_ends_when_a_signal_comes(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(interrupted_child());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Each byte is answered by the other side of the pair, in the same loop: always something to do. */
static void on_echo(void *context, unsigned events)
{
    struct pair *pair = context;
    char byte;
    (void)events;
    if (read(pair->fds[0], &byte, 1) != 1)
        return;
    if (++pair->calls == 2000)
        rh_loop_stop(pair->loop);
    assert_int_equal(write(pair->fds[1], &byte, 1), 1);
}

static void test_loop_spinning_changes_nothing_but_sleeps(void **state)
{
    (void)state;
    RH_CLEANUP_LOOP struct loop *loop = new_loop();
    struct pair pair = {.loop = loop};
    struct err err = RH_ERR_INIT;
    rh_loop_set_spin(loop, 200);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.fds),
                     0);
    assert_int_equal(rh_loop_watch_new(loop, pair.fds[0], on_echo, &pair, &pair.watch, &err),
                     RH_OK);
    rh_loop_watch_set(pair.watch, LOOP_READABLE);
    assert_int_equal(write(pair.fds[1], "x", 1), 1);
    struct ticks ticks = {.loop = loop};
    ticks.timer = rh_loop_timer_new(loop, on_tick, &ticks);
    rh_loop_timer_start(ticks.timer, 1000, 0);
    assert_int_equal(run_for(loop, 5 * SECOND_US), RH_OK);
    assert_int_equal(pair.calls, 2000);
    struct loop_statistics statistics = rh_loop_statistics(loop);
    assert_true(statistics.spin_hits <= statistics.spins);
    assert_true(statistics.sleeps + statistics.spin_hits >= 1999);
    /* Nothing more to do: the deadline still comes. */
    rh_loop_watch_set(pair.watch, 0);
    assert_int_equal(run_for(loop, 3000), RH_ERR_TIMEOUT);
    rh_loop_timer_free(ticks.timer);
    close_pair(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop_watch_hears_readable_and_writable),
        cmocka_unit_test(test_loop_watch_is_silent_when_paused_and_goes_on_after),
        cmocka_unit_test(test_loop_watch_frees_itself_in_its_callback),
        cmocka_unit_test(test_loop_watch_is_silent_once_freed_by_another_in_the_same_round),
        cmocka_unit_test(test_loop_watch_reports_a_hangup_as_readable),
        cmocka_unit_test(test_loop_watch_reports_an_error_again_and_again),
        cmocka_unit_test(test_loop_watch_refuses_a_descriptor_that_cannot_be_watched),
        cmocka_unit_test(test_loop_timer_is_never_early),
        cmocka_unit_test(test_loop_timer_repeats_until_stopped),
        cmocka_unit_test(test_loop_timer_may_restart_or_free_itself),
        cmocka_unit_test(test_loop_run_ends_at_its_deadline_and_not_before),
        cmocka_unit_test(test_loop_stop_before_run_ends_the_next_run_alone),
        cmocka_unit_test(test_loop_free_closes_what_is_left),
        cmocka_unit_test(test_loop_run_ends_when_a_signal_comes),
        cmocka_unit_test(test_loop_spinning_changes_nothing_but_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
