/*
 * JSON and jsonb: strings are masked by what they look like, numbers only when a rule by path says
 * so, when they are a valid card number, or when the member's name says that they are a person's
 * (phone, ssn). true, false and null stay. Names of members stay, unless they look like data.
 */
#include "mask/copy_words.h"
#include "mask/mask_json_int.h"

#include <stdlib.h>

enum json_form { FORM_STRING, FORM_NAME, FORM_NUMBER, FORM_PART };

enum expected {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_CLOSE, /* behind "[" */
    EXPECT_NAME_OR_CLOSE,  /* behind "{" */
    EXPECT_NAME,
    EXPECT_COLON,
    EXPECT_COMMA_OR_CLOSE,
    EXPECT_NOTHING,
};

struct json {
    struct mask_map *kinds[LEAF_KIND_COUNT];
    struct json_paths paths;
    bool *path_is_injective;
    struct mask_map **path_kinds; /* LEAF_KIND_COUNT for each path of rule json */
    bool is_binary;               /* jsonb: members have an order, numbers one way to be written */
    bool is_single_byte;
};

#define NAME_KEPT_BYTES 64

struct json_state {
    enum expected expected;
    size_t depth;
    bool has_masked_names;
    struct json_place place; /* when there are rules by path */
    /* Of the last member, for the number behind it; longer names say nothing. */
    char name[NAME_KEPT_BYTES];
    size_t name_len;
    uint64_t is_object[JSON_DEPTH_MAX / 64];
};

/* --- scanning --------------------------------------------------------------------------------- */

/* The closing quote of the string whose inside begins at `at`; false: it is not here, or, with
 *ret_broken, cannot come. */
static bool find_quote(struct text source, size_t at, size_t *ret_quote, bool *ret_escapes,
                       bool *ret_broken)
{
    *ret_escapes = *ret_broken = false;
    while (at < source.len) {
        size_t left = source.len - at;
        uint64_t word = left >= 8 ? rh_word_load(source.data + at)
                                  : rh_word_load_part(source.data + at, left);
        uint64_t marks = rh_word_equals(word, '"') | rh_word_equals(word, '\\') |
                         rh_word_controls(word);
        if (marks == 0) {
            at += 8;
            continue;
        }
        at += rh_word_first(marks);
        if (at >= source.len)
            return false;
        if (source.data[at] == '"') {
            *ret_quote = at;
            return true;
        }
        if (source.data[at] != '\\') {
            *ret_broken = true;
            return false;
        }
        *ret_escapes = true;
        at += 2;
    }
    return false;
}

static bool in_object(const struct json_state *state)
{
    size_t level = state->depth - 1;
    return state->is_object[level / 64] >> level % 64 & 1;
}

static bool open_level(const struct json *json, struct json_state *state, bool is_object)
{
    if (state->depth == JSON_DEPTH_MAX)
        return false;
    size_t level = state->depth++;
    uint64_t bit = UINT64_C(1) << level % 64;
    if (is_object)
        state->is_object[level / 64] |= bit;
    else
        state->is_object[level / 64] &= ~bit;
    state->expected = is_object ? EXPECT_NAME_OR_CLOSE : EXPECT_VALUE_OR_CLOSE;
    if (!is_object && json->paths.count > 0)
        rh_json_place_enter(&json->paths, &state->place, (struct text){NULL, 0});
    return true;
}

static void value_ended(const struct json *json, struct json_state *state)
{
    state->expected = state->depth > 0 ? EXPECT_COMMA_OR_CLOSE : EXPECT_NOTHING;
    if (json->paths.count > 0 && state->depth > 0 && in_object(state))
        rh_json_place_leave(&state->place); /* the member is over */
}

static void close_level(const struct json *json, struct json_state *state)
{
    if (!in_object(state) && json->paths.count > 0)
        rh_json_place_leave(&state->place);
    state->depth--;
    value_ended(json, state);
}

