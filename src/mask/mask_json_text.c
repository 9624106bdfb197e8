#include "mask/mask_character.h"
#include "mask/mask_json_int.h"

#include <stdlib.h>

#define REPLACEMENT UINT32_C(0xfffd)

/* XXXX of \uXXXX; -1: it is not all here. */
static int32_t read_unit(const char *at, const char *end)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    int32_t unit = 0;
    for (int i = 2; i < 6; i++) {
        int digit = rh_hex_value(at[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* How a character of a JSON string is written. */
struct written {
    size_t len;     /* bytes in the text */
    uint32_t point; /* of an escape */
    enum { WRITTEN_RAW, WRITTEN_SHORT, WRITTEN_UNIT, WRITTEN_HALF } form;
};

static struct written read_written(const char *at, const char *end, bool is_single_byte)
{
    if (*at != '\\' || end - at < 2)
        return (struct written){
            rh_character_bytes((struct text){at, (size_t)(end - at)}, 0, is_single_byte), 0,
            WRITTEN_RAW};
    int32_t unit = read_unit(at, end);
    if (unit < 0) {
        static const char letters[] = "b\bf\fn\nr\rt\t";
        const char *found = strchr(letters, at[1]);
        return (struct written){2, found != NULL ? (unsigned char)found[1] : (unsigned char)at[1],
                                WRITTEN_SHORT};
    }
    if (unit < 0xd800 || unit > 0xdfff)
        return (struct written){6, (uint32_t)unit, WRITTEN_UNIT};
    int32_t low = unit < 0xdc00 ? read_unit(at + 6, end) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return (struct written){6, REPLACEMENT, WRITTEN_HALF};
    uint32_t point = 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    return (struct written){12, point, WRITTEN_UNIT};
}

size_t rh_json_whole_bytes(struct text inner)
{
    const char *at = inner.data, *end = inner.data + inner.len;
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        size_t len = 2;
        if (end - at >= 2 && at[1] == 'u') {
            int32_t unit = read_unit(at, end);
            bool may_be_pair = unit >= 0xd800 && unit < 0xdc00;
            if (end - at < 6 || (may_be_pair && end - at < 12))
                break;
            len = read_written(at, end, false).len;
        }
        if ((size_t)(end - at) < len)
            break;
        at += len;
    }
    return at != NULL ? (size_t)(at - inner.data) : inner.len;
}

size_t rh_json_decode(struct text inner, bool is_single_byte, char *out)
{
    const char *at = inner.data, *end = inner.data + inner.len;
    size_t written = 0;
    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((backslash != NULL ? backslash : end) - at);
        memcpy(out + written, at, plain);
        written += plain;
        at += plain;
        if (at == end)
            break;
        struct written character = read_written(at, end, is_single_byte);
        if (character.form == WRITTEN_RAW)
            out[written++] = *at; /* a backslash at the very end */
        else if (is_single_byte && character.point >= 0x80)
            out[written++] = 'x';
        else
            written += rh_character_put(character.point, out + written);
        at += character.len;
    }
    return written;
}

static void put_unit(uint32_t unit, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";
    const char text[6] = {'\\',
                          'u',
                          digits[unit >> 12 & 15],
                          digits[unit >> 8 & 15],
                          digits[unit >> 4 & 15],
                          digits[unit & 15]};
    rh_buf_add(out, text, sizeof text);
}

/* As escape_json of the server. */
static void put_character(const char *at, size_t len, struct buf *out)
{
    static const char letters[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    unsigned char c = (unsigned char)*at;
    if (c >= 0x20 && c != '"' && c != '\\') {
        rh_buf_add(out, at, len);
        return;
    }
    for (size_t i = 0; i + 1 < sizeof letters - 1; i += 2)
        if (letters[i] == (char)c) {
            const char escape[2] = {'\\', letters[i + 1]};
            rh_buf_add(out, escape, 2);
            return;
        }
    put_unit(c, out);
}

void rh_json_encode(struct text value, struct buf *out)
{
    size_t plain = 0; /* from here on, nothing was written yet */
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        rh_buf_add(out, value.data + plain, i - plain);
        put_character(value.data + i, 1, out);
        plain = i + 1;
    }
    rh_buf_add(out, value.data + plain, value.len - plain);
}

static size_t count_written(struct text pattern, bool is_single_byte)
{
    size_t count = 0;
    const char *at = pattern.data, *end = pattern.data + pattern.len;
    for (; at < end; count++)
        at += read_written(at, end, is_single_byte).len;
    return count;
}

void rh_json_encode_like(struct text value, struct text pattern, bool is_single_byte,
                         struct buf *out)
{
    size_t characters = 0;
    for (size_t at = 0; at < value.len; characters++)
        at += rh_character_bytes(value, at, is_single_byte);
    if (characters != count_written(pattern, is_single_byte)) {
        rh_json_encode(value, out);
        return;
    }
    const char *was = pattern.data, *was_end = pattern.data + pattern.len;
    for (size_t at = 0; at < value.len;) {
        struct written written = read_written(was, was_end, is_single_byte);
        struct text character = {value.data + at, rh_character_bytes(value, at, is_single_byte)};
        uint32_t point = rh_character_point(character);
        if (written.form != WRITTEN_RAW && point == written.point) {
            rh_buf_add(out, was, written.len);
        } else if (written.form == WRITTEN_RAW || written.form == WRITTEN_SHORT) {
            put_character(character.data, character.len, out);
        } else if (point < 0x10000) {
            put_unit(point, out);
        } else {
            put_unit(0xd800 + ((point - 0x10000) >> 10), out);
            put_unit(0xdc00 + ((point - 0x10000) & 0x3ff), out);
        }
        at += character.len;
        was += written.len;
    }
}

bool rh_json_is_number(struct text text)
{
    const char *at = text.data, *end = text.data + text.len;
    at += at < end && *at == '-';
    const char *whole = at;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    if (at == whole || (*whole == '0' && at - whole > 1))
        return false;
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        while (at < end && *at >= '0' && *at <= '9')
            at++;
        if (at == fraction)
            return false;
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        const char *exponent = at;
        while (at < end && *at >= '0' && *at <= '9')
            at++;
        if (at == exponent)
            return false;
    }
    return at == end;
}

