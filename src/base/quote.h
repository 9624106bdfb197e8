/*
 * SQL names and strings, quoted and read. Pure text: no connection is needed, and what comes out
 * means the same with standard_conforming_strings on and off.
 */
#ifndef RH_BASE_QUOTE_H
#define RH_BASE_QUOTE_H

#include "base/text.h"

/* "na""me", whatever the name is. */
char *rh_quote_name(struct arena *arena, const char *name);
/* The same for a person to read: lower-case letters, digits and _ stay as they are. Key words are
   not known here. */
const char *rh_quote_name_where_needed(struct arena *arena, const char *name);
/* 'it''s'; with a backslash in it E'...'; NULL: "NULL". */
const char *rh_quote_literal(struct arena *arena, const char *text);
/* A name as SQL writes it, as the catalogue has it: without its quotes, or folded (ASCII). What
   follows the closing quote is not looked at. */
char *rh_quote_read_name(struct arena *arena, struct text written);

/* What stands between the first two double quotes of a message; no data: nothing does. */
struct text rh_quote_first(const char *message);

#endif
