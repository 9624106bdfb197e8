/*
 * What mask_json.c, mask_json_text.c and mask_json_path.c share.
 */
#ifndef RH_MASK_MASK_JSON_INT_H
#define RH_MASK_MASK_JSON_INT_H

#include "mask/mask_leaf_kinds.h"

/* Deeper nesting is mapped as text. (The server's own limit is its stack: some 6,000 levels with
   max_stack_depth at its default of 2 MB.) */
#define JSON_DEPTH_MAX 16384
/* Rules by path reach that deep; what lies deeper has the rule of its ancestor there. */
#define JSON_PATH_DEPTH 32
/* Rules of one column: a bit each. */
#define JSON_PATHS_MAX 64

/* --- mask_json_path.c: rules by path ---------------------------------------------------------- */

struct json_step {
    const char *name; /* of a member; NULL: of any member, or, in an array, any item */
    bool is_item;
};

struct json_path {
    VEC(struct json_step) steps;
    enum mask_rule rule;
    size_t map; /* of the leaves; with MASK_JSON the first of LEAF_KIND_COUNT */
};

struct json_paths {
    struct json_path *items;
    size_t count;
};

/* "$", then ".name", ".*", "[*]" or ["any name"], again and again. */
enum err_code rh_json_path_parse(const char *text, struct arena *arena, struct json_path *ret_path,
                                 struct err *err) RH_MUST_CHECK;

/* Which rules still fit, at each level. */
struct json_place {
    size_t depth;
    struct {
        uint64_t live; /* rules that fit so far */
        int16_t rule;  /* in force here; -1: none */
    } levels[JSON_PATH_DEPTH + 1];
};
void rh_json_place_begin(const struct json_paths *paths, struct json_place *place);
/* Steps into the member (or, with name.data NULL, the item) below the current one. */
void rh_json_place_enter(const struct json_paths *paths, struct json_place *place,
                         struct text name);
void rh_json_place_leave(struct json_place *place);
static inline int rh_json_place_rule(const struct json_place *place)
{
    return place->levels[place->depth < JSON_PATH_DEPTH ? place->depth : JSON_PATH_DEPTH].rule;
}

/* --- mask_json_text.c: strings and numbers as they are written -------------------------------- */

/* A string's inside to its value: \u escapes become UTF-8, or a letter where the encoding has one
   byte for a character; what is half a pair becomes U+FFFD. `out` has room for inner.len. */
size_t rh_json_decode(struct text inner, bool is_single_byte, char *out);
/* How much of the beginning of a string's inside ends with no half of an escape or a pair. */
size_t rh_json_whole_bytes(struct text inner);
/* The inside of a string that says `value`, escaped as jsonb's output is. */
void rh_json_encode(struct text value, struct buf *out);
/* The same, each character as the one in its place in `pattern` was written, where there are as
   many. */
void rh_json_encode_like(struct text value, struct text pattern, bool is_single_byte,
                         struct buf *out);
bool rh_json_is_number(struct text text);
/* Members of objects in jsonb's order: shorter names first, then by bytes. `made` is valid, as
   jsonb's output. */
void rh_json_settle(struct text made, struct arena *scratch, struct buf *out);

#endif
