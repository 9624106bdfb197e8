/* Which query waited for which lock of the migration's. */
#include "judge_unit.h"

/* The migration once alone and once under load, in the same words. */
struct pair {
    struct story *alone, *loaded;
};

static int set_up(void **state)
{
    void *alone, *loaded;
    story_setup(&alone);
    story_setup(&loaded);
    struct story *story = alone;
    struct pair *pair = RH_NEW(story->arena, struct pair);
    *pair = (struct pair){alone, loaded};
    struct traffic *traffic = &story->result.traffic;
    traffic->was_run = true;
    traffic->trace = &pair->loaded->trace;
    *state = pair;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;
    void *alone = pair->alone, *loaded = pair->loaded;
    story_teardown(&loaded);
    return story_teardown(&alone);
}

#define PAIR_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static struct traffic_pattern *pattern(struct pair *pair, const char *query, const char *reads,
                                       const char *writes)
{
    struct arena *arena = pair->alone->arena;
    struct traffic_pattern *made = RH_PUSH(arena, &pair->alone->result.traffic.patterns);
    *made = (struct traffic_pattern){
        .query = query, .is_parsed = reads || writes, .writes = writes, .calls = 100};
    if (reads)
        *RH_PUSH(arena, &made->reads_from) = reads;
    if (writes)
        *RH_PUSH(arena, &made->writes_to) = writes;
    return made;
}

static void query(struct pair *pair, uint32_t of_pattern, int64_t sent_us, int64_t complete_us)
{
    *RH_PUSH(pair->alone->arena, &pair->alone->result.traffic.queries) = (struct traffic_query){
        .pattern = of_pattern,
        .intended_us = sent_us,
        .sent_us = sent_us,
        .complete_us = complete_us};
}

/* One statement that holds `mode` on a table: alone for so long, under load for longer. */
static void locks(struct pair *pair, const char *relation, const char *mode, int64_t alone_us,
                  int64_t loaded_us)
{
    struct story *const stories[] = {pair->alone, pair->loaded};
    for (size_t i = 0; i < 2; i++) {
        struct statement *statement = story_run(stories[i], "ALTER TABLE",
                                                i == 0 ? alone_us : loaded_us);
        story_lock(stories[i], statement, relation, mode);
        story_table(stories[i], relation, 1000);
    }
}

static struct traffic *judged(struct pair *pair)
{
    story_judge(pair->alone);
    return &pair->alone->result.traffic;
}

static void test_traffic_a_query_waits_from_when_it_was_sent(void **state)
{
    struct pair *pair = *state;
    locks(pair, "public.orders", "AccessExclusiveLock", 5 * MS, 500 * MS);
    pattern(pair, "SELECT * FROM orders WHERE id = $1", "orders", NULL);
    query(pair, 0, 100 * MS, 510 * MS);
    struct traffic *traffic = judged(pair);
    assert_int_equal(traffic->waited, 1);
    assert_int_equal(traffic->longest_wait_us, 400 * MS);
    const struct traffic_pattern *waiting = &traffic->patterns.items[0];
    assert_int_equal(waiting->waited, 1);
    assert_int_equal(waiting->waits.count, 1);
    assert_int_equal(waiting->waits.items[0].statement, 1);
    assert_string_equal(waiting->waits.items[0].relation, "public.orders");
    assert_string_equal(waiting->waits.items[0].mode, "AccessExclusiveLock");
    /* Below the limit of 2 s. */
    story_expect_none(pair->alone, "blocks-reads");
}

static void test_traffic_others_do_not_wait(void **state)
{
    struct pair *pair = *state;
    locks(pair, "public.orders", "ShareLock", 5 * MS, 500 * MS);
    pattern(pair, "SELECT * FROM orders", "orders", NULL);     /* reads go on */
    pattern(pair, "UPDATE users SET x = $1", NULL, "users");   /* another table */
    pattern(pair, "UPDATE orders SET x = $1", NULL, "orders"); /* too early, too late, too short */
    pattern(pair, "UPDATE orders_x SET x = $1", NULL, "orders_x");
    query(pair, 0, 100 * MS, 400 * MS);
    query(pair, 1, 100 * MS, 400 * MS);
    query(pair, 2, -50 * MS, 400 * MS);
    query(pair, 2, 501 * MS, 900 * MS);
    query(pair, 2, 495 * MS, 900 * MS);
    query(pair, 3, 100 * MS, 400 * MS);
    assert_int_equal(judged(pair)->waited, 0);
    query(pair, 2, 100 * MS, 400 * MS);
    assert_int_equal(judged(pair)->waited, 1);
    assert_int_equal(judged(pair)->waited, 1); /* judged again, counted once */
}

