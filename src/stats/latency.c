#include "stats/latency.h"

#include "stats/quantile.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Of a time: a clock's tick, so that nothing is divided by zero. */
#define SHORTEST_US 0.05
/* Resamples: the ends of a 99 % interval are then the third values from either end. */
#define RESAMPLES ((size_t)300)
#define INTERVAL_LOW 0.005
#define INTERVAL_HIGH 0.995
#define SIDE_LOW 0.025
#define SIDE_HIGH 0.975
/* A permutation test ends early once so many permutations were as extreme (Besag and Clifford
   1991): what is not significant costs little. */
#define EXTREMES_ENOUGH 20
#define PERMUTATIONS_LEAST 2000
#define PERMUTATIONS_MAX 100000
/* Of a quantile, each half of the rounds must hold so many above it, or the halves are not asked.
 */
#define HALF_TAIL_LEAST 2
/* "Partly": a round counts from this ratio, a share from so many rounds and so much of the time. */
#define PART_RATIO 2.0
#define PART_ROUNDS_LEAST 5
#define PART_COST_LEAST 0.2
/* And the sum of all rounds must show half of that: else the others had their bad moments, too. */
#define PART_SUM_LEAST (1 + PART_COST_LEAST / 2)
/* From here on a few rounds are enough: no machine does that to one side by chance. */
#define PLAIN_RATIO 2.0
/* Shown again: a ratio above this is enough for any; the chance of as many rounds by luck. */
#define SHOWN_PART 0.4
#define SHOWN_MOST 2.0
#define PART_SHOWN 0.05
/* Tests of one pattern in one direction: three quantiles and the share. */
#define TESTS 4

static const double levels[LATENCY_LEVELS] = {
    [LATENCY_P50] = 0.5, [LATENCY_P95] = 0.95, [LATENCY_P99] = 0.99};

enum side { BASELINE, TWIN, CANDIDATE, SIDES };

struct columns {
    double *side[SIDES];
    double *scratch[SIDES + 2]; /* the last two for ratios of rounds, to baseline and twin */
    size_t count;
};

struct latency_rules rh_latency_rules_default(void)
{
    return (struct latency_rules){.least_ratio = 1.2,
                                  .excluded_ratio = 1.5,
                                  .least_us = 12,
                                  .excluded_us = 60,
                                  .least_rounds = 20,
                                  .false_discovery = 0.01};
}

static size_t rounds_needed(size_t level, const struct latency_rules *rules)
{
    switch ((enum latency_level)level) {
    case LATENCY_P95:
        return LATENCY_P95_ROUNDS;
    case LATENCY_P99:
        return LATENCY_P99_ROUNDS;
    case LATENCY_P50:
    case LATENCY_LEVELS:
        break;
    }
    return rules->least_rounds;
}

static size_t supported_levels(size_t count, const struct latency_rules *rules)
{
    size_t supported = 0;
    while (supported < LATENCY_LEVELS && count >= rounds_needed(supported, rules))
        supported++;
    return supported;
}

static void quantiles_of(const double *values, size_t count, double *scratch, size_t level_count,
                         double *ret)
{
    memcpy(scratch, values, count * sizeof(*values));
    rh_quantiles(scratch, count, levels, level_count, ret);
}

const struct latency_stage rh_latency_stages[LATENCY_STAGES] = {
    {24, true},   {60, true},   {95, false},  {130, false},  {165, false},  {200, true},
    {260, false}, {320, false}, {380, false}, {440, false},  {500, true},   {600, false},
    {700, false}, {800, false}, {900, false}, {1000, false}, {1100, false}, {1200, true}};

/* --- intervals ------------------------------------------------------------------------------ */

