#include "workload/value_member.h"

#include <jansson.h>
#include <stdlib.h>

#define BARE_VALUE (JSON_ENCODE_ANY | JSON_COMPACT)

const char *rh_value_members(const char *name)
{
    return strstr(name, "->");
}

/* The next name behind "->" or "->>"; false: there is none. */
static bool next_member(const char **rest, struct text *ret_name, bool *ret_is_text)
{
    const char *from = *rest, *end;

    if (!*from)
        return false;
    from += 2;
    *ret_is_text = *from == '>';
    from += *ret_is_text;
    end = rh_value_members(from);
    *rest = end ? end : from + strlen(from);
    *ret_name = (struct text){from, (size_t)(*rest - from)};
    return true;
}

static bool is_element(struct text name)
{
    return rh_text_is(name, "[]");
}

/* What is wrapped, as the column's text has it: a number is one there, as most numbers are. */
static json_t *value_of(struct text value, bool is_text)
{
    int64_t number;

    if (!is_text || rh_text_parse_int64(value, &number))
        return json_loadb(value.data, value.len, JSON_DECODE_ANY, NULL);
    return json_stringn(value.data, value.len);
}

static json_t *wrap(json_t *value, const char *members)
{
    struct text name;
    bool is_text;

    if (!value || !next_member(&members, &name, &is_text))
        return value;

    json_t *inner = wrap(value, members);
    json_t *outer = is_element(name) ? json_array() : json_object();

    if (is_element(name) ? json_array_append_new(outer, inner)
                         : json_object_setn_new(outer, name.data, name.len, inner)) {
        json_decref(outer);
        return NULL;
    }
    return outer;
}

/* What stands where the value was. Its member's name may have been masked, too. */
static json_t *unwrap(json_t *document, const char *members, bool *ret_is_text)
{
    struct text name;

    while (document && next_member(&members, &name, ret_is_text))
        document = is_element(name) ? json_array_get(document, 0)
                                    : json_object_iter_value(json_object_iter(document));
    return document;
}

static bool take_out(json_t *document, const char *members, struct arena *arena,
                     struct text *ret_masked)
{
    bool is_text = false;
    json_t *value = unwrap(document, members, &is_text);

    if (!value || (is_text && json_is_null(value)))
        return false;
    if (is_text && json_is_string(value)) {
        size_t length = json_string_length(value);

        *ret_masked = (struct text){rh_arena_memdup(arena, json_string_value(value), length),
                                    length};
        return true;
    }

    char *text = json_dumps(value, BARE_VALUE);

    if (!text)
        return false;
    *ret_masked = rh_text(rh_arena_strdup(arena, text));
    free(text);
    return true;
}

bool rh_value_member_mask(struct mask_map *map, const char *members, struct text value,
                          struct arena *arena, struct text *ret_masked)
{
    const char *last = members;
    struct text name, original, masked = {0};
    bool is_text = false, is_masked = false;
    char *wrapped;

    while (next_member(&last, &name, &is_text))
        ;

    json_t *document = wrap(value_of(value, is_text), members);

    if (!document)
        return false;
    wrapped = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    if (!wrapped)
        return false;
    original = rh_text(wrapped);
    rh_mask_map_apply(map, &original, 1, arena, &masked);
    document = masked.data ? json_loadb(masked.data, masked.len, 0, NULL) : NULL;
    if (document)
        is_masked = take_out(document, members, arena, ret_masked);
    json_decref(document);
    free(wrapped);
    return is_masked;
}
