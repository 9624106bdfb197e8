/*
 * A script -> its statements, byte for byte: each begins at its first token (white space and
 * comments before it belong to the gap) and ends with its own semicolon.
 *
 * PostgreSQL's own parser (libpg_query, the grammar of PostgreSQL 15) decides where statements end;
 * where it cannot parse the text (newer grammar, a mistake, more than SQL_PARSE_MAX bytes), our
 * scanner does by psql's rules. Nothing is ever lost: whatever is not blank lies in exactly one
 * statement, and what no one can make sense of is a statement for the server to judge. Pure.
 */
#ifndef RH_SQL_SPLIT_H
#define RH_SQL_SPLIT_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes given to the parser at once. Its tree takes some 25 times the text (measured: 8.8 MB of
   INSERTs, 213 MB);
   above this the scanner alone splits. */
#define SQL_PARSE_MAX (8u * 1024 * 1024)

struct sql_statement {
    struct text text;    /* a view into the script */
    size_t offset;       /* of its first byte, in the script */
    size_t line, column; /* of its first character, 1-based, in characters */
};

struct sql_script {
    VEC(struct sql_statement) statements;
    bool parsed;             /* by the grammar of PostgreSQL 15 */
    const char *parse_error; /* the parser's words when not; NULL when it was not asked */
};

/* Splits `script`; views point into it, the array and texts lie in `arena`. */
void rh_sql_split(struct text script, struct arena *arena, struct sql_script *ret_script);
/* The same with the scanner alone. */
void rh_sql_split_by_scanner(struct text script, struct arena *arena,
                             struct sql_script *ret_script);

#endif
