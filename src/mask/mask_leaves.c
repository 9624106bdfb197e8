#include "mask/mask_leaves.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* Form of a whole value that its format could not read. */
#define FORM_WHOLE UINT32_MAX

/* A leaf is mapped again at most so often: with one chance in ten to be refused, as that of a
   leading zero, nobody sees that. */
#define WALKS_MAX 10000

struct slot {
    struct leaf leaf;
    struct text value;  /* without escapes */
    struct text masked; /* data NULL: SQL NULL */
};

struct span {
    size_t first, count; /* slots */
    bool is_unsettled;
};

struct leaves {
    const struct leaf_format *format;
    const void *own;
    struct mask_map **maps;
    size_t map_count;
    void *state;

    /* Of a batch; reused. */
    struct slot *slots;
    size_t slot_count, slot_capacity;
    struct span *spans;
    size_t span_capacity;
    uint32_t *order; /* slots by map */
    struct text *gathered, *mapped;
    size_t order_capacity;
    size_t *map_starts; /* map_count + 1 */
    size_t *offsets;    /* of each result in `made` */
    struct buf made, unsettled;
};

static void *grow(void *old, size_t count, size_t size)
{
    void *memory = reallocarray(old, count > 0 ? count : 1, size);
    if (memory == NULL)
        RH_PANIC("out of memory (%zu items of %zu bytes)", count, size);
    return memory;
}

static void *zeroed(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL)
        RH_PANIC("out of memory (%zu bytes)", size);
    return memory;
}

struct leaves *rh_leaves_new(const struct leaf_format *format, const void *own,
                             struct mask_map *const *maps, size_t map_count)
{
    struct leaves *leaves = zeroed(sizeof *leaves);
    leaves->format = format;
    leaves->own = own;
    leaves->maps = grow(NULL, map_count, sizeof(struct mask_map *));
    memcpy(leaves->maps, maps, map_count * sizeof(struct mask_map *));
    leaves->map_count = map_count;
    leaves->state = zeroed(format->state_bytes);
    leaves->map_starts = grow(NULL, map_count + 1, sizeof(size_t));
    rh_buf_init(&leaves->made, SIZE_MAX / 2);
    rh_buf_init(&leaves->unsettled, SIZE_MAX / 2);
    return leaves;
}

void rh_leaves_free(struct leaves *leaves)
{
    if (leaves == NULL)
        return;
    for (size_t i = 0; i < leaves->map_count; i++)
        rh_mask_map_free(leaves->maps[i]);
    free(leaves->maps);
    free(leaves->state);
    free(leaves->slots);
    free(leaves->spans);
    free(leaves->order);
    free(leaves->gathered);
    free(leaves->mapped);
    free(leaves->map_starts);
    free(leaves->offsets);
    rh_buf_deinit(&leaves->made);
    rh_buf_deinit(&leaves->unsettled);
    free(leaves);
}

/* --- leaves of a batch ------------------------------------------------------------------------ */

static struct slot *push_slot(struct leaves *leaves)
{
    if (leaves->slot_count == leaves->slot_capacity) {
        leaves->slot_capacity = leaves->slot_capacity > 0 ? 2 * leaves->slot_capacity : 256;
        leaves->slots = grow(leaves->slots, leaves->slot_capacity, sizeof *leaves->slots);
    }
    return &leaves->slots[leaves->slot_count++];
}

/* Gathers leaves from *at on. */
static enum leaf_step walk(struct leaves *leaves, void *state, struct text source, size_t *at,
                           bool at_end, struct arena *scratch)
{
    const struct leaf_format *format = leaves->format;
    for (;;) {
        struct slot *slot = push_slot(leaves);
        enum leaf_step step = format->next(leaves->own, state, source, at, at_end, &slot->leaf);
        if (step != LEAF_FOUND) {
            leaves->slot_count--;
            return step;
        }
        struct text inner = {source.data + slot->leaf.start, slot->leaf.end - slot->leaf.start};
        if (slot->leaf.has_escapes) {
            char *value = rh_arena_alloc(scratch, inner.len);
            inner = (struct text){value,
                                  format->decode(leaves->own, slot->leaf.form, inner, value)};
        }
        slot->value = inner;
    }
}

