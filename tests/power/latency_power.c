/*
 * Detection power: how often an unchanged migration is called slower, and how often a regression is
 * found, over seeded trials. Prints the table of docs/detection-power.md.
 *
 *     latency_power [--trials N] [--seed N] [--patterns N] [--only ROW] [--no-places]
 *                   [--missed] [--strict]
 *
 * A trial is a workload of patterns whose costs are spread as those of a shop's queries that were
 * measured on PostgreSQL 15 (medians of 60 us to 8 ms; within a pattern by its parameters, up to
 * 400 times between customers). A time is the cost of the execution, times the speed of the server
 * (the three differ by some per cent for as long as they live), times noise, times what the machine
 * was doing then (bursts that hit whoever runs), and now and then a stall of one side. Sampling is
 * what the program does: more rounds while a pattern is undecided.
 *
 * --only 2 runs the second row alone; --no-places leaves out that processes may have a bad place on
 * the machine; --missed lists, of the regressions that were not caught, what they were called.
 *
 * --strict: exit status 1 unless false alarms are at most 1 % of the trials and every regression of
 * all executions is caught in at least 99 %, both within what that many trials can show.
 */
#include "stats/latency.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATTERNS_MAX 200

struct pattern {
    double median_us, spread, noise;
    double speed[3]; /* of baseline, twin, candidate */
    double place[3]; /* of their processes on the machine, as long as a connection lives */
    double factor;   /* of the regression */
    double share;    /* of the executions that have it: those of the costliest parameters */
    bool has_places; /* good and bad ones */
};

