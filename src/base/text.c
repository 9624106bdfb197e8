#include "base/text.h"

#include "base/text_int.h"

#include <stdio.h>
#include <stdlib.h>

/* First allocation of a buffer: a line of output fits. */
#define BUF_FIRST_BYTES ((size_t)256)

bool rh_text_equals(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool rh_text_is(struct text a, const char *s)
{
    return rh_text_equals(a, rh_text(s));
}

bool rh_text_starts_with(struct text a, const char *prefix)
{
    size_t len = strlen(prefix);
    return a.len >= len && (len == 0 || memcmp(a.data, prefix, len) == 0);
}

bool rh_text_ends_with(struct text a, const char *suffix)
{
    size_t len = strlen(suffix);
    return a.len >= len && (len == 0 || memcmp(a.data + a.len - len, suffix, len) == 0);
}

/* isspace() would follow the locale. */
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

struct text rh_text_trim(struct text a)
{
    while (a.len > 0 && is_space(a.data[0])) {
        a.data++;
        a.len--;
    }
    while (a.len > 0 && is_space(a.data[a.len - 1]))
        a.len--;
    return a;
}

char *rh_text_dup(struct arena *arena, struct text a)
{
    char *copy = rh_arena_alloc(arena, a.len + 1);
    if (a.len > 0)
        memcpy(copy, a.data, a.len);
    return copy;
}

bool rh_text_take_int64(struct text *rest, int64_t *ret_value)
{
    size_t at = 0;
    bool is_negative = false;
    if (rest->len > 0 && (rest->data[0] == '-' || rest->data[0] == '+')) {
        is_negative = rest->data[0] == '-';
        at = 1;
    }
    size_t first_digit = at;
    int64_t value = 0;
    for (; at < rest->len && is_digit(rest->data[at]); at++) {
        int64_t digit = rest->data[at] - '0';
        /* Counted down from zero when negative: INT64_MIN has no positive twin. */
        if (__builtin_mul_overflow(value, INT64_C(10), &value) ||
            __builtin_add_overflow(value, is_negative ? -digit : digit, &value))
            return false;
    }
    if (at == first_digit)
        return false;
    rest->data += at;
    rest->len -= at;
    *ret_value = value;
    return true;
}

bool rh_text_parse_int64(struct text a, int64_t *ret_value)
{
    int64_t value;
    if (!rh_text_take_int64(&a, &value) || a.len != 0)
        return false;
    *ret_value = value;
    return true;
}

void rh_text_hex(const void *bytes, size_t count, char *out)
{
    const unsigned char *from = bytes;

    for (size_t i = 0; i < count; i++) {
        *out++ = "0123456789abcdef"[from[i] >> 4];
        *out++ = "0123456789abcdef"[from[i] & 15];
    }
    *out = 0;
}

bool rh_text_parse_hex(struct text a, void *bytes, size_t count)
{
    unsigned char *to = bytes;

    if (a.len != 2 * count)
        return false;
    for (size_t i = 0; i < count; i++) {
        int high = rh_hex_value(a.data[2 * i]), low = rh_hex_value(a.data[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        to[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/*
 * Length of the valid UTF-8 character at the start of s, 0 when there is none (RFC 3629: no
 * overlong forms, no surrogates, nothing above U+10FFFF).
 */
static size_t decode(const char *s, size_t len, uint32_t *ret_code_point)
{
    const unsigned char *u = (const unsigned char *)s;
    if (len == 0)
        return 0;
    if (u[0] < 0x80) {
        *ret_code_point = u[0];
        return 1;
    }
    size_t size;
    uint32_t code_point, least;
    if (u[0] >= 0xc2 && u[0] <= 0xdf) {
        size = 2;
        code_point = u[0] & 0x1fU;
        least = 0x80;
    } else if ((u[0] & 0xf0) == 0xe0) {
        size = 3;
        code_point = u[0] & 0x0fU;
        least = 0x800;
    } else if (u[0] >= 0xf0 && u[0] <= 0xf4) {
        size = 4;
        code_point = u[0] & 0x07U;
        least = 0x10000;
    } else {
        return 0;
    }
    if (len < size)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
        code_point = code_point << 6 | (u[i] & 0x3fU);
    }
    if (code_point < least || code_point > 0x10ffff ||
        (code_point >= 0xd800 && code_point <= 0xdfff))
        return 0;
    *ret_code_point = code_point;
    return size;
}

size_t rh_text_utf8_valid_prefix(struct text a)
{
    size_t at = 0;
    while (at < a.len) {
        uint32_t code_point;
        size_t size = decode(a.data + at, a.len - at, &code_point);
        if (size == 0)
            return at;
        at += size;
    }
    return a.len;
}

/* The next character and its width; a byte that is no UTF-8 is a character of one column. */
static size_t next_character(struct text a, size_t at, size_t *ret_columns)
{
    uint32_t code_point;
    size_t size = decode(a.data + at, a.len - at, &code_point);
    if (size == 0) {
        *ret_columns = 1;
        return 1;
    }
    *ret_columns = rh_text_width_of(code_point);
    return size;
}

size_t rh_text_columns(struct text a)
{
    size_t columns = 0;
    for (size_t at = 0; at < a.len;) {
        size_t width;
        at += next_character(a, at, &width);
        columns += width;
    }
    return columns;
}

char *rh_text_one_line(struct arena *arena, struct text a, size_t max_columns)
{
    static const char ellipsis[] = "\xe2\x80\xa6"; /* U+2026, one column */
    a = rh_text_trim(a);
    char *out = rh_arena_alloc(arena, a.len + sizeof ellipsis);
    size_t len = 0;
    size_t columns = 0;
    size_t cut_len = 0; /* where the ellipsis goes if the next character does not fit */
    for (size_t at = 0; at < a.len;) {
        size_t width = 1;
        size_t size = 1;
        bool blank = is_space(a.data[at]);
        if (blank) {
            while (at + size < a.len && is_space(a.data[at + size]))
                size++;
        } else {
            size = next_character(a, at, &width);
        }
        if (columns + width > max_columns) {
            if (max_columns == 0)
                cut_len = 0;
            else
                memcpy(out + cut_len, ellipsis, sizeof ellipsis);
            out[cut_len + (max_columns == 0 ? 0 : sizeof ellipsis - 1)] = '\0';
            return out;
        }
        if (blank) {
            out[len++] = ' ';
        } else {
            memcpy(out + len, a.data + at, size);
            len += size;
        }
        columns += width;
        at += size;
        if (columns + 1 <= max_columns)
            cut_len = len;
    }
    out[len] = '\0';
    return out;
}

int rh_text_natural_compare(const char *a, const char *b)
{
    const char *x = a;
    const char *y = b;
    while (*x != '\0' && *y != '\0') {
        if (is_digit(*x) && is_digit(*y)) {
            while (*x == '0')
                x++;
            while (*y == '0')
                y++;
            size_t x_len = strspn(x, "0123456789");
            size_t y_len = strspn(y, "0123456789");
            if (x_len != y_len)
                return x_len < y_len ? -1 : 1;
            int order = memcmp(x, y, x_len);
            if (order != 0)
                return order < 0 ? -1 : 1;
            x += x_len;
            y += y_len;
            continue;
        }
        if (*x != *y)
            return (unsigned char)*x < (unsigned char)*y ? -1 : 1;
        x++;
        y++;
    }
    if (*x != *y)
        return *x == '\0' ? -1 : 1;
    /* Equal but for leading zeros: a total order all the same, so that listings are stable. */
    int order = strcmp(a, b);
    return order < 0 ? -1 : order > 0;
}

struct text_position rh_text_position(struct text a, size_t offset)
{
    struct text_position position = {.line = 1, .column = 1};
    if (offset > a.len)
        offset = a.len;
    for (size_t at = 0; at < offset;) {
        size_t width;
        char c = a.data[at];
        at += next_character(a, at, &width);
        if (at > offset)
            break; /* inside a character: its own column */
        if (c == '\n') {
            position.line++;
            position.column = 1;
        } else {
            position.column++;
        }
    }
    return position;
}

void rh_buf_init(struct buf *buf, size_t max_bytes)
{
    *buf = (struct buf){.max = max_bytes};
}

void rh_buf_deinit(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

void rh_buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

/* Room for `extra` bytes and the NUL; the caller has checked the cap. */
static void reserve(struct buf *buf, size_t extra)
{
    size_t needed = buf->len + extra + 1;
    if (needed <= buf->capacity)
        return;
    size_t capacity = buf->capacity > 0 ? buf->capacity : BUF_FIRST_BYTES;
    while (capacity < needed)
        capacity *= 2;
    if (capacity > buf->max + 1 && buf->max + 1 >= needed)
        capacity = buf->max + 1;
    char *grown = realloc(buf->data, capacity);
    if (grown == NULL)
        RH_PANIC("out of memory (%zu bytes)", capacity);
    buf->data = grown;
    buf->capacity = capacity;
}

void rh_buf_add(struct buf *buf, const void *data, size_t len)
{
    size_t room = buf->max - buf->len;
    if (len > room) {
        buf->failed = true;
        len = room;
    }
    reserve(buf, len);
    if (len > 0)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void rh_buf_add_text(struct buf *buf, struct text text)
{
    rh_buf_add(buf, text.data, text.len);
}

void rh_buf_add_str(struct buf *buf, const char *s)
{
    rh_buf_add(buf, s, strlen(s));
}

void rh_buf_add_char(struct buf *buf, char c)
{
    if (buf->len >= buf->max || buf->len + 1 >= buf->capacity) {
        rh_buf_add(buf, &c, 1);
        return;
    }
    buf->data[buf->len++] = c;
    buf->data[buf->len] = '\0';
}

void rh_buf_printf(struct buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    rh_buf_vprintf(buf, fmt, args);
    va_end(args);
}

void rh_buf_vprintf(struct buf *buf, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int wanted = vsnprintf(NULL, 0, fmt, args);
    if (wanted < 0)
        RH_PANIC("cannot format \"%s\"", fmt);
    size_t len = (size_t)wanted;
    size_t room = buf->max - buf->len;
    if (len > room) {
        buf->failed = true;
        len = room;
    }
    reserve(buf, len);
    vsnprintf(buf->data + buf->len, len + 1, fmt, again);
    va_end(again);
    buf->len += len;
}

void rh_buf_consume(struct buf *buf, size_t len)
{
    RH_ASSERT(len <= buf->len);
    if (len == 0)
        return;
    memmove(buf->data, buf->data + len, buf->len - len + 1);
    buf->len -= len;
}