static void test_traffic_of_unknown_tables_waits_for_any(void **state)
{
    struct pair *pair = *state;
    locks(pair, "public.\"Orders\"", "AccessExclusiveLock", 5 * MS, 500 * MS);
    pattern(pair, "SELECT total()", NULL, NULL);
    pattern(pair, "SELECT * FROM \"Orders\"", "public.Orders", NULL);
    pattern(pair, "BEGIN", NULL, NULL)->controls = true; /* it waits for its session at most */
    query(pair, 0, 100 * MS, 500 * MS);
    query(pair, 1, 200 * MS, 500 * MS);
    query(pair, 2, 100 * MS, 500 * MS);
    struct traffic *traffic = judged(pair);
    assert_int_equal(traffic->waited, 2);
    assert_int_equal(traffic->longest_wait_us, 400 * MS);
}

static void test_traffic_that_waited_too_long_is_a_finding(void **state)
{
    struct pair *pair = *state;
    locks(pair, "public.orders", "AccessExclusiveLock", 5 * MS, 5 * S);
    pattern(pair, "SELECT * FROM orders WHERE id = $1", "orders", NULL);
    query(pair, 0, 100 * MS, 5 * S);
    query(pair, 0, 200 * MS, 5 * S);
    judged(pair);
    const struct finding *finding = story_expect(pair->alone, "blocks-reads", SEVERITY_ERROR);
    assert_int_equal(finding->statement, 1);
    assert_int_equal(json_integer_value(json_object_get(finding->evidence, "queries_waited")), 2);
    assert_non_null(strstr(finding->title, "4.9 s"));
    assert_non_null(strstr(finding->why, "Under the workload 2 query executions waited for it, the "
                                         "longest 4.9 s."));
}

static void test_traffic_makes_the_migration_wait_and_a_queue_behind_it(void **state)
{
    struct pair *pair = *state;
    locks(pair, "public.orders", "AccessExclusiveLock", 5 * MS, 4 * S);
    struct lock *lock = &pair->loaded->trace.statements.items[0].locks.items[0];
    lock->acquired_us = 3900 * MS;
    lock->held_us = 100 * MS;
    lock->waited_us = 3800 * MS;
    lock->waited_for = "session 4711 (idle in transaction)";
    pattern(pair, "SELECT * FROM orders WHERE id = $1", "orders", NULL);
    query(pair, 0, 500 * MS, 4 * S);
    struct traffic *traffic = judged(pair);
    assert_int_equal(traffic->longest_wait_us, 3500 * MS);
    const struct finding *finding = story_expect(pair->alone, "lock-queue", SEVERITY_ERROR);
    assert_non_null(strstr(finding->title, "waited 3.8 s"));
}

static void test_traffic_where_the_lock_alone_was_not_seen(void **state)
{
    struct pair *pair = *state;
    story_run(pair->alone, "ALTER TABLE", 5 * MS);
    struct statement *statement = story_run(pair->loaded, "ALTER TABLE", 5 * S);
    story_lock(pair->loaded, statement, "public.orders", "AccessExclusiveLock");
    pattern(pair, "SELECT * FROM orders WHERE id = $1", "orders", NULL);
    query(pair, 0, 100 * MS, 5 * S);
    judged(pair);
    story_expect(pair->alone, "blocks-reads", SEVERITY_ERROR);
}

static void test_traffic_that_was_not_replayed_is_a_doubt(void **state)
{
    struct pair *pair = *state;
    locks(pair, "public.orders", "AccessExclusiveLock", 5 * MS, 5 * MS);
    judged(pair);
    assert_int_equal(pair->alone->result.verdict, VERDICT_SAFE);
    pair->alone->result.traffic.is_replayer_bound = true;
    pair->alone->result.traffic.replayer_lag_us = 3 * S;
    judged(pair);
    assert_int_equal(pair->alone->result.verdict, VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(pair->alone->result.headline, "could not keep up"));
    pair->alone->result.traffic = (struct traffic){.why_not = "app.workload is of another server"};
    judged(pair);
    assert_int_equal(pair->alone->result.verdict, VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(pair->alone->result.headline, "another server"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_traffic_a_query_waits_from_when_it_was_sent),
        PAIR_TEST(test_traffic_others_do_not_wait),
        PAIR_TEST(test_traffic_of_unknown_tables_waits_for_any),
        PAIR_TEST(test_traffic_that_waited_too_long_is_a_finding),
        PAIR_TEST(test_traffic_makes_the_migration_wait_and_a_queue_behind_it),
        PAIR_TEST(test_traffic_where_the_lock_alone_was_not_seen),
        PAIR_TEST(test_traffic_that_was_not_replayed_is_a_doubt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