/* All leaves of a map at once. */
static void map_slots(struct leaves *leaves, struct arena *scratch)
{
    size_t count = leaves->slot_count;
    RH_ASSERT(count < UINT32_MAX);
    if (count > leaves->order_capacity) {
        leaves->order_capacity = leaves->slot_capacity;
        leaves->order = grow(leaves->order, leaves->order_capacity, sizeof *leaves->order);
        leaves->gathered = grow(leaves->gathered, leaves->order_capacity, sizeof(struct text));
        leaves->mapped = grow(leaves->mapped, leaves->order_capacity, sizeof(struct text));
    }
    size_t *starts = leaves->map_starts;
    memset(starts, 0, (leaves->map_count + 1) * sizeof *starts);
    for (size_t i = 0; i < count; i++)
        starts[leaves->slots[i].leaf.map + 1]++;
    for (size_t i = 0; i < leaves->map_count; i++)
        starts[i + 1] += starts[i];
    for (size_t i = 0; i < count; i++) {
        size_t place = starts[leaves->slots[i].leaf.map]++;
        leaves->order[place] = (uint32_t)i;
        leaves->gathered[place] = leaves->slots[i].value;
    }
    for (size_t i = 0, first = 0; i < leaves->map_count; first = starts[i], i++)
        if (starts[i] > first)
            rh_mask_map_apply(leaves->maps[i], leaves->gathered + first, starts[i] - first, scratch,
                              leaves->mapped + first);
    for (size_t place = 0; place < count; place++) {
        struct slot *slot = &leaves->slots[leaves->order[place]];
        slot->masked = leaves->mapped[place];
        if (leaves->format->accepts == NULL || slot->leaf.form == FORM_WHOLE)
            continue;
        for (int walks = 0;
             walks < WALKS_MAX && slot->masked.data != NULL &&
             !leaves->format->accepts(leaves->own, &slot->leaf, slot->value, slot->masked);
             walks++)
            rh_mask_map_apply(leaves->maps[slot->leaf.map], &slot->masked, 1, scratch,
                              &slot->masked);
    }
}

/* Appends source[0..end) with the pseudonyms of `count` slots in their places. */
static void put_together(struct leaves *leaves, struct text source, size_t first, size_t count,
                         struct buf *out)
{
    size_t copied = 0;
    for (size_t i = first; i < first + count; i++) {
        const struct slot *slot = &leaves->slots[i];
        if (slot->masked.data == source.data + slot->leaf.start &&
            slot->masked.len == slot->value.len)
            continue; /* it stayed, as it stands there */
        rh_buf_add(out, source.data + copied, slot->leaf.open - copied);
        copied = slot->leaf.close;
        if (slot->leaf.form == FORM_WHOLE)
            rh_buf_add_text(out, slot->masked);
        else
            leaves->format->encode(leaves->own, &slot->leaf, source, slot->masked, out);
    }
    rh_buf_add(out, source.data + copied, source.len - copied);
}

static void gather_value(struct leaves *leaves, struct text value, struct span *span,
                         struct arena *scratch)
{
    *span = (struct span){.first = leaves->slot_count};
    size_t at = 0;
    leaves->format->begin(leaves->own, leaves->state);
    if (walk(leaves, leaves->state, value, &at, true, scratch) == LEAF_END) {
        span->is_unsettled = leaves->format->is_unsettled != NULL &&
                             leaves->format->is_unsettled(leaves->own, leaves->state);
    } else {
        leaves->slot_count = span->first;
        struct slot *slot = push_slot(leaves);
        slot->leaf = (struct leaf){.close = value.len, .end = value.len, .form = FORM_WHOLE};
        slot->value = value;
    }
    span->count = leaves->slot_count - span->first;
}

