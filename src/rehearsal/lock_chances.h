/*
 * How the transactions of a recording use the tables that a migration locks, and so which
 * lock_timeout gets its locks. Reads the workload once, from beginning to end.
 */
#ifndef RH_REHEARSAL_LOCK_CHANCES_H
#define RH_REHEARSAL_LOCK_CHANCES_H

#include "base/err.h"
#include "model/traffic.h"
#include "model/workload.h"

/* Tables looked at: those that are locked longest come first. */
#define LOCK_CHANCE_TABLES_MAX 16
/* Transactions kept for each; a recording with more of them is judged by its first part, which is
   said by duration_us being that part's. */
#define LOCK_CHANCE_SPANS_MAX 1000000

struct lock_chances_options {
    struct workload_source source;
    /* By number, 1 ...; NULL beyond. */
    const struct workload_pattern *(*pattern)(const void *context, uint32_t number);
    const void *context;
    const char *const *relations;
    size_t relation_count; /* more than LOCK_CHANCE_TABLES_MAX are left out */
    int64_t limit_us;      /* longest that others may wait; negative: not limited */
};

/* One for each relation, in their order; items in `arena`. */
struct traffic_timeouts {
    struct traffic_timeout *items;
    size_t count;
};
enum err_code rh_lock_chances(const struct lock_chances_options *options, struct arena *arena,
                              struct traffic_timeouts *ret_timeouts, struct err *err) RH_MUST_CHECK;

#endif
