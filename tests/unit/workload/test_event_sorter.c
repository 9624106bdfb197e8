#include "../base/unit.h"

#include "../../fuzz/fuzz_mutate.h"
#include "workload/event_sorter.h"

#define BODY_BYTES 20000
#define EVENTS 8000

static void sort_random_events(size_t piece_bytes)
{
    struct err err = RH_ERR_INIT;
    struct event_sorter *sorter = rh_event_sorter_new("/tmp", piece_bytes);
    char *body = calloc(1, BODY_BYTES);
    uint64_t random = 20261120;
    int64_t least = INT64_MAX;
    for (uint64_t i = 1; i <= EVENTS; i++) {
        struct workload_message message = {.type = 'Q', .body = {body, BODY_BYTES}};
        struct workload_event event = {.kind = WORKLOAD_REQUEST,
                                       .session = i,
                                       .at_us = (int64_t)(1 + below(&random, 3000)),
                                       .request = i,
                                       .messages = &message,
                                       .message_count = 1};
        least = event.at_us < least ? event.at_us : least;
        memcpy(body, &i, sizeof(i));
        if (rh_event_sorter_add(sorter, &event, &err) != RH_OK)
            fail_msg("%s", err.message);
    }
    int64_t first_at_us;
    struct workload_source source;
    if (rh_event_sorter_finish(sorter, &first_at_us, &source, &err) != RH_OK)
        fail_msg("%s", err.message);
    assert_int_equal(first_at_us, least);
    const struct workload_event *event;
    int64_t at_us = 0;
    uint64_t session = 0, count = 0, number;
    while (source.next(source.context, &event, &err) == RH_OK && event != NULL) {
        assert_true(event->at_us >= at_us);
        /* Of one time, in the order in which they came. */
        assert_true(event->at_us > at_us || event->session > session);
        memcpy(&number, event->messages[0].body.data, sizeof(number));
        assert_int_equal(number, event->session);
        at_us = event->at_us;
        session = event->session;
        count++;
    }
    assert_int_equal(count, EVENTS);
    rh_event_sorter_free(sorter);
    free(body);
}

/* Each event carries BODY_BYTES: four pieces. */
static void test_event_sorter_merges_pieces_by_time(void **state)
{
    (void)state;
    sort_random_events(EVENT_SORTER_PIECE_BYTES);
}

/* Two events each: 4000 pieces, merged at several levels. */
static void test_event_sorter_merges_what_was_merged(void **state)
{
    (void)state;
    sort_random_events((size_t)2 * BODY_BYTES);
}

static void test_event_sorter_without_events_is_at_its_end(void **state)
{
    (void)state;
    struct err err = RH_ERR_INIT;
    struct event_sorter *sorter = rh_event_sorter_new("/nowhere", EVENT_SORTER_PIECE_BYTES);
    struct workload_source source;
    const struct workload_event *event;
    int64_t first_at_us;
    assert_int_equal(rh_event_sorter_finish(sorter, &first_at_us, &source, &err), RH_OK);
    assert_int_equal(source.next(source.context, &event, &err), RH_OK);
    assert_null(event);
    struct workload_event cancel = {.kind = WORKLOAD_CANCEL, .session = 1, .at_us = 1};
    assert_int_equal(rh_event_sorter_add(sorter, &cancel, &err), RH_OK);
    assert_int_equal(rh_event_sorter_finish(sorter, &first_at_us, &source, &err), RH_ERR_IO);
    rh_event_sorter_free(sorter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_sorter_merges_pieces_by_time),
        cmocka_unit_test(test_event_sorter_merges_what_was_merged),
        cmocka_unit_test(test_event_sorter_without_events_is_at_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
