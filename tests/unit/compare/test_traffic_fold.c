/* A replay's executions, folded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare/traffic_fold.h"

#include <string.h>

#define MS INT64_C(1000)

struct place {
    struct arena *arena;
    struct traffic traffic;
    struct traffic_fold baseline, here;
};

static int set_up(void **state)
{
    struct arena *arena = rh_arena_new();
    struct place *place = RH_NEW(arena, struct place);
    place->arena = arena;
    for (uint32_t i = 1; i <= 2; i++)
        RH_PUSH(arena, &place->traffic.patterns)->number = i;
    rh_traffic_fold_init(&place->baseline, arena, &place->traffic, true);
    rh_traffic_fold_init(&place->here, arena, &place->traffic, false);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    rh_arena_free(place->arena);
    return 0;
}

static void add(struct traffic_fold *fold, uint32_t pattern, int64_t sent_us, int64_t complete_us,
                const char *sqlstate)
{
    struct traffic_execution execution = {.pattern = pattern,
                                          .session = 1,
                                          .intended_us = sent_us,
                                          .sent_us = sent_us,
                                          .complete_us = complete_us};
    memcpy(execution.sqlstate, sqlstate, strlen(sqlstate));
    rh_traffic_fold_add(fold, &execution);
}

static void test_traffic_fold_sums_by_pattern(void **state)
{
    struct place *place = *state;
    struct traffic *traffic = &place->traffic;
    add(&place->baseline, 1, 0, 2 * MS, "");
    add(&place->baseline, 1, 5 * MS, 6 * MS, "23505");
    add(&place->here, 1, 0, 3 * MS, "");
    add(&place->here, 1, 5 * MS, 100 * MS, "23505");
    add(&place->here, 1, 5 * MS, 6 * MS, "42703");
    add(&place->here, 2, 6 * MS, 7 * MS, "");
    add(&place->here, 3, 6 * MS, 7 * MS, ""); /* nobody knows it */
    rh_traffic_fold_finish(&place->here, &place->baseline, 4 * MS, 90 * MS);

    assert_int_equal(traffic->calls, 5);
    assert_int_equal(traffic->baseline_calls, 2);
    const struct traffic_pattern *first = &traffic->patterns.items[0];
    assert_int_equal(first->calls, 3);
    assert_int_equal(first->baseline_calls, 2);
    assert_int_equal(first->longest_us, 95 * MS);
    assert_int_equal(first->baseline_longest_us, 2 * MS);
    assert_int_equal(first->errors.count, 2);
    assert_string_equal(first->errors.items[0].sqlstate, "23505");
    assert_int_equal(first->errors.items[0].here, 1);
    assert_int_equal(first->errors.items[0].baseline, 1);
    assert_string_equal(first->errors.items[1].sqlstate, "42703");
    assert_int_equal(first->errors.items[1].baseline, 0);
    assert_int_equal(traffic->patterns.items[1].calls, 1);
    /* Only the long one is kept, by the migration's clock. */
    assert_int_equal(traffic->queries.count, 1);
    assert_int_equal(traffic->queries.items[0].sent_us, 1 * MS);
    assert_int_equal(traffic->queries.items[0].complete_us, 96 * MS);
    assert_int_equal(traffic->begun_us, -4 * MS);
    assert_int_equal(traffic->ended_us, 96 * MS);
}

static void test_traffic_fold_a_cancel_that_was_recorded_is_no_error(void **state)
{
    struct place *place = *state;
    struct traffic_execution execution = {
        .pattern = 1, .sent_us = 0, .complete_us = MS, .was_cancelled_as_recorded = true};
    memcpy(execution.sqlstate, "57014", 6);
    rh_traffic_fold_add(&place->here, &execution);
    assert_int_equal(place->traffic.patterns.items[0].errors.count, 0);
}

/* One query every 10 ms, of 15 ms each: one or two at a time. */
static void usual(struct traffic_fold *fold, int64_t from_us, int64_t until_us)
{
    for (int64_t at = from_us; at < until_us; at += 10 * MS)
        add(fold, 1, at, at + 15 * MS, "");
}