void rh_leaves_apply(struct leaves *leaves, const struct text *values, size_t count,
                     struct arena *scratch, struct text *ret_masked)
{
    if (count > leaves->span_capacity) {
        leaves->span_capacity = count;
        leaves->spans = grow(leaves->spans, count, sizeof *leaves->spans);
        leaves->offsets = grow(leaves->offsets, count, sizeof *leaves->offsets);
    }
    leaves->slot_count = 0;
    for (size_t i = 0; i < count; i++)
        gather_value(leaves, values[i], &leaves->spans[i], scratch);
    map_slots(leaves, scratch);
    rh_buf_clear(&leaves->made);
    for (size_t i = 0; i < count; i++) {
        const struct span *span = &leaves->spans[i];
        leaves->offsets[i] = leaves->made.len;
        if (!span->is_unsettled) {
            put_together(leaves, values[i], span->first, span->count, &leaves->made);
            continue;
        }
        rh_buf_clear(&leaves->unsettled);
        put_together(leaves, values[i], span->first, span->count, &leaves->unsettled);
        leaves->format->settle(leaves->own, rh_buf_text(&leaves->unsettled), scratch,
                               &leaves->made);
    }
    const char *made = count > 0 ? rh_arena_memdup(scratch, rh_buf_text(&leaves->made).data,
                                                   leaves->made.len)
                                 : NULL;
    for (size_t i = 0; i < count; i++) {
        size_t end = i + 1 < count ? leaves->offsets[i + 1] : leaves->made.len;
        ret_masked[i] = (struct text){made + leaves->offsets[i], end - leaves->offsets[i]};
    }
}

/* --- one value in parts ----------------------------------------------------------------------- */

enum stream_phase {
    STREAM_WALKS,
    STREAM_LEAF,     /* inside a leaf that is larger than a piece */
    STREAM_REPLACED, /* the same, by a rule that replaces it */
    STREAM_TEXT,     /* the format has given up */
};

struct leaves_stream {
    struct leaves *leaves;
    enum stream_phase phase;
    void *state;
    struct buf pending;
    struct mask_stream *inner;
    struct leaf leaf;    /* the large one */
    struct buf replaced; /* its beginning, for a rule that replaces it */
    struct buf masked;
    char *decoded;
    size_t decoded_capacity;
    struct arena *scratch;
};

struct leaves_stream *rh_leaves_stream_new(struct leaves *leaves)
{
    struct leaves_stream *stream = zeroed(sizeof *stream);
    stream->leaves = leaves;
    stream->state = zeroed(leaves->format->state_bytes);
    stream->scratch = rh_arena_new();
    rh_buf_init(&stream->pending, SIZE_MAX / 2);
    rh_buf_init(&stream->masked, SIZE_MAX / 2);
    rh_buf_init(&stream->replaced, LEAVES_PIECE_BYTES);
    leaves->format->begin(leaves->own, stream->state);
    return stream;
}

void rh_leaves_stream_free(struct leaves_stream *stream)
{
    if (stream == NULL)
        return;
    rh_mask_stream_free(stream->inner);
    if (stream->pending.data != NULL)
        OPENSSL_cleanse(stream->pending.data, stream->pending.capacity);
    if (stream->replaced.data != NULL)
        OPENSSL_cleanse(stream->replaced.data, stream->replaced.capacity);
    if (stream->decoded != NULL)
        OPENSSL_cleanse(stream->decoded, stream->decoded_capacity);
    rh_buf_deinit(&stream->pending);
    rh_buf_deinit(&stream->replaced);
    rh_buf_deinit(&stream->masked);
    rh_arena_free(stream->scratch);
    free(stream->state);
    free(stream->decoded);
    free(stream);
}

/* From here on, all is text. */
static void give_up(struct leaves_stream *stream)
{
    stream->phase = STREAM_TEXT;
    stream->inner = rh_mask_stream_new(stream->leaves->maps[0]);
}

/* Each returns whether there may be more to do with what is pending. */

