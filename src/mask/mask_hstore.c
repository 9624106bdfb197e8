/*
 * hstore: names and values. Pairs stay in hstore's order: shorter names first, then by bytes.
 */
#include "mask/mask_elements.h"
#include "mask/mask_leaf_kinds.h"

enum hstore_form { FORM_NAME, FORM_VALUE };

struct hstore {
    struct mask_map *kinds[LEAF_KIND_COUNT];
};

struct hstore_state {
    enum { BEFORE_NAME, BEHIND_NAME, BEFORE_VALUE, BEHIND_VALUE } phase;
    size_t pairs;
};

static void begin(const void *own, void *state_memory)
{
    (void)own;
    *(struct hstore_state *)state_memory = (struct hstore_state){0};
}

static enum leaf_step take_quoted(const struct hstore *hstore, struct hstore_state *state,
                                  struct text source, size_t *at, bool at_end, struct leaf *leaf)
{
    *leaf = (struct leaf){.open = *at, .start = *at + 1};
    leaf->end = rh_element_quote(source, leaf->start, &leaf->has_escapes);
    if (leaf->end >= source.len)
        return at_end ? LEAF_BROKEN : LEAF_MORE;
    leaf->close = *at = leaf->end + 1;
    if (state->phase == BEFORE_NAME) {
        state->pairs++;
        state->phase = BEHIND_NAME;
        leaf->form = FORM_NAME;
        leaf->map = LEAF_TEXT;
        return LEAF_FOUND;
    }
    state->phase = BEHIND_VALUE;
    leaf->form = FORM_VALUE;
    struct text inner = {source.data + leaf->start, leaf->end - leaf->start};
    leaf->map = leaf->has_escapes ? LEAF_TEXT : (unsigned)rh_leaf_kind(hstore->kinds, inner);
    if (leaf->map == LEAF_DATE && inner.len > LEAF_DATE_BYTES)
        leaf->map = LEAF_TEXT;
    return LEAF_FOUND;
}

static enum leaf_step next(const void *own, void *state_memory, struct text source, size_t *at,
                           bool at_end, struct leaf *leaf)
{
    struct hstore_state *state = state_memory;
    while (*at < source.len) {
        const char c = source.data[*at];
        if (rh_is_space(c)) {
            ++*at;
            continue;
        }
        switch (state->phase) {
        case BEFORE_NAME:
            if (c != '"')
                return LEAF_BROKEN;
            return take_quoted(own, state, source, at, at_end, leaf);
        case BEHIND_NAME:
            if (source.len - *at < 2)
                return at_end ? LEAF_BROKEN : LEAF_MORE;
            if (memcmp(source.data + *at, "=>", 2) != 0)
                return LEAF_BROKEN;
            state->phase = BEFORE_VALUE;
            *at += 2;
            continue;
        case BEFORE_VALUE:
            if (c == '"')
                return take_quoted(own, state, source, at, at_end, leaf);
            if (source.len - *at < 4)
                return at_end ? LEAF_BROKEN : LEAF_MORE;
            if (memcmp(source.data + *at, "NULL", 4) != 0)
                return LEAF_BROKEN;
            state->phase = BEHIND_VALUE;
            *at += 4;
            continue;
        case BEHIND_VALUE:
            if (c != ',')
                return LEAF_BROKEN;
            state->phase = BEFORE_NAME;
            ++*at;
            continue;
        }
    }
    if (!at_end)
        return LEAF_MORE;
    return state->phase == BEHIND_VALUE || (state->phase == BEFORE_NAME && state->pairs == 0)
               ? LEAF_END
               : LEAF_BROKEN;
}

static size_t decode(const void *own, unsigned form, struct text inner, char *out)
{
    (void)own;
    (void)form;
    return rh_element_decode(inner, out);
}

static void encode(const void *own, const struct leaf *leaf, struct text source, struct text masked,
                   struct buf *out)
{
    (void)own;
    (void)source;
    if (masked.data == NULL && leaf->form == FORM_VALUE)
        rh_buf_add_str(out, "NULL");
    else
        rh_element_encode_quoted(masked, false, out);
}

static bool is_unsettled(const void *own, const void *state)
{
    (void)own;
    return ((const struct hstore_state *)state)->pairs > 1;
}

static void settle(const void *own, struct text made, struct arena *scratch, struct buf *out)
{
    (void)own;
    VEC(struct element_item) pairs = {NULL};
    for (size_t at = 0; at < made.len;) {
        bool has_escapes;
        size_t start = at, end = rh_element_quote(made, at + 1, &has_escapes);
        struct text inner = {made.data + at + 1, end - at - 1};
        char *name = rh_arena_alloc(scratch, inner.len);
        size_t len = rh_element_decode(inner, name);
        at = end + strlen("\"=>");
        at = made.data[at] == '"' ? rh_element_quote(made, at + 1, &has_escapes) + 1
                                  : at + strlen("NULL");
        *RH_PUSH(scratch, &pairs) = (struct element_item){{made.data + start, at - start},
                                                          {name, len}};
        while (at < made.len && made.data[at] != '"')
            at++;
    }
    rh_element_sort(pairs.items, pairs.count, true, ", ", out);
}

static bool enter(const void *own, void *state_memory, struct text source, size_t at,
                  struct leaf *leaf)
{
    (void)own;
    struct hstore_state *state = state_memory;
    if (source.data[at] != '"')
        return false;
    *leaf = (struct leaf){.open = at,
                          .start = at + 1,
                          .map = LEAF_TEXT,
                          .form = state->phase == BEFORE_NAME ? FORM_NAME : FORM_VALUE};
    return true;
}

static bool part(const void *own, unsigned form, struct text inner, bool at_end, size_t *ret_len)
{
    (void)own;
    (void)form;
    return rh_element_part(inner, at_end, ret_len);
}

static void encode_part(const void *own, unsigned form, struct text masked, struct buf *out)
{
    (void)own;
    (void)form;
    rh_element_encode_inner(masked, false, out);
}

static size_t leave(const void *own, void *state_memory, unsigned form)
{
    (void)own;
    struct hstore_state *state = state_memory;
    state->phase = form == FORM_NAME ? BEHIND_NAME : BEHIND_VALUE;
    state->pairs += form == FORM_NAME;
    return 1;
}

static const struct leaf_format format = {
    .state_bytes = sizeof(struct hstore_state),
    .begin = begin,
    .next = next,
    .decode = decode,
    .encode = encode,
    .is_unsettled = is_unsettled,
    .settle = settle,
    .enter = enter,
    .part = part,
    .encode_part = encode_part,
    .leave = leave,
};

static enum err_code open_hstore(struct mask_map *map, struct arena *arena, struct err *err)
{
    struct hstore *hstore = RH_NEW(arena, struct hstore);
    return rh_leaf_kinds_open(map, &format, hstore, hstore->kinds, arena, err);
}

const struct mask_kind rh_mask_hstore = LEAVES_KIND(open_hstore);
