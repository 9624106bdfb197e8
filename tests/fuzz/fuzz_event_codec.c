/*
 * Fuzz target of the workload's events: any bytes are events or malformed, and events that came out
 * go in and come out again as they were. Built for libFuzzer with clang, and with
 * fuzz_event_codec_replay.c by any compiler.
 */
#include "store/event_codec.h"
#include "unit/store/event_maker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DUMP_BYTES_MAX ((size_t)512 * 1024 * 1024)
/* A byte may stand for thousands; what a mutation asks for is not worth more than this. */
#define EVENTS_BYTES_MAX ((size_t)4 * 1024 * 1024)

static size_t decode(struct text batch, struct event_encoder *encoder, struct buf *dump)
{
    struct event_decoder *decoder = rh_event_decoder_new();
    struct arena *arena = rh_arena_new();
    struct workload_event event;
    size_t count = 0;
    if (rh_event_decoder_open(decoder, batch)) {
        while (dump->len < EVENTS_BYTES_MAX &&
               rh_event_decoder_next(decoder, arena, &event) == EVENT_DECODED) {
            /* Of a prologue, say, of an unknown type: the decoder makes none. */
            if (encoder != NULL)
                RH_ASSERT(rh_event_encoder_add(encoder, &event));
            dump_event(dump, &event);
            count++;
            rh_arena_clear(arena);
        }
    }
    rh_arena_free(arena);
    rh_event_decoder_free(decoder);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event_encoder *encoder = rh_event_encoder_new();
    struct buf first, second, batch;
    rh_buf_init(&first, DUMP_BYTES_MAX);
    rh_buf_init(&second, DUMP_BYTES_MAX);
    rh_buf_init(&batch, EVENT_BATCH_BYTES_MAX);
    size_t count = decode((struct text){(const char *)data, size}, encoder, &first);
    rh_event_encoder_take(encoder, &batch);
    RH_ASSERT(decode(rh_buf_text(&batch), NULL, &second) == count);
    RH_ASSERT(rh_text_equals(rh_buf_text(&first), rh_buf_text(&second)));
    rh_buf_deinit(&first);
    rh_buf_deinit(&second);
    rh_buf_deinit(&batch);
    rh_event_encoder_free(encoder);
    return 0;
}
