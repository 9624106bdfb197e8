/*
 * A histogram of durations whose memory is bounded and whose quantiles are near: buckets are
 * HISTOGRAM_STEPS to each power of two (as in Tene's HdrHistogram), so that a value told is within
 * 1.6 % of one that was recorded, from 1 us to 12 days. 5 kB, whatever was recorded; zero is empty.
 * Pure.
 */
#ifndef RH_STATS_HISTOGRAM_H
#define RH_STATS_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_STEPS 32
#define HISTOGRAM_VALUE_MAX (INT64_C(1) << 40)

/* 5: of HISTOGRAM_STEPS, to the base of two; those below have a bucket each. */
#define HISTOGRAM_BUCKETS ((40 - 5 + 2) * HISTOGRAM_STEPS)

struct histogram {
    uint32_t counts[HISTOGRAM_BUCKETS];
    int64_t count, sum; /* of values as recorded, not of their buckets */
    int64_t min, max;   /* 0 while there is none */
};

/* Negative values count as 0, those beyond HISTOGRAM_VALUE_MAX as that. */
void rh_histogram_add(struct histogram *histogram, int64_t value);
/* The value at the nearest rank, 0 <= level <= 1: the middle of its bucket, never beyond what was
   recorded. 0 when there is none. */
int64_t rh_histogram_quantile(const struct histogram *histogram, double level);

#endif
