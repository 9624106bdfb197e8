/*
 * `rehearse compare`: two or three servers that somebody else started, a workload, and the verdict.
 *
 * None of them may be production: what the configuration or the database itself declares to be that
 * is refused before anything else is asked of it. Nothing stays in them but what
 * may_change_candidate allows. Blocking; the user's interrupt ends it.
 */
#ifndef RH_REHEARSAL_COMPARISON_H
#define RH_REHEARSAL_COMPARISON_H

#include "engine/engine.h"
#include "model/result.h"
#include "sql/transform.h"
#include "store/workload_file.h"

struct comparison_options {
    const struct engine *engine;
    struct workload_reader *workload;
    const char *workload_path;        /* as the user named it */
    const char *urls[COMPARED_SIDES]; /* of the twin NULL: a second session on the baseline */
    const char *const *production;    /* patterns of names and hosts */
    size_t production_count;
    int64_t budget_us, statement_timeout_us;
    uint64_t seed;
    bool may_change_candidate;
    struct query_limits query_limits;
    const struct transform *transform; /* what the new release says otherwise; NULL: nothing */
    enum severity fail_on;
};

/* Fills the result, which is empty but for its arena, up to the verdict; rh_result_deinit is the
   caller's. RH_ERR_USAGE: a database is refused. */
enum err_code rh_comparison_run(const struct comparison_options *options, struct result *result,
                                struct err *err) RH_MUST_CHECK;

#endif