static const struct json_path *path_in_force(const struct json *json,
                                             const struct json_state *state)
{
    if (json->paths.count == 0)
        return NULL;
    int rule = rh_json_place_rule(&state->place);
    return rule >= 0 ? &json->paths.items[rule] : NULL;
}

/* A short string without its escapes, to look at; the rest is told by nothing but its length. */
static struct text look(const struct json *json, struct text inner, bool has_escapes, char *room,
                        size_t room_size)
{
    if (!has_escapes)
        return inner;
    if (inner.len > room_size)
        return (struct text){inner.data, 0};
    return (struct text){room, rh_json_decode(inner, json->is_single_byte, room)};
}

/* The map for a string; false: it stays. */
static bool choose_string(const struct json *json, const struct json_state *state,
                          struct text source, struct leaf *leaf)
{
    const struct json_path *path = path_in_force(json, state);
    if (path != NULL && path->rule == MASK_KEEP)
        return false;
    char room[512];
    struct text value = look(json,
                             (struct text){source.data + leaf->start, leaf->end - leaf->start},
                             leaf->has_escapes, room, sizeof room);
    leaf->form = FORM_STRING;
    struct mask_map *const *kinds = json->kinds;
    size_t first = 0;
    if (path != NULL && path->rule == MASK_JSON) {
        first = path->map;
        kinds = json->path_kinds + (size_t)(path - json->paths.items) * LEAF_KIND_COUNT;
    } else if (path != NULL) {
        leaf->map = (unsigned)path->map;
        if (path->rule != MASK_DATE || leaf->has_escapes || !rh_leaf_is_date(value))
            return true;
        first = path->map - LEAF_DATE;
    }
    enum leaf_kind kind = path != NULL && path->rule == MASK_DATE ? LEAF_DATE
                                                                  : rh_leaf_kind(kinds, value);
    if (kind == LEAF_DATE && leaf->has_escapes)
        kind = LEAF_TEXT;
    leaf->map = (unsigned)(first + kind);
    if (kind == LEAF_DATE) { /* the time of day stays */
        leaf->open = leaf->start;
        leaf->close = leaf->end = leaf->start + LEAF_DATE_BYTES;
        leaf->form = FORM_PART;
    }
    return true;
}

static bool choose_number(const struct json *json, const struct json_state *state,
                          struct text number, struct leaf *leaf)
{
    const struct json_path *path = path_in_force(json, state);
    size_t first = 0;
    if (path != NULL && path->rule != MASK_JSON) {
        leaf->map = (unsigned)path->map;
        return path->rule != MASK_KEEP;
    }
    if (path != NULL)
        first = path->map;
    leaf->map = (unsigned)(first + LEAF_CARD);
    if (rh_leaf_is_card_number(number))
        return true;
    leaf->map = (unsigned)(first + LEAF_TEXT);
    size_t digits = 0;
    while (digits < number.len && number.data[digits] >= '0' && number.data[digits] <= '9')
        digits++;
    return digits == number.len && digits >= 7 &&
           rh_leaf_key_names_number((struct text){state->name, state->name_len});
}

/* --- the walk --------------------------------------------------------------------------------- */

static void begin(const void *own, void *state_memory)
{
    const struct json *json = own;
    struct json_state *state = state_memory;
    state->expected = EXPECT_VALUE;
    state->depth = 0;
    state->has_masked_names = false;
    state->name_len = 0;
    if (json->paths.count > 0)
        rh_json_place_begin(&json->paths, &state->place);
}

static void take_name(const struct json *json, struct json_state *state, struct text name)
{
    state->name_len = name.len <= sizeof state->name ? name.len : 0;
    memcpy(state->name, name.data, state->name_len);
    if (json->paths.count > 0)
        rh_json_place_enter(&json->paths, &state->place, name);
    state->expected = EXPECT_COLON;
}

