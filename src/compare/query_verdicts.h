/*
 * The verdict on each query pattern: errors first, then how long it took, and where no clock can
 * tell (too noisy, too few rounds, a busy client), what it read. Pure.
 */
#ifndef RH_COMPARE_QUERY_VERDICTS_H
#define RH_COMPARE_QUERY_VERDICTS_H

#include "model/comparison.h"
#include "stats/latency.h"

/* Limits that the user set finer than the default effects make those finer. */
struct latency_rules rh_query_latency_rules(const struct query_limits *limits);

/* A pattern that can be compared at all: its timings, settled among all (rh_latency_settle). */
struct query_timing {
    const struct latency_comparison *latency;
    bool is_refuted;            /* slower it was, but not when it was measured again */
    bool is_replayer_bound;     /* we, not the servers, were what was slow */
    const char *not_comparable; /* a sentence without its full stop; NULL: it is */
};

/*
 * Fills times, ratios, added_ms_per_s, verdict and reason from `timing` and from what is in `query`
 * already (errors, results, effort, plans, cause, calls_per_s). Texts lie in the arena.
 */
void rh_query_verdict(struct query_comparison *query, const struct query_timing *timing,
                      struct arena *arena);

/* Whether the candidate reads so much more than both twins that no clock is needed. */
bool rh_query_reads_more(const struct query_comparison *query);

/* Worst first: what fails, then what is worse by the time it adds, then the others by their cost.
   Sums up what is added. */
void rh_query_comparisons_finish(struct workload_comparison *comparison);

#endif
