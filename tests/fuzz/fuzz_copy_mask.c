/*
 * Fuzz target of masking: any rows, at any split, give the same rows or the same refusal; where
 * everything is kept, what comes out is what came in; any value goes through every structured map,
 * and in parts, whatever the cuts, to the same. Built for libFuzzer with clang, and with
 * fuzz_copy_mask_replay.c by any compiler.
 *
 * Input: [0] the kind of the columns; [1] [2] seed of the splits; the rest is the stream, and is
 * one value.
 */
#include "mask/copy_mask.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COLUMNS 3

static const struct mask_map_options attributes[] = {
    {.rule = MASK_TEXT, .type = "text", .domain = "d"},
    {.rule = MASK_JSON, .type = "json", .domain = "d", .is_array = true},
};
static const struct mask_path paths[] = {
    {"$.a", MASK_KEEP, NULL}, {"$[*].b", MASK_EMAIL, NULL}, {"$.c.*", MASK_JSON, "other"}};

static const struct mask_map_options kinds[] = {
    {.rule = MASK_KEEP, .type = "text"},
    {.rule = MASK_TEXT, .type = "text"},
    {.rule = MASK_JSON, .type = "json", .paths = paths, .path_count = 3},
    {.rule = MASK_JSON, .type = "jsonb"},
    {.rule = MASK_JSON, .type = "jsonb", .encoding = "LATIN1"},
    {.rule = MASK_XML, .type = "xml"},
    {.rule = MASK_HSTORE, .type = "hstore"},
    {.rule = MASK_TSVECTOR, .type = "tsvector"},
    {.rule = MASK_FREE_TEXT, .type = "text"},
    {.rule = MASK_TEXT, .type = "text", .is_array = true},
    {.rule = MASK_JSON, .type = "jsonb", .is_array = true},
    {.rule = MASK_TEXT, .type = "pair", .attributes = attributes, .attribute_count = 2},
    {.rule = MASK_DATE, .type = "tsrange"},
    {.rule = MASK_NUMBER, .type = "nummultirange"},
    {.rule = MASK_NULL, .type = "text"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

struct run {
    enum err_code code;
    struct buf out;
    struct copy_mask_totals totals;
};

static struct run run(struct mask_map *map, unsigned seed, size_t step, const uint8_t *data,
                      size_t size)
{
    struct mask_map *maps[COLUMNS] = {map, NULL, map};
    struct copy_mask_options options = {maps, 1 + seed % COLUMNS, {NULL}};
    struct copy_mask *mask = rh_copy_mask_new(&options);
    struct run run = {.code = RH_OK};
    struct err err = RH_ERR_INIT;
    rh_buf_init(&run.out, (size_t)1 << 24);
    for (size_t at = 0; at < size && run.code == RH_OK;) {
        seed = seed * 1103515245u + 12345u;
        size_t length = step == 0 ? size : step == 1 ? 1 : (seed >> 16) % step;
        if (length > size - at)
            length = size - at;
        /* A piece of memory of its own: what lies behind it is not to be read. */
        char *copy = malloc(length > 0 ? length : 1);
        memcpy(copy, data + at, length);
        run.code = rh_copy_mask_feed(mask, (struct text){copy, length}, &run.out, &err);
        free(copy);
        at += length;
        if (seed % 5 == 0 && step > 1 && run.code == RH_OK)
            run.code = rh_copy_mask_flush(mask, false, &run.out, &err);
    }
    if (run.code == RH_OK)
        run.code = rh_copy_mask_flush(mask, true, &run.out, &err);
    run.totals = rh_copy_mask_totals(mask);
    rh_copy_mask_free(mask);
    return run;
}

static void stream(struct mask_map *map, unsigned seed, size_t step, const uint8_t *data,
                   size_t size, struct buf *out)
{
    struct mask_stream *stream = rh_mask_stream_new(map);
    for (size_t at = 0; at < size;) {
        seed = seed * 1103515245u + 12345u;
        size_t length = step == 0 ? size : 1 + (seed >> 16) % step;
        if (length > size - at)
            length = size - at;
        char *copy = malloc(length);
        memcpy(copy, data + at, length);
        rh_mask_stream_feed(stream, (struct text){copy, length}, out);
        free(copy);
        at += length;
    }
    rh_mask_stream_finish(stream, out);
    rh_mask_stream_free(stream);
}

static void check_rows(struct mask_map *map, bool is_kept, unsigned seed, const uint8_t *data,
                       size_t size)
{
    struct run whole = run(map, seed, 0, data, size);
    if (whole.code == RH_OK) {
        RH_ASSERT(whole.totals.bytes_out == (int64_t)whole.out.len);
        if (is_kept)
            RH_ASSERT(
                rh_text_equals(rh_buf_text(&whole.out), (struct text){(const char *)data, size}) ||
                memchr(data, '\\', size) != NULL);
    }
    const size_t steps[] = {1, 2 + seed % 7, 40};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct run split = run(map, seed, steps[i], data, size);
        RH_ASSERT(split.code == whole.code);
        RH_ASSERT(split.code != RH_OK ||
                  (rh_text_equals(rh_buf_text(&split.out), rh_buf_text(&whole.out)) &&
                   rh_digest_equals(split.totals.checksum, whole.totals.checksum)));
        rh_buf_deinit(&split.out);
    }
    rh_buf_deinit(&whole.out);
}

static void check_value(struct mask_map *map, unsigned seed, const uint8_t *data, size_t size)
{
    struct arena *scratch = rh_arena_new();
    char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, data, size);
    struct text values[2] = {{copy, size}, {copy, size / 2}}, masked[2], again;
    rh_mask_map_apply(map, values, 2, scratch, masked);
    rh_mask_map_apply(map, values, 1, scratch, &again);
    RH_ASSERT((masked[0].data == NULL) == (again.data == NULL));
    RH_ASSERT(masked[0].data == NULL || rh_text_equals(masked[0], again));
    struct buf whole, parts;
    rh_buf_init(&whole, (size_t)1 << 24);
    rh_buf_init(&parts, (size_t)1 << 24);
    stream(map, seed, 0, data, size, &whole);
    stream(map, seed, 1 + seed % 9, data, size, &parts);
    RH_ASSERT(rh_text_equals(rh_buf_text(&whole), rh_buf_text(&parts)));
    rh_buf_deinit(&whole);
    rh_buf_deinit(&parts);
    free(copy);
    rh_arena_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    static const struct mask_master_key key = {{1, 2, 3}};
    struct arena *arena = rh_arena_new();
    struct mask_map_options options = kinds[data[0] % KINDS];
    unsigned seed = (unsigned)data[1] << 8 | data[2];
    options.key = &key;
    options.domain = "d";
    struct mask_map *map;
    struct err err = RH_ERR_INIT;
    if (rh_mask_map_new(&options, arena, &map, &err) != RH_OK)
        RH_PANIC("%s", err.message);
    check_rows(map, options.rule == MASK_KEEP, seed, data + 3, size - 3);
    check_value(map, seed, data + 3, size - 3);
    rh_mask_map_free(map);
    rh_arena_free(arena);
    return 0;
}
