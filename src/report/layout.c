#include "report/layout.h"

#include "base/clock.h"
#include "base/wrap.h"

#include <string.h>

#define COLUMNS_MIN ((size_t)40)
#define COLUMNS_MAX ((size_t)100)

static const struct glyphs utf8_glyphs = {.ok = "✓",
                                          .bad = "✗",
                                          .warning = "!",
                                          .unknown = "?",
                                          .note = "i",
                                          .ellipsis = "…",
                                          .dot = " · "};
static const struct glyphs ascii_glyphs = {.ok = "+",
                                           .bad = "x",
                                           .warning = "!",
                                           .unknown = "?",
                                           .note = "i",
                                           .ellipsis = "...",
                                           .dot = ", "};

struct layout rh_layout(struct arena *arena, const struct terminal *terminal, struct buf *out)
{
    size_t columns = terminal->columns;
    return (struct layout){
        .arena = arena,
        .out = out,
        .columns = columns < COLUMNS_MIN   ? COLUMNS_MIN
                   : columns > COLUMNS_MAX ? COLUMNS_MAX
                                           : columns,
        .has_color = terminal->has_color,
        .has_utf8 = terminal->has_utf8,
        .glyphs = terminal->has_utf8 ? &utf8_glyphs : &ascii_glyphs,
    };
}

/* --- cleaning --- */

static uint32_t decode(const char *s, size_t bytes)
{
    const unsigned char *u = (const unsigned char *)s;
    switch (bytes) {
    case 2:
        return (uint32_t)(u[0] & 0x1f) << 6 | (u[1] & 0x3f);
    case 3:
        return (uint32_t)(u[0] & 0x0f) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f);
    case 4:
        return (uint32_t)(u[0] & 0x07) << 18 | (uint32_t)(u[1] & 0x3f) << 12 |
               (uint32_t)(u[2] & 0x3f) << 6 | (u[3] & 0x3f);
    }
    return u[0];
}

/* C0, DEL and C1; marks that turn the writing direction (Unicode 14, Bidi_Control); line and
   paragraph separators. */
static bool is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* What a character is in ASCII. */
static const char *ascii_of(uint32_t c)
{
    switch (c) {
    case 0x2026:
        return "...";
    case 0x2010:
    case 0x2011:
    case 0x2012:
    case 0x2013:
    case 0x2014:
    case 0x2212:
        return "-";
    case 0x2018:
    case 0x2019:
        return "'";
    case 0x201c:
    case 0x201d:
        return "\"";
    case 0xa0:
        return " ";
    case 0xb7:
        return ",";
    case 0xd7:
        return "x";
    case 0x2192:
        return "->";
    }
    return "?";
}

const char *rh_layout_clean(const struct layout *layout, const char *s, bool keep_lines)
{
    if (!s)
        return "";
    struct text rest = rh_text(s);
    /* Worst case: every byte becomes the three of U+FFFD or of "...". */
    char *clean = rh_arena_alloc(layout->arena, rest.len * 3 + 1);
    char *to = clean;
    while (rest.len > 0) {
        size_t bytes = rh_text_character_bytes(rest);
        unsigned char lead = (unsigned char)rest.data[0];
        const char *shown = NULL;
        if (bytes == 1 && (lead == '\n' || lead == '\t' || lead == '\r'))
            shown = lead == '\n' && keep_lines ? "\n" : " ";
        else if (bytes == 1 && lead >= 0x80)
            shown = layout->has_utf8 ? "\xef\xbf\xbd" : "?";
        else if (is_unsafe(decode(rest.data, bytes)))
            shown = layout->has_utf8 ? "\xef\xbf\xbd" : "?";
        else if (bytes > 1 && !layout->has_utf8)
            shown = ascii_of(decode(rest.data, bytes));
        size_t len = shown ? strlen(shown) : bytes;
        memcpy(to, shown ? shown : rest.data, len);
        to += len;
        rest.data += bytes;
        rest.len -= bytes;
    }
    *to = '\0';
    return clean;
}

size_t rh_layout_width(const char *s)
{
    return rh_text_columns(rh_text(s));
}

/* The front of clean text that fits, cut with an ellipsis when not all of it does. */
static const char *cut(const struct layout *layout, const char *s, size_t columns)
{
    if (rh_layout_width(s) <= columns)
        return s;
    size_t ellipsis = rh_layout_width(layout->glyphs->ellipsis);
    if (columns <= ellipsis)
        return rh_arena_strndup(layout->arena, "...", columns);
    struct text rest = rh_text(s);
    size_t used = 0, len = 0;
    while (rest.len > 0) {
        size_t bytes = rh_text_character_bytes(rest);
        size_t width = rh_text_columns((struct text){rest.data, bytes});
        if (used + width > columns - ellipsis)
            break;
        used += width;
        len += bytes;
        rest.data += bytes;
        rest.len -= bytes;
    }
    while (len > 0 && s[len - 1] == ' ')
        len--;
    return rh_arena_printf(layout->arena, "%.*s%s", (int)len, s, layout->glyphs->ellipsis);
}

const char *rh_layout_one_line(const struct layout *layout, const char *s, size_t columns)
{
    const char *clean = rh_layout_clean(layout, s, false);
    char *collapsed = rh_arena_alloc(layout->arena, strlen(clean) + 1);
    char *to = collapsed;
    for (const char *from = clean; *from; from++)
        if (*from != ' ' || (to > collapsed && to[-1] != ' '))
            *to++ = *from;
    if (to > collapsed && to[-1] == ' ')
        to--;
    *to = '\0';
    return cut(layout, collapsed, columns);
}

/* --- writing --- */