/* Rounds are drawn, with all their sides: what one execution costs is common to them. */
static void bootstrap(const struct columns *columns, size_t level_count, struct random *random,
                      struct latency_comparison *comparison)
{
    double *drawn[LATENCY_LEVELS][SIDES + 2]; /* the last two: ratios to baseline and twin */
    double *memory = calloc(LATENCY_LEVELS * (SIDES + 2) * RESAMPLES, sizeof(double));
    if (!memory)
        return;
    for (size_t level = 0; level < LATENCY_LEVELS; level++)
        for (size_t side = 0; side < SIDES + 2; side++)
            drawn[level][side] = memory + (level * (SIDES + 2) + side) * RESAMPLES;
    for (size_t sample = 0; sample < RESAMPLES; sample++) {
        for (size_t i = 0; i < columns->count; i++) {
            size_t round = rh_random_below(random, columns->count);
            for (size_t side = 0; side < SIDES; side++)
                columns->scratch[side][i] = columns->side[side][round];
            for (size_t side = BASELINE; side <= TWIN; side++)
                columns->scratch[SIDES + side][i] = columns->side[CANDIDATE][round] /
                                                    columns->side[side][round];
        }
        double found[SIDES][LATENCY_LEVELS], typical[2];
        for (size_t side = BASELINE; side <= TWIN; side++)
            typical[side] = rh_quantile(columns->scratch[SIDES + side], columns->count,
                                        levels[LATENCY_P50]);
        for (size_t side = 0; side < SIDES; side++)
            rh_quantiles(columns->scratch[side], columns->count, levels, level_count, found[side]);
        for (size_t level = 0; level < level_count; level++) {
            for (size_t side = 0; side < SIDES; side++)
                drawn[level][side][sample] = found[side][level];
            for (size_t side = BASELINE; side <= TWIN; side++)
                drawn[level][SIDES + side][sample] = level == LATENCY_P50
                                                         ? typical[side]
                                                         : found[CANDIDATE][level] /
                                                               found[side][level];
        }
    }
    for (size_t level = 0; level < level_count; level++) {
        struct latency_quantile *quantile = &comparison->quantiles[level];
        struct latency_value *values[SIDES] = {&quantile->baseline, &quantile->twin,
                                               &quantile->candidate};
        for (size_t side = 0; side < SIDES; side++) {
            values[side]->low_us = rh_quantile(drawn[level][side], RESAMPLES, SIDE_LOW);
            values[side]->high_us = rh_quantile(drawn[level][side], RESAMPLES, SIDE_HIGH);
        }
        quantile->ratio_low = rh_quantile(drawn[level][SIDES], RESAMPLES, INTERVAL_LOW);
        quantile->ratio_high = rh_quantile(drawn[level][SIDES], RESAMPLES, INTERVAL_HIGH);
        quantile->ratio_twin_low = rh_quantile(drawn[level][SIDES + TWIN], RESAMPLES, INTERVAL_LOW);
        quantile->ratio_twin_high = rh_quantile(drawn[level][SIDES + TWIN], RESAMPLES,
                                                INTERVAL_HIGH);
    }
    free(memory);
}

/* --- effects -------------------------------------------------------------------------------- */

/*
 * How many times as long: of p95 and p99 the ratio of the quantiles. Of p50 the median of the
 * rounds' own ratios, because where parameters are skewed (half of them cost 0.1 ms, half 5 ms) the
 * medians themselves jump about, and what one execution costs is common to its round.
 */
static double ratio_of(const struct columns *columns, enum side above, enum side below, size_t from,
                       size_t until, size_t level)
{
    double values[2];
    const enum side sides[2] = {above, below};
    if (level == LATENCY_P50) {
        double *ratios = columns->scratch[SIDES];
        for (size_t i = from; i < until; i++)
            ratios[i - from] = columns->side[above][i] / columns->side[below][i];
        return rh_quantile(ratios, until - from, levels[level]);
    }
    for (size_t i = 0; i < 2; i++) {
        double *scratch = columns->scratch[sides[i]];
        memcpy(scratch, columns->side[sides[i]] + from, (until - from) * sizeof(double));
        values[i] = rh_quantile(scratch, until - from, levels[level]);
    }
    return values[0] / values[1];
}

