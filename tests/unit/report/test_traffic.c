/* What production's queries met. */
#include "report_unit.h"

static int set_up(void **state)
{
    *state = rh_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    rh_arena_free(*state);
    return 0;
}

static struct result *with_traffic(struct arena *arena)
{
    struct result *result = result_new(arena);
    result->traffic = (struct traffic){.was_run = true,
                                       .workload = "app.workload",
                                       .speed = 1,
                                       .sessions = 24,
                                       .calls = 12480,
                                       .depth_before = 2,
                                       .depth_peak = 2};
    return result;
}

static void waiting(struct arena *arena, struct result *result, const char *query, int64_t waited,
                    int64_t longest_us)
{
    struct traffic_pattern *pattern = RH_PUSH(arena, &result->traffic.patterns);
    *pattern = (struct traffic_pattern){.number = (uint32_t)result->traffic.patterns.count,
                                        .query = query,
                                        .waited = waited,
                                        .longest_wait_us = longest_us};
    *RH_PUSH(arena, &pattern->waits) = (struct traffic_wait){
        .statement = 2, .relation = "public.orders", .queries = waited, .longest_us = longest_us};
    result->traffic.waited += waited;
    if (longest_us > result->traffic.longest_wait_us)
        result->traffic.longest_wait_us = longest_us;
}

static void test_traffic_nobody_waited(void **state)
{
    struct result *result = with_traffic(*state);
    const char *text = report_text(*state, result, 90, true, false, REPORT_NORMAL);
    assert_contains(text, "12,480 query executions of 24 sessions replayed while it ran");
    assert_contains(text, "none had to wait for one of its locks");
    assert_lacks(text, "at once");
    result->traffic = (struct traffic){0};
    assert_lacks(report_text(*state, result, 90, true, false, REPORT_NORMAL), "traffic");
}

static void test_traffic_who_waited_and_for_what(void **state)
{
    struct result *result = with_traffic(*state);
    struct traffic *traffic = &result->traffic;
    waiting(*state, result, "SELECT * FROM orders WHERE id = $1", 812, 1200 * MS);
    waiting(*state, result, "UPDATE orders SET total = $1 WHERE id = $2", 40, 3200 * MS);
    traffic->depth_peak = 140;
    traffic->recovered_us = 400 * MS;
    traffic->speed = 2;
    *RH_PUSH((struct arena *)*state,
             &traffic->timeouts) = (struct traffic_timeout){.relation = "public.orders",
                                                            .lock_timeout_us = 100 * MS,
                                                            .chance = 0.95,
                                                            .retries = 3,
                                                            .chance_of_all = 0.9999,
                                                            .longest_transaction_us = 1200 * MS};
    const char *text = report_text(*state, result, 100, true, false, REPORT_NORMAL);
    assert_contains(text, "replayed at 2 times its speed");
    assert_contains(text, "852 had to wait, the longest 3.2 s");
    assert_contains(text, "140 at once, as a rule 2");
    assert_contains(text, "as before 400 ms after");
    assert_contains(text, "812, up to 1.2 s, by statement 2: SELECT * FROM orders WHERE id = $1");
    assert_true(strstr(text, "40, up to 3.2 s") < strstr(text, "812, up to 1.2 s"));
    assert_contains(text, "lock_timeout 100 ms gets public.orders within 3 tries (its longest "
                          "transaction: 1.2 s)");
    for (size_t columns = 40; columns <= 100; columns += 20)
        assert_true(widest_line(report_text(*state, result, columns, true, false, REPORT_NORMAL)) <=
                    columns);
}

static void test_traffic_relations_of_one_lock_timeout_are_one_line(void **state)
{
    struct arena *arena = *state;
    struct result *result = with_traffic(*state);
    static const char *const relations[] = {"public.orders", "public.lines", "public.users",
                                            "public.tags", "public.shops"};
    for (size_t i = 0; i < sizeof(relations) / sizeof(relations[0]); i++)
        *RH_PUSH(arena, &result->traffic.timeouts) = (struct traffic_timeout){
            .relation = relations[i],
            .lock_timeout_us = i == 1 ? 200 * MS : 50 * MS,
            .chance = 1,
            .retries = 1,
            .chance_of_all = i == 4 ? 0.5 : 1,
            .longest_transaction_us = (int64_t)i * S};
    const char *text = report_text(*state, result, 100, true, false, REPORT_NORMAL);
    assert_contains(text, "lock_timeout 50 ms gets public.orders, public.users and public.tags at "
                          "the first try");
    assert_contains(text, "their longest transaction: 3 s");
    assert_contains(text, "lock_timeout 200 ms gets public.lines at the first try (its longest");
    assert_contains(text, "a lock on public.shops would hardly be had");
}

static void test_traffic_many_patterns_are_counted(void **state)
{
    struct result *result = with_traffic(*state);
    for (int i = 0; i < 7; i++)
        waiting(*state, result, "SELECT 1 FROM orders", 10 + i, (i + 1) * S);
    result->traffic.recovered_us = -1;
    const char *text = report_text(*state, result, 90, true, false, REPORT_NORMAL);
    assert_contains(text, "and 3 more patterns in result.json");
    assert_contains(text, "not as before until the replay ended");
    assert_lacks(report_text(*state, result, 90, true, false, REPORT_VERBOSE), "more patterns");
}

static void test_traffic_a_late_replay_says_no_times(void **state)
{
    struct result *result = with_traffic(*state);
    waiting(*state, result, "SELECT 1 FROM orders", 10, S);
    result->traffic.is_replayer_bound = true;
    result->traffic.replayer_lag_us = 2 * S;
    const char *text = report_text(*state, result, 90, true, false, REPORT_NORMAL);
    assert_contains(text, "late by up to 2 s");
    assert_lacks(text, "had to wait");
}

static void test_traffic_of_a_blocker_alone(void **state)
{
    struct result *result = result_new(*state);
    result->traffic = (struct traffic){.was_run = true,
                                       .blocker = BLOCKER_LONG_READ,
                                       .blocker_relation = "public.orders",
                                       .blocker_us = 5 * S};
    const char *text = report_text(*state, result, 100, true, false, REPORT_NORMAL);
    assert_contains(text, "long-read on public.orders for 5 s: a query that reads the table for "
                          "long");
    assert_lacks(text, "replayed");
}

static void test_traffic_a_lock_that_is_hardly_had(void **state)
{
    struct result *result = with_traffic(*state);
    *RH_PUSH((struct arena *)*state, &result->traffic.timeouts) = (struct traffic_timeout){
        .relation = "public.orders",
        .lock_timeout_us = 2 * S,
        .chance = 0.02,
        .retries = 60,
        .chance_of_all = 0.7,
        .longest_transaction_us = 90 * S};
    assert_contains(report_text(*state, result, 90, true, false, REPORT_NORMAL),
                    "a lock on public.orders would hardly be had");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_traffic_nobody_waited),
        TEST(test_traffic_who_waited_and_for_what),
        TEST(test_traffic_relations_of_one_lock_timeout_are_one_line),
        TEST(test_traffic_many_patterns_are_counted),
        TEST(test_traffic_a_late_replay_says_no_times),
        TEST(test_traffic_of_a_blocker_alone),
        TEST(test_traffic_a_lock_that_is_hardly_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
