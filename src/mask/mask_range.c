/*
 * Ranges and multiranges of numbers and times: each bound by the rule of its element, whose map
 * keeps the order. "empty", and bounds that are open, stay.
 */
#include "mask/mask_elements.h"

static const struct {
    const char *range, *multirange, *element;
} types[] = {
    {"int4range", "int4multirange", "int4"},  {"int8range", "int8multirange", "int8"},
    {"numrange", "nummultirange", "numeric"}, {"daterange", "datemultirange", "date"},
    {"tsrange", "tsmultirange", "timestamp"}, {"tstzrange", "tstzmultirange", "timestamptz"},
};

static const char *element_type(const char *type)
{
    if (type == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i].range) == 0 || strcmp(type, types[i].multirange) == 0)
            return types[i].element;
    return NULL;
}

struct range_state {
    enum { OUTSIDE, LOWER, UPPER, BEHIND_BOUND } phase;
    bool is_upper;
};

static void begin(const void *own, void *state_memory)
{
    (void)own;
    *(struct range_state *)state_memory = (struct range_state){0};
}

static enum leaf_step take_bound(struct range_state *state, struct text source, size_t *at,
                                 bool at_end, struct leaf *leaf)
{
    const char *ends = state->phase == LOWER ? "," : ")]";
    size_t end = *at;
    bool in_quotes = false;
    for (; end < source.len; end++) {
        char c = source.data[end];
        if (c == '\\')
            end++;
        else if (c == '"')
            in_quotes = !in_quotes;
        else if (!in_quotes && (c == ends[0] || (ends[1] != '\0' && c == ends[1])))
            break;
    }
    if (end >= source.len)
        return at_end ? LEAF_BROKEN : LEAF_MORE;
    *leaf = (struct leaf){.open = *at,
                          .start = *at,
                          .end = end,
                          .close = end,
                          .has_escapes = memchr(source.data + *at, '"', end - *at) != NULL ||
                                         memchr(source.data + *at, '\\', end - *at) != NULL};
    state->is_upper = state->phase == UPPER;
    state->phase = BEHIND_BOUND;
    *at = end;
    return LEAF_FOUND;
}

static enum leaf_step next(const void *own, void *state_memory, struct text source, size_t *at,
                           bool at_end, struct leaf *leaf)
{
    (void)own;
    struct range_state *state = state_memory;
    while (*at < source.len) {
        const char c = source.data[*at];
        switch (state->phase) {
        case OUTSIDE:
            if (c == '[' || c == '(') {
                state->phase = LOWER;
                ++*at;
            } else if (strchr("{}, empty", c) != NULL) {
                ++*at;
            } else {
                return LEAF_BROKEN;
            }
            continue;
        case LOWER:
        case UPPER: {
            enum leaf_step step = take_bound(state, source, at, at_end, leaf);
            if (step == LEAF_FOUND && leaf->start == leaf->end)
                continue; /* it has no bound there */
            return step;
        }
        case BEHIND_BOUND:
            state->phase = state->is_upper ? OUTSIDE : UPPER;
            ++*at;
            continue;
        }
    }
    return !at_end ? LEAF_MORE : state->phase == OUTSIDE ? LEAF_END : LEAF_BROKEN;
}

static size_t decode(const void *own, unsigned form, struct text inner, char *out)
{
    (void)own;
    (void)form;
    return rh_element_decode(inner, out);
}

/* As range_out decides. */
static void encode(const void *own, const struct leaf *leaf, struct text source, struct text masked,
                   struct buf *out)
{
    (void)own;
    (void)leaf;
    (void)source;
    bool needs_quotes = masked.len == 0;
    for (size_t i = 0; i < masked.len && !needs_quotes; i++)
        needs_quotes = strchr("\"\\()[],", masked.data[i]) != NULL || rh_is_space(masked.data[i]);
    if (masked.data == NULL)
        return;
    if (needs_quotes)
        rh_element_encode_quoted(masked, true, out);
    else
        rh_buf_add_text(out, masked);
}

static const struct leaf_format format = {
    .state_bytes = sizeof(struct range_state),
    .begin = begin,
    .next = next,
    .decode = decode,
    .encode = encode,
};

static enum err_code open_range(struct mask_map *map, struct arena *arena, struct err *err)
{
    if (map->options.rule != MASK_NUMBER && map->options.rule != MASK_DATE)
        return rh_mask_refuse(map,
                              "Ranges need a rule that keeps the order of their bounds: "
                              "\"number\" or \"date\"; or \"keep\", \"null\", \"fixed\".",
                              err);
    struct mask_map_options bound = map->options;
    bound.type = element_type(map->options.type);
    struct mask_map *maps[1];
    enum err_code code = rh_mask_map_new(&bound, arena, &maps[0], err);
    if (code != RH_OK)
        return code;
    map->own = rh_leaves_new(&format, NULL, maps, 1);
    return RH_OK;
}

const struct mask_kind rh_mask_range = LEAVES_KIND(open_range);

const struct mask_kind *rh_mask_structure(const struct mask_map_options *options)
{
    if (options->rule == MASK_KEEP || options->rule == MASK_FIXED || options->rule == MASK_NULL)
        return NULL;
    if (options->is_array)
        return &rh_mask_array;
    if (options->attribute_count > 0)
        return &rh_mask_composite;
    return element_type(options->type) != NULL ? &rh_mask_range : NULL;
}
