#include "mask/copy_decode.h"

#include "mask/copy_text.h"

#include <openssl/crypto.h>
#include <stdlib.h>

enum place {
    AT_LINE,         /* nothing of it was read */
    AT_MARKER,       /* a backslash was its first byte */
    AT_MARKER_DOT,   /* "\." so far */
    IN_FIELD,        /* not within quotes */
    AFTER_BACKSLASH, /* text */
    IN_OCTAL,        /* text: of \1, \12 */
    IN_HEX,          /* text: of \x, \x1 */
    IN_QUOTES,       /* csv, as the two below */
    AFTER_QUOTE,     /* within quotes: a quote that is an escape too */
    AFTER_ESCAPE,    /* within quotes: an escape that is no quote */
    AFTER_RETURN,    /* a carriage return that should end the line */
    AFTER_MARKER,    /* the data are over */
};
enum line_end { LINE_END_UNKNOWN, LINE_END_FEED, LINE_END_RETURN_FEED };

/* The field that may be NULL, escaped. */
#define HELD_BYTES (2 * SQL_COPY_NULL_MAX)

struct copy_decode {
    const struct sql_copy_format *format;
    const struct copy_column *columns;
    size_t column_count, null_length;
    enum place place;
    enum line_end line_end;
    bool is_header, has_failed, ends_marker;
    size_t column, waiting;

    /* Of the field that is being read. */
    bool may_be_null, had_quotes;
    size_t matched; /* bytes that it has in common with what is NULL: all of its */
    char held[HELD_BYTES];
    size_t held_length;
    unsigned code, digits; /* of an escape */

    /* Of the header: the name in its place, as far as it was read. */
    bool is_name;
    size_t name_length;
    struct buf *out; /* during a call */
};

static void begin_field(struct copy_decode *decode)
{
    decode->may_be_null = true;
    decode->had_quotes = false;
    decode->matched = decode->held_length = decode->name_length = 0;
    decode->is_name = true;
}

struct copy_decode *rh_copy_decode_new(const struct sql_copy_format *format,
                                       const struct copy_column *columns, size_t column_count)
{
    struct copy_decode *decode = calloc(1, sizeof(*decode));

    if (!decode)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*decode));
    decode->format = format;
    decode->columns = columns;
    decode->column_count = column_count;
    decode->null_length = strlen(format->null);
    decode->is_header = format->header != SQL_COPY_HEADER_NONE;
    begin_field(decode);
    return decode;
}

void rh_copy_decode_free(struct copy_decode *decode)
{
    if (decode)
        OPENSSL_cleanse(decode, sizeof(*decode)); /* originals were in here */
    free(decode);
}

/* --- fields ----------------------------------------------------------------------------------- */

/* Another byte of what is compared with the text for NULL. */
static void compare_null(struct copy_decode *decode, char c)
{
    if (!decode->may_be_null)
        return;
    if (decode->matched < decode->null_length && decode->format->null[decode->matched] == c) {
        decode->matched++;
        return;
    }
    decode->may_be_null = false;
    rh_buf_add(decode->out, decode->held, decode->held_length);
    decode->held_length = 0;
}

/* A byte of the value. */
static void add_value(struct copy_decode *decode, char c)
{
    char escaped[2];
    size_t length = rh_copy_escape((struct text){&c, 1}, escaped);

    if (decode->is_header) {
        const char *name = decode->column < decode->column_count
                               ? decode->columns[decode->column].name
                               : "";

        decode->is_name = decode->is_name && name[decode->name_length] == c && c != '\0';
        decode->name_length += decode->is_name;
        return;
    }
    if (decode->format->kind == SQL_COPY_CSV)
        compare_null(decode, c);
    if (decode->may_be_null) {
        RH_ASSERT(length <= sizeof(decode->held) - decode->held_length);
        memcpy(decode->held + decode->held_length, escaped, length);
        decode->held_length += length;
    } else {
        rh_buf_add(decode->out, escaped, length);
    }
}

/* Text: the field as it was sent is compared. */
static void note_raw(struct copy_decode *decode, char c)
{
    if (decode->format->kind == SQL_COPY_TEXT && !decode->is_header)
        compare_null(decode, c);
}

/* As NextCopyFrom has it: of csv, quotes and the lists FORCE_NULL and FORCE_NOT_NULL decide. */
static bool is_null(const struct copy_decode *decode)
{
    const struct copy_column *column = &decode->columns[decode->column];

    if (!decode->may_be_null || decode->matched != decode->null_length)
        return false;
    if (decode->format->kind == SQL_COPY_TEXT)
        return true;
    return decode->had_quotes ? column->forces_null : !column->forces_not_null;
}