/* A string at *at, which is its opening quote: true with a step to return. */
static bool walk_string(const struct json *json, struct json_state *state, struct text source,
                        size_t *at, bool at_end, struct leaf *leaf, enum leaf_step *ret_step)
{
    size_t quote;
    bool is_broken;
    *leaf = (struct leaf){.open = *at, .start = *at + 1};
    if (!find_quote(source, *at + 1, &quote, &leaf->has_escapes, &is_broken)) {
        *ret_step = is_broken || at_end ? LEAF_BROKEN : LEAF_MORE;
        return true;
    }
    leaf->end = quote;
    leaf->close = quote + 1;
    *at = quote + 1;
    *ret_step = LEAF_FOUND;
    if (state->expected != EXPECT_NAME && state->expected != EXPECT_NAME_OR_CLOSE) {
        bool is_masked = leaf->end > leaf->start && choose_string(json, state, source, leaf);
        value_ended(json, state);
        return is_masked;
    }
    char room[512];
    struct text name = look(json, (struct text){source.data + leaf->start, quote - leaf->start},
                            leaf->has_escapes, room, sizeof room);
    enum leaf_kind kind;
    take_name(json, state, name);
    if (!rh_leaf_key_is_data(json->kinds, name, &kind))
        return false;
    leaf->map = (unsigned)kind;
    leaf->form = FORM_NAME;
    state->has_masked_names = true;
    return true;
}

static size_t word_end(struct text source, size_t at)
{
    while (at < source.len) {
        char c = source.data[at];
        bool is_word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                       c == '-' || c == '+' || c == '.';
        if (!is_word)
            break;
        at++;
    }
    return at;
}

static bool walk_word(const struct json *json, struct json_state *state, struct text source,
                      size_t *at, bool at_end, struct leaf *leaf, enum leaf_step *ret_step)
{
    size_t end = word_end(source, *at);
    struct text word = {source.data + *at, end - *at};
    if (end == source.len && !at_end) {
        *ret_step = LEAF_MORE;
        return true;
    }
    bool is_number = rh_json_is_number(word);
    if (!is_number && !rh_text_is(word, "true") && !rh_text_is(word, "false") &&
        !rh_text_is(word, "null")) {
        *ret_step = LEAF_BROKEN;
        return true;
    }
    *leaf = (struct leaf){.open = *at, .start = *at, .end = end, .close = end, .form = FORM_NUMBER};
    bool is_masked = is_number && choose_number(json, state, word, leaf);
    *at = end;
    value_ended(json, state);
    *ret_step = LEAF_FOUND;
    return is_masked;
}

static enum leaf_step next(const void *own, void *state_memory, struct text source, size_t *at,
                           bool at_end, struct leaf *leaf)
{
    const struct json *json = own;
    struct json_state *state = state_memory;
    for (;;) {
        while (*at < source.len && (source.data[*at] == ' ' || source.data[*at] == '\n' ||
                                    source.data[*at] == '\t' || source.data[*at] == '\r'))
            (*at)++;
        if (*at == source.len)
            return !at_end ? LEAF_MORE : state->expected == EXPECT_NOTHING ? LEAF_END : LEAF_BROKEN;
        const char c = source.data[*at];
        enum leaf_step step;
        switch (state->expected) {
        case EXPECT_NOTHING:
            return LEAF_BROKEN;
        case EXPECT_COLON:
            if (c != ':')
                return LEAF_BROKEN;
            state->expected = EXPECT_VALUE;
            ++*at;
            continue;
        case EXPECT_COMMA_OR_CLOSE:
            if (c == ',') {
                state->expected = in_object(state) ? EXPECT_NAME : EXPECT_VALUE;
                ++*at;
                continue;
            }
            if (c != (in_object(state) ? '}' : ']'))
                return LEAF_BROKEN;
            close_level(json, state);
            ++*at;
            continue;
        case EXPECT_NAME_OR_CLOSE:
            if (c == '}') {
                close_level(json, state);
                ++*at;
                continue;
            }
            /* fall through */
        case EXPECT_NAME:
            if (c != '"')
                return LEAF_BROKEN;
            if (walk_string(json, state, source, at, at_end, leaf, &step))
                return step;
            continue;
        case EXPECT_VALUE_OR_CLOSE:
            if (c == ']') {
                close_level(json, state);
                ++*at;
                continue;
            }
            /* fall through */
        case EXPECT_VALUE:
            if (c == '{' || c == '[') {
                if (!open_level(json, state, c == '{'))
                    return LEAF_BROKEN;
                ++*at;
            } else if (c == '"' ? walk_string(json, state, source, at, at_end, leaf, &step)
                                : walk_word(json, state, source, at, at_end, leaf, &step)) {
                return step;
            }
            continue;
        }
    }
}

