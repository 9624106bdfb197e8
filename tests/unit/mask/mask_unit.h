/* What the tests of the maps have in common: a map in a line, seeded values, "no two meet". */
#ifndef TESTS_UNIT_MASK_UNIT_H
#define TESTS_UNIT_MASK_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mask/mask_map.h"

static const struct mask_master_key test_key = {
    {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static inline struct mask_map *new_map(const struct mask_map_options *options, struct arena *arena)
{
    struct mask_map_options all = *options;
    struct mask_map *map;
    struct err err = RH_ERR_INIT;

    if (!all.key)
        all.key = &test_key;
    if (!all.domain)
        all.domain = "public.users.email";
    if (rh_mask_map_new(&all, arena, &map, &err))
        fail_msg("%s", err.message);
    return map;
}

static inline const char *mask_one(struct mask_map *map, const char *value, struct arena *arena)
{
    const struct text in = rh_text(value);
    struct text out;

    rh_mask_map_apply(map, &in, 1, arena, &out);
    return out.data ? rh_text_dup(arena, out) : NULL;
}

/* The pseudonym under the test's key and domain, which is not NULL. */
static inline __attribute__((returns_nonnull)) const char *
masked_by(enum mask_rule rule, const char *type, const char *value, struct arena *arena)
{
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = rule, .type = type}, arena);
    const char *masked = mask_one(map, value, arena);
    rh_mask_map_free(map);
    if (!masked) {
        print_error("\"%s\" became NULL\n", value);
        abort();
    }
    return masked;
}

static inline void assert_refused(enum mask_rule rule, const char *type, const char *parameter)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = NULL;
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_mask_map_new(&(struct mask_map_options){.key = &test_key,
                                                                .domain = "d",
                                                                .rule = rule,
                                                                .type = type,
                                                                .parameter = parameter},
                                     arena, &map, &err),
                     RH_ERR_USAGE);
    assert_null(map);
    assert_true(err.message[0] != '\0' && err.hint[0] != '\0');
    rh_arena_free(arena);
}

/* xorshift64*: seeded, so a failure comes again. */
static inline uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(2685821657736338717);
}

static inline int compare_texts(const void *a, const void *b)
{
    const struct text *one = a, *other = b;
    const size_t len = one->len < other->len ? one->len : other->len;
    const int order = len > 0 ? memcmp(one->data, other->data, len) : 0;
    return order ? order : (one->len > other->len) - (one->len < other->len);
}

static inline size_t distinct(const struct text *values, size_t count, struct arena *arena)
{
    struct text *sorted = rh_arena_memdup(arena, values, count * sizeof(*values));
    size_t found = count > 0;

    qsort(sorted, count, sizeof(*sorted), compare_texts);
    for (size_t i = 1; i < count; i++)
        found += compare_texts(&sorted[i - 1], &sorted[i]) != 0;
    return found;
}

/* Masks in uneven batches; as many distinct values come out as went in. */
static inline struct text *mask_all(struct mask_map *map, const struct text *values, size_t count,
                                    struct arena *arena)
{
    struct text *masked = rh_arena_alloc_array(arena, count, sizeof(*masked));

    for (size_t done = 0, batch = 1; done < count; done += batch, batch = batch % 700 + 37) {
        if (batch > count - done)
            batch = count - done;
        rh_mask_map_apply(map, values + done, batch, arena, masked + done);
    }
    assert_int_equal(distinct(masked, count, arena), distinct(values, count, arena));
    return masked;
}

#endif
