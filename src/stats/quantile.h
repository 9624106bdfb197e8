/*
 * Quantiles: the nearest rank, so that a quantile is always a value that was measured. Pure.
 */
#ifndef RH_STATS_QUANTILE_H
#define RH_STATS_QUANTILE_H

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

#endif
