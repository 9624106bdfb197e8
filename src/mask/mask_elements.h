/*
 * How values stand inside of other values: arrays, rows and ranges quote what could be mistaken.
 */
#ifndef RH_MASK_MASK_ELEMENTS_H
#define RH_MASK_MASK_ELEMENTS_H

#include "mask/mask_leaves.h"

/* Takes out backslashes and quotes; of two quotes between quotes one stays, as rows and ranges have
   them. `out` has room for inner.len; returns the bytes. */
size_t rh_element_decode(struct text inner, char *out);
/* The closing quote of what was opened before `at` and has its quotes behind backslashes: its
   offset, or source.len when it is not here. */
size_t rh_element_quote(struct text source, size_t at, bool *ret_escapes);
/* How much of the inside of a large element, whose quotes stand behind backslashes, is whole; true
   when its closing quote stands there. */
bool rh_element_part(struct text inner, bool at_end, size_t *ret_len);
/* Writes `value` with quotes: backslashes and quotes behind a backslash or, where `doubles`,
   twice. */
void rh_element_encode_quoted(struct text value, bool doubles, struct buf *out);
/* The same without the quotes around it. */
void rh_element_encode_inner(struct text value, bool doubles, struct buf *out);

/* Items that stand in an order of the server's: pairs of hstore, lexemes of tsvector. */
struct element_item {
    struct text whole; /* as it is written */
    struct text key;   /* decoded */
};
/* Writes the items in the order of their keys, `separator` between them. */
void rh_element_sort(struct element_item *items, size_t count, bool shorter_first,
                     const char *separator, struct buf *out);

#endif
