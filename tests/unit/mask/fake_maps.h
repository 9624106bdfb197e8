/*
 * Maps of a test's own, in place of the real ones: link with
 * -Wl,--wrap=rh_mask_map_apply,--wrap=rh_mask_stream_new and so on (meson.build's fake_maps).
 * What they do is plain to see, so that expected rows can be written down.
 */
#ifndef RH_TEST_FAKE_MAPS_H
#define RH_TEST_FAKE_MAPS_H

#include "mask/mask_map.h"

#include <stdlib.h>

struct mask_map {
    enum { FAKE_ROT13, FAKE_SAME, FAKE_NULL, FAKE_HARD, FAKE_LONG } kind;
    size_t values; /* that came */
};

struct mask_stream {
    struct mask_map *map;
};

/* A value that needs every escape there is. */
#define FAKE_HARD_VALUE "\b\t\n\v\f\r\\N\x01\x7f"

static inline char fake_rot13(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)('a' + (c - 'a' + 13) % 26);
    if (c >= 'A' && c <= 'Z')
        return (char)('A' + (c - 'A' + 13) % 26);
    return c;
}

void __wrap_rh_mask_map_apply(struct mask_map *map, const struct text *values, size_t count,
                              struct arena *scratch, struct text *ret_masked);
void __wrap_rh_mask_map_apply(struct mask_map *map, const struct text *values, size_t count,
                              struct arena *scratch, struct text *ret_masked)
{
    map->values += count;
    for (size_t i = 0; i < count; i++) {
        char *out;
        RH_ASSERT(values[i].data != NULL);
        switch (map->kind) {
        case FAKE_ROT13:
            out = rh_arena_alloc(scratch, values[i].len + 1);
            for (size_t j = 0; j < values[i].len; j++)
                out[j] = fake_rot13(values[i].data[j]);
            ret_masked[i] = (struct text){out, values[i].len};
            break;
        case FAKE_SAME:
            ret_masked[i] = values[i];
            break;
        case FAKE_NULL:
            ret_masked[i] = (struct text){NULL, 0};
            break;
        case FAKE_HARD:
            ret_masked[i] = rh_text(FAKE_HARD_VALUE);
            break;
        case FAKE_LONG: /* three times the value */
            out = rh_arena_alloc(scratch, 3 * values[i].len + 1);
            for (size_t j = 0; j < 3 * values[i].len; j++)
                out[j] = values[i].data[j % values[i].len];
            ret_masked[i] = (struct text){out, 3 * values[i].len};
            break;
        }
    }
}

bool __wrap_rh_mask_map_replaces(const struct mask_map *map);
bool __wrap_rh_mask_map_replaces(const struct mask_map *map)
{
    return map->kind == FAKE_NULL || map->kind == FAKE_HARD;
}

struct mask_stream *__wrap_rh_mask_stream_new(struct mask_map *map);
struct mask_stream *__wrap_rh_mask_stream_new(struct mask_map *map)
{
    struct mask_stream *stream = malloc(sizeof *stream);
    RH_ASSERT(stream != NULL);
    stream->map = map;
    return stream;
}

void __wrap_rh_mask_stream_free(struct mask_stream *stream);
void __wrap_rh_mask_stream_free(struct mask_stream *stream)
{
    free(stream);
}

void __wrap_rh_mask_stream_feed(struct mask_stream *stream, struct text part, struct buf *out);
void __wrap_rh_mask_stream_feed(struct mask_stream *stream, struct text part, struct buf *out)
{
    size_t start = out->len;
    rh_buf_add_text(out, part);
    for (size_t i = start; i < out->len && stream->map->kind == FAKE_ROT13; i++)
        out->data[i] = fake_rot13(out->data[i]);
}

void __wrap_rh_mask_stream_finish(struct mask_stream *stream, struct buf *out);
void __wrap_rh_mask_stream_finish(struct mask_stream *stream, struct buf *out)
{
    (void)stream;
    (void)out;
}

#endif
