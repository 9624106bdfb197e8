/*
 * New queries on one server: which of them fail, how long each takes, what its plan costs, and what
 * repairs it. Blocking; the user's interrupt ends it (RH_ERR_INTERRUPTED).
 */
#ifndef RH_REHEARSAL_NEW_QUERIES_RUN_H
#define RH_REHEARSAL_NEW_QUERIES_RUN_H

#include "model/new_queries.h"
#include "replay/paired.h"

struct new_queries_options {
    struct paired_place place; /* of a clone: it is analyzed, and indexes are built and dropped */
    const char *role;          /* that queries without a role of their own run as */
    int64_t budget_us;
};

/* Fills what came of each. Those whose outcome has a reason already are left alone. */
enum err_code rh_new_queries_measure(const struct new_queries_options *options,
                                     struct new_queries *queries, struct arena *arena,
                                     struct err *err) RH_MUST_CHECK;

#endif
