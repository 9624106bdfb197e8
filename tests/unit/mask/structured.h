/*
 * What tests of structured maps have in common: maps of a fixed key, one value at a time.
 */
#ifndef RH_TEST_STRUCTURED_H
#define RH_TEST_STRUCTURED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mask/mask_leaves.h"

#include <stdio.h>
#include <stdlib.h>

struct bench {
    struct arena *arena, *scratch;
    struct mask_map *map;
};

static const struct mask_master_key test_key = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};

static inline struct bench bench_of(struct mask_map_options options)
{
    struct bench bench = {rh_arena_new(), rh_arena_new(), NULL};
    struct err err = RH_ERR_INIT;
    options.key = &test_key;
    if (options.domain == NULL)
        options.domain = "people";
    if (rh_mask_map_new(&options, bench.arena, &bench.map, &err) != RH_OK)
        fail_msg("%s", err.message);
    return bench;
}

static inline struct bench bench_new(enum mask_rule rule, const char *type)
{
    return bench_of((struct mask_map_options){.rule = rule, .type = type});
}

static inline void bench_free(struct bench *bench)
{
    rh_mask_map_free(bench->map);
    rh_arena_free(bench->arena);
    rh_arena_free(bench->scratch);
}
#define CLEANUP_BENCH __attribute__((cleanup(bench_free)))

/* NUL-terminated, in the arena of the map; "(null)" for SQL NULL. */
static inline const char *mask_one(struct bench *bench, const char *value)
{
    /* A copy with nothing behind it: what reads too far is found. */
    size_t len = strlen(value);
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, value, len);
    struct text in = {copy, len}, out;
    rh_mask_map_apply(bench->map, &in, 1, bench->scratch, &out);
    const char *result = rh_arena_strndup(bench->arena, out.data != NULL ? out.data : "(null)",
                                          out.data != NULL ? out.len : 6);
    rh_arena_clear(bench->scratch);
    free(copy);
    return result;
}

/* The same through a stream, in parts of `step` bytes. */
static inline const char *mask_streamed(struct bench *bench, struct text value, size_t step)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, SIZE_MAX / 2);
    struct mask_stream *stream = rh_mask_stream_new(bench->map);
    for (size_t at = 0; at < value.len; at += step)
        rh_mask_stream_feed(
            stream, (struct text){value.data + at, value.len - at < step ? value.len - at : step},
            &out);
    rh_mask_stream_finish(stream, &out);
    rh_mask_stream_free(stream);
    return rh_arena_memdup(bench->arena, out.data != NULL ? out.data : "", out.len + 1);
}

/* Every letter and digit as "x": what is left is what holds a value together. */
static inline const char *skeleton(struct bench *bench, const char *value)
{
    char *result = rh_arena_strdup(bench->arena, value);
    for (char *at = result; *at; at++)
        if ((*at >= '0' && *at <= '9') || ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z'))
            *at = 'x';
    return result;
}

/* What the map makes of `value` has these bytes around and these leaves, masked by `leaf_rule`:
   "{"a":\1}" with the pseudonym of leaves[0] for \1. */
static inline void check_leaves(struct bench *bench, struct bench *leaf_bench, const char *value,
                                const char *pattern, const char *const *leaves)
{
    RH_CLEANUP_BUF struct buf expected;
    rh_buf_init(&expected, 1 << 20);
    for (const char *at = pattern; *at; at++) {
        if (*at >= 1 && *at <= 8)
            rh_buf_add_str(&expected, mask_one(leaf_bench, leaves[*at - 1]));
        else
            rh_buf_add_char(&expected, *at);
    }
    assert_string_equal(mask_one(bench, value), rh_buf_text(&expected).data);
    size_t len = strlen(value);
    for (size_t step = 1; step <= len + 1; step += 1 + len / 8)
        assert_string_equal(mask_streamed(bench, (struct text){value, len}, step),
                            rh_buf_text(&expected).data);
}

#endif
