/*
 * A generator of pseudo-random numbers whose state is the caller's: the same seed gives the same
 * numbers everywhere. xoshiro256** of Blackman and Vigna, filled by splitmix64 as they advise. Not
 * for secrets. Pure.
 */
#ifndef RH_STATS_RANDOM_H
#define RH_STATS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

void rh_random_seed(struct random *random, uint64_t seed);
uint64_t rh_random_next(struct random *random);
double rh_random_unit(struct random *random); /* 0 <= x < 1 */
/* 0 ... count - 1, each as often; 0 for a count of 0. */
size_t rh_random_below(struct random *random, size_t count);

#endif