/* Whether both halves by time lean that way, by at least half of what counts. */
static bool halves_agree(const struct columns *columns, size_t level, double threshold,
                         int direction)
{
    size_t half = columns->count / 2;
    if ((double)half * (1 - levels[level]) < HALF_TAIL_LEAST)
        return true;
    double least = 1 + (threshold - 1) / 2;
    for (int i = 0; i < 2; i++) {
        size_t from = i == 0 ? 0 : half, until = i == 0 ? half : columns->count;
        for (enum side side = BASELINE; side <= TWIN; side++) {
            double ratio = ratio_of(columns, CANDIDATE, side, from, until, level);
            if (direction > 0 ? ratio < least : ratio > 1 / least)
                return false;
        }
    }
    return true;
}

static double threshold_of(double reference_us, double ratio, double least_us)
{
    return fmax(ratio, 1 + least_us / reference_us);
}

static void weigh(const struct columns *columns, size_t level, const struct latency_rules *rules,
                  struct latency_quantile *quantile)
{
    double baseline = quantile->baseline.us, twin = quantile->twin.us,
           candidate = quantile->candidate.us;
    double noise = ratio_of(columns, TWIN, BASELINE, 0, columns->count, level);
    quantile->ratio = ratio_of(columns, CANDIDATE, BASELINE, 0, columns->count, level);
    quantile->ratio_twin = ratio_of(columns, CANDIDATE, TWIN, 0, columns->count, level);
    quantile->noise = fmax(noise, 1 / noise);
    /* Of something that became faster the short time is the candidate's. */
    double shorter = fmin(fmin(baseline, twin), candidate);
    quantile->threshold = threshold_of(shorter, rules->least_ratio, rules->least_us);
    if (!quantile->is_supported)
        return;
    double least = quantile->threshold * quantile->noise;
    if (fmin(quantile->ratio, quantile->ratio_twin) >= least &&
        fmin(quantile->ratio_low, quantile->ratio_twin_low) > 1)
        quantile->direction = 1;
    else if (fmax(quantile->ratio, quantile->ratio_twin) <= 1 / least &&
             fmax(quantile->ratio_high, quantile->ratio_twin_high) < 1)
        quantile->direction = -1;
    if (quantile->direction &&
        !halves_agree(columns, level, quantile->threshold, quantile->direction))
        quantile->direction = 0;
}

/* --- tests ---------------------------------------------------------------------------------- */

static size_t permutations_for(size_t pattern_count, const struct latency_rules *rules)
{
    double wanted = 2.0 * TESTS * (double)(pattern_count ? pattern_count : 1) /
                    rules->false_discovery;
    if (wanted < PERMUTATIONS_LEAST)
        return PERMUTATIONS_LEAST;
    return wanted > PERMUTATIONS_MAX ? PERMUTATIONS_MAX : (size_t)wanted;
}

/* P(X >= hits) of `trials`, each with probability p. */
static double binomial_tail(size_t hits, size_t trials, double p)
{
    double sum = 0, term = (double)hits * log(p) + (double)(trials - hits) * log1p(-p);
    for (size_t i = 0; i < hits; i++)
        term += log((double)(trials - i) / (double)(i + 1));
    for (size_t k = hits; k <= trials; k++) {
        sum += exp(term);
        term += log((double)(trials - k) / (double)(k + 1) * p / (1 - p));
    }
    return fmin(sum, 1);
}

/*
 * The permutation test of p50, exactly: swapping the sides of a round turns its ratio over. The
 * median of the ratios is as extreme as the one observed where enough ratios are, and of those that
 * can be, one way round or the other, each is with probability 1/2.
 */
static double exact_test(const struct columns *columns, enum side reference, int direction)
{
    const double *a = columns->side[CANDIDATE], *b = columns->side[reference];
    double observed = ratio_of(columns, CANDIDATE, reference, 0, columns->count, LATENCY_P50);
    size_t rank = rh_quantile_rank(columns->count, levels[LATENCY_P50]), can_be = 0;
    size_t needed = direction > 0 ? columns->count - rank : rank + 1;

    for (size_t i = 0; i < columns->count; i++) {
        double ratio = a[i] / b[i];
        can_be += direction > 0 ? ratio >= observed || 1 / ratio >= observed
                                : ratio <= observed || 1 / ratio <= observed;
    }
    return can_be >= needed ? binomial_tail(needed, can_be, 0.5) : 1;
}

