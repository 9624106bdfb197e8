/*
 * The queries of a workload on three servers, compared: a baseline, its twin and a candidate.
 *
 * Of each pattern some executions are answered by all sides, explained, and then timed in rounds,
 * more of them where the verdict is open, until all are decided or the budget is spent. What became
 * slower may be tried again: behind an ANALYZE, then with an index, where the candidate may be
 * changed. Blocking; the user's interrupt ends it (RH_ERR_INTERRUPTED).
 */
#ifndef RH_REHEARSAL_QUERIES_H
#define RH_REHEARSAL_QUERIES_H

#include "model/comparison.h"
#include "model/workload.h"
#include "replay/paired.h"
#include "replay/transformed.h"
#include "store/workload_file.h"

#define QUERIES_BUDGET_US INT64_C(60000000)
#define QUERIES_STATEMENT_TIMEOUT_US INT64_C(10000000)

struct queries_options {
    struct paired_place places[COMPARED_SIDES];
    bool has_own_twin; /* else its place is the baseline's */
    struct workload_source source;
    /* By number, from 1: item 0 is pattern 1. */
    const struct workload_pattern *const *patterns;
    const struct workload_pattern_sums *const *sums;
    size_t pattern_count;
    int64_t budget_us;
    int64_t statement_timeout_us;
    uint64_t seed;
    bool may_change_candidate; /* ANALYZE and CREATE INDEX, which is dropped again */
    struct query_limits limits;
    /* Of a transform, over the same patterns; NULL: none. Patterns that it concerns are compared as
       the old application's, or, alone, as what the candidate gets from the new one. */
    const struct transform_survey *survey;
    bool is_new_application;
};

/* Fills patterns, sums and their count; those live as long as the reader. */
void rh_queries_take_patterns(const struct workload_reader *reader, struct arena *arena,
                              struct queries_options *queries);
/* What the rules do to those patterns; `queries` refers to it from now on. RH_ERR_USAGE: a rule
   concerns none of them. */
enum err_code rh_queries_survey(const struct transform *transform, struct arena *arena,
                                struct queries_options *queries,
                                struct transform_survey *ret_survey,
                                struct err *err) RH_MUST_CHECK;
/* Texts lie in the arena. */
enum err_code rh_compare_queries(const struct queries_options *options, struct arena *arena,
                                 struct workload_comparison *ret_comparison,
                                 struct err *err) RH_MUST_CHECK;

#endif
