/*
 * Repairs of a slow query, tried where the candidate may be changed: ANALYZE of its tables, then
 * indexes over the columns that its worst scan compares, joins by or sorts by. Each is measured by
 * the caller; an index that was tried is dropped again. Blocking.
 */
#ifndef RH_REHEARSAL_QUERY_REPAIR_H
#define RH_REHEARSAL_QUERY_REPAIR_H

#include "replay/paired.h"

struct query_repair {
    struct paired *paired;
    struct arena *arena;
    const json_t *plan; /* of the candidate: EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) */
    /* Measures the query as the candidate is now, and says whether that is a repair. */
    enum err_code (*measure)(void *context, struct query_retry *ret_retry, struct err *err);
    void *context;
};

/* Both are filled as far as they were tried; indexes only where ANALYZE repaired nothing. */
enum err_code rh_query_repair(const struct query_repair *repair, struct query_retry *ret_analyze,
                              struct index_proposal *ret_proposal, struct err *err) RH_MUST_CHECK;

#endif
