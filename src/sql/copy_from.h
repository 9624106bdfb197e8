/*
 * COPY ... FROM STDIN in the text format with its defaults: into which table, which columns. Read
 * from the tokens; any option but FORMAT text, any other form, is not understood. Pure.
 */
#ifndef RH_SQL_COPY_FROM_H
#define RH_SQL_COPY_FROM_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>

/*
 *     COPY [schema.]table [(a, b)] FROM STDIN [[WITH] (FORMAT text)] [;]
 */
struct sql_copy_from {
    const char *schema; /* bare; NULL: by search_path */
    const char *table;
    VEC(const char *) columns; /* bare; none: all of the table's */
};

/* False when it is none of that. Everything lies in `arena`. */
bool rh_sql_copy_from(struct text sql, struct arena *arena,
                      struct sql_copy_from *ret_copy) RH_MUST_CHECK;

#endif
