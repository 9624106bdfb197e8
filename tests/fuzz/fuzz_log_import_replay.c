/*
 * Runs fuzz_log_import without libFuzzer: lines of logs as they are, then mutations of them.
 *
 *   fuzz_log_import_replay [SEED [MUTATIONS]]
 *
 * The seed is printed, so that a failure can be repeated.
 */
#include "fuzz_mutate.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUTATIONS_DEFAULT 4000

static const struct {
    uint8_t choice;
    const char *lines;
} seeds[] = {
    {0, "2026-11-20 10:49:12.123 UTC [77] anna@shop LOG:  connection authorized: user=anna\n"
        "2026-11-20 10:49:12.223 UTC [77] anna@shop LOG:  duration: 0.123 ms  statement: SELECT 1\n"
        "2026-11-20 10:49:12.323 UTC [77] anna@shop LOG:  execute p/q: SELECT $1, $2\n"
        "2026-11-20 10:49:12.323 UTC [77] anna@shop DETAIL:  parameters: $1 = 'it''s', $2 = NULL\n"
        "2026-11-20 10:49:12.423 UTC [77] anna@shop LOG:  duration: 5 ms\n"
        "2026-11-20 10:49:12.523 UTC [77] anna@shop ERROR:  canceling statement due to x\n"
        "2026-11-20 10:49:12.523 UTC [77] anna@shop STATEMENT:  SELECT pg_sleep(9)\n"
        "2026-11-20 10:49:12.623 UTC [77] anna@shop LOG:  disconnection: session time\n"},
    {3, "2026-11-20 10:49:12 UTC:10.0.0.1(5432):anna@shop:[77]:LOG:  duration: 1.5 ms  execute "
        "<unnamed>: SELECT $1\n"},
    {1,
     "2026-11-20 10:49:12.123 UTC,\"anna\",\"shop\",77,\"[local]\",67.4d,3,\"SELECT\",2026-11-20 "
     "10:49:00 UTC,3/4,0,LOG,00000,\"duration: 0.1 ms  execute a: SELECT $1\",\"Parameters: $1 = "
     "'y'\",,,,,,,,\"till\",\"client backend\",,0\n"},
    {2, "{\"timestamp\":\"2026-11-20 10:49:12.123 UTC\",\"pid\":77,\"error_severity\":\"LOG\","
        "\"message\":\"statement: PREPARE p AS SELECT 1; EXECUTE p\"}\n"
        "{\"timestamp\":\"2026-11-20 10:49:12.123 UTC\",\"pid\":77,\"error_severity\":\"ERROR\","
        "\"message\":\"no\",\"statement\":\"ALTER ROLE a PASSWORD 'b'\"}\n"},
};

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261120;
    size_t mutations = argc > 2 ? strtoull(argv[2], NULL, 10) : MUTATIONS_DEFAULT;
    printf("seed %llu, %zu mutations\n", (unsigned long long)seed, mutations);
    static uint8_t input[INPUT_MAX];
    uint64_t state = seed ? seed : 1;
    for (size_t i = 0; i < mutations; i++) {
        size_t which = i % (sizeof(seeds) / sizeof(seeds[0]));
        size_t size = strlen(seeds[which].lines);
        input[0] = seeds[which].choice;
        memcpy(input + 1, seeds[which].lines, size);
        size++;
        /* The first round is the seeds themselves. */
        if (i >= sizeof(seeds) / sizeof(seeds[0]))
            size = mutate(input, size, &state);
        LLVMFuzzerTestOneInput(input, size);
    }
    return 0;
}