/* Sides swapped within rounds, by one random bit each: how often the ratio becomes as extreme. */
static double permutation_test(const struct columns *columns, enum side reference, size_t level,
                               int direction, size_t permutations, struct random *random)
{
    const double *a = columns->side[CANDIDATE], *b = columns->side[reference];
    double *x = columns->scratch[CANDIDATE], *y = columns->scratch[reference];
    double observed = ratio_of(columns, CANDIDATE, reference, 0, columns->count, level);
    size_t extremes = 0, done = 0;

    while (done < permutations && extremes < EXTREMES_ENOUGH) {
        uint64_t bits = 0;
        for (size_t i = 0; i < columns->count; i++) {
            if (i % 64 == 0)
                bits = rh_random_next(random);
            bool is_swapped = bits >> (i % 64) & 1;
            x[i] = is_swapped ? b[i] : a[i];
            y[i] = is_swapped ? a[i] : b[i];
        }
        double ratio = rh_quantile(x, columns->count, levels[level]) /
                       rh_quantile(y, columns->count, levels[level]);
        extremes += direction > 0 ? ratio >= observed : ratio <= observed;
        done++;
    }
    /* Stopped early: an unbiased estimate; else the observed order counts as one of them. */
    return extremes >= EXTREMES_ENOUGH ? (double)extremes / (double)done
                                       : (double)(extremes + 1) / (double)(done + 1);
}

static void count_parts(const struct columns *columns, const struct latency_rules *rules,
                        int direction, struct latency_comparison *comparison)
{
    size_t hits[SIDES] = {0}, late_hits = 0;
    double costs[SIDES] = {0}, sums[SIDES] = {0}, total = 0;

    for (size_t i = 0; i < columns->count; i++) {
        for (size_t side = 0; side < SIDES; side++) {
            sums[side] += columns->side[side][i];
            double own = columns->side[side][i];
            double one = columns->side[(side + 1) % SIDES][i],
                   two = columns->side[(side + 2) % SIDES][i];
            double slow = direction > 0 ? own : fmin(one, two);
            double fast = direction > 0 ? fmax(one, two) : own;
            if (slow < PART_RATIO * fast || slow - fast < 2 * rules->least_us)
                continue;
            hits[side]++;
            costs[side] += slow - fast;
            late_hits += side == CANDIDATE && i >= columns->count / 2;
        }
        total += direction > 0 ? fmax(columns->side[BASELINE][i], columns->side[TWIN][i])
                               : columns->side[CANDIDATE][i];
    }
    bool sums_show = direction > 0
                         ? sums[CANDIDATE] >= PART_SUM_LEAST * fmax(sums[BASELINE], sums[TWIN])
                         : sums[CANDIDATE] * PART_SUM_LEAST <= fmin(sums[BASELINE], sums[TWIN]);
    size_t early_hits = hits[CANDIDATE] - late_hits;
    bool counts = hits[CANDIDATE] >= PART_ROUNDS_LEAST && sums_show &&
                  early_hits * 4 >= hits[CANDIDATE] && late_hits * 4 >= hits[CANDIDATE] &&
                  costs[CANDIDATE] >= PART_COST_LEAST * total &&
                  hits[CANDIDATE] > 2 * (hits[BASELINE] > hits[TWIN] ? hits[BASELINE] : hits[TWIN]);
    double p = counts ? binomial_tail(hits[CANDIDATE],
                                      hits[BASELINE] + hits[TWIN] + hits[CANDIDATE], 1.0 / SIDES)
                      : 1;
    if (direction > 0) {
        size_t chance = hits[BASELINE] > hits[TWIN] ? hits[BASELINE] : hits[TWIN];
        bool is_costly = costs[CANDIDATE] >= PART_COST_LEAST * total &&
                         costs[CANDIDATE] > 2 * fmax(costs[BASELINE], costs[TWIN]);
        comparison->may_be_partly_slower = hits[CANDIDATE] > chance + 3 ||
                                           (hits[CANDIDATE] >= 2 && is_costly);
        comparison->slower_share = (double)hits[CANDIDATE] / (double)columns->count;
        comparison->is_partly_slower = counts;
        comparison->p_slower = fmin(comparison->p_slower, p);
    } else {
        comparison->p_faster = fmin(comparison->p_faster, p);
    }
}

