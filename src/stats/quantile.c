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
