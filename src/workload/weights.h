/*
 * What pg_stat_statements says of production, in a workload: how often each of its patterns runs
 * there, and which share of production's time they have. Blocks on the disk.
 */
#ifndef RH_WORKLOAD_WEIGHTS_H
#define RH_WORKLOAD_WEIGHTS_H

#include "store/workload_file.h"
#include "workload/statement_sums.h"

/*
 * Gives the patterns that were written, and have executions, their weights. Where the sums tell for
 * how long they were counted, weights make the workload's rate of calls production's; else
 * production's mix, at the rate that the workload has.
 */
enum err_code rh_workload_weigh(struct workload_writer *writer,
                                const struct workload_pattern *const *patterns, size_t count,
                                const struct statement_sums *sums,
                                struct workload_production *ret_production,
                                struct err *err) RH_MUST_CHECK;

/* A workload of patterns and their sums alone: it cannot be replayed, and weighs others. It holds
   no value, and is not encrypted. */
enum err_code rh_workload_write_sums(const struct statement_sums *sums, const char *path,
                                     struct arena *arena, struct workload_totals *ret_totals,
                                     struct err *err) RH_MUST_CHECK;

/* A copy of a workload, with weights. The totals' texts live as long as the arena. */
enum err_code rh_workload_copy_weighed(const char *path, const uint8_t *key,
                                       const struct statement_sums *sums, const char *out,
                                       const uint8_t *out_key, struct arena *arena,
                                       struct workload_totals *ret_totals,
                                       enum workload_origin *ret_origin, size_t *ret_patterns,
                                       struct err *err) RH_MUST_CHECK;

#endif
