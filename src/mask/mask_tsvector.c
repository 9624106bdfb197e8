/*
 * tsvector: lexemes as text, in the order in which the server keeps them; their positions and
 * weights stay.
 */
#include "mask/mask_elements.h"

struct tsvector_state {
    size_t lexemes;
};

static void begin(const void *own, void *state_memory)
{
    (void)own;
    *(struct tsvector_state *)state_memory = (struct tsvector_state){0};
}

/* The closing quote; source.len: it is not here. Quotes and backslashes inside are doubled. */
static size_t find_quote(struct text source, size_t at, bool at_end, bool *ret_escapes)
{
    *ret_escapes = false;
    while (at < source.len) {
        char c = source.data[at];
        if (c == '\\') {
            *ret_escapes = true;
            at += 2;
        } else if (c != '\'') {
            at++;
        } else if (at + 1 == source.len) {
            return at_end ? at : source.len;
        } else if (source.data[at + 1] != '\'') {
            return at;
        } else {
            *ret_escapes = true;
            at += 2;
        }
    }
    return source.len;
}

static enum leaf_step next(const void *own, void *state_memory, struct text source, size_t *at,
                           bool at_end, struct leaf *leaf)
{
    (void)own;
    struct tsvector_state *state = state_memory;
    while (*at < source.len) {
        const char c = source.data[*at];
        if (c != '\'') {
            /* Positions: 'cat':3A,7 */
            if (c != ' ' && (state->lexemes == 0 || strchr(":,0123456789ABCD", c) == NULL))
                return LEAF_BROKEN;
            ++*at;
            continue;
        }
        *leaf = (struct leaf){.open = *at, .start = *at + 1};
        leaf->end = find_quote(source, leaf->start, at_end, &leaf->has_escapes);
        if (leaf->end >= source.len)
            return at_end ? LEAF_BROKEN : LEAF_MORE;
        leaf->close = *at = leaf->end + 1;
        state->lexemes++;
        return LEAF_FOUND;
    }
    return at_end ? LEAF_END : LEAF_MORE;
}

static size_t decode(const void *own, unsigned form, struct text inner, char *out)
{
    (void)own;
    (void)form;
    size_t written = 0;
    for (size_t i = 0; i < inner.len; i++) {
        if ((inner.data[i] == '\'' || inner.data[i] == '\\') && i + 1 < inner.len)
            i++;
        out[written++] = inner.data[i];
    }
    return written;
}

static void encode(const void *own, const struct leaf *leaf, struct text source, struct text masked,
                   struct buf *out)
{
    (void)own;
    (void)leaf;
    (void)source;
    rh_buf_add(out, "'", 1);
    for (size_t i = 0; i < masked.len; i++) {
        if (masked.data[i] == '\'' || masked.data[i] == '\\')
            rh_buf_add(out, &masked.data[i], 1);
        rh_buf_add(out, &masked.data[i], 1);
    }
    rh_buf_add(out, "'", 1);
}

static bool is_unsettled(const void *own, const void *state)
{
    (void)own;
    return ((const struct tsvector_state *)state)->lexemes > 1;
}

static void settle(const void *own, struct text made, struct arena *scratch, struct buf *out)
{
    VEC(struct element_item) items = {NULL};
    for (size_t at = 0; at < made.len;) {
        bool has_escapes;
        size_t start = at, end = find_quote(made, at + 1, true, &has_escapes);
        struct text inner = {made.data + at + 1, end - at - 1};
        char *lexeme = rh_arena_alloc(scratch, inner.len);
        size_t len = decode(own, 0, inner, lexeme);
        for (at = end + 1; at < made.len && made.data[at] != ' ';)
            at++;
        *RH_PUSH(scratch, &items) = (struct element_item){{made.data + start, at - start},
                                                          {lexeme, len}};
        while (at < made.len && made.data[at] != '\'')
            at++;
    }
    rh_element_sort(items.items, items.count, false, " ", out);
}

static const struct leaf_format format = {
    .state_bytes = sizeof(struct tsvector_state),
    .begin = begin,
    .next = next,
    .decode = decode,
    .encode = encode,
    .is_unsettled = is_unsettled,
    .settle = settle,
};

static enum err_code open_tsvector(struct mask_map *map, struct arena *arena, struct err *err)
{
    struct mask_map *text_map;
    enum err_code code = rh_leaves_map_new(map, MASK_TEXT, "text", NULL, arena, &text_map, err);
    if (code != RH_OK)
        return code;
    map->own = rh_leaves_new(&format, NULL, &text_map, 1);
    return RH_OK;
}

const struct mask_kind rh_mask_tsvector = LEAVES_KIND(open_tsvector);
