/*
 * Rows: each attribute by a map of its own. Quotes are where record_out would set them.
 */
#include "mask/mask_elements.h"

/* Attributes of a type: as columns of a table. */
#define ATTRIBUTES_MAX 1600

/* A form is that of an attribute: its number, which is also its map's less one. */

struct composite {
    size_t attribute_count;
    bool *is_kept;
};

struct composite_state {
    size_t attribute; /* at hand */
    enum { BEFORE_ROW, BEFORE_ATTRIBUTE, BEHIND_ATTRIBUTE, BEHIND_ROW } phase;
};

static void begin(const void *own, void *state_memory)
{
    (void)own;
    *(struct composite_state *)state_memory = (struct composite_state){0};
}

/* The end of the attribute that begins at `at`: an unquoted comma or parenthesis. Quoted parts may
   stand anywhere in it; record_out sets quotes around all of it. */
static bool find_end(struct text source, size_t at, size_t *ret_end)
{
    bool in_quotes = false;
    for (; at < source.len; at++) {
        char c = source.data[at];
        if (c == '\\')
            at++;
        else if (c == '"')
            in_quotes = !in_quotes; /* two of them: out and in again */
        else if (!in_quotes && (c == ',' || c == ')')) {
            *ret_end = at;
            return true;
        }
    }
    return false;
}

static enum leaf_step next(const void *own, void *state_memory, struct text source, size_t *at,
                           bool at_end, struct leaf *leaf)
{
    const struct composite *composite = own;
    struct composite_state *state = state_memory;
    while (*at < source.len) {
        const char c = source.data[*at];
        switch (state->phase) {
        case BEFORE_ROW:
            if (c == '(')
                state->phase = BEFORE_ATTRIBUTE;
            else if (!rh_is_space(c))
                return LEAF_BROKEN;
            ++*at;
            continue;
        case BEFORE_ATTRIBUTE: {
            size_t end;
            if (!find_end(source, *at, &end))
                return at_end ? LEAF_BROKEN : LEAF_MORE;
            if (end == *at) { /* NULL, or there are no attributes at all */
                state->phase = BEHIND_ATTRIBUTE;
                continue;
            }
            if (state->attribute >= composite->attribute_count)
                return LEAF_BROKEN;
            bool has_quotes = memchr(source.data + *at, '"', end - *at) != NULL;
            *leaf = (struct leaf){
                .open = *at,
                .start = *at,
                .end = end,
                .close = end,
                .map = (unsigned)state->attribute + 1,
                .form = (unsigned)state->attribute + 1,
                .has_escapes = has_quotes || memchr(source.data + *at, '\\', end - *at) != NULL};
            *at = end;
            state->phase = BEHIND_ATTRIBUTE;
            if (composite->is_kept[state->attribute])
                continue;
            return LEAF_FOUND;
        }
        case BEHIND_ATTRIBUTE:
            if (c == ')') {
                /* A row of no attributes is "()", as one of a NULL. */
                if (state->attribute + 1 != composite->attribute_count &&
                    composite->attribute_count > 0)
                    return LEAF_BROKEN;
                state->phase = BEHIND_ROW;
            } else {
                state->attribute++;
                state->phase = BEFORE_ATTRIBUTE;
            }
            ++*at;
            continue;
        case BEHIND_ROW:
            if (!rh_is_space(c))
                return LEAF_BROKEN;
            ++*at;
            continue;
        }
    }
    return !at_end ? LEAF_MORE : state->phase == BEHIND_ROW ? LEAF_END : LEAF_BROKEN;
}

static size_t decode(const void *own, unsigned form, struct text inner, char *out)
{
    (void)own;
    (void)form;
    return rh_element_decode(inner, out);
}

/* As record_out decides. */
static bool needs_quotes(struct text value)
{
    if (value.len == 0)
        return true;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (c == '"' || c == '\\' || c == '(' || c == ')' || c == ',' || rh_is_space(c))
            return true;
    }
    return false;
}

static void encode(const void *own, const struct leaf *leaf, struct text source, struct text masked,
                   struct buf *out)
{
    (void)own;
    (void)leaf;
    (void)source;
    if (masked.data == NULL)
        return;
    if (needs_quotes(masked))
        rh_element_encode_quoted(masked, true, out);
    else
        rh_buf_add_text(out, masked);
}

static const struct leaf_format format = {
    .state_bytes = sizeof(struct composite_state),
    .begin = begin,
    .next = next,
    .decode = decode,
    .encode = encode,
};

static enum err_code open_composite(struct mask_map *map, struct arena *arena, struct err *err)
{
    size_t count = map->options.attribute_count;
    if (count > ATTRIBUTES_MAX)
        return rh_err_set(err, RH_ERR_USAGE, "type \"%s\" has %zu attributes; the most is %d",
                          map->options.type ? map->options.type : "record", count, ATTRIBUTES_MAX);
    struct composite *composite = RH_NEW(arena, struct composite);
    composite->attribute_count = count;
    composite->is_kept = rh_arena_alloc_array(arena, count, sizeof(bool));
    struct mask_map **maps = rh_arena_alloc_array(arena, count + 1, sizeof(*maps));
    size_t made = 0;
    enum err_code code = rh_leaves_map_new(map, MASK_TEXT, "text", NULL, arena, &maps[0], err);
    if (code == RH_OK)
        made = 1;
    for (size_t i = 0; i < count && code == RH_OK; i++) {
        struct mask_map_options attribute = map->options.attributes[i];
        attribute.key = map->options.key;
        if (attribute.domain == NULL || attribute.domain[0] == '\0')
            attribute.domain = map->options.domain;
        if (attribute.encoding == NULL)
            attribute.encoding = map->options.encoding;
        composite->is_kept[i] = attribute.rule == MASK_KEEP;
        code = rh_mask_map_new(&attribute, arena, &maps[made], err);
        if (code == RH_OK)
            made++;
    }
    if (code != RH_OK) {
        for (size_t i = 0; i < made; i++)
            rh_mask_map_free(maps[i]);
        return code;
    }
    map->own = rh_leaves_new(&format, composite, maps, made);
    return RH_OK;
}

const struct mask_kind rh_mask_composite = LEAVES_KIND(open_composite);
