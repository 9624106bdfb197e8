/*
 * Runs fuzz_copy_mask without libFuzzer: rows and values of every kind as they are, then mutations
 * of them.
 *
 *   fuzz_copy_mask_replay [SEED [MUTATIONS]]
 *
 * The seed is printed, so that a failure can be repeated.
 */
#include "fuzz_mutate.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUTATIONS_DEFAULT 3000
#define KINDS_MAX 16

static const char *const seeds[] = {
    "a\tb\tc\n\\N\t\\N\t\n",
    "tab\\tnl\\nbs\\\\\t\\141\\x62\\7\tx\n\\.\n\n",
    "{\"a\":\"x\",\"mail\":\"anna@example.org\",\"100023\":[1,2.5e3,true,null,"
    "\"\\u00fc\\ud83d\\ude00\"]}",
    "{\"c\": {\"d\": \"2024-05-06T07:08:09Z\", \"phone\": 4915112345678}, \"l\": [{\"b\": "
    "\"q\\\"\"}]}",
    "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY e \"s\">]><r a='b &amp; &#65; &e;'><!-- c "
    "--><![CDATA[d]]>e</r>",
    "\"a\"=>\"b\\\"c\", \"dd\"=>NULL, \"ee\"=>\"\"",
    "'cat':1A,3 'do''g':2 'x\\\\y'",
    "Anna wrote (anna@example.org), 2024-05-06: +49 30 1234567!",
    "[0:1]={{\"a b\",NULL},{c,\"\\\"d\\\\\"}}",
    "{\"{\\\"a\\\": \\\"b\\\"}\",NULL}",
    "(\"a \"\"b\"\"\",\"{\"\"[1]\"\"}\")",
    "[\"2024-01-02 03:04:05\",\"2024-02-03 00:00:00\")",
};

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261120;
    size_t mutations = argc > 2 ? strtoull(argv[2], NULL, 10) : MUTATIONS_DEFAULT;
    const size_t count = sizeof seeds / sizeof seeds[0];
    printf("seed %llu, %zu mutations\n", (unsigned long long)seed, mutations);
    static uint8_t input[INPUT_MAX];
    uint64_t state = seed != 0 ? seed : 1;
    for (size_t i = 0; i < count * KINDS_MAX + mutations; i++) {
        const char *text = seeds[i % count];
        size_t size = 3 + strlen(text);
        input[0] = (uint8_t)(i / count);
        input[1] = (uint8_t)next_random(&state);
        input[2] = (uint8_t)next_random(&state);
        memcpy(input + 3, text, size - 3);
        if (i >= count * KINDS_MAX) {
            input[0] = (uint8_t)next_random(&state);
            size = mutate(input, size, &state);
        }
        LLVMFuzzerTestOneInput(input, size);
    }
    return 0;
}