static void test_traffic_fold_a_queue_grows_and_goes(void **state)
{
    struct place *place = *state;
    struct traffic *traffic = &place->traffic;
    traffic->pool = 20;
    usual(&place->baseline, 0, 4000 * MS);
    usual(&place->here, 0, 1000 * MS);
    /* Between 1 s and 2 s nothing ends; then all of it, over half a second. */
    for (int i = 0; i < 100; i++)
        add(&place->here, 1, (1000 + 10 * i) * MS, (2000 + 5 * i) * MS, "");
    usual(&place->here, 2600 * MS, 4000 * MS);
    rh_traffic_fold_finish(&place->here, &place->baseline, 1000 * MS, 2000 * MS);

    assert_int_equal(traffic->depth_before, 2);
    assert_in_range(traffic->depth_peak, 99, 102);
    assert_in_range(traffic->depth_peak_at_us, 980 * MS, 1010 * MS);
    /* Twenty wait after a fifth of a second, until the queue is that short again. */
    assert_in_range(traffic->pool_exhausted_at_us, 170 * MS, 210 * MS);
    assert_in_range(traffic->pool_exhausted_us, 1150 * MS, 1250 * MS);
    assert_in_range(traffic->recovered_us, 440 * MS, 520 * MS);
    assert_true(traffic->depths.count > 0 && traffic->depths.count <= TRAFFIC_DEPTHS_MAX);
    int64_t highest = 0;
    for (size_t i = 0; i < traffic->depths.count; i++)
        if (traffic->depths.items[i].queries > highest)
            highest = traffic->depths.items[i].queries;
    assert_int_equal(highest, traffic->depth_peak);
}

static void test_traffic_fold_an_undisturbed_one_has_no_queue(void **state)
{
    struct place *place = *state;
    struct traffic *traffic = &place->traffic;
    traffic->pool = 5;
    usual(&place->baseline, 0, 2000 * MS);
    usual(&place->here, 0, 2000 * MS);
    rh_traffic_fold_finish(&place->here, &place->baseline, 500 * MS, 700 * MS);
    assert_int_equal(traffic->depth_peak, 2);
    assert_int_equal(traffic->recovered_us, 0);
    assert_int_equal(traffic->pool_exhausted_at_us, -1);
}

static void test_traffic_fold_one_that_never_recovers(void **state)
{
    struct place *place = *state;
    usual(&place->baseline, 0, 500 * MS);
    usual(&place->here, 0, 500 * MS);
    for (int i = 0; i < 50; i++)
        add(&place->here, 1, (500 + i) * MS, 3000 * MS, "");
    rh_traffic_fold_finish(&place->here, &place->baseline, 400 * MS, 600 * MS);
    assert_int_equal(place->traffic.recovered_us, -1);
}

static void test_traffic_fold_is_bounded(void **state)
{
    struct place *place = *state;
    /* Times that no replay can have are taken for the last moment. */
    add(&place->here, 1, -5, INT64_C(1) << 50, "");
    for (int i = 0; i < 30; i++) {
        char sqlstate[6] = "9900x";
        sqlstate[4] = (char)('A' + i % 26);
        add(&place->here, 1, 0, 1, sqlstate);
    }
    rh_traffic_fold_finish(&place->here, &place->baseline, 0, 1);
    assert_true(place->traffic.patterns.items[0].errors.count <= 16);
    assert_true(place->traffic.depths.count <= TRAFFIC_DEPTHS_MAX);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_traffic_fold_sums_by_pattern),
        TEST(test_traffic_fold_a_cancel_that_was_recorded_is_no_error),
        TEST(test_traffic_fold_a_queue_grows_and_goes),
        TEST(test_traffic_fold_an_undisturbed_one_has_no_queue),
        TEST(test_traffic_fold_one_that_never_recovers),
        TEST(test_traffic_fold_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
