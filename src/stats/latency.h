/*
 * Whether a candidate is slower than its baseline, of one query pattern and of many. Pure.
 *
 * What is compared are rounds: the same execution, with the same parameters, was timed on the
 * baseline, on its twin and on the candidate, one right after the other in an order drawn at
 * random. If nothing differs, each of the three times could have been any side's: that alone is
 * what the tests rest on, so that skewed parameters and a noisy machine cost power, never truth.
 *
 * A candidate is slower when all of this holds of its p50, p95 or p99, against the baseline and
 * against the twin alike: the ratio is at least `least_ratio` (for short times more:
 * `least_us`), and at least that much above the ratio of the twins to each other; the bootstrap
 * interval of the ratio does not hold 1; both halves of the rounds, by time, say so; and the
 * permutation test (sides swapped within rounds) does, after the correction for many patterns. The
 * same of a share of the rounds in which the candidate took at least twice as long as both others
 * (a query that became slow for some parameters alone), against the shares of the twins.
 */
#ifndef RH_STATS_LATENCY_H
#define RH_STATS_LATENCY_H

#include "stats/random.h"

#include <stdbool.h>
#include <stddef.h>

struct latency_round {
    double baseline_us, twin_us, candidate_us;
};

/* Rounds of one pattern at most. */
#define LATENCY_ROUNDS_MAX ((size_t)4000)

/*
 * How rounds are measured: up to so many, each stage over connections of its own; where a stage is
 * judged, what is decided (rh_latency_compare: not is_open) has no further ones. Stages are short
 * beside what comes before them: a server process that has bad luck with its place on the machine
 * keeps it as long as its connection lives, and must not be most of what is known of its side.
 */
struct latency_stage {
    size_t rounds; /* in all, since the first stage */
    bool is_judged;
};
#define LATENCY_STAGES 18
extern const struct latency_stage rh_latency_stages[LATENCY_STAGES];

struct latency_rules {
    double least_ratio;    /* what is less is no difference: 1.2 */
    double excluded_ratio; /* "same" says that this can be excluded: 1.5 */
    double least_us;       /* of the quantile itself; on top of short times: 12 */
    /* The same for excluded_ratio: 60. Where a server's processes happen to lie on two cores makes
       a query of 80 us take 60 in one second and 85 in the next. */
    double excluded_us;
    size_t least_rounds;    /* below that nothing is said: 20 */
    double false_discovery; /* share of false ones among what is called different: 0.01 */
};
struct latency_rules rh_latency_rules_default(void);

/* Rounds from which a quantile is told at all: some five to ten lie above it. */
#define LATENCY_P95_ROUNDS 200
#define LATENCY_P99_ROUNDS 500

enum latency_level { LATENCY_P50, LATENCY_P95, LATENCY_P99, LATENCY_LEVELS };

struct latency_value {
    double us, low_us, high_us; /* 95 % bootstrap interval */
};

struct latency_quantile {
    bool is_supported; /* enough rounds; else only what was measured: us, without intervals */
    struct latency_value baseline, twin, candidate;
    /* Candidate to baseline, 99 % bootstrap interval. Of p50: the median of the rounds' ratios,
       that is how many times as long a typical execution takes. */
    double ratio, ratio_low, ratio_high;
    double ratio_twin, ratio_twin_low, ratio_twin_high; /* candidate to twin, as above */
    double noise;     /* the twins to each other: the larger to the smaller, at least 1 */
    double threshold; /* the ratio that counts, for a time as short as this */
    int direction;    /* 1: slower, -1: faster, but for the tests of significance; 0 */
};

enum latency_outcome {
    LATENCY_SAME,
    LATENCY_SLOWER,
    LATENCY_FASTER,
    LATENCY_NOISY,  /* excluded_ratio cannot be excluded */
    LATENCY_TOO_FEW /* rounds */
};

struct latency_comparison {
    size_t rounds;
    struct latency_quantile quantiles[LATENCY_LEVELS];
    double baseline_mean_us, twin_mean_us, candidate_mean_us;
    double slower_share; /* of the rounds: the candidate took twice the time of both others */
    /* ... which says something, significance apart: and the sum of all rounds is 1.1 times that of
       either, else the others had their bad moments, too. */
    bool is_partly_slower;
    bool may_be_partly_slower;    /* ... or might, with more rounds */
    double p_slower, p_faster;    /* the least of the tests, corrected for their number;
                                     1 where nothing points there */
    enum latency_outcome outcome; /* by rh_latency_compare for this pattern alone; by
                                     rh_latency_settle among all of them */
    bool is_open;                 /* more rounds may tell: it is neither excluded nor established */
};

/*
 * Compares one pattern. `pattern_count`: how many are being compared, which says how fine the
 * permutation test has to be. Up to some 10 ms for 1,000 rounds, ten times that where something
 * differs.
 */
void rh_latency_compare(const struct latency_round *rounds, size_t count, size_t pattern_count,
                        const struct latency_rules *rules, struct random *random,
                        struct latency_comparison *ret_comparison);
/*
 * Whether further rounds show what made the comparison call the candidate slower. They are measured
 * in LATENCY_BLOCKS blocks of rh_latency_block_rounds, each over connections of its own: a server
 * process that had bad luck with its place on the machine keeps it as long as it lives, and no
 * number of rounds tells that from being slow. Most of the blocks must show it; of what is slow for
 * some executions alone, all of them together.
 */
#define LATENCY_BLOCKS 7
#define LATENCY_BLOCK_ROUNDS_MAX 60
size_t rh_latency_block_rounds(const struct latency_comparison *suspected);
bool rh_latency_confirms(const struct latency_comparison *suspected,
                         const struct latency_round *rounds, size_t count);
/* The correction for many patterns (Benjamini and Hochberg 1995), for slower and faster each. */
void rh_latency_settle(struct latency_comparison *comparisons, size_t count,
                       const struct latency_rules *rules);

/* Which hypotheses are rejected at that rate of false discoveries. */
void rh_benjamini_hochberg(const double *p_values, size_t count, double rate, bool *ret_rejected);

#endif
