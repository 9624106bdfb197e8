/* The ring: order and bytes kept through wraps and the spill file, full is said and never waited
 * for. Run with -Db_sanitize=thread for the two threads. */
#include "workload/capture_ring.h"

#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define RING_BYTES ((size_t)16 * 1024 * 1024)

static struct capture_ring *open_ring(int64_t spill_bytes)
{
    struct capture_ring *ring = NULL;
    struct err err = RH_ERR_INIT;
    const struct capture_ring_options options = {.bytes = RING_BYTES,
                                                 .spill_directory = spill_bytes ? "/tmp" : NULL,
                                                 .spill_bytes = spill_bytes};

    assert_int_equal(rh_capture_ring_new(&options, &ring, &err), RH_OK);
    return ring;
}

static size_t body_length(uint32_t number)
{
    return number * 2654435761u % 3000;
}

static bool put(struct capture_ring *ring, uint32_t number)
{
    size_t length = body_length(number);
    struct capture_record *record = rh_capture_ring_reserve(ring, length);

    if (!record)
        return false;
    *record = (struct capture_record){.body_length = (uint32_t)length, .session = number};
    memset(record + 1, (int)(number & 0xff), length);
    rh_capture_ring_commit(ring, record);
    return true;
}

struct reader {
    struct capture_ring *ring;
    uint32_t next;
    bool is_over;
    char *chunk;
};

static void take(struct reader *reader, int64_t wait_us)
{
    struct err err = RH_ERR_INIT;
    size_t length = 0;

    assert_int_equal(
        rh_capture_ring_take(reader->ring, wait_us, reader->chunk, &length, &reader->is_over, &err),
        RH_OK);
    for (size_t at = 0; at < length;) {
        const struct capture_record *record = (const void *)(reader->chunk + at);
        const unsigned char *body = (const unsigned char *)(record + 1);

        assert_int_equal(record->session, reader->next);
        assert_int_equal(record->body_length, body_length(reader->next));
        for (size_t i = 0; i < record->body_length; i++)
            if (body[i] != (reader->next & 0xff))
                fail_msg("byte %zu of record %u", i, reader->next);
        reader->next++;
        at += rh_capture_record_size(record->body_length);
    }
}

static void *run_reader(void *context)
{
    struct reader *reader = context;

    while (!reader->is_over)
        take(reader, 10000);
    return NULL;
}

static void pass_through(int64_t spill_bytes, uint32_t count)
{
    struct reader reader = {.ring = open_ring(spill_bytes), .chunk = malloc(CAPTURE_TAKE_BYTES)};
    pthread_t thread;

    pthread_create(&thread, NULL, run_reader, &reader);
    for (uint32_t i = 0; i < count; i++)
        while (!put(reader.ring, i))
            sched_yield();
    rh_capture_ring_close(reader.ring);
    pthread_join(thread, NULL);
    assert_int_equal(reader.next, count);
    rh_capture_ring_free(reader.ring);
    free(reader.chunk);
}

static void test_capture_ring_keeps_order_between_two_threads(void **state)
{
    (void)state;
    pass_through(0, 60000);
}

static void test_capture_ring_keeps_order_through_the_spill_file(void **state)
{
    (void)state;
    struct reader reader = {.ring = open_ring(INT64_C(64) * 1024 * 1024),
                            .chunk = malloc(CAPTURE_TAKE_BYTES)};
    const struct mono deadline = rh_clock_after(rh_clock_mono(), 20 * INT64_C(1000000));
    uint32_t count = 0;

    /* Three rings' worth before anybody reads. */
    while (count < 3 * RING_BYTES / 1500) {
        if (put(reader.ring, count))
            count++;
        else
            assert_false(rh_clock_passed(deadline));
    }
    assert_true(rh_capture_ring_use(reader.ring).spill_most > 0);
    rh_capture_ring_close(reader.ring);
    while (!reader.is_over)
        take(&reader, 10000);
    assert_int_equal(reader.next, count);
    assert_int_equal(rh_capture_ring_use(reader.ring).spill_used, 0);
    rh_capture_ring_free(reader.ring);
    free(reader.chunk);
}

static void test_capture_ring_says_that_it_is_full_and_goes_on_later(void **state)
{
    (void)state;
    struct reader reader = {.ring = open_ring(0), .chunk = malloc(CAPTURE_TAKE_BYTES)};
    uint32_t count = 0;

    while (put(reader.ring, count))
        count++;
    assert_true(rh_capture_ring_use(reader.ring).ring_used > RING_BYTES - 4000);
    assert_false(put(reader.ring, count));
    take(&reader, 0);
    assert_true(put(reader.ring, count++));
    rh_capture_ring_close(reader.ring);
    while (!reader.is_over)
        take(&reader, 0);
    assert_int_equal(reader.next, count);
    rh_capture_ring_free(reader.ring);
    free(reader.chunk);
}

static void test_capture_ring_without_room_for_its_spill_file_is_an_error(void **state)
{
    (void)state;
    struct capture_ring *ring = NULL;
    struct err err = RH_ERR_INIT;
    const struct capture_ring_options options = {
        .bytes = RING_BYTES, .spill_directory = "/proc", .spill_bytes = 64 * 1024 * 1024};

    assert_int_not_equal(rh_capture_ring_new(&options, &ring, &err), RH_OK);
    assert_null(ring);
    rh_capture_ring_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture_ring_keeps_order_between_two_threads),
        cmocka_unit_test(test_capture_ring_keeps_order_through_the_spill_file),
        cmocka_unit_test(test_capture_ring_says_that_it_is_full_and_goes_on_later),
        cmocka_unit_test(test_capture_ring_without_room_for_its_spill_file_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