/* --- jsonb's order ---------------------------------------------------------------------------- */

struct member {
    size_t start, end; /* "name": value */
    struct text name;
};

struct level {
    bool is_object;
    size_t first; /* of its members */
};

static int compare_members(const void *left, const void *right)
{
    const struct member *a = left, *b = right;
    if (a->name.len != b->name.len)
        return a->name.len < b->name.len ? -1 : 1;
    return memcmp(a->name.data, b->name.data, a->name.len);
}

/* Behind the string that begins at `at`. */
static size_t skip_string(struct text text, size_t at)
{
    for (at++; at < text.len && text.data[at] != '"'; at++)
        at += text.data[at] == '\\';
    return at < text.len ? at + 1 : text.len;
}

static void sort_members(char *text, struct member *members, size_t count, struct arena *scratch)
{
    bool is_sorted = true;
    for (size_t i = 1; i < count && is_sorted; i++)
        is_sorted = compare_members(&members[i - 1], &members[i]) <= 0;
    if (is_sorted)
        return;
    size_t start = members[0].start, len = members[count - 1].end - start;
    char *sorted = rh_arena_alloc(scratch, len), *at = sorted;
    qsort(members, count, sizeof *members, compare_members);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            *at++ = ',';
            *at++ = ' ';
        }
        memcpy(at, text + members[i].start, members[i].end - members[i].start);
        at += members[i].end - members[i].start;
    }
    RH_ASSERT(at == sorted + len);
    memcpy(text + start, sorted, len);
}

void rh_json_settle(struct text made, struct arena *scratch, struct buf *out)
{
    size_t base = out->len;
    rh_buf_add_text(out, made);
    if (out->failed)
        return;
    char *data = out->data + base;
    struct text text = {data, made.len};
    VEC(struct level) levels = {NULL};
    VEC(struct member) members = {NULL};
    for (size_t at = 0; at < text.len; at++) {
        char c = data[at];
        struct level *level = levels.count > 0 ? &levels.items[levels.count - 1] : NULL;
        if (c == '{' || c == '[') {
            size_t first = members.count;
            *RH_PUSH(scratch, &levels) = (struct level){c == '{', first};
        } else if (c == '"') {
            size_t end = skip_string(text, at);
            if (level != NULL && level->is_object && end < text.len && data[end] == ':') {
                struct text inner = {data + at + 1, end - at - 2};
                char *name = rh_arena_alloc(scratch, inner.len);
                size_t len = rh_json_decode(inner, false, name);
                *RH_PUSH(scratch, &members) = (struct member){at, 0, {name, len}};
            }
            at = end - 1;
        } else if (level != NULL && (c == ',' || c == '}' || c == ']')) {
            if (level->is_object && members.count > level->first)
                members.items[members.count - 1].end = at;
            if (c == ',')
                continue;
            if (level->is_object && members.count > level->first)
                sort_members(data, members.items + level->first, members.count - level->first,
                             scratch);
            members.count = level->first;
            levels.count--;
        }
    }
}
