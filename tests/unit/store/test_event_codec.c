#include "../base/unit.h"

#include "event_maker.h"
#include "store/event_codec.h"
#include "store/workload_file.h"

#define EVENTS 20000

static void test_event_codec_returns_what_went_in(void **state)
{
    (void)state;
    struct event_encoder *encoder = rh_event_encoder_new();
    struct event_decoder *decoder = rh_event_decoder_new();
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_BUF struct buf batch, expected, got;
    rh_buf_init(&batch, EVENT_BATCH_BYTES_MAX);
    rh_buf_init(&expected, 64 << 20);
    rh_buf_init(&got, 64 << 20);
    struct event_maker maker = {.random = 20261120};
    /* Batches of many lengths, each read without the others. */
    for (size_t round = 0, left = EVENTS; left > 0; round++) {
        size_t count = 1 + below(&maker.random, 900);
        count = count < left ? count : left;
        for (size_t i = 0; i < count; i++) {
            rh_arena_clear(arena);
            const struct workload_event *event = maker_next(&maker, arena);
            assert_true(rh_event_encoder_add(encoder, event));
            dump_event(&expected, event);
        }
        assert_int_equal(rh_event_encoder_count(encoder), count);
        rh_buf_clear(&batch);
        rh_event_encoder_take(encoder, &batch);
        assert_int_equal(rh_event_encoder_bytes(encoder), 0);
        assert_true(rh_event_decoder_open(decoder, rh_buf_text(&batch)));
        struct workload_event event;
        for (size_t i = 0; i < count; i++) {
            rh_arena_clear(arena);
            assert_int_equal(rh_event_decoder_next(decoder, arena, &event), EVENT_DECODED);
            dump_event(&got, &event);
        }
        assert_int_equal(rh_event_decoder_next(decoder, arena, &event), EVENT_END);
        assert_false(expected.failed || got.failed);
        assert_string_equal(got.data, expected.data);
        rh_buf_clear(&expected);
        rh_buf_clear(&got);
        left -= count;
    }
    rh_event_encoder_free(encoder);
    rh_event_decoder_free(decoder);
}

static void test_event_codec_refuses_what_cannot_be(void **state)
{
    (void)state;
    struct event_encoder *encoder = rh_event_encoder_new();
    struct workload_message message = {.type = 'Q', .body = TEXT_LITERAL("SELECT 1")};
    struct workload_event event = {.kind = WORKLOAD_REQUEST,
                                   .session = 1,
                                   .at_us = 50,
                                   .request = 1,
                                   .messages = &message,
                                   .message_count = 1};
    assert_true(rh_event_encoder_add(encoder, &event));
    event.at_us = 49;
    assert_false(rh_event_encoder_add(encoder, &event));
    event.at_us = 51;
    message.type = 'p';
    assert_false(rh_event_encoder_add(encoder, &event));
    message.type = 'd';
    message.body.len = WORKLOAD_EVENT_BYTES_MAX;
    assert_false(rh_event_encoder_add(encoder, &event));
    assert_int_equal(rh_event_encoder_count(encoder), 1);
    rh_event_encoder_free(encoder);
}

/* A thousand times the same query is a few bytes each: bodies are kept by what differs. */
static void test_event_codec_is_small_for_like_requests(void **state)
{
    (void)state;
    struct event_encoder *encoder = rh_event_encoder_new();
    for (uint64_t i = 0; i < 1000; i++) {
        char query[100];
        int length = snprintf(query, sizeof(query),
                              "SELECT abalance FROM pgbench_accounts WHERE aid = %d;",
                              (int)(10000 + i * 7919 % 90000));
        struct workload_message message = {
            .type = 'Q', .pattern = 1, .body = {query, (size_t)length + 1}};
        struct workload_event event = {.kind = WORKLOAD_REQUEST,
                                       .session = 1,
                                       .at_us = (int64_t)i * 100,
                                       .request = i + 1,
                                       .messages = &message,
                                       .message_count = 1};
        assert_true(rh_event_encoder_add(encoder, &event));
    }
    size_t bytes = rh_event_encoder_bytes(encoder);
    print_message("%zu bytes for 1000 requests\n", bytes);
    assert_in_range(bytes, 1000, 1000 * 17);
    rh_event_encoder_free(encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_codec_returns_what_went_in),
        cmocka_unit_test(test_event_codec_refuses_what_cannot_be),
        cmocka_unit_test(test_event_codec_is_small_for_like_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