static bool walk_piece(struct leaves_stream *stream, bool at_end, struct buf *out)
{
    struct leaves *leaves = stream->leaves;
    const struct leaf_format *format = leaves->format;
    struct text source = rh_buf_text(&stream->pending);
    size_t at = 0;
    leaves->slot_count = 0;
    enum leaf_step step = walk(leaves, stream->state, source, &at, at_end, stream->scratch);
    map_slots(leaves, stream->scratch);
    put_together(leaves, (struct text){source.data, at}, 0, leaves->slot_count, out);
    rh_arena_clear(stream->scratch);
    if (step == LEAF_END)
        return false;
    struct leaf leaf = {0};
    bool is_large = step == LEAF_MORE && (at_end || source.len - at >= LEAVES_PIECE_BYTES);
    if (step == LEAF_MORE && !is_large) {
        rh_buf_consume(&stream->pending, at);
        return false;
    }
    if (is_large && !at_end && format->enter != NULL &&
        format->enter(leaves->own, stream->state, source, at, &leaf)) {
        stream->leaf = leaf;
        if (rh_mask_map_replaces(leaves->maps[leaf.map])) {
            stream->phase = STREAM_REPLACED;
        } else {
            rh_buf_add(out, source.data + at, leaf.start - at);
            stream->phase = STREAM_LEAF;
            stream->inner = rh_mask_stream_new(leaves->maps[leaf.map]);
        }
        at = leaf.start;
    } else {
        give_up(stream);
    }
    rh_buf_consume(&stream->pending, at);
    return true;
}

static void encode_masked(struct leaves_stream *stream, struct buf *out)
{
    const struct leaf_format *format = stream->leaves->format;
    format->encode_part(stream->leaves->own, stream->leaf.form, rh_buf_text(&stream->masked), out);
    rh_buf_clear(&stream->masked);
}

/* Takes the bytes of the leaf, which are decoded, or closes it when that was all of it. */
static void take_masked(struct leaves_stream *stream, struct text decoded, bool is_over,
                        struct buf *out)
{
    rh_mask_stream_feed(stream->inner, decoded, &stream->masked);
    encode_masked(stream, out);
    if (!is_over)
        return;
    rh_mask_stream_finish(stream->inner, &stream->masked);
    encode_masked(stream, out);
    rh_mask_stream_free(stream->inner);
    stream->inner = NULL;
}

static void take_replaced(struct leaves_stream *stream, struct text decoded, bool is_over,
                          struct buf *out)
{
    struct leaves *leaves = stream->leaves;
    size_t room = LEAVES_PIECE_BYTES - stream->replaced.len;
    rh_buf_add(&stream->replaced, decoded.data, decoded.len < room ? decoded.len : room);
    if (!is_over)
        return;
    struct text value = rh_buf_text(&stream->replaced), masked;
    rh_mask_map_apply(leaves->maps[stream->leaf.map], &value, 1, stream->scratch, &masked);
    leaves->format->encode(leaves->own, &stream->leaf, value, masked, out);
    rh_arena_clear(stream->scratch);
    rh_buf_clear(&stream->replaced);
}

static bool feed_leaf(struct leaves_stream *stream, bool at_end, struct buf *out)
{
    const struct leaf_format *format = stream->leaves->format;
    const void *own = stream->leaves->own;
    const unsigned form = stream->leaf.form;
    const bool is_replaced = stream->phase == STREAM_REPLACED;
    struct text inner = rh_buf_text(&stream->pending);
    size_t len;
    bool is_over = format->part(own, form, inner, at_end, &len) || at_end;
    if (len > stream->decoded_capacity) {
        if (stream->decoded != NULL)
            OPENSSL_cleanse(stream->decoded, stream->decoded_capacity);
        free(stream->decoded);
        stream->decoded = grow(NULL, len, 1);
        stream->decoded_capacity = len;
    }
    size_t count = format->decode(own, form, (struct text){inner.data, len}, stream->decoded);
    (is_replaced ? take_replaced : take_masked)(stream, (struct text){stream->decoded, count},
                                                is_over, out);
    if (is_over) {
        stream->phase = STREAM_WALKS;
        size_t closing = format->leave(own, stream->state, form);
        if (closing > inner.len - len)
            closing = inner.len - len;
        if (!is_replaced) /* else what closes it came with what replaced it */
            rh_buf_add(out, inner.data + len, closing);
        len += closing;
    }
    rh_buf_consume(&stream->pending, len);
    return is_over && stream->pending.len > 0;
}

