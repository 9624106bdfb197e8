/*
 * Runs fuzz_event_codec without libFuzzer: batches of events as they are, then mutations of them.
 *
 *   fuzz_event_codec_replay [SEED [MUTATIONS]]
 *
 * The seed is printed, so that a failure can be repeated.
 */
#include "store/event_codec.h"
#include "unit/store/event_maker.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUTATIONS_DEFAULT 1000
#define BATCHES 40

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261120;
    size_t mutations = argc > 2 ? strtoull(argv[2], NULL, 10) : MUTATIONS_DEFAULT;
    printf("seed %llu, %zu mutations\n", (unsigned long long)seed, mutations);
    struct event_maker maker = {.random = seed ? seed : 1};
    struct event_encoder *encoder = rh_event_encoder_new();
    static struct buf batches[BATCHES];
    for (size_t i = 0; i < BATCHES; i++) {
        struct arena *arena = rh_arena_new();
        for (size_t j = 1 + below(&maker.random, 60); j > 0; j--) {
            /* An input holds so much. */
            if (rh_event_encoder_bytes(encoder) < INPUT_MAX / 2)
                RH_ASSERT(rh_event_encoder_add(encoder, maker_next(&maker, arena)));
        }
        rh_arena_free(arena);
        rh_buf_init(&batches[i], EVENT_BATCH_BYTES_MAX);
        rh_event_encoder_take(encoder, &batches[i]);
        LLVMFuzzerTestOneInput((const uint8_t *)batches[i].data, batches[i].len);
    }
    static uint8_t input[INPUT_MAX];
    for (size_t i = 0; i < mutations; i++) {
        const struct buf *batch = &batches[below(&maker.random, BATCHES)];
        size_t size = batch->len < INPUT_MAX ? batch->len : INPUT_MAX;
        memcpy(input, batch->data, size);
        LLVMFuzzerTestOneInput(input, mutate(input, size, &maker.random));
    }
    for (size_t i = 0; i < BATCHES; i++)
        rh_buf_deinit(&batches[i]);
    rh_event_encoder_free(encoder);
    return 0;
}
