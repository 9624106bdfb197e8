/* What the tests of src/sql share. */
#ifndef SQL_UNIT_H
#define SQL_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static inline void assert_text(struct text actual, const char *expected)
{
    if (!rh_text_is(actual, expected))
        fail_msg("got \"%.*s\", expected \"%s\"", (int)actual.len, actual.data, expected);
}

/* xorshift64*: the same bytes on every machine. Vigna, "An experimental exploration of Marsaglia's
   xorshift generators, scrambled" (2016). */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

/* Text made of fragments that matter to a scanner, and of any bytes. */
static inline size_t random_sql(uint64_t *state, char *out, size_t max)
{
    static const char *const fragments[] = {"'",
                                            "''",
                                            "\"",
                                            "$$",
                                            "$a$",
                                            "$1",
                                            ";",
                                            ";\n",
                                            "(",
                                            ")",
                                            "--",
                                            "--x\n",
                                            "/*",
                                            "*/",
                                            "\n",
                                            " ",
                                            "E'\\'",
                                            "e'a'\n'b",
                                            "U&'x'",
                                            "U&\"x\"",
                                            "\\",
                                            "\\d\n",
                                            ":'v'",
                                            ":\"v\"",
                                            ":{?v}",
                                            "::int",
                                            "select",
                                            "begin",
                                            "atomic",
                                            "case",
                                            "end",
                                            "create",
                                            "or",
                                            "replace",
                                            "function",
                                            "procedure",
                                            "copy",
                                            "from",
                                            "stdin",
                                            "t",
                                            "1",
                                            "1e5",
                                            "0x1f",
                                            "\xC3\xA9",
                                            "\xE2\x82",
                                            "\xFF",
                                            "\r\n",
                                            "select 1;",
                                            "insert into t values (1);",
                                            "create table t (a int);",
                                            "x'1f'",
                                            "n'a'",
                                            "alter table t add c int;",
                                            "$tag$ ; $tag$",
                                            "/* ; */",
                                            "b'01'"};
    size_t len = 0;
    size_t wanted = next_random(state) % 24;

    for (size_t i = 0; i < wanted; i++) {
        if (next_random(state) % 12 == 0 && len + 1 < max) {
            out[len++] = (char)next_random(state);
            continue;
        }

        const char *fragment = fragments[next_random(state) % COUNT(fragments)];

        if (len + strlen(fragment) >= max)
            break;
        memcpy(out + len, fragment, strlen(fragment));
        len += strlen(fragment);
        if (next_random(state) % 3 == 0 && len + 1 < max)
            out[len++] = ' ';
    }
    return len;
}

#endif
