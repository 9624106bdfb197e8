#include "stats/histogram.h"

/* Values below STEPS have a bucket each; each power of two above has STEPS of them. */
static unsigned log2_of(uint64_t value)
{
    return 63 - (unsigned)__builtin_clzll(value);
}

#define STEPS_LOG2 5
_Static_assert(1 << STEPS_LOG2 == HISTOGRAM_STEPS, "steps are a power of two");

static size_t bucket_of(int64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (size_t)value;
    unsigned shift = log2_of((uint64_t)value) - STEPS_LOG2;
    return ((size_t)shift << STEPS_LOG2) + (size_t)(value >> shift);
}

static int64_t middle_of(size_t bucket)
{
    if (bucket < HISTOGRAM_STEPS)
        return (int64_t)bucket;
    unsigned shift = (unsigned)(bucket >> STEPS_LOG2) - 1;
    int64_t low = (int64_t)((bucket & (HISTOGRAM_STEPS - 1)) + HISTOGRAM_STEPS) << shift;
    return low + ((INT64_C(1) << shift) >> 1);
}

void rh_histogram_add(struct histogram *histogram, int64_t value)
{
    value = value < 0 ? 0 : value > HISTOGRAM_VALUE_MAX ? HISTOGRAM_VALUE_MAX : value;
    size_t bucket = bucket_of(value);
    if (histogram->counts[bucket] < UINT32_MAX)
        histogram->counts[bucket]++;
    if (histogram->count == 0 || value < histogram->min)
        histogram->min = value;
    if (value > histogram->max)
        histogram->max = value;
    histogram->count++;
    histogram->sum += value;
}

int64_t rh_histogram_quantile(const struct histogram *histogram, double level)
{
    if (histogram->count == 0)
        return 0;
    double wanted = level * (double)histogram->count;
    int64_t rank = (int64_t)wanted;
    if ((double)rank < wanted)
        rank++;
    if (rank < 1)
        rank = 1;
    int64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen < rank)
            continue;
        int64_t value = middle_of(i);
        return value < histogram->min   ? histogram->min
               : value > histogram->max ? histogram->max
                                        : value;
    }
    return histogram->max;
}
