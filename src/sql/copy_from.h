/*
 * COPY ... FROM STDIN: into which table, which columns, in which format. Read with PostgreSQL 15's
 * grammar, in which the options of the old syntax (WITH CSV HEADER) are the same as those of the
 * new one. What has no place here (DEFAULT, ON_ERROR, WHERE), and what the server would refuse, is
 * not understood. Pure.
 */
#ifndef RH_SQL_COPY_FROM_H
#define RH_SQL_COPY_FROM_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>

/* A longer text for NULL is not understood: readers hold as much of every field. */
#define SQL_COPY_NULL_MAX 64

enum sql_copy_kind { SQL_COPY_TEXT, SQL_COPY_CSV, SQL_COPY_BINARY };
enum sql_copy_header {
    SQL_COPY_HEADER_NONE,
    SQL_COPY_HEADER_SKIPPED,
    SQL_COPY_HEADER_MATCHED /* the server compares it with the names of the columns */
};

struct sql_copy_format {
    enum sql_copy_kind kind;
    enum sql_copy_header header;
    char delimiter, quote, escape; /* ASCII; quote and escape of csv alone */
    const char *null;              /* the field that is NULL; csv: one without quotes */
};

struct sql_copy_from {
    const char *schema; /* bare; NULL: by search_path */
    const char *table;
    VEC(const char *) columns; /* bare; none: all of the table's */
    struct sql_copy_format format;
    const char *encoding; /* of the rows; NULL: the session's */
    VEC(const char *) force_null, force_not_null;
    bool forces_all_null, forces_all_not_null; /* the lists are "*" */
};

/* False when it is none of that. Everything lies in `arena`. */
bool rh_sql_copy_from(struct text sql, struct arena *arena,
                      struct sql_copy_from *ret_copy) RH_MUST_CHECK;

#endif
