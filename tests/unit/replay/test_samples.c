/* Samples come out as they went in, over a pipe that is read late. */
#include "replay/samples.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static struct replay_execution example(uint64_t session)
{
    static const struct workload_result recorded = {.sqlstate = "23505"};
    struct replay_execution it = {.session = session,
                                  .request = 7,
                                  .intended_us = -5,
                                  .sent_us = INT64_C(1) << 50,
                                  .first_us = 3,
                                  .complete_us = 4,
                                  .result = {.pattern = 70000,
                                             .rows = -1,
                                             .returned = 12,
                                             .sqlstate = "40P01",
                                             .has_digest = true,
                                             .unordered = {1, 2},
                                             .ordered = {3}},
                                  .recorded = &recorded,
                                  .was_cancelled = true};
    return it;
}

static void test_samples_decode_what_was_encoded(void **state)
{
    const struct replay_execution in = example(UINT64_MAX);
    struct replay_execution out;
    uint8_t record[SAMPLE_BYTES];
    enum sample_kind kind;
    unsigned flags;
    (void)state;
    rh_sample_encode(&in, record);
    assert_true(rh_sample_decode(record, &kind, &out, &flags));
    assert_int_equal(kind, SAMPLE_EXECUTION);
    assert_int_equal(flags, SAMPLE_WAS_CANCELLED | SAMPLE_HAS_DIGEST | SAMPLE_IS_RECORDED |
                                SAMPLE_FAILED_IN_RECORDING);
    assert_null(out.recorded);
    out.recorded = in.recorded;
    assert_int_equal(out.session, in.session);
    assert_int_equal(out.request, in.request);
    assert_int_equal(out.intended_us, in.intended_us);
    assert_int_equal(out.sent_us, in.sent_us);
    assert_int_equal(out.first_us, in.first_us);
    assert_int_equal(out.complete_us, in.complete_us);
    assert_int_equal(out.result.rows, in.result.rows);
    assert_int_equal(out.result.returned, in.result.returned);
    assert_int_equal(out.result.pattern, in.result.pattern);
    assert_string_equal(out.result.sqlstate, in.result.sqlstate);
    assert_memory_equal(out.result.unordered, in.result.unordered, WORKLOAD_DIGEST_BYTES);
    assert_memory_equal(out.result.ordered, in.result.ordered, WORKLOAD_DIGEST_BYTES);
}

static void test_samples_of_another_kind_are_refused(void **state)
{
    const uint8_t record[SAMPLE_BYTES] = {9};
    struct replay_execution out;
    enum sample_kind kind;
    unsigned flags;
    (void)state;
    assert_false(rh_sample_decode(record, &kind, &out, &flags));
}

/* More than a pipe holds: nothing blocks, nothing is lost, the order stays. */
static void test_samples_wait_for_a_late_reader(void **state)
{
    struct sample_writer writer;
    struct err err = RH_ERR_INIT;
    int ends[2];
    uint64_t expected = 0;
    uint8_t head[SAMPLES_HEAD_BYTES], record[SAMPLE_BYTES];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(rh_sample_writer_init(&writer, ends[1], &err), RH_OK);
    for (uint64_t i = 0; i < 5000; i++) {
        const struct replay_execution it = example(i);
        rh_sample_writer_add(&writer, &it);
    }
    assert_int_equal(writer.dropped, 0);
    assert_int_equal(read(ends[0], head, sizeof(head)), SAMPLES_HEAD_BYTES);
    assert_memory_equal(head, SAMPLES_HEAD, SAMPLES_HEAD_BYTES);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    while (expected < 5000) {
        struct replay_execution out;
        enum sample_kind kind;
        unsigned flags;
        size_t got = 0;
        while (got < sizeof(record)) {
            ssize_t some = read(ends[0], record + got, sizeof(record) - got);
            if (some <= 0)
                rh_sample_writer_flush(&writer, rh_clock_mono());
            else
                got += (size_t)some;
        }
        assert_true(rh_sample_decode(record, &kind, &out, &flags));
        assert_int_equal(out.session, expected++);
    }
    close(ends[0]);
    close(ends[1]);
    rh_sample_writer_deinit(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_decode_what_was_encoded),
        cmocka_unit_test(test_samples_of_another_kind_are_refused),
        cmocka_unit_test(test_samples_wait_for_a_late_reader),
    };
    return cmocka_run_group_tests_name("samples", tests, NULL, NULL);
}