/* --- leaves as they are written --------------------------------------------------------------- */

static size_t decode(const void *own, unsigned form, struct text inner, char *out)
{
    const struct json *json = own;
    (void)form;
    return rh_json_decode(inner, json->is_single_byte, out);
}

static void encode(const void *own, const struct leaf *leaf, struct text source, struct text masked,
                   struct buf *out)
{
    const struct json *json = own;
    if (leaf->form == FORM_PART) {
        rh_buf_add_text(out, masked);
        return;
    }
    if (masked.data == NULL && leaf->form != FORM_NAME) {
        rh_buf_add_str(out, "null");
        return;
    }
    if (leaf->form == FORM_NUMBER && rh_json_is_number(masked)) {
        rh_buf_add_text(out, masked);
        return;
    }
    rh_buf_add(out, "\"", 1);
    if (leaf->has_escapes)
        rh_json_encode_like(masked,
                            (struct text){source.data + leaf->start, leaf->end - leaf->start},
                            json->is_single_byte, out);
    else
        rh_json_encode(masked, out);
    rh_buf_add(out, "\"", 1);
}

static bool is_zero(struct text number)
{
    for (size_t i = 0; i < number.len && (number.data[i] | 0x20) != 'e'; i++)
        if (number.data[i] >= '1' && number.data[i] <= '9')
            return false;
    return true;
}

/* A number stays a number: no zero in front, and none of nothing but zeros, which has no sign. */
static bool accepts(const void *own, const struct leaf *leaf, struct text value, struct text masked)
{
    const struct json *json = own;
    if (leaf->form != FORM_NUMBER)
        return true;
    for (size_t i = 0; i < json->paths.count; i++)
        if (json->paths.items[i].map == leaf->map && !json->path_is_injective[i])
            return true;
    return rh_json_is_number(masked) && (is_zero(value) || !is_zero(masked));
}

static bool is_unsettled(const void *own, const void *state)
{
    return ((const struct json *)own)->is_binary &&
           ((const struct json_state *)state)->has_masked_names;
}

static void settle(const void *own, struct text made, struct arena *scratch, struct buf *out)
{
    (void)own;
    rh_json_settle(made, scratch, out);
}

static bool enter(const void *own, void *state_memory, struct text source, size_t at,
                  struct leaf *leaf)
{
    const struct json *json = own;
    struct json_state *state = state_memory;
    if (source.data[at] != '"')
        return false;
    *leaf = (struct leaf){.open = at, .start = at + 1, .map = LEAF_TEXT, .form = FORM_STRING};
    if (state->expected == EXPECT_NAME || state->expected == EXPECT_NAME_OR_CLOSE) {
        leaf->form = FORM_NAME; /* so long a name is data */
        return true;
    }
    const struct json_path *path = path_in_force(json, state);
    if (path != NULL)
        leaf->map = (unsigned)path->map; /* with rule json the first is that of text */
    return true;
}

static bool part(const void *own, unsigned form, struct text inner, bool at_end, size_t *ret_len)
{
    (void)own;
    (void)form;
    bool has_escapes, is_broken;
    if (find_quote(inner, 0, ret_len, &has_escapes, &is_broken))
        return true;
    *ret_len = at_end ? inner.len : rh_json_whole_bytes(inner);
    return at_end;
}

