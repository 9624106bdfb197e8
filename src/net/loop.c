#include "net/loop.h"

#include "base/interrupt.h"
#include "net/spin.h"

#include <stdlib.h>
#include <uv.h>

/* Every uv handle of ours but `keep_alive` is the first member of a malloc'ed owner, which goes in
   the handle's close callback: libuv still needs it until then. */
struct loop {
    uv_loop_t uv;
    uv_prepare_t keep_alive;      /* without an active handle uv_run would not sleep */
    struct loop_watch *interrupt; /* NULL until signals are installed */
    struct loop_timer *deadline;
    bool is_running, stop_wanted, was_interrupted, deadline_passed, ignores_interrupt;
    struct spin spin;
    bool had_event;         /* in this round of uv_run */
    int64_t first_event_us; /* when its first event was found; only kept while spinning is on */
    struct loop_statistics statistics;
};

struct loop_watch {
    uv_poll_t poll;
    struct loop *loop;
    loop_ready_fn *fn;
    void *context;
    unsigned events;
};

struct loop_timer {
    uv_timer_t uv;
    struct loop *loop;
    loop_timer_fn *fn;
    void *context;
    int64_t due_us, repeat_us;
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        RH_PANIC("out of memory (%zu bytes)", size);
    return memory;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, handle->type == UV_PREPARE ? NULL : on_closed);
}

/* --- watches ---------------------------------------------------------------------------------- */

static void on_ready(uv_poll_t *poll, int status, int uv_events);

static void start_poll(struct loop_watch *watch)
{
    int uv_events = (watch->events & LOOP_READABLE ? UV_READABLE : 0) |
                    (watch->events & LOOP_WRITABLE ? UV_WRITABLE : 0);
    /* The descriptor was accepted by uv_poll_init, so these cannot fail. */
    int result = uv_events ? uv_poll_start(&watch->poll, uv_events, on_ready)
                           : uv_poll_stop(&watch->poll);
    RH_ASSERT(result == 0);
}

static void on_ready(uv_poll_t *poll, int status, int uv_events)
{
    struct loop_watch *watch = (struct loop_watch *)poll;
    struct loop *loop = watch->loop;
    if (!loop->had_event) {
        loop->had_event = true;
        if (loop->spin.limit_us)
            loop->first_event_us = rh_clock_mono().us;
    }
    unsigned events = (uv_events & UV_READABLE ? LOOP_READABLE : 0) |
                      (uv_events & UV_WRITABLE ? LOOP_WRITABLE : 0);
    if (status < 0) {
        /* POLLERR: libuv has stopped the handle. Go on level-triggered. */
        events = watch->events;
        start_poll(watch);
    }
    watch->fn(watch->context, events);
}

enum err_code rh_loop_watch_new(struct loop *loop, int fd, loop_ready_fn *fn, void *context,
                                struct loop_watch **ret_watch, struct err *err)
{
    struct loop_watch *watch = allocate(sizeof(*watch));
    int result = uv_poll_init(&loop->uv, &watch->poll, fd);
    if (result < 0) {
        free(watch);
        return rh_err_set_errno(err, -result, "cannot watch file descriptor %d", fd);
    }
    watch->loop = loop;
    watch->fn = fn;
    watch->context = context;
    *ret_watch = watch;
    return RH_OK;
}

void rh_loop_watch_set(struct loop_watch *watch, unsigned events)
{
    /* Each change costs libuv two epoll_ctl calls. */
    if (watch->events == events)
        return;
    watch->events = events;
    start_poll(watch);
}

void rh_loop_watch_free(struct loop_watch *watch)
{
    if (watch)
        close_handle((uv_handle_t *)&watch->poll);
}

/* --- timers ----------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *uv);

/* libuv counts whole milliseconds from a truncated start, so it may come early: then on_timer waits
   again. */
static void start_uv_timer(struct loop_timer *timer, int64_t now_us)
{
    int64_t left_us = timer->due_us > now_us ? timer->due_us - now_us : 0;
    uv_update_time(&timer->loop->uv);
    int result = uv_timer_start(&timer->uv, on_timer, (uint64_t)((left_us + 999) / 1000), 0);
    RH_ASSERT(result == 0);
}

static void on_timer(uv_timer_t *uv)
{
    struct loop_timer *timer = (struct loop_timer *)uv;
    int64_t now_us = rh_clock_mono().us;
    if (now_us >= timer->due_us && timer->repeat_us == 0) {
        timer->fn(timer->context);
        return;
    }
    bool is_due = now_us >= timer->due_us;
    if (is_due)
        timer->due_us += ((now_us - timer->due_us) / timer->repeat_us + 1) * timer->repeat_us;
    start_uv_timer(timer, now_us);
    if (is_due)
        timer->fn(timer->context);
}

struct loop_timer *rh_loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *context)
{
    struct loop_timer *timer = allocate(sizeof(*timer));
    int result = uv_timer_init(&loop->uv, &timer->uv);
    RH_ASSERT(result == 0);
    timer->loop = loop;
    timer->fn = fn;
    timer->context = context;
    return timer;
}

void rh_loop_timer_start(struct loop_timer *timer, int64_t after_us, int64_t repeat_us)
{
    struct mono now = rh_clock_mono();
    timer->due_us = rh_clock_after(now, after_us > 0 ? after_us : 0).us;
    timer->repeat_us = repeat_us > 0 ? repeat_us : 0;
    start_uv_timer(timer, now.us);
}

void rh_loop_timer_stop(struct loop_timer *timer)
{
    int result = uv_timer_stop(&timer->uv);
    RH_ASSERT(result == 0);
}

