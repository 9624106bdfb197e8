/*
 * The COPY statements that pg_dump sends, understood well enough to know whose rows they ask for,
 * and to ask for fewer of them. Anything else is not understood, and is to be refused. Pure.
 */
#ifndef RH_SNAPSHOT_COPY_STATEMENT_H
#define RH_SNAPSHOT_COPY_STATEMENT_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>

/*
 *     COPY schema.table (a, b) TO stdout;
 *     COPY schema.table  TO stdout;                              a table without columns
 *     COPY (SELECT a, b FROM schema.table WHERE ...) TO stdout;  tables of extensions
 */
struct copy_statement {
    const char *schema, *table; /* bare */
    const char *identity;       /* as written: quoted and qualified */
    const char *column_list;    /* as written, without the parentheses; "" */
    VEC(const char *) columns;  /* bare */
    bool is_query;
    const char *filter; /* of a query: what is behind the table; "" */
};

/* False when it is none of the above. Everything lies in `arena`. */
bool rh_copy_statement_parse(struct text sql, struct arena *arena,
                             struct copy_statement *ret_statement) RH_MUST_CHECK;
/* The statement for those of its rows alone for which `condition` holds. */
char *rh_copy_statement_where(const struct copy_statement *statement, const char *condition,
                              struct arena *arena);

#endif
