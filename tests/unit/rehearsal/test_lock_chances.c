/* Transactions of a recording, and the locks that can be had between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rehearsal/lock_chances.h"

#define MS INT64_C(1000)

struct tape {
    struct workload_event events[64];
    struct workload_message messages[64];
    size_t count, at;
};

static enum err_code next(void *context, const struct workload_event **ret_event, struct err *err)
{
    (void)err;
    struct tape *tape = context;
    *ret_event = tape->at < tape->count ? &tape->events[tape->at++] : NULL;
    return RH_OK;
}

static void request(struct tape *tape, uint64_t session, int64_t at_us, uint32_t pattern)
{
    tape->messages[tape->count] = (struct workload_message){.type = 'Q', .pattern = pattern};
    tape->events[tape->count] = (struct workload_event){.kind = WORKLOAD_REQUEST,
                                                        .session = session,
                                                        .at_us = at_us,
                                                        .messages = &tape->messages[tape->count],
                                                        .message_count = 1};
    tape->count++;
}

static void answer(struct tape *tape, uint64_t session, int64_t at_us, char status)
{
    tape->events[tape->count++] = (struct workload_event){
        .kind = WORKLOAD_ANSWER, .session = session, .at_us = at_us, .transaction_status = status};
}

static void end(struct tape *tape, uint64_t session, int64_t at_us)
{
    tape->events[tape->count++] = (struct workload_event){
        .kind = WORKLOAD_SESSION_ENDED, .session = session, .at_us = at_us};
}

/* 1 reads users, 2 writes orders, 3 begins or commits. */
static const struct workload_pattern *pattern(const void *context, uint32_t number)
{
    return number >= 1 && number <= 3 ? (const struct workload_pattern *)context + number - 1
                                      : NULL;
}

static struct traffic_timeouts ask(struct tape *tape, struct arena *arena)
{
    static const char *const relations[] = {"public.orders", "public.users"};
    struct workload_pattern *patterns = rh_arena_alloc_array(arena, 3, sizeof(*patterns));
    *RH_PUSH(arena, &patterns[0].reads) = "users";
    *RH_PUSH(arena, &patterns[1].writes) = "public.orders";
    struct traffic_timeouts timeouts;
    struct err err = RH_ERR_INIT;
    const struct lock_chances_options options = {.source = {next, tape},
                                                 .pattern = pattern,
                                                 .context = patterns,
                                                 .relations = relations,
                                                 .relation_count = 2,
                                                 .limit_us = 2000 * MS};
    assert_int_equal(rh_lock_chances(&options, arena, &timeouts, &err), RH_OK);
    assert_int_equal(timeouts.count, 2);
    assert_string_equal(timeouts.items[0].relation, "public.orders");
    return timeouts;
}

static void test_lock_chances_a_transaction_lasts_to_its_end(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct tape tape = {0};
    request(&tape, 1, 0, 3);
    answer(&tape, 1, 1 * MS, 'T');
    request(&tape, 1, 10 * MS, 1); /* users, from here on ... */
    request(&tape, 7, 12 * MS, 2); /* orders, by itself */
    answer(&tape, 1, 14 * MS, 'T');
    answer(&tape, 7, 20 * MS, 'I');
    request(&tape, 1, 400 * MS, 3);
    answer(&tape, 1, 410 * MS, 'I'); /* ... to here */
    request(&tape, 1, 900 * MS, 3);
    answer(&tape, 1, 1000 * MS, 'I');
    struct traffic_timeouts timeouts = ask(&tape, arena);
    assert_int_equal(timeouts.items[0].longest_transaction_us, 8 * MS);
    assert_int_equal(timeouts.items[1].longest_transaction_us, 400 * MS);
    /* With 50 ms a request between 10 and 360 ms of this second would not get users. */
    assert_int_equal(timeouts.items[1].lock_timeout_us, 50 * MS);
    assert_true(timeouts.items[1].chance > 0.6499 && timeouts.items[1].chance < 0.6501);
    assert_true(timeouts.items[0].chance > 0.9999);
}

static void test_lock_chances_what_is_cut_lasted_until_then(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct tape tape = {0};
    request(&tape, 1, 0, 2);
    request(&tape, 2, 100 * MS, 1);
    end(&tape, 2, 300 * MS);
    end(&tape, 9, 300 * MS); /* never said anything */
    request(&tape, 3, 1000 * MS, 77);
    answer(&tape, 3, 1000 * MS, 'I');
    struct traffic_timeouts timeouts = ask(&tape, arena);
    assert_int_equal(timeouts.items[0].longest_transaction_us, 1000 * MS);
    assert_int_equal(timeouts.items[1].longest_transaction_us, 200 * MS);
}

/* Numbers of sessions come from the file: one made by somebody else has any. */
static void test_lock_chances_of_sessions_with_any_number(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct tape tape = {0};
    request(&tape, UINT64_MAX, 0, 2);
    request(&tape, UINT64_MAX - 1024, 10 * MS, 2); /* in the same bucket */
    answer(&tape, UINT64_MAX, 30 * MS, 'I');
    end(&tape, UINT64_MAX, 40 * MS);
    answer(&tape, UINT64_MAX - 1024, 60 * MS, 'I');
    struct traffic_timeouts timeouts = ask(&tape, arena);
    assert_int_equal(timeouts.items[0].longest_transaction_us, 50 * MS);
}

static void test_lock_chances_of_nothing(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct tape tape = {0};
    struct traffic_timeouts timeouts = ask(&tape, arena);
    assert_int_equal(timeouts.items[0].longest_transaction_us, 0);
    assert_true(timeouts.items[0].chance > 0.9999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lock_chances_a_transaction_lasts_to_its_end),
        cmocka_unit_test(test_lock_chances_what_is_cut_lasted_until_then),
        cmocka_unit_test(test_lock_chances_of_sessions_with_any_number),
        cmocka_unit_test(test_lock_chances_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