static void test_quantiles(const struct columns *columns, size_t level_count, size_t permutations,
                           struct random *random, struct latency_comparison *comparison)
{
    for (size_t level = 0; level < level_count; level++) {
        int direction = comparison->quantiles[level].direction;
        if (!direction)
            continue;
        double p = 0;
        for (enum side side = BASELINE; side <= TWIN; side++)
            p = fmax(p, level == LATENCY_P50 ? exact_test(columns, side, direction)
                                             : permutation_test(columns, side, level, direction,
                                                                permutations, random));
        if (direction > 0)
            comparison->p_slower = fmin(comparison->p_slower, p);
        else
            comparison->p_faster = fmin(comparison->p_faster, p);
    }
}

/* --- the verdict ---------------------------------------------------------------------------- */

/* What cannot be called different is the same only where what matters can be excluded, against
   either of the twins: one that is slow itself hides what the other shows. */
static bool excludes_slower(const struct latency_comparison *comparison,
                            const struct latency_rules *rules)
{
    const struct latency_quantile *median = &comparison->quantiles[LATENCY_P50];
    double excluded = threshold_of(median->baseline.us, rules->excluded_ratio, rules->excluded_us);
    return fmax(median->ratio_high, median->ratio_twin_high) < excluded;
}

/* By significance alone: who is slower somewhere is not faster. */
static void decide(struct latency_comparison *comparison, bool is_slower, bool is_faster,
                   const struct latency_rules *rules)
{
    if (comparison->rounds < rules->least_rounds)
        comparison->outcome = LATENCY_TOO_FEW;
    else if (is_slower)
        comparison->outcome = LATENCY_SLOWER;
    else if (is_faster)
        comparison->outcome = LATENCY_FASTER;
    else
        comparison->outcome = excludes_slower(comparison, rules) ? LATENCY_SAME : LATENCY_NOISY;
}

/* What is the same so far, and may not be: for p50 it is enough that one of the twins says so,
   because the other may have been slow itself (its process's place on the machine), and further
   connections tell. */
static bool leans(const struct latency_comparison *comparison)
{
    const struct latency_quantile *median = &comparison->quantiles[LATENCY_P50];
    if (fmax(median->ratio, median->ratio_twin) >= median->threshold)
        return true;
    for (size_t level = 0; level < LATENCY_LEVELS; level++) {
        const struct latency_quantile *quantile = &comparison->quantiles[level];
        if (quantile->is_supported &&
            fmin(quantile->ratio, quantile->ratio_twin) >= quantile->threshold * quantile->noise)
            return true;
    }
    return comparison->may_be_partly_slower;
}

static bool fill_columns(const struct latency_round *rounds, size_t count, struct columns *columns)
{
    double *memory = malloc((2 * SIDES + 2) * count * sizeof(double));
    if (!memory)
        return false;
    columns->count = count;
    for (size_t side = 0; side < SIDES; side++) {
        columns->side[side] = memory + side * count;
        columns->scratch[side] = memory + (SIDES + side) * count;
    }
    columns->scratch[SIDES + BASELINE] = memory + 2 * SIDES * count;
    columns->scratch[SIDES + TWIN] = memory + (2 * SIDES + 1) * count;
    for (size_t i = 0; i < count; i++) {
        columns->side[BASELINE][i] = fmax(rounds[i].baseline_us, SHORTEST_US);
        columns->side[TWIN][i] = fmax(rounds[i].twin_us, SHORTEST_US);
        columns->side[CANDIDATE][i] = fmax(rounds[i].candidate_us, SHORTEST_US);
    }
    return true;
}

