/*
 * Runs fuzz_texts without libFuzzer: texts as they are, then mutations of them.
 *
 *   fuzz_texts_replay [SEED [MUTATIONS]]
 *
 * The seed is printed, so that a failure can be repeated.
 */
#include "fuzz_mutate.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUTATIONS_DEFAULT 3000

#define SEED(which, text)             \
    {                                 \
        which, text, sizeof(text) - 1 \
    }
static const struct {
    uint8_t which;
    const char *text;
    size_t length;
} seeds[] = {
    SEED(0, "version: 1\ntables:\n  public.users:\n    where: id > 7\n    columns:\n"
            "      email: {rule: email, domain: mail}\n      \"Na\\\"me\": keep # as it is\n"
            "      born: {rule: shift, days: 30}\n  public.logs: skip\n"),
    SEED(1, "SELECT u.id, 'it''s', E'\\x41\\n', $x$y$x$, 1.5e-3 FROM users AS u JOIN o USING (id) "
            "WHERE (u.email = 'a@b' OR o.n IN (1, 2)) AND d > now() - interval '1 day' LIMIT $1"),
    SEED(1, "PREPARE p (int, text) AS INSERT INTO a (x, y) VALUES ($1, $2), (3, 'z') ON CONFLICT "
            "(x) DO UPDATE SET y = excluded.y RETURNING *; EXECUTE p (7, 'q'); SET a.b TO 'c'"),
    SEED(1, "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) CREATE ROLE x PASSWORD "
            "'y' /* a /* b */ */ -- c\n"),
    SEED(2, "p\0s\0\0\2\0\1\0\0\0\2\0\0\0\3Ada\0\0\0\x0d\1{\"a\":\"Anna\"}\0\1\0\1"),
    SEED(3, "\\set a random(1, 10 * :scale)\n\\set b abs(-:a) % 3 + 0.5 / 2\n\\sleep :a ms\n"
            "SELECT :a, ':b' FROM t;\n\\set c random_gaussian(1, 100, 2.5)\nEND;\n"),
    SEED(4, "R\x17\0\0\0\x0aSCRAM-SHA-256\0\0R\x2a\0\0\0\x0br=x,s=MTIz,i=4096R\x8\0\0\0\x0cv=AAR\4"
            "\0\0\0\0Z\1I"),
    SEED(4, "R\x8\0\0\0\5saltR\4\0\0\0\0K\x8\0\0\0\7abcdE\x0bSFATAL\0C28P01\0"),
};

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261121;
    size_t mutations = argc > 2 ? strtoull(argv[2], NULL, 10) : MUTATIONS_DEFAULT;
    printf("seed %llu, %zu mutations\n", (unsigned long long)seed, mutations);
    static uint8_t input[INPUT_MAX];
    uint64_t state = seed ? seed : 1;
    const size_t count = sizeof(seeds) / sizeof(seeds[0]);
    for (size_t i = 0; i < mutations; i++) {
        size_t size = seeds[i % count].length;
        input[0] = seeds[i % count].which;
        memcpy(input + 1, seeds[i % count].text, size);
        size++;
        /* The first round is the seeds themselves. */
        if (i >= count)
            size = mutate(input, size, &state);
        LLVMFuzzerTestOneInput(input, size);
    }
    return 0;
}
