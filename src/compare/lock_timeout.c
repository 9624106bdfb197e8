#include "compare/lock_timeout.h"

#include <stdlib.h>

#define CHANCE_WANTED 0.999
#define TRIES_FEW 10
#define LIMIT_DEFAULT_US 5000000

static int compare_spans(const void *a, const void *b)
{
    const struct transaction_span *left = a, *right = b;
    return left->from_us < right->from_us ? -1 : left->from_us > right->from_us;
}

double rh_lock_chance(struct transaction_span *spans, size_t count, int64_t duration_us,
                      int64_t timeout_us)
{
    int64_t lost_us = 0, covered_us = 0; /* up to where moments were counted */
    if (duration_us <= 0)
        return 1;
    if (count > 0)
        qsort(spans, count, sizeof(*spans), compare_spans);
    for (size_t i = 0; i < count; i++) {
        /* A request within these moments still waits for it when its time is up. */
        int64_t from_us = spans[i].from_us > covered_us ? spans[i].from_us : covered_us;
        int64_t until_us = spans[i].until_us - timeout_us;
        if (until_us > duration_us)
            until_us = duration_us;
        if (until_us <= from_us)
            continue;
        lost_us += until_us - from_us;
        covered_us = until_us;
    }
    return 1 - (double)lost_us / (double)duration_us;
}

/* Tries until one gets through with CHANCE_WANTED; LOCK_TRIES_MAX where it takes more. */
static int tries_for(double chance, double *ret_chance_of_all)
{
    double missed = 1;
    int tries = 0;
    do {
        missed *= 1 - chance;
        tries++;
    } while (1 - missed < CHANCE_WANTED && tries < LOCK_TRIES_MAX);
    *ret_chance_of_all = 1 - missed;
    return tries;
}

void rh_lock_timeout_recommend(struct transaction_span *spans, size_t count, int64_t duration_us,
                               int64_t limit_us, struct traffic_timeout *ret_timeout)
{
    static const int64_t timeouts_us[] = {50000, 100000, 200000, 500000, 1000000, 2000000, 5000000};
    int64_t most_us = limit_us >= 0 ? limit_us : LIMIT_DEFAULT_US;

    ret_timeout->longest_transaction_us = 0;
    for (size_t i = 0; i < count; i++)
        if (spans[i].until_us - spans[i].from_us > ret_timeout->longest_transaction_us)
            ret_timeout->longest_transaction_us = spans[i].until_us - spans[i].from_us;
    for (size_t i = 0; i < sizeof(timeouts_us) / sizeof(timeouts_us[0]); i++) {
        if (i > 0 && timeouts_us[i] > most_us)
            break;
        ret_timeout->lock_timeout_us = timeouts_us[i];
        ret_timeout->chance = rh_lock_chance(spans, count, duration_us, timeouts_us[i]);
        ret_timeout->retries = tries_for(ret_timeout->chance, &ret_timeout->chance_of_all);
        if (ret_timeout->retries <= TRIES_FEW && ret_timeout->chance_of_all >= CHANCE_WANTED)
            break;
    }
}
