/*
 * Whether to spin before a sleep: the adaptive part of the loop, kept apart from it so that it can
 * be tested with made-up times.
 *
 * Spinning pays when the next event comes within the spin window, and when it takes a core that no
 * one else wants. The first is learned from every wait, slept or spun; the second is looked up in
 * /proc/loadavg now and then, at the moment of decision: more runnable threads than cores means
 * that somebody waits for ours. At saturation and on a machine (or in a cgroup) with one core it
 * never spins. It reads no clock: times are arguments. Not thread-safe.
 */
#ifndef RH_NET_SPIN_H
#define RH_NET_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct spin {
    int64_t limit_us;      /* the window; 0: never */
    unsigned prompt_share; /* of recent waits that ended within the window, in 1/256 */
    unsigned
        crowd_share; /* of recent looks that found more runnable threads than cores, in 1/256 */
    int64_t next_look_us;
    unsigned cores; /* that this process may use; 0: not known */
    int loadavg_fd; /* -1: cannot be read, then it never spins */
};

void rh_spin_init(struct spin *spin); /* limit 0; opens nothing */
void rh_spin_deinit(struct spin *spin);
void rh_spin_set_limit(struct spin *spin, int64_t limit_us);

/* Would spinning now pay? May look at the machine's load (a few microseconds, a few hundred times a
 * second). */
bool rh_spin_is_worthwhile(struct spin *spin, int64_t now_us);
/* A wait, however it was spent, ended with an event after this long. */
void rh_spin_learn_wait(struct spin *spin, int64_t waited_us);
/* One look: `runnable` threads on the whole machine, ours included. */
void rh_spin_learn_load(struct spin *spin, unsigned runnable);

#endif
