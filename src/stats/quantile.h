/*
 * Quantiles: the nearest rank, so that a quantile is always a value that was measured. Pure.
 */
#ifndef RH_STATS_QUANTILE_H
#define RH_STATS_QUANTILE_H

#include <stdbool.h>
#include <stddef.h>

/* The rank, from 0, of the quantile `level` (0 < level < 1) among `count` >= 1 values. */
size_t rh_quantile_rank(size_t count, double level);

/*
 * Of `count` >= 1 values, at levels that ascend. Reorders the values: linear in their number, on
 * average; what is left of a level's rank is not above it.
 */
void rh_quantiles(double *values, size_t count, const double *levels, size_t level_count,
                  double *ret_quantiles);
/* One of them. */
double rh_quantile(double *values, size_t count, double level);

/*
 * Between which ranks, from 0, the quantile of what the `count` values were drawn from lies, at
 * `confidence` (0.95) and whatever its distribution: order statistics and the binomial distribution
 * alone (David and Nagaraja, "Order Statistics", 3rd ed., section 7.1). False in *ret_has_high (or
 * *ret_has_low): there are too few values for a bound on that side.
 */
void rh_quantile_interval(size_t count, double level, double confidence, bool *ret_has_low,
                          size_t *ret_low, bool *ret_has_high, size_t *ret_high);

#endif
