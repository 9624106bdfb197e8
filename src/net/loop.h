/*
 * The event loop: one thread, one loop (libuv underneath). Watches descriptors, runs timers, wakes
 * on signals, and spins before it sleeps where that pays.
 *
 * Why spin: most of an in-path relay's cost is waking a sleeping thread. While events keep coming
 * within the spin window and a core is free, the loop polls without sleeping for at most `spin_us`;
 * it stops when that does not pay (adaptive: net/spin.h).
 *
 * Callbacks run inside rh_loop_run only, and may add and remove watches and timers, their own
 * included; a watch or timer is silent from the moment it is freed. rh_loop_run does not nest.
 */
#ifndef RH_NET_LOOP_H
#define RH_NET_LOOP_H

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_watch;
struct loop_timer;

#define LOOP_READABLE 1u
#define LOOP_WRITABLE 2u

enum err_code rh_loop_new(struct loop **ret_loop, struct err *err) RH_MUST_CHECK;
void rh_loop_free(
    struct loop *loop); /* NULL allowed; closes the watches and timers that are left */
void rh_loop_freep(struct loop **loop);
#define RH_CLEANUP_LOOP __attribute__((cleanup(rh_loop_freep)))

/* The longest spin before a sleep; 0 (default) never spins. */
void rh_loop_set_spin(struct loop *loop, int64_t spin_us);

typedef void loop_ready_fn(void *context, unsigned events);
/*
 * Level-triggered. `fd` stays the caller's and must outlive the watch; one watch per descriptor.
 * Starts paused: nothing comes before rh_loop_watch_set. events 0 pauses. A descriptor in error
 * state reports everything that is watched, so that the caller's next call on it meets the error.
 */
enum err_code rh_loop_watch_new(struct loop *loop, int fd, loop_ready_fn *fn, void *context,
                                struct loop_watch **ret_watch, struct err *err) RH_MUST_CHECK;
void rh_loop_watch_set(struct loop_watch *watch, unsigned events);
void rh_loop_watch_free(struct loop_watch *watch); /* NULL allowed */

/* Timers never fire early, and up to about a millisecond late (libuv's resolution). repeat_us 0:
   once; repeats that were missed are skipped. Starting again replaces what was set. */
typedef void loop_timer_fn(void *context);
struct loop_timer *rh_loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *context);
void rh_loop_timer_start(struct loop_timer *timer, int64_t after_us, int64_t repeat_us);
void rh_loop_timer_stop(struct loop_timer *timer);
void rh_loop_timer_free(struct loop_timer *timer);

/*
 * Runs until rh_loop_stop, the deadline or the run's own one (RH_ERR_TIMEOUT), or the user's
 * interrupt (RH_ERR_INTERRUPTED; rh_interrupt_fd is watched by the loop itself). A stop from within
 * a callback lets the callbacks of the same wake-up run to their end; a stop outside of rh_loop_run
 * ends the next run at once.
 */
enum err_code rh_loop_run(struct loop *loop, struct mono deadline, struct err *err) RH_MUST_CHECK;
void rh_loop_stop(struct loop *loop);
/* From now on the user's interrupt ends no run: for those who have something to bring to an end
   first. They look at it themselves (rh_interrupt_is_urgent). */
void rh_loop_ignore_interrupt(struct loop *loop);
/* How often the loop slept and how often a spin saved a sleep: for tests and benchmarks. */
struct loop_statistics {
    uint64_t sleeps, spins, spin_hits;
};
struct loop_statistics rh_loop_statistics(const struct loop *loop);
/* Time as of the last wake-up would be too coarse for us: this reads the clock. */
struct mono rh_loop_now(const struct loop *loop);

#endif
