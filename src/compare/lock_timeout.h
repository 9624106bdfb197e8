/*
 * How likely a lock request gets through, from the transactions of a recording: one that comes at
 * some moment gets its lock once every transaction that uses the table at that moment has ended
 * (those that begin later queue behind it). Pure.
 */
#ifndef RH_COMPARE_LOCK_TIMEOUT_H
#define RH_COMPARE_LOCK_TIMEOUT_H

#include "model/traffic.h"

struct transaction_span {
    int64_t from_us, until_us; /* of its first use of the table; of its end */
};

/* The share of the moments of [0, duration_us) at which a request would have its lock within
   timeout_us. Sorts the spans by their beginning. 1 for a recording of no length. */
double rh_lock_chance(struct transaction_span *spans, size_t count, int64_t duration_us,
                      int64_t timeout_us);

/*
 * The shortest lock_timeout of 50 ms ... limit_us (5 s where that is negative) that needs no more
 * than ten tries for 999 in 1,000; where none does, the longest, with as many tries as that takes,
 * LOCK_TRIES_MAX at most. Others wait for as long as each try does, so it is never above limit_us.
 */
#define LOCK_TRIES_MAX 60
void rh_lock_timeout_recommend(struct transaction_span *spans, size_t count, int64_t duration_us,
                               int64_t limit_us, struct traffic_timeout *ret_timeout);

#endif
