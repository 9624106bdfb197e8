/*
 * Text: {pointer, length} views, and a capped buffer to build text in.
 *
 * A `struct text` owns nothing and need not end in NUL. A `struct buf` owns its bytes, keeps a NUL
 * behind them, never grows beyond the cap given at creation, and has a sticky `failed` flag that is
 * checked once at the end (what did not fit is dropped, the flag says so).
 */
#ifndef RH_BASE_TEXT_H
#define RH_BASE_TEXT_H

#include "base/arena.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *data;
    size_t len;
};

#define TEXT_LITERAL(s) ((struct text){(s), sizeof(s) - 1})
static inline struct text rh_text(const char *s)
{
    return (struct text){s, s ? strlen(s) : 0};
}
bool rh_text_equals(struct text a, struct text b);
bool rh_text_is(struct text a, const char *s);
bool rh_text_starts_with(struct text a, const char *prefix);
bool rh_text_ends_with(struct text a, const char *suffix);
struct text rh_text_trim(struct text a); /* ASCII white space at both ends */
char *rh_text_dup(struct arena *arena, struct text a);

/* Takes a decimal number, perhaps with a sign, off the front of *rest. False, and nothing taken,
   when there is none or it does not fit. */
bool rh_text_take_int64(struct text *rest, int64_t *ret_value);
/* The same for a text that is a number and nothing else. */
bool rh_text_parse_int64(struct text a, int64_t *ret_value);

/* Of a hexadecimal digit in either case; -1: it is none. */
static inline int rh_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Two digits for each byte, in small letters, and a NUL. */
void rh_text_hex(const void *bytes, size_t count, char *out);
/* Back, capitals too; false for anything but 2 * count digits, and `bytes` is in no state then. */
bool rh_text_parse_hex(struct text a, void *bytes, size_t count);

/* Takes that character off the front of *rest. */
static inline bool rh_text_take_char(struct text *rest, char c)
{
    if (rest->len == 0 || rest->data[0] != c)
        return false;
    rest->data++;
    rest->len--;
    return true;
}

/* Offset of the first byte that is not valid UTF-8, or `len` when all is. */
size_t rh_text_utf8_valid_prefix(struct text a);
/* Columns on a terminal (wcwidth of each character, 1 for what is not printable). */
size_t rh_text_columns(struct text a);
/* One line, white space collapsed to single blanks, cut to `max_columns` with an ellipsis. */
char *rh_text_one_line(struct arena *arena, struct text a, size_t max_columns);
/* The order of file names that hold numbers: "2_x" < "10_x"; digit runs compare as numbers. */
int rh_text_natural_compare(const char *a, const char *b);

/* 1-based line and column (in characters) of a byte offset. */
struct text_position {
    size_t line, column;
};
struct text_position rh_text_position(struct text a, size_t offset);

struct buf {
    char *data; /* NUL-terminated once anything was added; NULL before */
    size_t len, capacity, max;
    bool failed; /* something did not fit in max */
};

void rh_buf_init(struct buf *buf, size_t max_bytes);
void rh_buf_deinit(struct buf *buf);
void rh_buf_clear(struct buf *buf);
#define RH_CLEANUP_BUF __attribute__((cleanup(rh_buf_deinit)))
void rh_buf_add(struct buf *buf, const void *data, size_t len);
void rh_buf_add_text(struct buf *buf, struct text text);
void rh_buf_add_str(struct buf *buf, const char *s);
void rh_buf_add_char(struct buf *buf, char c);
void rh_buf_printf(struct buf *buf, const char *fmt, ...) RH_PRINTF(2, 3);
void rh_buf_vprintf(struct buf *buf, const char *fmt, va_list args) RH_PRINTF(2, 0);
void rh_buf_consume(struct buf *buf, size_t len); /* drops bytes at the front */
static inline struct text rh_buf_text(const struct buf *buf)
{
    return (struct text){buf->data ? buf->data : "", buf->len};
}

#endif
