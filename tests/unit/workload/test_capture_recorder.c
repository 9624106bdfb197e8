/* The recorder between a ring written by hand and a sink: events, one slow sink, one that fails. */
#include "workload/capture_recorder.h"

#include "workload/capture_recorder_int.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct sink {
    char events[4096]; /* a letter each */
    size_t count, patterns, fails_at, largest_bytes;
    int delay_ms;
    uint64_t bytes;
    struct workload_event last;
    struct workload_result results[8];
    atomic_bool is_finished;
    bool had_failure;
};

static enum err_code on_pattern(void *context, const struct workload_pattern *pattern,
                                struct err *err)
{
    struct sink *sink = context;

    (void)err;
    assert_int_equal(pattern->number, ++sink->patterns);
    return RH_OK;
}

static enum err_code on_event(void *context, const struct workload_event *event, struct err *err)
{
    struct sink *sink = context;

    if (sink->fails_at && sink->count + 1 == sink->fails_at)
        return rh_err_set(err, RH_ERR_IO, "the disk is full");
    if (sink->delay_ms)
        poll(NULL, 0, sink->delay_ms);
    if (sink->count < sizeof(sink->events) - 1)
        sink->events[sink->count] = "bqaxe"[event->kind];
    sink->count++;
    sink->bytes += 100;
    if (rh_workload_event_bytes(event) > sink->largest_bytes)
        sink->largest_bytes = rh_workload_event_bytes(event);
    sink->last = *event;
    for (size_t i = 0; i < event->result_count && i < 8; i++)
        sink->results[i] = event->results[i];
    return RH_OK;
}

static uint64_t on_bytes(void *context)
{
    return ((struct sink *)context)->bytes;
}

static enum err_code on_finish(void *context, const struct err *failure, struct err *err)
{
    struct sink *sink = context;

    (void)err;
    sink->had_failure = failure != NULL;
    atomic_store(&sink->is_finished, true);
    return RH_OK;
}

struct fixture {
    struct capture_ring *ring;
    struct capture_recorder *recorder;
    struct sink sink;
    int64_t at_us;
};

static void start(struct fixture *f, uint64_t max_bytes)
{
    struct err err = RH_ERR_INIT;

    assert_int_equal(
        rh_capture_ring_new(&(struct capture_ring_options){.bytes = (size_t)16 * 1024 * 1024},
                            &f->ring, &err),
        RH_OK);
    assert_int_equal(
        rh_capture_recorder_start(&(struct capture_recorder_options){.ring = f->ring,
                                                                     .max_bytes = max_bytes,
                                                                     .sink = {.pattern = on_pattern,
                                                                              .event = on_event,
                                                                              .bytes = on_bytes,
                                                                              .finish = on_finish,
                                                                              .context = &f->sink}},
                                  &f->recorder, &err),
        RH_OK);
}

static void put(struct fixture *f, enum capture_record_kind kind, char type, uint32_t unit,
                const void *body, size_t length)
{
    struct capture_record *record = NULL;

    while (!(record = rh_capture_ring_reserve(f->ring, length)))
        poll(NULL, 0, 1);
    *record = (struct capture_record){.body_length = (uint32_t)length,
                                      .kind = (uint8_t)kind,
                                      .type = (uint8_t)type,
                                      .flags = unit ? RECORD_IN_UNIT : 0,
                                      .session = 1,
                                      .extra = unit,
                                      .at_us = ++f->at_us};
    if (length > 0)
        memcpy(record + 1, body, length);
    rh_capture_ring_commit(f->ring, record);
}

static void begin(struct fixture *f)
{
    put(f, RECORD_HELLO, 0, 0, "\0\0\0\0\0\0\0\0u\0d\0\0", 13);
    put(f, RECORD_BEGUN, 0, 0, "", 0);
}

static void answer(struct fixture *f, uint32_t unit, const uint32_t *places, size_t count)
{
    struct {
        struct capture_answer answer;
        struct workload_result results[8];
    } body = {.answer = {.unit = unit, .status = 'I'}};

    for (size_t i = 0; i < count; i++)
        body.results[i] = (struct workload_result){.pattern = places[i], .rows = -1};
    put(f, RECORD_ANSWER, 0, 0, &body,
        sizeof(body.answer) + count * sizeof(struct workload_result));
}

static enum err_code end(struct fixture *f)
{
    struct err err = RH_ERR_INIT;

    rh_capture_ring_close(f->ring);

