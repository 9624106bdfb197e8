#include "mask/binary_value.h"

#include "base/big_endian.h"

#include <stdio.h>

/* MAXDIM of the server. */
#define ARRAY_DIMENSIONS_MAX 6
/* The length of SQL NULL. */
#define NULL_LENGTH UINT32_MAX

static struct text apply(struct mask_map *map, struct text value, struct arena *arena)
{
    struct text masked;

    rh_mask_map_apply(map, &value, 1, arena, &masked);
    return masked;
}

static bool has_text_form(const struct catalog_column *column)
{
    static const char *const types[] = {"text", "varchar", "bpchar", "name",
                                        "json", "xml",     "citext", "public.citext"};

    if (column->is_array)
        return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(column->base_type, types[i]) == 0)
            return true;
    return column->type_kind == 'e';
}

static bool is_type(const struct catalog_column *column, const char *name)
{
    return !column->is_array && strcmp(column->base_type, name) == 0;
}

/* A big-endian integer of 2, 4 or 8 bytes through its text. Unknown: it does not fit any more. */
static enum binary_value apply_integer(struct mask_map *map, struct text value, struct arena *arena,
                                       struct text *ret_masked)
{
    char digits[32], *out = rh_arena_alloc(arena, value.len);
    uint64_t bits = (unsigned char)value.data[0] & 0x80 ? UINT64_MAX : 0;
    int64_t number;
    struct text masked;

    for (size_t i = 0; i < value.len; i++)
        bits = bits << 8 | (unsigned char)value.data[i];
    snprintf(digits, sizeof(digits), "%lld", (long long)(int64_t)bits);
    masked = apply(map, rh_text(digits), arena);
    if (!masked.data)
        return BINARY_VALUE_NULL;
    if (!rh_text_parse_int64(masked, &number) ||
        (value.len < 8 && (number >= INT64_C(1) << (8 * value.len - 1) ||
                           number < -(INT64_C(1) << (8 * value.len - 1)))))
        return BINARY_VALUE_UNKNOWN;
    for (size_t i = 0; i < value.len; i++)
        out[i] = (char)((uint64_t)number >> 8 * (value.len - 1 - i));
    *ret_masked = (struct text){out, value.len};
    return BINARY_VALUE_MASKED;
}

static enum binary_value apply_hex(struct mask_map *map, struct text value, const char *prefix,
                                   bool is_uuid, struct arena *arena, struct text *ret_masked)
{
    char *text = rh_arena_alloc(arena, 2 * value.len + 8),
         *out = rh_arena_alloc(arena, value.len + 1);
    size_t length = (size_t)snprintf(text, 8, "%s", prefix), filled = 0;
    struct text masked;

    for (size_t i = 0; i < value.len; i++) {
        if (is_uuid && (i == 4 || i == 6 || i == 8 || i == 10))
            text[length++] = '-';
        length += (size_t)snprintf(text + length, 3, "%02x", (unsigned char)value.data[i]);
    }
    masked = apply(map, (struct text){text, length}, arena);
    if (!masked.data)
        return BINARY_VALUE_NULL;
    for (size_t i = strlen(prefix); i + 1 < masked.len && filled < value.len;) {
        int high = rh_hex_value(masked.data[i]), low = rh_hex_value(masked.data[i + 1]);

        if (masked.data[i] == '-') {
            i++;
            continue;
        }
        if (high < 0 || low < 0)
            return BINARY_VALUE_UNKNOWN;
        out[filled++] = (char)(high << 4 | low);
        i += 2;
    }
    *ret_masked = (struct text){out, filled};
    return filled == value.len ? BINARY_VALUE_MASKED : BINARY_VALUE_UNKNOWN;
}

/* A version, which is 1, and the document's text. */
static enum binary_value apply_jsonb(struct mask_map *map, struct text value, struct arena *arena,
                                     struct text *ret_masked)
{
    struct text masked = apply(map, (struct text){value.data + 1, value.len - 1}, arena);
    char *out = masked.data ? rh_arena_alloc(arena, masked.len + 1) : NULL;

    if (!out)
        return BINARY_VALUE_NULL;
    out[0] = 1;
    memcpy(out + 1, masked.data, masked.len);
    *ret_masked = (struct text){out, masked.len + 1};
    return BINARY_VALUE_MASKED;
}

enum binary_value rh_mask_binary_value(struct mask_map *map, const struct catalog_column *column,
                                       struct text value, struct arena *arena,
                                       struct text *ret_masked)
{
    bool is_integer = is_type(column, "int2") || is_type(column, "int4") || is_type(column, "int8");
    struct text masked;

    if (has_text_form(column)) {
        masked = apply(map, value, arena);
        if (!masked.data)
            return BINARY_VALUE_NULL;
        *ret_masked = masked;
        return BINARY_VALUE_MASKED;
    }
    if (is_integer && (value.len == 2 || value.len == 4 || value.len == 8))
        return apply_integer(map, value, arena, ret_masked);
    if (is_type(column, "uuid") && value.len == 16)
        return apply_hex(map, value, "", true, arena, ret_masked);
    if (is_type(column, "bytea"))
        return apply_hex(map, value, "\\x", false, arena, ret_masked);
    if (is_type(column, "jsonb") && value.len > 1 && value.data[0] == 1)
        return apply_jsonb(map, value, arena, ret_masked);
    return BINARY_VALUE_UNKNOWN;
}

static void add_u32(struct buf *out, uint32_t value)
{
    char bytes[4];

    rh_store_be32(bytes, value);
    rh_buf_add(out, bytes, sizeof(bytes));
}

/* Adds an element's length and what it becomes. False: nobody can change it. */
static bool add_element(struct mask_map *map, const struct catalog_column *column,
                        struct text element, struct arena *arena, struct buf *out)
{
    struct text masked;
    enum binary_value how = rh_mask_binary_value(map, column, element, arena, &masked);

    add_u32(out, how == BINARY_VALUE_MASKED ? (uint32_t)masked.len : NULL_LENGTH);
    if (how == BINARY_VALUE_MASKED)
        rh_buf_add_text(out, masked);
    return how != BINARY_VALUE_UNKNOWN;
}

/* array_send: dimensions, flags, the type of an element; of each dimension its length and lower
   bound; of each element its length, and it. */
enum binary_value rh_mask_binary_array(struct mask_map *map, const struct catalog_column *column,
                                       struct text value, struct arena *arena,
                                       struct text *ret_masked)
{
    size_t dimensions = value.len >= 12 ? rh_load_be32(value.data) : SIZE_MAX, at;
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, 16 * value.len + 4096);
    if (dimensions > ARRAY_DIMENSIONS_MAX || value.len < 12 + 8 * dimensions)
        return BINARY_VALUE_UNKNOWN;
    at = 12 + 8 * dimensions;
    rh_buf_add(&out, value.data, at);
    while (at < value.len) {
        uint32_t length = value.len - at >= 4 ? rh_load_be32(value.data + at) : 0;
        struct text element = {value.data + at + 4, length};

        if (value.len - at < 4 || (length != NULL_LENGTH && length > value.len - at - 4))
            return BINARY_VALUE_UNKNOWN;
        at += 4;
        if (length == NULL_LENGTH) {
            add_u32(&out, length);
            continue;
        }
        at += length;
        if (!add_element(map, column, element, arena, &out))
            return BINARY_VALUE_UNKNOWN;
    }
    if (out.failed)
        return BINARY_VALUE_UNKNOWN;
    *ret_masked = (struct text){rh_arena_memdup(arena, out.data, out.len), out.len};
    return BINARY_VALUE_MASKED;
}
