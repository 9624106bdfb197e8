/*
 * Runs fuzz_copy_client without libFuzzer: rows of every format as they are, then mutations of
 * them.
 *
 *   fuzz_copy_client_replay [SEED [MUTATIONS]]
 *
 * The seed is printed, so that a failure can be repeated.
 */
#include "fuzz_mutate.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUTATIONS_DEFAULT 3000

#define SEED(format, text)             \
    {                                  \
        format, sizeof(text) - 1, text \
    }
static const struct {
    uint8_t format;
    size_t size;
    const char *bytes;
} seeds[] = {
    SEED(0, "aZ\t7\tx\n\\N\t\\N\t\\x41\\101\\\\\\\n\n\\.\n"),
    SEED(0, "a\t1\tb\r\nc\t2\td\r\n"),
    SEED(0, "a\nZ\n\\Z"),
    SEED(1, "a,1,\"b\"\"Z\n,\"\r\n,\"\",\r\n\\.x,2,\"\\.\"\r\n\\.\r\n"),
    SEED(1, "\"\"\nZ\n\n\"a\nb\""),
    SEED(2, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\2xy\0\3\0\0\0\1Z\377\377\377\377\0\0\0\0\377\377"),
    SEED(2, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\3aZb\0\1\377\377\377\377"),
    SEED(3, "'it\\'s;';NA;'NA'\nZ\\;1;'\\\\'\n"),
    SEED(4, "a\\|b||Z\n|\\N|\\x7c\n"),
    SEED(4, "\n\n|"),
    SEED(5, "a,b,c\nNA,1,N\\A\n\\,,2,Z\n"),
    SEED(6, "a,b c\n1,\\N\n\"\\N\",Z\n"),
    SEED(6, "\"a\",\"b c\",d\n1,2,3\n"),
};

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261121;
    size_t mutations = argc > 2 ? strtoull(argv[2], NULL, 10) : MUTATIONS_DEFAULT;
    const size_t count = sizeof seeds / sizeof seeds[0];
    static uint8_t input[INPUT_MAX];
    uint64_t state = seed != 0 ? seed : 1;

    printf("seed %llu, %zu mutations\n", (unsigned long long)seed, mutations);
    for (size_t i = 0; i < count * 16 + mutations; i++) {
        size_t at = i % count, size = 4 + seeds[at].size;

        input[0] = seeds[at].format;
        input[1] = (uint8_t)(i / count);
        input[2] = (uint8_t)next_random(&state);
        input[3] = (uint8_t)next_random(&state);
        memcpy(input + 4, seeds[at].bytes, seeds[at].size);
        if (i >= count * 16)
            size = mutate(input, size, &state);
        LLVMFuzzerTestOneInput(input, size);
    }
    return 0;
}