    enum err_code code = rh_capture_recorder_finish(
        f->recorder, rh_clock_after(rh_clock_mono(), INT64_C(20000000)), &err);

    assert_true(atomic_load(&f->sink.is_finished));
    rh_capture_recorder_free(f->recorder);
    rh_capture_ring_free(f->ring);
    return code;
}

static void test_capture_recorder_keeps_unnamed_statements_of_a_pipeline_apart(void **state)
{
    (void)state;
    struct fixture f = {.at_us = 0};

    start(&f, 0);
    begin(&f);
    put(&f, RECORD_MESSAGE, 'P', 0, "\0SELECT 1 FROM a\0\0\0", 19);
    put(&f, RECORD_MESSAGE, 'B', 0, "\0\0\0\0\0\0\0\0", 8);
    put(&f, RECORD_MESSAGE, 'E', 0, "\0\0\0\0\0", 5);
    put(&f, RECORD_MESSAGE, 'P', 0, "\0SELECT 1 FROM b\0\0\0", 19);
    put(&f, RECORD_MESSAGE, 'B', 0, "\0\0\0\0\0\0\0\0", 8);
    put(&f, RECORD_MESSAGE, 'E', 0, "\0\0\0\0\0", 5);
    put(&f, RECORD_MESSAGE, 'S', 1, "", 0);
    answer(&f, 1, (const uint32_t[]){2, 5, 6}, 3);
    put(&f, RECORD_ENDED, 0, 0, "", 0);
    assert_int_equal(end(&f), RH_OK);
    assert_string_equal(f.sink.events, "bqae");
    assert_int_equal(f.sink.results[0].pattern, 1);
    assert_int_equal(f.sink.results[1].pattern, 2);
    assert_int_equal(f.sink.results[2].pattern, 0); /* of the commit at the Sync */
}

static void test_capture_recorder_passes_over_syncs_that_copy_ignored(void **state)
{
    (void)state;
    struct fixture f = {.at_us = 0};

    start(&f, 0);
    begin(&f);
    put(&f, RECORD_MESSAGE, 'P', 0, "\0COPY a FROM STDIN\0\0\0", 21);
    put(&f, RECORD_MESSAGE, 'B', 0, "\0\0\0\0\0\0\0\0", 8);
    put(&f, RECORD_MESSAGE, 'E', 0, "\0\0\0\0\0", 5);
    put(&f, RECORD_MESSAGE, 'S', 1, "", 0);
    put(&f, RECORD_MESSAGE, 'd', 0, "1\n", 2);
    put(&f, RECORD_MESSAGE, 'c', 0, "", 0);
    put(&f, RECORD_MESSAGE, 'S', 2, "", 0);
    answer(&f, 2, (const uint32_t[]){2}, 1);
    assert_int_equal(end(&f), RH_OK);
    assert_string_equal(f.sink.events, "bqqqqae"); /* the session's end is said for it */
    assert_int_equal(f.sink.results[0].pattern, 1);
    assert_true(f.sink.last.was_cut);
}

static void test_capture_recorder_that_is_slow_loses_nothing(void **state)
{
    (void)state;
    struct fixture f = {.sink = {.delay_ms = 1}};

    start(&f, 0);
    begin(&f);
    for (uint32_t i = 1; i <= 200; i++) {
        put(&f, RECORD_MESSAGE, 'Q', i, "SELECT 1", 9);
        answer(&f, i, (const uint32_t[]){0}, 1);
    }
    assert_int_equal(end(&f), RH_OK);
    assert_int_equal(f.sink.count, 402);
    assert_int_equal(f.sink.patterns, 1);
    assert_false(f.sink.had_failure);
}

static void test_capture_recorder_whose_sink_fails_takes_nothing_more(void **state)
{
    (void)state;
    struct fixture f = {.sink = {.fails_at = 10}};
    const struct mono deadline = rh_clock_after(rh_clock_mono(), INT64_C(10000000));

    start(&f, 0);
    begin(&f);
    for (uint32_t i = 1; i <= 100; i++)
        put(&f, RECORD_MESSAGE, 'Q', i, "SELECT 1", 9);
    while (!rh_capture_recorder_figures(f.recorder).has_failed) {
        assert_false(rh_clock_passed(deadline));
        poll(NULL, 0, 1);
    }
    /* Nobody waits for it, however much comes. */
    static const char large[1024 * 1024];

    for (uint32_t i = 0; i < 64; i++)
        put(&f, RECORD_MESSAGE, 'd', 0, large, sizeof(large));
    assert_int_equal(end(&f), RH_ERR_IO);
    assert_int_equal(f.sink.count, 9);
    assert_true(f.sink.had_failure);
}

