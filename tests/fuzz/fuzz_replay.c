/*
 * Runs a fuzz target without libFuzzer: the recorded conversations as they are, then mutations of
 * them.
 *
 *   fuzz_replay TRACES [SEED [MUTATIONS]]
 *
 * The seed is printed, so that a failure can be repeated.
 */
#include "fuzz_mutate.h"
#include "tools/wire_trace.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUTATIONS_DEFAULT 8000

static size_t make_input(uint8_t *input, const struct wire_trace *trace,
                         enum pg_direction direction, uint8_t flags)
{
    struct text bytes = trace->streams[direction].bytes;
    size_t length = bytes.len < INPUT_MAX - 3 ? bytes.len : INPUT_MAX - 3;
    input[0] = flags;
    input[1] = input[2] = 1;
    memcpy(input + 3, bytes.data, length);
    return length + 3;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 20261120;
    size_t mutations = argc > 3 ? strtoull(argv[3], NULL, 10) : MUTATIONS_DEFAULT;
    printf("seed %llu, %zu mutations\n", (unsigned long long)seed, mutations);
    struct arena *arena = rh_arena_new();
    struct wire_traces traces = rh_wire_traces_read(argv[1], arena);
    static uint8_t input[INPUT_MAX];
    uint64_t state = seed ? seed : 1;
    for (size_t t = 0; t < traces.count; t++) {
        for (uint8_t flags = 0; flags < 16; flags++) {
            size_t size = make_input(input, &traces.items[t], flags & 1 ? PG_BACKEND : PG_FRONTEND,
                                     flags);
            LLVMFuzzerTestOneInput(input, size);
        }
    }
    for (size_t i = 0; i < mutations && traces.count > 0; i++) {
        enum pg_direction direction = (enum pg_direction)below(&state, 2);
        size_t size = make_input(input, &traces.items[below(&state, traces.count)], direction,
                                 (uint8_t)(below(&state, 16) & ~1u) | (uint8_t)direction);
        LLVMFuzzerTestOneInput(input, mutate(input, size, &state));
    }
    rh_arena_free(arena);
    return 0;
}
