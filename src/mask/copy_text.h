/*
 * The words of COPY's text format: what a backslash says, and what must not stand bare. As the
 * server writes it (copyto.c, CopyAttributeOutText) and as it reads it (copyfromparse.c,
 * CopyReadAttributesText), with the default delimiter and NULL. Pure.
 */
#ifndef RH_MASK_COPY_TEXT_H
#define RH_MASK_COPY_TEXT_H

#include "base/text.h"

#define COPY_NULL "\\N"
static inline bool rh_copy_is_null(const char *raw, size_t len)
{
    return len == 2 && raw[0] == '\\' && raw[1] == 'N';
}

/* Distance to the first tab, newline or backslash; `len` when there is none. */
size_t rh_copy_special(const char *data, size_t len);

/* Takes the escapes out of `raw`, into `out`, which has room for raw.len bytes and may be raw.data
   itself; returns the bytes written. Stops before an escape that the end may have cut, unless
   `at_end`; *ret_used says where: never more than three bytes are left. At the end a backslash
   with nothing behind it stands for itself. */
size_t rh_copy_unescape(struct text raw, bool at_end, char *out, size_t *ret_used);

/* Writes `value` as the server would, into `out`, which has room for twice its bytes; returns the
   bytes written. */
size_t rh_copy_escape(struct text value, char *out);

#endif
