/*
 * Text laid out for a terminal: cleaned, cut, wrapped, coloured. Foreign text (SQL, names,
 * messages) goes through rh_layout_clean before it is measured or shown, so that nothing in a
 * migration can move the cursor, colour the screen or turn the writing direction. Pure; results lie
 * in the arena.
 */
#ifndef RH_REPORT_LAYOUT_H
#define RH_REPORT_LAYOUT_H

#include "base/terminal.h"
#include "base/text.h"

/* Symbols, each one column wide but `ellipsis` and `dot`; never shown without a word beside them.
 */
struct glyphs {
    const char *ok, *bad, *warning, *unknown, *note, *ellipsis, *dot;
};

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_BAD, STYLE_WARNING };

struct layout {
    struct arena *arena;
    struct buf *out;
    size_t columns;
    bool has_color, has_utf8;
    const struct glyphs *glyphs;
};

/* Width is kept between 40 and 100 columns. */
struct layout rh_layout(struct arena *arena, const struct terminal *terminal, struct buf *out);

/* Without control characters, direction marks and bytes that are no UTF-8; ASCII alone where the
   terminal has no more. White space becomes blanks; line ends too unless `keep_lines`. */
const char *rh_layout_clean(const struct layout *layout, const char *s, bool keep_lines);
/* Cleaned, white space collapsed, cut to `columns` with an ellipsis. */
const char *rh_layout_one_line(const struct layout *layout, const char *s, size_t columns);
size_t rh_layout_width(const char *s);

/* Writing. `text` is clean already. */
void rh_layout_add(const struct layout *layout, enum style style, const char *text);
void rh_layout_pad(const struct layout *layout, size_t columns);
void rh_layout_end_line(const struct layout *layout); /* drops blanks at its end */

/* "label     text ...", wrapped, the text always in the same column. Cleans `text`. */
#define LABEL_COLUMNS 10
void rh_layout_labelled(const struct layout *layout, const char *label, const char *text);

/* Lines of at most layout->columns, to be counted before they are written. */
struct layout_line {
    enum style style;
    const char *text;
    bool may_end; /* SQL: what stands up to here can be run as it is */
};
struct layout_lines {
    struct layout_line *items;
    size_t count, capacity;
};
/* Wraps `text` (cleaned here): `first` before the first line, blanks of its width before the
 * others. */
void rh_layout_wrap(const struct layout *layout, struct layout_lines *lines, enum style style,
                    const char *first, const char *text);
/* The same for SQL, line by line; what is broken inside a comment goes on as a comment. */
void rh_layout_wrap_sql(const struct layout *layout, struct layout_lines *lines, const char *indent,
                        const char *sql);
/* rh_layout_wrap, and the lines written. */
void rh_layout_add_wrapped(const struct layout *layout, enum style style, const char *first,
                           const char *text);

/* As rh_duration_format. */
const char *rh_layout_duration(struct arena *arena, int64_t us);
/* "842", "12,345", "120 k", "1.0 M", "2.3 bn": rows as a person says them. */
const char *rh_layout_count(struct arena *arena, int64_t count);

#endif