static bool end_field(struct copy_decode *decode)
{
    if (decode->is_header) {
        bool is_name = decode->column < decode->column_count && decode->is_name &&
                       decode->columns[decode->column].name[decode->name_length] == '\0';

        decode->column++;
        begin_field(decode);
        return is_name || decode->format->header == SQL_COPY_HEADER_SKIPPED;
    }
    if (decode->column >= decode->column_count)
        return false;
    if (is_null(decode))
        rh_buf_add_str(decode->out, COPY_NULL);
    else
        rh_buf_add(decode->out, decode->held, decode->held_length);
    decode->column++;
    begin_field(decode);
    return true;
}

static bool end_row(struct copy_decode *decode)
{
    bool is_header = decode->is_header;

    if (!end_field(decode))
        return false;
    if (decode->column != decode->column_count &&
        !(is_header && decode->format->header == SQL_COPY_HEADER_SKIPPED))
        return false;
    decode->column = 0;
    decode->place = AT_LINE;
    decode->is_header = false;
    decode->waiting = 0;
    if (!is_header)
        rh_buf_add_char(decode->out, '\n');
    return true;
}

/* The marker is a line too: its end must be that of the others. */
static bool end_line(struct copy_decode *decode, enum line_end end)
{
    if (decode->line_end != LINE_END_UNKNOWN && decode->line_end != end)
        return false;
    decode->line_end = end;
    if (!decode->ends_marker)
        return end_row(decode);
    decode->place = AFTER_MARKER;
    decode->waiting = 0;
    rh_buf_add_str(decode->out, "\\.\n");
    return true;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static bool take(struct copy_decode *decode, char c);

static bool take_delimiter(struct copy_decode *decode)
{
    bool is_last = decode->column + 1 >= decode->column_count;

    if (decode->is_header)
        return end_field(decode);
    if (is_last || !end_field(decode))
        return false;
    rh_buf_add_char(decode->out, '\t');
    return true;
}

static bool take_field(struct copy_decode *decode, char c)
{
    const struct sql_copy_format *format = decode->format;

    decode->place = IN_FIELD;
    if (c == '\n')
        return end_line(decode, LINE_END_FEED);
    if (c == '\r') {
        decode->place = AFTER_RETURN;
        return true;
    }
    if (c == format->delimiter)
        return take_delimiter(decode);
    if (format->kind == SQL_COPY_CSV && c == format->quote) {
        decode->had_quotes = true;
        decode->place = IN_QUOTES;
        return true;
    }
    note_raw(decode, c);
    if (format->kind == SQL_COPY_TEXT && c == '\\')
        decode->place = AFTER_BACKSLASH;
    else
        add_value(decode, c);
    return true;
}

static bool take_escape(struct copy_decode *decode, char c)
{
    static const char letters[] = "bfnrtv", meanings[] = "\b\f\n\r\t\v";
    const char *letter = c ? strchr(letters, c) : NULL;

    decode->place = IN_FIELD;
    note_raw(decode, c);
    decode->code = decode->digits = 0;
    if (c == '.')
        return false; /* a marker that is not alone on its line */
    if (c == 'x') {
        decode->place = IN_HEX;
    } else if (c >= '0' && c <= '7') {
        decode->code = (unsigned)(c - '0');
        decode->digits = 1;
        decode->place = IN_OCTAL;
    } else {
        add_value(decode, letter ? meanings[letter - letters] : c);
    }
    return true;
}

static void end_code(struct copy_decode *decode)
{
    bool is_letter = decode->place == IN_HEX && decode->digits == 0;

    decode->place = IN_FIELD;
    add_value(decode, is_letter ? 'x' : (char)(decode->code & 0xff));
}

static bool take_code(struct copy_decode *decode, char c)
{
    bool is_hex = decode->place == IN_HEX;
    int digit = is_hex ? rh_hex_value(c) : c >= '0' && c <= '7' ? c - '0' : -1;

    if (digit < 0 || decode->digits >= (is_hex ? 2 : 3)) {
        end_code(decode);
        return take_field(decode, c);
    }
    note_raw(decode, c);
    decode->code = decode->code * (is_hex ? 16 : 8) + (unsigned)digit;
    decode->digits++;
    return true;
}

static bool take_quoted(struct copy_decode *decode, char c)
{
    const struct sql_copy_format *format = decode->format;

    if (c == format->quote)
        decode->place = format->quote == format->escape ? AFTER_QUOTE : IN_FIELD;
    else if (c == format->escape)
        decode->place = AFTER_ESCAPE;
    else
        add_value(decode, c);
    return true;
}

/* An escape speaks of a quote or of an escape; else it stands for itself. */
static bool take_escaped(struct copy_decode *decode, char c)
{
    decode->place = IN_QUOTES;
    if (c == decode->format->quote || c == decode->format->escape) {
        add_value(decode, c);
        return true;
    }
    add_value(decode, decode->format->escape);
    return take_quoted(decode, c);
}

/* What looked like the marker's beginning was that of a field. */
static bool take_line(struct copy_decode *decode, const char *start, char c)
{
    bool is_taken = true;

    decode->place = IN_FIELD;
    for (; is_taken && *start; start++)
        is_taken = take(decode, *start);
    return is_taken && take(decode, c);
}

static bool take_marker(struct copy_decode *decode, char c)
{
    if (c == '\n' || c == '\r') {
        /* The row of a table of one column, says version 18 of csv. */
        decode->ends_marker = true;
        return !decode->is_header &&
               (decode->format->kind == SQL_COPY_TEXT || decode->column_count > 1) &&
               take_field(decode, c);
    }
    return decode->format->kind == SQL_COPY_CSV && take_line(decode, "\\.", c);
}

static bool take(struct copy_decode *decode, char c)
{
    switch (decode->place) {
    case AT_LINE:
        if (c != '\\')
            return take_field(decode, c);
        decode->place = AT_MARKER;
        return true;
    case AT_MARKER:
        if (c != '.')
            return take_line(decode, "\\", c);
        decode->place = AT_MARKER_DOT;
        return true;
    case AT_MARKER_DOT:
        return take_marker(decode, c);
    case IN_FIELD:
        return take_field(decode, c);
    case AFTER_BACKSLASH:
        return take_escape(decode, c);
    case IN_OCTAL:
    case IN_HEX:
        return take_code(decode, c);
    case IN_QUOTES:
        return take_quoted(decode, c);
    case AFTER_QUOTE:
        if (c != decode->format->quote)
            return take_field(decode, c);
        decode->place = IN_QUOTES;
        add_value(decode, c);
        return true;
    case AFTER_ESCAPE:
        return take_escaped(decode, c);
    case AFTER_RETURN:
        return c == '\n' && end_line(decode, LINE_END_RETURN_FEED);
    case AFTER_MARKER:
        return c == '\n' || c == '\r';
    }
    return false;
}

/* Bytes that mean themselves, in every place where there are fields. */
static size_t plain_run(const struct copy_decode *decode, const char *data, size_t len)
{
    const struct sql_copy_format *format = decode->format;
    size_t run = 0;

    if (decode->may_be_null || decode->is_header ||
        (decode->place != IN_FIELD && decode->place != IN_QUOTES))
        return 0;
    while (run < len && (unsigned char)data[run] >= 0x20 && data[run] != '\\' &&
           data[run] != format->delimiter && data[run] != format->quote &&
           data[run] != format->escape)
        run++;
    return run;
}

bool rh_copy_decode_feed(struct copy_decode *decode, struct text part, struct buf *out)
{
    decode->out = out;
    for (size_t at = 0; at < part.len && !decode->has_failed;) {
        size_t run = plain_run(decode, part.data + at, part.len - at);

        rh_buf_add(out, part.data + at, run);
        at += run;
        decode->waiting += run;
        if (at < part.len) {
            decode->waiting++;
            decode->has_failed = !take(decode, part.data[at++]);
        }
    }
    return !decode->has_failed;
}

bool rh_copy_decode_finish(struct copy_decode *decode, struct buf *out)
{
    decode->out = out;
    if (decode->has_failed)
        return false;
    switch (decode->place) {
    case AT_LINE:
    case AFTER_MARKER:
        return true;
    case AT_MARKER:
        if (decode->format->kind == SQL_COPY_TEXT)
            return false;
        decode->place = IN_FIELD;
        return take(decode, '\\') && end_row(decode);
    case IN_OCTAL:
    case IN_HEX:
        end_code(decode);
        return end_row(decode);
    case IN_FIELD:
    case AFTER_QUOTE:
        return end_row(decode);
    case AT_MARKER_DOT:
    case AFTER_BACKSLASH:
    case IN_QUOTES:
    case AFTER_ESCAPE:
    case AFTER_RETURN:
        return false;
    }
    return false;
}

size_t rh_copy_decode_waiting(const struct copy_decode *decode)
{
    return decode->waiting;
}