static double mean_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

static void measure(const struct columns *columns, size_t level_count,
                    struct latency_comparison *comparison)
{
    double found[SIDES][LATENCY_LEVELS];
    for (size_t side = 0; side < SIDES; side++)
        quantiles_of(columns->side[side], columns->count, columns->scratch[side], LATENCY_LEVELS,
                     found[side]);
    for (size_t level = 0; level < LATENCY_LEVELS; level++)
        comparison->quantiles[level] = (struct latency_quantile){
            .is_supported = level < level_count,
            .baseline = {.us = found[BASELINE][level]},
            .twin = {.us = found[TWIN][level]},
            .candidate = {.us = found[CANDIDATE][level]},
        };
    comparison->baseline_mean_us = mean_of(columns->side[BASELINE], columns->count);
    comparison->twin_mean_us = mean_of(columns->side[TWIN], columns->count);
    comparison->candidate_mean_us = mean_of(columns->side[CANDIDATE], columns->count);
}

void rh_latency_compare(const struct latency_round *rounds, size_t count, size_t pattern_count,
                        const struct latency_rules *rules, struct random *random,
                        struct latency_comparison *ret_comparison)
{
    struct latency_comparison comparison = {.rounds = count, .p_slower = 1, .p_faster = 1};
    struct columns columns;
    size_t level_count = supported_levels(count, rules);

    comparison.outcome = LATENCY_TOO_FEW;
    comparison.is_open = true;
    *ret_comparison = comparison;
    if (count == 0 || count > LATENCY_ROUNDS_MAX || !fill_columns(rounds, count, &columns))
        return;
    measure(&columns, level_count, &comparison);
    bootstrap(&columns, level_count, random, &comparison);
    for (size_t level = 0; level < LATENCY_LEVELS; level++)
        weigh(&columns, level, rules, &comparison.quantiles[level]);
    test_quantiles(&columns, level_count, permutations_for(pattern_count, rules), random,
                   &comparison);
    count_parts(&columns, rules, 1, &comparison);
    count_parts(&columns, rules, -1, &comparison);
    free(columns.side[0]);
    comparison.p_slower = fmin(1, TESTS * comparison.p_slower);
    comparison.p_faster = fmin(1, TESTS * comparison.p_faster);
    double level = rules->false_discovery / (double)(pattern_count ? pattern_count : 1);
    bool is_slower = comparison.p_slower <= level, is_faster = comparison.p_faster <= level;
    decide(&comparison, is_slower, is_faster, rules);
    /* Until the tail has a say, what is slow for a few parameters alone may not have come by. */
    bool is_plain = comparison.outcome == LATENCY_SLOWER &&
                    comparison.quantiles[LATENCY_P50].ratio_low >= PLAIN_RATIO;
    comparison.is_open = comparison.outcome == LATENCY_TOO_FEW ||
                         comparison.outcome == LATENCY_NOISY ||
                         (!is_plain && count < LATENCY_P95_ROUNDS) ||
                         (comparison.outcome == LATENCY_SAME && leans(&comparison));
    *ret_comparison = comparison;
}

/* What was found by chance is not found again: a part of it (by the logarithm), and more is not
 * asked for. */
static bool shows_level(const struct columns *columns, size_t from, size_t until, size_t level,
                        const struct latency_quantile *suspected)
{
    double least = fmax(
        1 + (suspected->threshold - 1) / 2,
        fmin(pow(fmin(suspected->ratio, suspected->ratio_twin), SHOWN_PART), SHOWN_MOST));
    return ratio_of(columns, CANDIDATE, BASELINE, from, until, level) >= least &&
           ratio_of(columns, CANDIDATE, TWIN, from, until, level) >= least;
}

