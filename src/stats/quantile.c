#include "stats/quantile.h"

#include <math.h>

size_t rh_quantile_rank(size_t count, double level)
{
    double rank = ceil(level * (double)count) - 1;
    if (!(rank > 0))
        return 0;
    return rank >= (double)count ? count - 1 : (size_t)rank;
}

/* Wirth's find: afterwards nothing left of `rank` is above it, nothing right of it below. */
static void select_rank(double *values, ptrdiff_t from, ptrdiff_t last, ptrdiff_t rank)
{
    while (from < last) {
        double pivot = values[rank];
        ptrdiff_t i = from, j = last;
        do {
            while (values[i] < pivot)
                i++;
            while (pivot < values[j])
                j--;
            if (i <= j) {
                double value = values[i];
                values[i++] = values[j];
                values[j--] = value;
            }
        } while (i <= j);
        if (j < rank)
            from = i;
        if (rank < i)
            last = j;
    }
}

void rh_quantiles(double *values, size_t count, const double *levels, size_t level_count,
                  double *ret_quantiles)
{
    size_t from = 0;
    for (size_t i = 0; i < level_count; i++) {
        size_t rank = rh_quantile_rank(count, levels[i]);
        select_rank(values, (ptrdiff_t)from, (ptrdiff_t)count - 1, (ptrdiff_t)rank);
        ret_quantiles[i] = values[rank];
        from = rank;
    }
}

double rh_quantile(double *values, size_t count, double level)
{
    double quantile;
    rh_quantiles(values, count, &level, 1, &quantile);
    return quantile;
}

/*
 * Of `count` values B are below the quantile, B binomial with `level`. The value of rank r (from 0)
 * is above it with the chance that B <= r, and not above it with the chance that B > r. Low is the
 * highest rank that is above it with at most half of what is left of the confidence; high the
 * lowest that is not above it with at most that.
 */
void rh_quantile_interval(size_t count, double level, double confidence, bool *ret_has_low,
                          size_t *ret_low, bool *ret_has_high, size_t *ret_high)
{
    double tail = (1 - confidence) / 2, sum = 0;
    double log_odds = log(level) - log1p(-level);
    double log_chance = (double)count * log1p(-level); /* of B = b */
    *ret_has_low = *ret_has_high = false;
    for (size_t b = 0; b < count; b++) {
        sum += exp(log_chance);
        if (sum <= tail) {
            *ret_has_low = true;
            *ret_low = b;
        }
        if (1 - sum <= tail) {
            *ret_has_high = true;
            *ret_high = b;
            return;
        }
        log_chance += log((double)(count - b) / (double)(b + 1)) + log_odds;
    }
}
