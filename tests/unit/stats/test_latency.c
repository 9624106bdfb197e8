#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/latency.h"

#include <math.h>

#define ROUNDS 400

struct shape {
    double median_us, factor, twin_factor;
    double share; /* of the rounds that the factor applies to */
};

static void fill(struct latency_round *rounds, size_t count, struct shape shape, uint64_t seed)
{
    struct random random;
    rh_random_seed(&random, seed);
    for (size_t i = 0; i < count; i++) {
        double cost = shape.median_us * exp(2 * rh_random_unit(&random) - 1);
        double noise[3];
        for (int side = 0; side < 3; side++)
            noise[side] = 0.9 + 0.2 * rh_random_unit(&random);
        double factor = rh_random_unit(&random) < shape.share ? shape.factor : 1;
        rounds[i] = (struct latency_round){cost * noise[0], cost * noise[1] * shape.twin_factor,
                                           cost * noise[2] * factor};
    }
}

static struct latency_comparison compare(struct shape shape, size_t count, uint64_t seed)
{
    static struct latency_round rounds[ROUNDS];
    struct latency_rules rules = rh_latency_rules_default();
    struct latency_comparison comparison;
    struct random random;
    rh_random_seed(&random, seed + 1);
    fill(rounds, count, shape, seed);
    rh_latency_compare(rounds, count, 1, &rules, &random, &comparison);
    return comparison;
}

static void test_latency_same_when_nothing_differs(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct latency_comparison c = compare((struct shape){200, 1, 1, 1}, 300, seed);
        assert_int_equal(c.outcome, LATENCY_SAME);
        assert_false(c.is_open);
    }
}

static void test_latency_slower_and_faster(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct latency_comparison c = compare((struct shape){200, 1.5, 1, 1}, 100, seed);
        assert_int_equal(c.outcome, LATENCY_SLOWER);
        const struct latency_quantile *median = &c.quantiles[LATENCY_P50];
        assert_true(median->ratio_low < median->ratio && median->ratio < median->ratio_high);
        assert_true(median->ratio > 1.3 && median->ratio < 1.7);
        assert_true(median->baseline.low_us <= median->baseline.us &&
                    median->baseline.us <= median->baseline.high_us);
        assert_false(c.quantiles[LATENCY_P95].is_supported);
        c = compare((struct shape){900, 0.5, 1, 1}, 100, seed);
        assert_int_equal(c.outcome, LATENCY_FASTER);
    }
}

/* What differs between two servers that are the same is no finding. */
static void test_latency_the_twin_gives_the_floor(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct latency_comparison c = compare((struct shape){200, 1.4, 1.4, 1}, 300, seed);
        assert_int_not_equal(c.outcome, LATENCY_SLOWER);
        assert_true(c.quantiles[LATENCY_P50].noise > 1.3);
    }
}

/* A process of one twin that is slow as long as its connection lives hides what the other shows:
   that is no "same", and asks for further connections. */
static void test_latency_one_slow_twin_leaves_it_open(void **state)
{
    (void)state;
    static struct latency_round rounds[ROUNDS];
    struct latency_rules rules = rh_latency_rules_default();
    struct latency_comparison c;
    struct random random;
    for (int side = 0; side < 2; side++) {
        rh_random_seed(&random, 1);
        fill(rounds, 300, (struct shape){900, 1.5, 1, 1}, 2);
        for (size_t i = 0; i < 300; i++)
            *(side == 0 ? &rounds[i].baseline_us : &rounds[i].twin_us) *= 1.4;
        rh_latency_compare(rounds, 300, 1, &rules, &random, &c);
        assert_int_not_equal(c.outcome, LATENCY_SLOWER);
        assert_int_not_equal(c.outcome, LATENCY_SAME);
        assert_true(c.is_open);
    }
}

/* The correction for thousands of patterns asks for a p that no number of random permutations
   gives. */
static void test_latency_one_of_thousands_is_found(void **state)
{
    (void)state;
    static struct latency_round rounds[300];
    struct latency_rules rules = rh_latency_rules_default();
    static struct latency_comparison all[2000];
    struct random random;
    rh_random_seed(&random, 1);
    fill(rounds, 300, (struct shape){900, 1.5, 1, 1}, 2);
    for (size_t i = 0; i < 2000; i++)
        all[i] = (struct latency_comparison){.rounds = 300, .p_slower = 1, .p_faster = 1};
    rh_latency_compare(rounds, 300, 2000, &rules, &random, &all[7]);
    assert_int_equal(all[7].outcome, LATENCY_SLOWER);
    rh_latency_settle(all, 2000, &rules);
    assert_int_equal(all[7].outcome, LATENCY_SLOWER);
}