void rh_loop_timer_free(struct loop_timer *timer)
{
    if (timer)
        close_handle((uv_handle_t *)&timer->uv);
}

/* --- the loop --------------------------------------------------------------------------------- */

static void on_prepare(uv_prepare_t *prepare)
{
    (void)prepare;
}

/* Timers run before the poll of the same round, which without uv_stop would sleep for ever. */
static void on_deadline(void *context)
{
    struct loop *loop = context;
    loop->deadline_passed = true;
    uv_stop(&loop->uv);
}

static void on_interrupt(void *context, unsigned events)
{
    struct loop *loop = context;
    (void)events;
    loop->was_interrupted = true;
    uv_stop(&loop->uv);
}

enum err_code rh_loop_new(struct loop **ret_loop, struct err *err)
{
    struct loop *loop = allocate(sizeof(*loop));
    int result = uv_loop_init(&loop->uv);
    if (result < 0) {
        free(loop);
        return rh_err_set_errno(err, -result, "cannot start an event loop");
    }
    result = uv_prepare_init(&loop->uv, &loop->keep_alive);
    RH_ASSERT(result == 0);
    result = uv_prepare_start(&loop->keep_alive, on_prepare);
    RH_ASSERT(result == 0);
    rh_spin_init(&loop->spin);
    loop->deadline = rh_loop_timer_new(loop, on_deadline, loop);
    *ret_loop = loop;
    return RH_OK;
}

static void close_left(uv_handle_t *handle, void *context)
{
    (void)context;
    close_handle(handle);
}

void rh_loop_free(struct loop *loop)
{
    if (!loop)
        return;
    RH_ASSERT(!loop->is_running);
    uv_walk(&loop->uv, close_left, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT); /* runs the close callbacks, nothing else is left */
    int result = uv_loop_close(&loop->uv);
    RH_ASSERT(result == 0);
    rh_spin_deinit(&loop->spin);
    free(loop);
}

void rh_loop_freep(struct loop **loop)
{
    rh_loop_free(*loop);
    *loop = NULL;
}

void rh_loop_set_spin(struct loop *loop, int64_t spin_us)
{
    rh_spin_set_limit(&loop->spin, spin_us);
}

static bool is_over(const struct loop *loop)
{
    return loop->stop_wanted || loop->was_interrupted || loop->deadline_passed;
}

/* Polls without sleeping until something happens or the window has passed. False: nothing came. */
static bool spin(struct loop *loop, int64_t idle_since_us)
{
    loop->statistics.spins++;
    do {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        if (loop->had_event) {
            loop->statistics.spin_hits++;
            return true;
        }
        if (is_over(loop))
            return true;
    } while (rh_clock_mono().us - idle_since_us < loop->spin.limit_us);
    return false;
}

static void run_spinning(struct loop *loop)
{
    int64_t idle_since_us = rh_clock_mono().us;
    while (!is_over(loop)) {
        loop->had_event = false;
        if (!rh_spin_is_worthwhile(&loop->spin, idle_since_us) || !spin(loop, idle_since_us)) {
            loop->statistics.sleeps++;
            uv_run(&loop->uv, UV_RUN_ONCE);
        }
        if (!loop->had_event)
            continue; /* a timer: it does not tell when the peers are going to speak */
        rh_spin_learn_wait(&loop->spin, loop->first_event_us - idle_since_us);
        idle_since_us = rh_clock_mono().us;
    }
}

static void run_sleeping(struct loop *loop)
{
    while (!is_over(loop) && loop->spin.limit_us == 0) {
        loop->statistics.sleeps++;
        uv_run(&loop->uv, UV_RUN_ONCE);
    }
}

static enum err_code watch_interrupt(struct loop *loop, struct err *err)
{
    int fd = rh_interrupt_fd();
    if (fd < 0 || loop->interrupt || loop->ignores_interrupt)
        return RH_OK;
    enum err_code code = rh_loop_watch_new(loop, fd, on_interrupt, loop, &loop->interrupt, err);
    if (code == RH_OK)
        rh_loop_watch_set(loop->interrupt, LOOP_READABLE);
    return code;
}

enum err_code rh_loop_run(struct loop *loop, struct mono deadline, struct err *err)
{
    RH_ASSERT(!loop->is_running);
    enum err_code code = watch_interrupt(loop, err);
    if (code != RH_OK)
        return code;
    loop->is_running = true;
    loop->was_interrupted = loop->deadline_passed = false;
    struct mono earlier = rh_clock_earlier(deadline, rh_interrupt_deadline());
    if (earlier.us != RH_NEVER.us)
        rh_loop_timer_start(loop->deadline, earlier.us - rh_clock_mono().us, 0);
    while (!is_over(loop)) {
        if (loop->spin.limit_us)
            run_spinning(loop);
        else
            run_sleeping(loop);
    }
    rh_loop_timer_stop(loop->deadline);
    loop->is_running = false;

    if (loop->stop_wanted) {
        loop->stop_wanted = false;
        return RH_OK;
    }
    code = rh_interrupt_check(err);
    if (code == RH_OK)
        code = rh_err_set(err, RH_ERR_TIMEOUT, "the deadline passed");
    return code;
}

void rh_loop_stop(struct loop *loop)
{
    loop->stop_wanted = true;
    if (loop->is_running)
        uv_stop(&loop->uv);
}

void rh_loop_ignore_interrupt(struct loop *loop)
{
    loop->ignores_interrupt = true;
    rh_loop_watch_free(loop->interrupt);
    loop->interrupt = NULL;
}

struct loop_statistics rh_loop_statistics(const struct loop *loop)
{
    return loop->statistics;
}

struct mono rh_loop_now(const struct loop *loop)
{
    (void)loop;
    return rh_clock_mono();
}