static void encode_part(const void *own, unsigned form, struct text masked, struct buf *out)
{
    (void)own;
    (void)form;
    rh_json_encode(masked, out);
}

static size_t leave(const void *own, void *state_memory, unsigned form)
{
    const struct json *json = own;
    struct json_state *state = state_memory;
    if (form == FORM_NAME)
        take_name(json, state, (struct text){"", 0});
    else
        value_ended(json, state);
    return 1;
}

static const struct leaf_format format = {
    .state_bytes = sizeof(struct json_state),
    .begin = begin,
    .next = next,
    .decode = decode,
    .encode = encode,
    .accepts = accepts,
    .is_unsettled = is_unsettled,
    .settle = settle,
    .enter = enter,
    .part = part,
    .encode_part = encode_part,
    .leave = leave,
};

/* --- the kind --------------------------------------------------------------------------------- */

static enum err_code open_path(struct mask_map *map, struct json *json, size_t index,
                               struct leaf_maps *maps, struct arena *arena, struct err *err)
{
    const struct mask_path *given = &map->options.paths[index];
    struct json_path *path = &json->paths.items[index];
    enum err_code code = rh_json_path_parse(given->path, arena, path, err);
    if (code != RH_OK)
        return code;
    path->rule = given->rule;
    path->map = maps->list.count;
    json->path_is_injective[index] = rh_mask_rule_is_injective(given->rule);
    if (given->rule != MASK_JSON && given->rule != MASK_DATE)
        return rh_leaf_maps_add(maps, map, given->rule, given->domain, arena, err);
    /* Dates that are none are text: all kinds are at hand, too. */
    code = rh_leaf_maps_add_kinds(maps, map, given->domain, arena, err);
    if (code != RH_OK)
        return code;
    memcpy(json->path_kinds + index * LEAF_KIND_COUNT, maps->list.items + path->map,
           LEAF_KIND_COUNT * sizeof(struct mask_map *));
    if (given->rule == MASK_DATE)
        path->map += LEAF_DATE;
    return RH_OK;
}

static enum err_code open_json(struct mask_map *map, struct arena *arena, struct err *err)
{
    const char *type = map->options.type;
    bool is_json = type != NULL && (strcmp(type, "json") == 0 || strcmp(type, "jsonb") == 0);
    if (!is_json && !rh_mask_type_is_text(type))
        return rh_mask_refuse(map, "text", err);
    size_t paths = map->options.path_count;
    if (paths > JSON_PATHS_MAX)
        return rh_err_set(err, RH_ERR_USAGE, "a column has %zu JSON paths; the most is %d", paths,
                          JSON_PATHS_MAX);
    struct json *json = RH_NEW(arena, struct json);
    json->is_binary = is_json && strcmp(type, "jsonb") == 0;
    json->is_single_byte = rh_leaves_is_single_byte(map);
    json->paths = (struct json_paths){rh_arena_alloc_array(arena, paths, sizeof(struct json_path)),
                                      paths};
    json->path_is_injective = rh_arena_alloc_array(arena, paths, sizeof(bool));
    json->path_kinds = rh_arena_alloc_array(arena, paths * LEAF_KIND_COUNT,
                                            sizeof(struct mask_map *));
    struct leaf_maps maps = {{NULL}};
    enum err_code code = rh_leaf_maps_add_kinds(&maps, map, NULL, arena, err);
    if (code == RH_OK)
        memcpy(json->kinds, maps.list.items, sizeof json->kinds);
    for (size_t i = 0; i < paths && code == RH_OK; i++)
        code = open_path(map, json, i, &maps, arena, err);
    if (code != RH_OK) {
        rh_leaf_maps_free(&maps);
        return code;
    }
    map->own = rh_leaves_new(&format, json, maps.list.items, maps.list.count);
    return RH_OK;
}

const struct mask_kind rh_mask_json = LEAVES_KIND(open_json);
