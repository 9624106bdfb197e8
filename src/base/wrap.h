/*
 * Text broken into lines of at most so many columns: at blanks, inside a word only when it alone is
 * longer than a line, always at \n. Widths are those of rh_text_columns. Pure; allocates nothing.
 */
#ifndef RH_BASE_WRAP_H
#define RH_BASE_WRAP_H

#include "base/text.h"

/*
 * Takes the next line off the front of *rest; blanks at the break go with it. False when nothing is
 * left. `columns` is at least 1; a character that is wider than a line is a line of its own.
 *
 *     for (struct text rest = paragraph, line; rh_text_wrap(&rest, 72, &line);) ...
 */
bool rh_text_wrap(struct text *rest, size_t columns, struct text *ret_line);

/* Bytes of the character in front (1 for a byte that is no UTF-8), 0 at the end. */
size_t rh_text_character_bytes(struct text a);

#endif
