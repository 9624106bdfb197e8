/*
 * The migration under production's queries: the workload is replayed on a clone, and when it is
 * under way the migration runs there, traced as ever; then the same stretch of it on a clone that
 * is left alone. What was met lies in result.traffic.
 */
#ifndef RH_REHEARSAL_TRAFFIC_H
#define RH_REHEARSAL_TRAFFIC_H

#include "rehearsal/rehearsal_int.h"

/* So long the replay goes on by itself before the migration begins, and after its end: for what is
   usual to be seen, and for queues to go. */
#define TRAFFIC_LEAD_IN_US (3 * INT64_C(1000000))
#define TRAFFIC_LEAD_OUT_US (3 * INT64_C(1000000))

/* With a workload, a blocker or both. */
enum err_code rh_traffic_run(struct rehearsal *rehearsal, struct err *err) RH_MUST_CHECK;

#endif