static bool feed_text(struct leaves_stream *stream, bool at_end, struct buf *out)
{
    rh_mask_stream_feed(stream->inner, rh_buf_text(&stream->pending), out);
    rh_buf_clear(&stream->pending);
    if (at_end)
        rh_mask_stream_finish(stream->inner, out);
    return false;
}

static void work(struct leaves_stream *stream, bool at_end, struct buf *out)
{
    for (bool again = true; again;) {
        switch (stream->phase) {
        case STREAM_WALKS:
            again = walk_piece(stream, at_end, out);
            break;
        case STREAM_LEAF:
        case STREAM_REPLACED:
            again = feed_leaf(stream, at_end, out);
            break;
        case STREAM_TEXT:
            again = feed_text(stream, at_end, out);
            break;
        }
    }
}

void rh_leaves_stream_feed(struct leaves_stream *stream, struct text part, struct buf *out)
{
    while (part.len > 0) {
        /* Two pieces: what is left of one may be nearly as large. */
        size_t room = 2 * LEAVES_PIECE_BYTES - stream->pending.len;
        size_t taken = part.len < room ? part.len : room;
        rh_buf_add(&stream->pending, part.data, taken);
        part = (struct text){part.data + taken, part.len - taken};
        if (stream->pending.len == 2 * LEAVES_PIECE_BYTES)
            work(stream, false, out);
    }
}

void rh_leaves_stream_finish(struct leaves_stream *stream, struct buf *out)
{
    work(stream, true, out);
}

/* --- kinds that are nothing but a format ------------------------------------------------------ */

void rh_leaves_kind_close(struct mask_map *map)
{
    rh_leaves_free(map->own);
    map->own = NULL;
}

void rh_leaves_kind_apply(struct mask_map *map, const struct text *values, size_t count,
                          struct arena *scratch, struct text *ret_masked)
{
    rh_leaves_apply(map->own, values, count, scratch, ret_masked);
}

void rh_leaves_kind_stream_begin(struct mask_map *map, void *state)
{
    *(struct leaves_stream **)state = rh_leaves_stream_new(map->own);
}

void rh_leaves_kind_stream_feed(struct mask_map *map, void *state, struct text part,
                                struct buf *out)
{
    (void)map;
    rh_leaves_stream_feed(*(struct leaves_stream **)state, part, out);
}

void rh_leaves_kind_stream_finish(struct mask_map *map, void *state, struct buf *out)
{
    (void)map;
    rh_leaves_stream_finish(*(struct leaves_stream **)state, out);
}

void rh_leaves_kind_stream_free(void *state)
{
    rh_leaves_stream_free(*(struct leaves_stream **)state);
}

enum err_code rh_leaves_map_new(const struct mask_map *map, enum mask_rule rule, const char *type,
                                const char *domain, struct arena *arena, struct mask_map **ret_map,
                                struct err *err)
{
    struct mask_map_options options = {
        .key = map->options.key,
        .domain = domain != NULL ? domain : map->options.domain,
        .rule = rule,
        .type = type,
        .parameter = map->options.parameter,
        .encoding = map->options.encoding,
        .kept_values = map->options.kept_values,
        .kept_value_count = map->options.kept_value_count,
    };
    return rh_mask_map_new(&options, arena, ret_map, err);
}

bool rh_leaves_is_single_byte(const struct mask_map *map)
{
    const char *encoding = map->options.encoding;
    return encoding != NULL && strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0;
}