/* Of nine rounds that all lean one way, the median stays as high in 1 of 2^5 ways to swap five. */
static void test_latency_p_of_the_median_is_exact(void **state)
{
    (void)state;
    struct latency_round rounds[9];
    struct latency_rules rules = rh_latency_rules_default();
    struct latency_comparison c;
    struct random random;
    rules.least_rounds = 5;
    rh_random_seed(&random, 1);
    for (size_t i = 0; i < 9; i++)
        rounds[i] = (struct latency_round){1000, 1000, 1500 + 10 * (double)i};
    rh_latency_compare(rounds, 9, 1, &rules, &random, &c);
    assert_int_equal(c.quantiles[LATENCY_P50].direction, 1);
    assert_true(fabs(c.p_slower - 4.0 / 32) < 1e-9);
    for (size_t i = 0; i < 9; i++)
        rounds[i].candidate_us = 500 + 10 * (double)i;
    rh_latency_compare(rounds, 9, 1, &rules, &random, &c);
    assert_int_equal(c.quantiles[LATENCY_P50].direction, -1);
    assert_true(fabs(c.p_faster - 4.0 / 32) < 1e-9);
}

/* No stage is most of what is known by then, once there is enough to tell a tail. */
static void test_latency_stages_grow(void **state)
{
    (void)state;
    const struct latency_stage *stages = rh_latency_stages;
    for (size_t i = 1; i < LATENCY_STAGES; i++) {
        size_t own = stages[i].rounds - stages[i - 1].rounds;
        assert_true(stages[i].rounds > stages[i - 1].rounds);
        if (stages[i].rounds > 60)
            assert_true(own * 2 < stages[i].rounds);
    }
    assert_true(stages[0].is_judged && stages[LATENCY_STAGES - 1].is_judged);
    assert_true(stages[LATENCY_STAGES - 1].rounds <= LATENCY_ROUNDS_MAX);
}

static void test_latency_short_times_need_more(void **state)
{
    (void)state;
    struct latency_comparison c = compare((struct shape){6, 1.4, 1, 1}, 300, 1);
    assert_int_not_equal(c.outcome, LATENCY_SLOWER);
    assert_true(c.quantiles[LATENCY_P50].threshold > 1.5);
    c = compare((struct shape){2000, 1.4, 1, 1}, 300, 1);
    assert_int_equal(c.outcome, LATENCY_SLOWER);
}

static void test_latency_slow_for_some_parameters(void **state)
{
    (void)state;
    struct latency_comparison c = compare((struct shape){200, 90, 1, 0.05}, 400, 5);
    assert_int_equal(c.outcome, LATENCY_SLOWER);
    assert_true(c.is_partly_slower);
    assert_true(c.slower_share > 0.02 && c.slower_share < 0.09);
    assert_int_equal(c.quantiles[LATENCY_P50].direction, 0);
}

/* Slow for some executions, while the others had moments that cost as much: nothing got dearer. */
static void test_latency_parts_that_the_sum_does_not_show(void **state)
{
    (void)state;
    static struct latency_round rounds[ROUNDS];
    struct latency_rules rules = rh_latency_rules_default();
    struct latency_comparison c;
    struct random random;
    rh_random_seed(&random, 1);
    fill(rounds, ROUNDS, (struct shape){200, 1, 1, 1}, 2);
    for (size_t i = 0; i < ROUNDS; i++) {
        rounds[i].candidate_us *= i % 10 == 3 ? 5 : 1;
        rounds[i].baseline_us *= i % 100 == 7 ? 30 : 1;
        rounds[i].twin_us *= i % 100 == 57 ? 30 : 1;
    }
    rh_latency_compare(rounds, ROUNDS, 1, &rules, &random, &c);
    assert_false(c.is_partly_slower);
    for (size_t i = 7; i < ROUNDS; i += 50)
        rounds[i].baseline_us = rounds[i].twin_us = rounds[i].candidate_us;
    rh_latency_compare(rounds, ROUNDS, 1, &rules, &random, &c);
    assert_true(c.is_partly_slower);
}

static void test_latency_too_few_says_nothing(void **state)
{
    (void)state;
    struct latency_comparison c = compare((struct shape){200, 90, 1, 1}, 19, 5);
    assert_int_equal(c.outcome, LATENCY_TOO_FEW);
    assert_true(c.is_open);
    c = compare((struct shape){200, 1, 1, 1}, 0, 5);
    assert_int_equal(c.outcome, LATENCY_TOO_FEW);
}

/* A machine that is busy for the second half, under one side alone, is not the side's doing. */
static void test_latency_half_of_the_rounds_is_not_enough(void **state)
{
    (void)state;
    static struct latency_round rounds[ROUNDS];
    struct latency_rules rules = rh_latency_rules_default();
    struct latency_comparison c;
    struct random random;
    rh_random_seed(&random, 1);
    fill(rounds, ROUNDS, (struct shape){200, 1, 1, 1}, 2);
    for (size_t i = ROUNDS * 45 / 100; i < ROUNDS; i++)
        rounds[i].candidate_us *= 3;
    rh_latency_compare(rounds, ROUNDS, 1, &rules, &random, &c);
    assert_true(c.quantiles[LATENCY_P50].ratio > 1.2);
    assert_int_equal(c.quantiles[LATENCY_P50].direction, 0);
}