static double normal(struct random *random)
{
    double u = rh_random_unit(random) + 1e-12, v = rh_random_unit(random);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static void make_pattern(struct random *random, bool has_places, struct pattern *pattern)
{
    static const double medians[] = {60, 80, 110, 150, 240, 400, 900, 2500, 8000};
    static const double spreads[] = {0.05, 0.2, 0.6, 1.2, 1.6};
    *pattern = (struct pattern){
        .median_us = medians[rh_random_below(random, sizeof(medians) / sizeof(*medians))],
        .spread = spreads[rh_random_below(random, sizeof(spreads) / sizeof(*spreads))],
        .noise = 0.05 + 0.25 * rh_random_unit(random),
        .factor = 1,
        .share = 1,
        .has_places = has_places,
    };
    for (int side = 0; side < 3; side++)
        pattern->speed[side] = exp(0.02 * normal(random));
}

/* One round: `busy` is what the machine is doing, which lasts. */
static struct latency_round make_round(struct random *random, const struct pattern *pattern,
                                       double *busy)
{
    double times[3], deviation = normal(random);
    double cost = pattern->median_us * exp(pattern->spread * deviation);
    /* The costliest share of the parameters. */
    bool is_hit = pattern->share >= 1 || 0.5 * erfc(deviation / sqrt(2)) < pattern->share;
    *busy = *busy > 0 ? (rh_random_unit(random) < 0.2 ? 0 : *busy)
                      : (rh_random_unit(random) < 0.02 ? 0.3 + 2 * rh_random_unit(random) : 0);
    for (int side = 0; side < 3; side++) {
        double time = cost * pattern->speed[side] * pattern->place[side] *
                      exp(pattern->noise * normal(random));
        if (*busy > 0 && rh_random_unit(random) < 0.7)
            time *= 1 + *busy;
        if (rh_random_unit(random) < 0.01)
            time += 200 + 4000 * rh_random_unit(random);
        if (side == 2 && is_hit)
            time *= pattern->factor;
        times[side] = time;
    }
    return (struct latency_round){times[0], times[1], times[2]};
}

/* New connections: now and then a process finds itself beside a busy one. */
static void reconnect(struct random *random, struct pattern *pattern)
{
    for (int side = 0; side < 3; side++) {
        double place = rh_random_unit(random) < 0.05 ? 1 + 0.5 * rh_random_unit(random) : 1;
        pattern->place[side] = pattern->has_places ? place : 1;
    }
}

static void judge_pattern(struct random *random, struct pattern *pattern, size_t count,
                          const struct latency_rules *rules, struct latency_round *rounds,
                          struct latency_comparison *ret_comparison, size_t *ret_rounds)
{
    size_t done = 0;
    double busy = 0;
    for (size_t stage = 0; stage < LATENCY_STAGES; stage++) {
        reconnect(random, pattern);
        while (done < rh_latency_stages[stage].rounds)
            rounds[done++] = make_round(random, pattern, &busy);
        if (!rh_latency_stages[stage].is_judged)
            continue;
        rh_latency_compare(rounds, done, count, rules, random, ret_comparison);
        if (!ret_comparison->is_open)
            break;
    }
    *ret_rounds += done;
}

struct arm {
    const char *name;
    double factor, share;
    bool is_promised; /* else --strict does not look at what is caught */
};

static const struct arm arms[] = {
    {"unchanged", 1, 1, true},
    {"1.5 times", 1.5, 1, true},
    {"2 times", 2, 1, true},
    {"90 times", 90, 1, true},
    {"2 times, every 3rd execution", 2, 0.33, false},
    {"90 times, every 20th execution", 90, 0.05, false},
};

struct tally {
    size_t alarms, caught, noisy, rounds;
};

struct options {
    size_t trials, patterns, only; /* 0: all rows */
    uint64_t seed;
    bool has_places, lists_missed, is_strict;
};

static void list_missed(const struct arm *arm, uint64_t seed,
                        const struct latency_comparison *comparison)
{
    static const char *const names[] = {
        [LATENCY_SAME] = "same",       [LATENCY_SLOWER] = "too-noisy (slower once, and not again)",
        [LATENCY_FASTER] = "better",   [LATENCY_NOISY] = "too-noisy",
        [LATENCY_TOO_FEW] = "too-few",
    };
    const struct latency_quantile *median = &comparison->quantiles[LATENCY_P50];
    printf("missed: %s, trial %llu: %s after %zu rounds, p50 %.0f us, %.2f times (%.2f to %.2f), "
           "to the twin %.2f (%.2f to %.2f), threshold %.2f\n",
           arm->name, (unsigned long long)seed, names[comparison->outcome], comparison->rounds,
           median->baseline.us, median->ratio, median->ratio_low, median->ratio_high,
           median->ratio_twin, median->ratio_twin_low, median->ratio_twin_high, median->threshold);
}

/* Measured again as the program does. */
static bool is_confirmed(struct random *random, struct pattern *pattern,
                         const struct latency_comparison *comparison)
{
    struct latency_round rounds[LATENCY_BLOCKS * LATENCY_BLOCK_ROUNDS_MAX];
    size_t block_rounds = rh_latency_block_rounds(comparison);
    double busy = 0;
    for (size_t n = 0; n < LATENCY_BLOCKS * block_rounds; n++) {
        if (n % block_rounds == 0)
            reconnect(random, pattern);
        rounds[n] = make_round(random, pattern, &busy);
    }
    return rh_latency_confirms(comparison, rounds, LATENCY_BLOCKS * block_rounds);
}

/* One pattern of each trial has the regression; the others are bystanders. */
static void run_trial(uint64_t seed, const struct arm *arm, const struct options *options,
                      struct tally *tally)
{
    static struct latency_round rounds[LATENCY_ROUNDS_MAX];
    static struct latency_comparison comparisons[PATTERNS_MAX];
    static struct pattern patterns[PATTERNS_MAX];
    struct latency_rules rules = rh_latency_rules_default();
    struct random random;
    size_t count = options->patterns;
    bool is_alarm = false;

    rh_random_seed(&random, seed);
    size_t victim = rh_random_below(&random, count);
    for (size_t i = 0; i < count; i++) {
        make_pattern(&random, options->has_places, &patterns[i]);
        if (i == victim) {
            patterns[i].factor = arm->factor;
            patterns[i].share = arm->share;
        }
        judge_pattern(&random, &patterns[i], count, &rules, rounds, &comparisons[i],
                      &tally->rounds);
    }
    rh_latency_settle(comparisons, count, &rules);
    for (size_t i = 0; i < count; i++) {
        bool is_slower = comparisons[i].outcome == LATENCY_SLOWER &&
                         is_confirmed(&random, &patterns[i], &comparisons[i]);
        tally->noisy += comparisons[i].outcome == LATENCY_NOISY;
        if (i == victim && arm->factor > 1) {
            tally->caught += is_slower;
            if (!is_slower && options->lists_missed)
                list_missed(arm, seed, &comparisons[i]);
        } else {
            is_alarm |= is_slower;
        }
    }
    tally->alarms += is_alarm;
}

/* True: as --strict wants it. */
static bool run_arm(size_t number, const struct options *options)
{
    const struct arm *arm = &arms[number];
    struct tally tally = {0};
    char caught[32] = "-";
    double per = 100.0 / (double)options->trials;

    for (size_t trial = 0; trial < options->trials; trial++)
        run_trial(options->seed * 1000003 + number * 7919 + trial, arm, options, &tally);
    if (arm->factor > 1)
        snprintf(caught, sizeof(caught), "%.1f %%", (double)tally.caught * per);
    printf("| %s | %s | %.1f %% | %.2f %% | %.0f |\n", arm->name, caught,
           (double)tally.alarms * per, (double)tally.noisy * per / (double)options->patterns,
           (double)tally.rounds / (double)(options->trials * options->patterns));
    fflush(stdout);
    /* One more than the share allows may be chance where trials are few. */
    return tally.alarms <= options->trials / 100 + 1 &&
           (!arm->is_promised || arm->factor <= 1 ||
            tally.caught + 1 + options->trials / 100 >= options->trials);
}

static bool has_flag(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return false;
}

static long number(int argc, char **argv, const char *name, long otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return strtol(argv[i + 1], NULL, 10);
    return otherwise;
}

int main(int argc, char **argv)
{
    const struct options options = {
        .trials = (size_t)number(argc, argv, "--trials", 200),
        .patterns = (size_t)number(argc, argv, "--patterns", 20),
        .only = (size_t)number(argc, argv, "--only", 0),
        .seed = (uint64_t)number(argc, argv, "--seed", 1),
        .has_places = !has_flag(argc, argv, "--no-places"),
        .lists_missed = has_flag(argc, argv, "--missed"),
        .is_strict = has_flag(argc, argv, "--strict"),
    };
    bool is_good = true;

    if (options.patterns < 1 || options.patterns > PATTERNS_MAX || options.trials < 1) {
        fprintf(stderr, "1 to %d patterns, at least one trial\n", PATTERNS_MAX);
        return 2;
    }
    printf("%zu trials of %zu patterns, seed %llu\n\n", options.trials, options.patterns,
           (unsigned long long)options.seed);
    printf("| one pattern became | caught | trials with a false alarm | too noisy | rounds |\n"
           "|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof(arms) / sizeof(*arms); i++)
        if (options.only == 0 || options.only == i + 1)
            is_good &= run_arm(i, &options);
    return options.is_strict && !is_good ? 1 : 0;
}
