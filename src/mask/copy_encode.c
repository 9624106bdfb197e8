#include "mask/copy_encode.h"

#include "mask/copy_text.h"

#include <stdlib.h>

struct copy_encode {
    const struct sql_copy_format *format;
    const struct copy_column *columns;
    size_t column_count, null_length;
    bool has_header, has_failed, is_over;

    size_t column;
    bool after_backslash, is_null;
    bool is_streamed; /* too large to hold: what was held is out, and csv's quote is open */
    struct buf held;  /* the field, unescaped */
};

struct copy_encode *rh_copy_encode_new(const struct sql_copy_format *format,
                                       const struct copy_column *columns, size_t column_count)
{
    struct copy_encode *encode = calloc(1, sizeof(*encode));

    if (!encode)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*encode));
    encode->format = format;
    encode->columns = columns;
    encode->column_count = column_count;
    encode->null_length = strlen(format->null);
    rh_buf_init(&encode->held, COPY_ENCODE_HELD_BYTES);
    return encode;
}

void rh_copy_encode_free(struct copy_encode *encode)
{
    if (encode)
        rh_buf_deinit(&encode->held);
    free(encode);
}

/* --- values ----------------------------------------------------------------------------------- */

static void add_csv(const struct copy_encode *encode, struct text value, struct buf *out)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == encode->format->quote || value.data[i] == encode->format->escape)
            rh_buf_add_char(out, encode->format->escape);
        rh_buf_add_char(out, value.data[i]);
    }
}

static void add_text(const struct copy_encode *encode, struct text value, struct buf *out)
{
    char escaped[2];

    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == encode->format->delimiter && encode->format->delimiter != '\t')
            rh_buf_add_char(out, '\\');
        rh_buf_add(out, escaped, rh_copy_escape((struct text){value.data + i, 1}, escaped));
    }
}

static void add_value(const struct copy_encode *encode, struct text value, struct buf *out)
{
    if (encode->format->kind == SQL_COPY_CSV)
        add_csv(encode, value, out);
    else
        add_text(encode, value, out);
}

static void add_quote(const struct copy_encode *encode, struct buf *out)
{
    if (encode->format->kind == SQL_COPY_CSV)
        rh_buf_add_char(out, encode->format->quote);
}

/* As CopyAttributeOutCSV has it; and a field that could be the end-of-data marker. */
static bool needs_quotes(const struct copy_encode *encode, struct text value)
{
    const struct sql_copy_format *format = encode->format;

    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] == format->delimiter || value.data[i] == format->quote ||
            value.data[i] == '\n' || value.data[i] == '\r')
            return true;
    return rh_text_is(value, "\\.");
}

static bool looks_null(const struct copy_encode *encode, struct text value)
{
    return value.len == encode->null_length &&
           memcmp(value.data, encode->format->null, value.len) == 0;
}

static bool end_csv(const struct copy_encode *encode, struct text value, struct buf *out)
{
    const struct copy_column *column = &encode->columns[encode->column];
    bool is_like_null = !encode->is_null && looks_null(encode, value);
    bool has_quotes = encode->is_null ? column->forces_null
                      : is_like_null  ? !column->forces_not_null
                                      : needs_quotes(encode, value);

    if (encode->is_null)
        value = rh_text(encode->format->null);
    if ((encode->is_null && !has_quotes && column->forces_not_null) ||
        (is_like_null && has_quotes && column->forces_null))
        return false;
    if (has_quotes)
        add_quote(encode, out);
    if (has_quotes)
        add_csv(encode, value, out);
    else
        rh_buf_add_text(out, value);
    if (has_quotes)
        add_quote(encode, out);
    return true;
}

static bool end_text(const struct copy_encode *encode, struct text value, struct buf *out)
{
    size_t before = out->len;

    if (encode->is_null) {
        rh_buf_add_str(out, encode->format->null);
        return true;
    }
    add_text(encode, value, out);
    if (out->failed ||
        !looks_null(encode, (struct text){out->data ? out->data + before : "", out->len - before}))
        return true;
    if (value.len == 0)
        return false;
    /* Another way to say its first byte. */
    out->len = before;
    rh_buf_printf(out, "\\%03o", (unsigned char)value.data[0]);
    add_text(encode, (struct text){value.data + 1, value.len - 1}, out);
    return true;
}

static bool end_field(struct copy_encode *encode, struct buf *out)
{
    struct text value = rh_buf_text(&encode->held);
    bool is_said = true;

    if (encode->is_streamed) {
        add_value(encode, value, out);
        add_quote(encode, out);
    } else if (encode->format->kind == SQL_COPY_CSV) {
        is_said = end_csv(encode, value, out);
    } else {
        is_said = end_text(encode, value, out);
    }
    encode->is_null = encode->is_streamed = false;
    rh_buf_clear(&encode->held);
    return is_said;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void add_byte(struct copy_encode *encode, char c, struct buf *out)
{
    if (encode->held.len == COPY_ENCODE_HELD_BYTES) {
        if (!encode->is_streamed)
            add_quote(encode, out);
        encode->is_streamed = true;
        add_value(encode, rh_buf_text(&encode->held), out);
        rh_buf_clear(&encode->held);
    }
    rh_buf_add_char(&encode->held, c);
}

static bool take_escape(struct copy_encode *encode, char c, struct buf *out)
{
    static const char letters[] = "bfnrtv", meanings[] = "\b\f\n\r\t\v";
    const char *letter = c ? strchr(letters, c) : NULL;

    encode->after_backslash = false;
    if (c == 'N') {
        encode->is_null = true;
    } else if (c == '.') {
        rh_buf_add_str(out, "\\.\n");
        encode->is_over = true;
    } else {
        add_byte(encode, letter ? meanings[letter - letters] : c, out);
    }
    return true;
}

static bool take(struct copy_encode *encode, char c, struct buf *out)
{
    if (encode->after_backslash)
        return take_escape(encode, c, out);
    if (c == '\\') {
        encode->after_backslash = true;
        return true;
    }
    if (c != '\t' && c != '\n') {
        add_byte(encode, c, out);
        return true;
    }
    RH_ASSERT(encode->column < encode->column_count);
    if (!end_field(encode, out))
        return false;
    rh_buf_add_char(out, c == '\t' ? encode->format->delimiter : '\n');
    encode->column = c == '\t' ? encode->column + 1 : 0;
    return true;
}

static bool add_header(struct copy_encode *encode, struct buf *out)
{
    for (size_t i = 0; i < encode->column_count; i++) {
        struct text name = rh_text(encode->columns[i].name);

        if (i > 0)
            rh_buf_add_char(out, encode->format->delimiter);
        add_quote(encode, out);
        add_value(encode, name, out);
        add_quote(encode, out);
    }
    rh_buf_add_char(out, '\n');
    return true;
}

bool rh_copy_encode_feed(struct copy_encode *encode, struct text part, struct buf *out)
{
    if (!encode->has_header && encode->format->header != SQL_COPY_HEADER_NONE)
        add_header(encode, out);
    encode->has_header = true;
    for (size_t i = 0; i < part.len && !encode->has_failed && !encode->is_over; i++)
        encode->has_failed = !take(encode, part.data[i], out);
    return !encode->has_failed;
}