/* A process that was slow for the life of its connection is not slow over the next ones. */
static void test_latency_confirms_what_is_seen_again(void **state)
{
    (void)state;
    static struct latency_round rounds[LATENCY_BLOCKS * LATENCY_BLOCK_ROUNDS_MAX];
    struct latency_comparison suspected = compare((struct shape){200, 1.5, 1, 1}, 300, 3);
    size_t block = rh_latency_block_rounds(&suspected), count = block * LATENCY_BLOCKS;
    assert_int_equal(suspected.outcome, LATENCY_SLOWER);
    fill(rounds, count, (struct shape){200, 1.5, 1, 1}, 11);
    assert_true(rh_latency_confirms(&suspected, rounds, count));
    fill(rounds, count, (struct shape){200, 1, 1, 1}, 12);
    assert_false(rh_latency_confirms(&suspected, rounds, count));
    for (size_t i = 0; i < block * (LATENCY_BLOCKS / 2); i++)
        rounds[i].candidate_us *= 1.5; /* three of seven */
    assert_false(rh_latency_confirms(&suspected, rounds, count));
    assert_false(rh_latency_confirms(&suspected, rounds, 0));
}

static void test_latency_confirms_what_is_rare_over_all_blocks(void **state)
{
    (void)state;
    static struct latency_round rounds[LATENCY_BLOCKS * LATENCY_BLOCK_ROUNDS_MAX];
    struct latency_comparison suspected = compare((struct shape){200, 90, 1, 0.05}, 400, 5);
    size_t count = rh_latency_block_rounds(&suspected) * LATENCY_BLOCKS;
    assert_int_equal(count, LATENCY_BLOCKS * LATENCY_BLOCK_ROUNDS_MAX);
    fill(rounds, count, (struct shape){200, 90, 1, 0.05}, 6);
    assert_true(rh_latency_confirms(&suspected, rounds, count));
    fill(rounds, count, (struct shape){200, 1, 1, 1}, 6);
    assert_false(rh_latency_confirms(&suspected, rounds, count));
}

static void test_latency_settle_corrects_for_many(void **state)
{
    (void)state;
    struct latency_rules rules = rh_latency_rules_default();
    struct latency_comparison comparisons[100];
    for (size_t i = 0; i < 100; i++)
        comparisons[i] = compare((struct shape){200, 1, 1, 1}, 50, i);
    /* One in a hundred at 0.005 is what chance gives. */
    comparisons[3].p_slower = 0.005;
    rh_latency_settle(comparisons, 100, &rules);
    assert_int_equal(comparisons[3].outcome, LATENCY_SAME);
    comparisons[3].p_slower = 0.00001;
    rh_latency_settle(comparisons, 100, &rules);
    assert_int_equal(comparisons[3].outcome, LATENCY_SLOWER);
}

static void test_benjamini_hochberg_as_in_the_paper(void **state)
{
    (void)state;
    /* Benjamini and Hochberg 1995, section 3.2: at 0.05 the four smallest are rejected. */
    static const double p[] = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                               0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
    bool rejected[15];
    rh_benjamini_hochberg(p, 15, 0.05, rejected);
    for (size_t i = 0; i < 15; i++)
        assert_int_equal(rejected[i], i < 4);
    rh_benjamini_hochberg(p, 0, 0.05, rejected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latency_same_when_nothing_differs),
        cmocka_unit_test(test_latency_slower_and_faster),
        cmocka_unit_test(test_latency_the_twin_gives_the_floor),
        cmocka_unit_test(test_latency_one_slow_twin_leaves_it_open),
        cmocka_unit_test(test_latency_one_of_thousands_is_found),
        cmocka_unit_test(test_latency_p_of_the_median_is_exact),
        cmocka_unit_test(test_latency_stages_grow),
        cmocka_unit_test(test_latency_short_times_need_more),
        cmocka_unit_test(test_latency_slow_for_some_parameters),
        cmocka_unit_test(test_latency_parts_that_the_sum_does_not_show),
        cmocka_unit_test(test_latency_too_few_says_nothing),
        cmocka_unit_test(test_latency_half_of_the_rounds_is_not_enough),
        cmocka_unit_test(test_latency_confirms_what_is_seen_again),
        cmocka_unit_test(test_latency_confirms_what_is_rare_over_all_blocks),
        cmocka_unit_test(test_latency_settle_corrects_for_many),
        cmocka_unit_test(test_benjamini_hochberg_as_in_the_paper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