static bool shows_parts(const struct columns *columns, double share)
{
    size_t hits[SIDES] = {0};
    for (size_t i = 0; i < columns->count; i++)
        for (size_t side = 0; side < SIDES; side++)
            hits[side] += columns->side[side][i] >=
                          PART_RATIO * fmax(columns->side[(side + 1) % SIDES][i],
                                            columns->side[(side + 2) % SIDES][i]);
    return (double)hits[CANDIDATE] >= share / 3 * (double)columns->count &&
           binomial_tail(hits[CANDIDATE], hits[BASELINE] + hits[TWIN] + hits[CANDIDATE],
                         1.0 / SIDES) <= PART_SHOWN;
}

/* Blocks are of one length, the last perhaps shorter. */
static bool most_blocks_show(const struct columns *columns, size_t block_rounds,
                             const struct latency_quantile *suspected)
{
    size_t blocks = 0, shown = 0;
    for (size_t from = 0; from < columns->count; from += block_rounds) {
        size_t until = from + block_rounds;
        if (until > columns->count)
            until = columns->count;
        blocks++;
        shown += shows_level(columns, from, until, LATENCY_P50, suspected);
    }
    return 2 * shown > blocks;
}

size_t rh_latency_block_rounds(const struct latency_comparison *suspected)
{
    /* What is rare, or little, needs more of them to come by. */
    return suspected->quantiles[LATENCY_P50].ratio < PLAIN_RATIO ? LATENCY_BLOCK_ROUNDS_MAX : 30;
}

bool rh_latency_confirms(const struct latency_comparison *suspected,
                         const struct latency_round *rounds, size_t count)
{
    const struct latency_quantile *quantiles = suspected->quantiles;
    struct columns columns;
    bool is_shown;
    if (count == 0 || count > LATENCY_ROUNDS_MAX || !fill_columns(rounds, count, &columns))
        return false;
    is_shown = quantiles[LATENCY_P50].direction > 0 &&
               most_blocks_show(&columns, rh_latency_block_rounds(suspected),
                                &quantiles[LATENCY_P50]);
    for (size_t level = LATENCY_P95; level < LATENCY_LEVELS; level++)
        is_shown |= quantiles[level].direction > 0 &&
                    (quantiles[LATENCY_P50].direction <= 0 ||
                     quantiles[level].ratio >= PLAIN_RATIO) &&
                    shows_level(&columns, 0, count, LATENCY_P95, &quantiles[level]);
    is_shown |= suspected->is_partly_slower && shows_parts(&columns, suspected->slower_share);
    free(columns.side[0]);
    return is_shown;
}

static int compare_p(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

void rh_benjamini_hochberg(const double *p_values, size_t count, double rate, bool *ret_rejected)
{
    double *sorted = malloc((count + 1) * sizeof(double)), limit = -1;

    for (size_t i = 0; i < count; i++)
        ret_rejected[i] = false;
    if (!sorted || count == 0) {
        free(sorted);
        return;
    }
    memcpy(sorted, p_values, count * sizeof(double));
    qsort(sorted, count, sizeof(double), compare_p);
    for (size_t i = 0; i < count; i++)
        if (sorted[i] <= rate * (double)(i + 1) / (double)count)
            limit = sorted[i];
    free(sorted);
    for (size_t i = 0; i < count; i++)
        ret_rejected[i] = p_values[i] <= limit;
}

void rh_latency_settle(struct latency_comparison *comparisons, size_t count,
                       const struct latency_rules *rules)
{
    double *p_values = calloc(2 * count + 1, sizeof(double));
    bool *rejected = calloc(2 * count + 1, sizeof(bool));

    if (p_values && rejected && count > 0) {
        for (size_t i = 0; i < count; i++) {
            p_values[i] = comparisons[i].p_slower;
            p_values[count + i] = comparisons[i].p_faster;
        }
        rh_benjamini_hochberg(p_values, count, rules->false_discovery, rejected);
        rh_benjamini_hochberg(p_values + count, count, rules->false_discovery, rejected + count);
        for (size_t i = 0; i < count; i++)
            decide(&comparisons[i], rejected[i], rejected[count + i], rules);
    }
    free(p_values);
    free(rejected);
}
