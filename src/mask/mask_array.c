/*
 * Arrays: each element by the rule. Bounds ("[0:2]={...}"), nesting, NULL elements and the
 * delimiter (";" of box) stay; quotes are where array_out would set them.
 */
#include "mask/mask_elements.h"

enum array_form { FORM_ELEMENT, FORM_BARE /* one too large to see whether it needs quotes */ };

/* MAXDIM of the server; more braces are no array of it. */
#define DIMENSIONS_MAX 6

struct array {
    char delimiter;
};

struct array_state {
    int depth;
    bool is_over;
    bool after_value;
};

static void begin(const void *own, void *state_memory)
{
    (void)own;
    *(struct array_state *)state_memory = (struct array_state){0};
}

static bool is_null_word(struct text word)
{
    static const char upper[] = "NULL";
    if (word.len != 4)
        return false;
    for (size_t i = 0; i < 4; i++)
        if ((word.data[i] & ~0x20) != upper[i])
            return false;
    return true;
}

/* An element at `at`, which is neither brace, delimiter nor white space. */
static enum leaf_step take_element(const struct array *array, struct array_state *state,
                                   struct text source, size_t *at, bool at_end, struct leaf *leaf)
{
    *leaf = (struct leaf){.open = *at, .start = *at, .form = FORM_ELEMENT};
    if (source.data[*at] == '"') {
        leaf->start++;
        leaf->end = rh_element_quote(source, leaf->start, &leaf->has_escapes);
        if (leaf->end >= source.len)
            return at_end ? LEAF_BROKEN : LEAF_MORE;
        leaf->close = leaf->end + 1;
    } else {
        size_t end = *at;
        while (end < source.len && source.data[end] != array->delimiter &&
               source.data[end] != '}' && source.data[end] != '{' && source.data[end] != '"') {
            if (source.data[end] == '\\') {
                leaf->has_escapes = true;
                end++;
            }
            end++;
        }
        if (end >= source.len)
            return at_end ? LEAF_BROKEN : LEAF_MORE;
        leaf->close = end;
        while (end > leaf->start && rh_is_space(source.data[end - 1]))
            end--;
        leaf->end = end;
    }
    *at = leaf->close;
    state->after_value = true;
    return LEAF_FOUND;
}

static enum leaf_step next(const void *own, void *state_memory, struct text source, size_t *at,
                           bool at_end, struct leaf *leaf)
{
    const struct array *array = own;
    struct array_state *state = state_memory;
    while (*at < source.len) {
        const char c = source.data[*at];
        if (state->is_over) {
            if (!rh_is_space(c))
                return LEAF_BROKEN;
            ++*at;
        } else if (c == '{') {
            if (state->after_value || state->depth == DIMENSIONS_MAX)
                return LEAF_BROKEN;
            state->depth++;
            ++*at;
        } else if (state->depth == 0) {
            /* Bounds of the dimensions. */
            if (strchr("[]:=+-0123456789", c) == NULL && !rh_is_space(c))
                return LEAF_BROKEN;
            ++*at;
        } else if (c == '}') {
            state->is_over = --state->depth == 0;
            state->after_value = true;
            ++*at;
        } else if (c == array->delimiter) {
            state->after_value = false;
            ++*at;
        } else if (rh_is_space(c)) {
            ++*at;
        } else {
            if (state->after_value)
                return LEAF_BROKEN;
            enum leaf_step step = take_element(array, state, source, at, at_end, leaf);
            struct text word = {source.data + leaf->start, leaf->end - leaf->start};
            if (step == LEAF_FOUND && leaf->open == leaf->start && is_null_word(word))
                continue;
            return step;
        }
    }
    return !at_end ? LEAF_MORE : state->is_over ? LEAF_END : LEAF_BROKEN;
}

static size_t decode(const void *own, unsigned form, struct text inner, char *out)
{
    (void)own;
    (void)form;
    return rh_element_decode(inner, out);
}

/* As array_out decides. */
static bool needs_quotes(const struct array *array, struct text value)
{
    if (value.len == 0 || is_null_word(value))
        return true;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (c == '"' || c == '\\' || c == '{' || c == '}' || c == array->delimiter ||
            rh_is_space(c))
            return true;
    }
    return false;
}

static void encode(const void *own, const struct leaf *leaf, struct text source, struct text masked,
                   struct buf *out)
{
    (void)leaf;
    (void)source;
    if (masked.data == NULL)
        rh_buf_add_str(out, "NULL");
    else if (needs_quotes(own, masked))
        rh_element_encode_quoted(masked, false, out);
    else
        rh_buf_add_text(out, masked);
}

/* A large element that has quotes keeps them, and one that has none gets none: the pseudonym of a
   text has no more of what needs them than the text. */
static bool enter(const void *own, void *state_memory, struct text source, size_t at,
                  struct leaf *leaf)
{
    (void)own;
    (void)state_memory;
    bool has_quotes = source.data[at] == '"';
    *leaf = (struct leaf){
        .open = at, .start = at + has_quotes, .form = has_quotes ? FORM_ELEMENT : FORM_BARE};
    return true;
}

static bool part(const void *own, unsigned form, struct text inner, bool at_end, size_t *ret_len)
{
    const struct array *array = own;
    if (form == FORM_ELEMENT)
        return rh_element_part(inner, at_end, ret_len);
    size_t end = 0;
    while (end < inner.len && inner.data[end] != array->delimiter && inner.data[end] != '}')
        end++;
    *ret_len = end;
    return end < inner.len || at_end;
}

static void encode_part(const void *own, unsigned form, struct text masked, struct buf *out)
{
    (void)own;
    if (form == FORM_ELEMENT)
        rh_element_encode_inner(masked, false, out);
    else
        rh_buf_add_text(out, masked);
}

static size_t leave(const void *own, void *state_memory, unsigned form)
{
    (void)own;
    ((struct array_state *)state_memory)->after_value = true;
    return form == FORM_ELEMENT;
}

static const struct leaf_format format = {
    .state_bytes = sizeof(struct array_state),
    .begin = begin,
    .next = next,
    .decode = decode,
    .encode = encode,
    .enter = enter,
    .part = part,
    .encode_part = encode_part,
    .leave = leave,
};

static enum err_code open_array(struct mask_map *map, struct arena *arena, struct err *err)
{
    struct array *array = RH_NEW(arena, struct array);
    /* pg_type.typdelim: of the server's own types box alone has another. */
    array->delimiter = map->options.type != NULL && strcmp(map->options.type, "box") == 0 ? ';'
                                                                                          : ',';
    struct mask_map_options element = map->options;
    element.is_array = false;
    struct mask_map *element_map;
    enum err_code code = rh_mask_map_new(&element, arena, &element_map, err);
    if (code != RH_OK)
        return code;
    map->own = rh_leaves_new(&format, array, &element_map, 1);
    return RH_OK;
}

const struct mask_kind rh_mask_array = LEAVES_KIND(open_array);
