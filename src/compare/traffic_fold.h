/*
 * Folding what a replay reported, execution by execution, into what traffic met: sums by pattern,
 * the queries that took long, how many were under way at any time, and when that was more than a
 * pool has. Pure, and bounded whatever the number of executions.
 */
#ifndef RH_COMPARE_TRAFFIC_FOLD_H
#define RH_COMPARE_TRAFFIC_FOLD_H

#include "model/traffic.h"

/* Queries under way are counted at moments so far apart. */
#define TRAFFIC_TICK_US 10000
/* And for so long at most: a day's worth would be 8,640,000 of them; a replay beside a migration is
   cut long before. */
#define TRAFFIC_TICKS_MAX (2 * 60 * 60 * 100)

struct traffic_execution {
    uint32_t pattern; /* number in the workload, 1 ... */
    uint64_t session;
    int64_t intended_us, sent_us, complete_us; /* since the replay began */
    char sqlstate[6];
    bool was_cancelled_as_recorded; /* no error then */
};

/* One replay: of the baseline, or under the migration. */
struct traffic_fold {
    struct arena *arena;
    struct traffic *traffic; /* patterns are there already, by number: patterns.items[number - 1] */
    bool is_baseline;
    int32_t *steps; /* of the number under way, by tick */
    size_t ticks;
    int64_t last_us;
};

void rh_traffic_fold_init(struct traffic_fold *fold, struct arena *arena, struct traffic *traffic,
                          bool is_baseline);
/* An execution of a pattern that is not known is counted and nothing else. */
void rh_traffic_fold_add(struct traffic_fold *fold, const struct traffic_execution *execution);

/*
 * After the last one of the replay under the migration: `baseline` is done. `started_us`: when the
 * migration began, `ended_us`: when it had ended, since the beginning of the replay. Fills depths,
 * pool_* and recovered_us, and turns all times into those since the migration's start.
 */
void rh_traffic_fold_finish(struct traffic_fold *fold, const struct traffic_fold *baseline,
                            int64_t started_us, int64_t ended_us);

#endif
