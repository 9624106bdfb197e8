/*
 * Runs fuzz_capture without libFuzzer: conversations as they are, then mutations of them.
 *
 *   fuzz_capture_replay [SEED [MUTATIONS]]
 *
 * The seed is printed, so that a failure can be repeated.
 */
#include "fuzz_mutate.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUTATIONS_DEFAULT 500
#define PIECE_MAX 128

#define PARSE     \
    "P\0\0\0\x0d" \
    "a\0SET x\0\0\0"
#define BIND "B\0\0\0\x0d\0a\0\0\0\0\0\0\0"
#define EXECUTE "E\0\0\0\x9\0\0\0\0\0"
#define SYNC "S\0\0\0\4"
#define READY "Z\0\0\0\5I"

struct piece {
    char from; /* 'c', 's'; 0: the end */
    const char *bytes;
    size_t length;
};
#define CLIENT(text)                \
    {                               \
        'c', text, sizeof(text) - 1 \
    }
#define SERVER(text)                \
    {                               \
        's', text, sizeof(text) - 1 \
    }

static const struct piece conversations[][6] = {
    {CLIENT("Q\0\0\0\x16SET a = 1; SELECT\0"),
     SERVER("C\0\0\0\x8SET\0T\0\0\0\6\0\0D\0\0\0\6\0\0C\0\0\0\x0dSELECT 1\0" READY),
     CLIENT("Q\0\0\0\x1aPREPARE p AS SELECT 1\0"), SERVER("C\0\0\0\x0cPREPARE\0" READY)},
    {CLIENT(PARSE "D\0\0\0\7Sa\0" BIND EXECUTE "C\0\0\0\7Sa\0" SYNC),
     SERVER("1\0\0\0\4t\0\0\0\6\0\0n\0\0\0\4"
            "2\0\0\0\4C\0\0\0\x8SET\0"
            "3\0\0\0\4" READY)},
    {CLIENT(PARSE BIND EXECUTE),
     SERVER("1\0\0\0\4E\0\0\0\x0c"
            "C22012\0\0"),
     CLIENT(BIND EXECUTE "C\0\0\0\7Sa\0" SYNC), SERVER("Z\0\0\0\5E")},
    {CLIENT("Q\0\0\0\x16"
            "COPY a FROM STDIN\0"),
     SERVER("G\0\0\0\7\0\0\0"),
     CLIENT("d\0\0\0\x10some of a rowd\0\0\0\x30"
            "0123456789012345678901234567890123456789012\n"),
     SERVER("E\0\0\0\x0c"
            "C22P04\0\0" READY),
     CLIENT("c\0\0\0\4Q\0\0\0\6x\0"), SERVER("I\0\0\0\4" READY)},
    {CLIENT(PARSE BIND EXECUTE SYNC),
     SERVER("1\0\0\0\4"
            "2\0\0\0\4G\0\0\0\7\0\0\0"),
     CLIENT("d\0\0\0\6x\nc\0\0\0\4" SYNC),
     SERVER("C\0\0\0\x0b"
            "COPY 1\0" READY),
     CLIENT("F\0\0\0\x0e\0\0\0\1\0\0\0\0\0\0X\0\0\0\4"),
     SERVER("V\0\0\0\x8\377\377\377\377" READY)},
    {CLIENT("Q\0\0\0\x14"
            "COPY a TO STDOUT\0"),
     SERVER("H\0\0\0\7\0\0\0d\0\0\0\6x\nc\0\0\0\4C\0\0\0\x0b"
            "COPY 1\0N\0\0\0\5\0A\0\0\0\x0a\0\0\0\1a\0" READY),
     CLIENT(BIND "E\0\0\0\x9\0\0\0\0\1H\0\0\0\4"), SERVER("2\0\0\0\4D\0\0\0\6\0\0s\0\0\0\4"),
     CLIENT(SYNC), SERVER(READY)},
};

static size_t write_conversation(const struct piece *pieces, uint8_t *out)
{
    size_t size = 1;
    out[0] = 0;
    for (size_t i = 0; i < 6 && pieces[i].from; i++) {
        for (size_t at = 0; at < pieces[i].length; at += PIECE_MAX) {
            size_t length = pieces[i].length - at;
            length = length < PIECE_MAX ? length : PIECE_MAX;
            out[size++] = (uint8_t)((length - 1) << 1 | (pieces[i].from == 's'));
            memcpy(out + size, pieces[i].bytes + at, length);
            size += length;
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261121;
    size_t mutations = argc > 2 ? strtoull(argv[2], NULL, 10) : MUTATIONS_DEFAULT;
    printf("seed %llu, %zu mutations\n", (unsigned long long)seed, mutations);
    static uint8_t input[INPUT_MAX];
    uint64_t state = seed ? seed : 1;
    const size_t count = sizeof(conversations) / sizeof(conversations[0]);
    for (size_t i = 0; i < mutations; i++) {
        size_t size = write_conversation(conversations[i % count], input);
        /* The first round is the conversations themselves. */
        if (i >= count)
            size = mutate(input, size, &state);
        LLVMFuzzerTestOneInput(input, size);
    }
    return 0;
}
