/*
 * Random numbers of a seed, and inputs that are nearly right, for runs without libFuzzer.
 */
#ifndef RH_FUZZ_MUTATE_H
#define RH_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INPUT_MAX 4096

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016). */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static inline size_t below(uint64_t *state, size_t limit)
{
    return (size_t)(next_random(state) % limit);
}

/* Changes, cuts out or repeats a few pieces. */
static inline size_t mutate(uint8_t *input, size_t size, uint64_t *state)
{
    for (size_t i = 1 + below(state, 4); i > 0 && size > 4; i--) {
        size_t at = below(state, size), length = 1 + below(state, 16);
        if (length > size - at)
            length = size - at;
        switch (below(state, 4)) {
        case 0:
            input[at] = (uint8_t)next_random(state);
            break;
        case 1:
            input[at] ^= (uint8_t)(1u << below(state, 8));
            break;
        case 2:
            memmove(input + at, input + at + length, size - at - length);
            size -= length;
            break;
        default:
            if (size + length > INPUT_MAX)
                break;
            memmove(input + at + length, input + at, size - at);
            size += length;
            break;
        }
    }
    return size;
}

#endif