/* SGR sequences of ECMA-48; the eight basic colours follow the user's own palette. */
static const char *escape_of(enum style style)
{
    switch (style) {
    case STYLE_PLAIN:
        return "";
    case STYLE_BOLD:
        return "\033[1m";
    case STYLE_DIM:
        return "\033[2m";
    case STYLE_GOOD:
        return "\033[1;32m";
    case STYLE_BAD:
        return "\033[1;31m";
    case STYLE_WARNING:
        return "\033[1;33m";
    }
    return "";
}

void rh_layout_add(const struct layout *layout, enum style style, const char *text)
{
    bool is_styled = layout->has_color && style != STYLE_PLAIN && text[0];
    if (is_styled)
        rh_buf_add_str(layout->out, escape_of(style));
    rh_buf_add_str(layout->out, text);
    if (is_styled)
        rh_buf_add_str(layout->out, "\033[0m");
}

void rh_layout_pad(const struct layout *layout, size_t columns)
{
    for (size_t i = 0; i < columns; i++)
        rh_buf_add_char(layout->out, ' ');
}

void rh_layout_end_line(const struct layout *layout)
{
    struct buf *out = layout->out;
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
    rh_buf_add_char(out, '\n');
}

static const char *blanks(const struct layout *layout, size_t columns)
{
    char *text = rh_arena_alloc(layout->arena, columns + 1);
    memset(text, ' ', columns);
    return text;
}

static void push(const struct layout *layout, struct layout_lines *lines, enum style style,
                 const char *prefix, struct text line)
{
    struct layout_line *pushed = RH_PUSH(layout->arena, lines);
    pushed->style = style;
    pushed->text = rh_arena_printf(layout->arena, "%s%.*s", prefix, (int)line.len, line.data);
}

void rh_layout_wrap(const struct layout *layout, struct layout_lines *lines, enum style style,
                    const char *first, const char *text)
{
    size_t indent = rh_layout_width(first);
    const char *prefix = first;
    struct text rest = rh_text(rh_layout_clean(layout, text, true));
    for (struct text line; rh_text_wrap(&rest, layout->columns - indent, &line);) {
        push(layout, lines, style, prefix, line);
        prefix = blanks(layout, indent);
    }
}

/* Where a comment to the end of the line begins, outside of string literals; line.len for none. */
static size_t comment_start(struct text line)
{
    bool in_string = false;
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] == '\'')
            in_string = !in_string;
        else if (!in_string && line.data[i] == '-' && i + 1 < line.len && line.data[i + 1] == '-')
            return i;
    }
    return line.len;
}

/* Whether SQL may be cut behind this line: a statement or a comment is complete. */
static bool ends_statement(struct text line)
{
    size_t comment = comment_start(line), len = comment;
    while (len > 0 && line.data[len - 1] == ' ')
        len--;
    return len > 0 ? line.data[len - 1] == ';' : comment < line.len;
}

void rh_layout_wrap_sql(const struct layout *layout, struct layout_lines *lines, const char *indent,
                        const char *sql)
{
    size_t columns = layout->columns - rh_layout_width(indent);
    const char *clean = rh_layout_clean(layout, sql, true);
    while (*clean) {
        size_t len = strcspn(clean, "\n");
        struct text rest = {clean, len};
        const char *comment = clean + comment_start(rest);
        bool may_end = ends_statement(rest);
        const char *prefix = indent;
        size_t width = columns;
        for (struct text line; rh_text_wrap(&rest, width, &line);) {
            push(layout, lines, STYLE_PLAIN, prefix, line);
            bool in_comment = rest.data > comment;
            prefix = rh_arena_printf(layout->arena, "%s%s", indent, in_comment ? "-- " : "  ");
            width = columns - (in_comment ? 3 : 2);
        }
        if (lines->count > 0)
            lines->items[lines->count - 1].may_end = may_end;
        clean += len;
        if (*clean == '\n')
            clean++;
    }
}

void rh_layout_add_wrapped(const struct layout *layout, enum style style, const char *first,
                           const char *text)
{
    struct layout_lines lines = {0};
    rh_layout_wrap(layout, &lines, style, first, text);
    for (size_t i = 0; i < lines.count; i++) {
        rh_layout_add(layout, lines.items[i].style, lines.items[i].text);
        rh_layout_end_line(layout);
    }
}

void rh_layout_labelled(const struct layout *layout, const char *label, const char *text)
{
    rh_layout_add_wrapped(layout, STYLE_PLAIN,
                          rh_arena_printf(layout->arena, "%-*s", LABEL_COLUMNS, label), text);
}

const char *rh_layout_duration(struct arena *arena, int64_t us)
{
    char text[24];
    rh_duration_format(us, text);
    return rh_arena_strdup(arena, text);
}

const char *rh_layout_count(struct arena *arena, int64_t count)
{
    int64_t tenths_of_billions = count / 100000000 + (count % 100000000 >= 50000000);
    int64_t tenths_of_millions = (count + 50000) / 100000;
    if (tenths_of_millions >= 10000)
        return rh_arena_printf(arena, "%lld.%lld bn", (long long)(tenths_of_billions / 10),
                               (long long)(tenths_of_billions % 10));
    if ((count + 500) / 1000 >= 1000)
        return rh_arena_printf(arena, "%lld.%lld M", (long long)(tenths_of_millions / 10),
                               (long long)(tenths_of_millions % 10));
    if (count >= 100000)
        return rh_arena_printf(arena, "%lld k", (long long)((count + 500) / 1000));
    char text[32];
    rh_count_format(count, text);
    return rh_arena_strdup(arena, text);
}