static void test_capture_recorder_stops_at_the_size_it_was_given(void **state)
{
    (void)state;
    struct fixture f = {.at_us = 0};
    const struct mono deadline = rh_clock_after(rh_clock_mono(), INT64_C(10000000));

    start(&f, 1000);
    begin(&f);
    for (uint32_t i = 1; !rh_capture_recorder_figures(f.recorder).is_full; i++) {
        assert_false(rh_clock_passed(deadline));
        put(&f, RECORD_MESSAGE, 'Q', i, "SELECT 1", 9);
    }
    assert_int_equal(end(&f), RH_OK);
    assert_true(f.sink.bytes >= 1000);
    assert_int_equal(f.sink.last.kind, WORKLOAD_SESSION_ENDED);
    assert_false(f.sink.had_failure);
}

/* A million executions before one Sync, as drivers send them: the whole capture failed over an
   event that the file cannot hold. */
static void test_capture_recorder_leaves_out_what_is_too_much_for_one_request(void **state)
{
    (void)state;
    struct fixture f = {.at_us = 0};

    start(&f, 0);
    begin(&f);
    put(&f, RECORD_MESSAGE, 'P', 0, "a\0SELECT 1 FROM a\0\0\0", 20);
    for (int i = 0; i < 1000000; i++) {
        put(&f, RECORD_MESSAGE, 'B', 0, "\0a\0\0\0\0\0\0\0", 9);
        put(&f, RECORD_MESSAGE, 'E', 0, "\0\0\0\0\0", 5);
    }
    put(&f, RECORD_MESSAGE, 'S', 1, "", 0);
    put(&f, RECORD_MESSAGE, 'Q', 2, "SELECT 1", 9);
    assert_int_equal(end(&f), RH_OK);
    assert_string_equal(f.sink.events, "bqqe");
    assert_true(f.sink.largest_bytes <= WORKLOAD_EVENT_BYTES_MAX);
    assert_true(f.sink.largest_bytes > WORKLOAD_EVENT_BYTES_MAX / 2);
}

/* Each name is used once: what the recorder kept of them grew as long as the session lived. */
static void test_capture_recorder_forgets_what_was_closed(void **state)
{
    (void)state;
    struct names names = {0};
    struct known_query *query = calloc(1, sizeof(*query));
    char name[32];

    query->holders = 1;
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof(name), "statement %d", i);
        rh_recorded_names_set(&names, name, query);
        rh_recorded_names_close(&names, name);
        assert_ptr_equal(rh_recorded_names_get(&names, name), query); /* was it skipped? */
    }
    assert_true(names.size <= 64);
    rh_recorded_names_set(&names, "open", query);
    rh_recorded_names_close(&names, "nobody's");
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "portal %d", i);
        rh_recorded_names_set(&names, name, query);
        rh_recorded_names_close(&names, name);
    }
    assert_ptr_equal(rh_recorded_names_get(&names, "open"), query);
    rh_recorded_names_declare(&names, "open", TEXT_LITERAL("\0\0\1\0\0\0\x15"));
    assert_int_equal(rh_recorded_names_types(&names, "open").len, 4);
    rh_recorded_names_declare(&names, "open", TEXT_LITERAL("\0\0\2\0\0\0\x15")); /* cut */
    assert_int_equal(rh_recorded_names_types(&names, "open").len, 0);
    rh_recorded_names_declare(&names, "open", TEXT_LITERAL("\0\0\1\0\0\0\x15"));
    rh_recorded_names_set(&names, "open", query);
    assert_int_equal(rh_recorded_names_types(&names, "open").len, 0);
    rh_recorded_names_clear(&names);
    assert_int_equal(query->holders, 1);
    rh_known_query_drop(query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture_recorder_keeps_unnamed_statements_of_a_pipeline_apart),
        cmocka_unit_test(test_capture_recorder_passes_over_syncs_that_copy_ignored),
        cmocka_unit_test(test_capture_recorder_that_is_slow_loses_nothing),
        cmocka_unit_test(test_capture_recorder_whose_sink_fails_takes_nothing_more),
        cmocka_unit_test(test_capture_recorder_stops_at_the_size_it_was_given),
        cmocka_unit_test(test_capture_recorder_leaves_out_what_is_too_much_for_one_request),
        cmocka_unit_test(test_capture_recorder_forgets_what_was_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
