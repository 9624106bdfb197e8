/*
 * SQL text as it streams by: statement boundaries as psql sees them, and of the statements that
 * matter to a load their tokens. Pure, flat memory: any size of input, any split.
 *
 * It does not parse. Statements that matter are told by their first words (GRANT, ALTER, CREATE
 * EXTENSION, ...), held until their ';' and shown to the caller, who may drop them; everything else
 * passes through. COPY data and the bodies of functions are never looked into.
 */
#ifndef RH_SANDBOX_SQL_SCAN_H
#define RH_SANDBOX_SQL_SCAN_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>

enum sql_token_kind {
    SQL_WORD,   /* unquoted, in lower case: a keyword or a name */
    SQL_NAME,   /* a quoted name, without its quotes */
    SQL_STRING, /* 'text'; of $$text$$ the text is not kept */
    SQL_SYMBOL  /* one character */
};
struct sql_token {
    enum sql_token_kind kind;
    const char *text;
};
struct sql_statement {
    const struct sql_token *tokens;
    size_t count;
    struct text text; /* as written, its ';' included */
    const char *meta; /* a psql command as written ("\connect app"); no tokens then */
};

enum sql_action { SQL_KEEP, SQL_DROP };
typedef enum sql_action sql_statement_fn(void *context, const struct sql_statement *statement);

struct sql_scan;
struct sql_scan *rh_sql_scan_new(sql_statement_fn *fn, void *context);
void rh_sql_scan_free(struct sql_scan *scan);
void rh_sql_scan_freep(struct sql_scan **scan);
#define RH_CLEANUP_SQL_SCAN __attribute__((cleanup(rh_sql_scan_freep)))
/* What passes is added to `out` (NULL: dropped); a dropped statement leaves its line feeds behind,
   so that line numbers stay true. rh_sql_scan_end flushes an unfinished statement. */
void rh_sql_scan_feed(struct sql_scan *scan, struct text chunk, struct buf *out);
void rh_sql_scan_end(struct sql_scan *scan, struct buf *out);
/* Between COPY ... FROM stdin and its end. */
bool rh_sql_scan_is_in_data(const struct sql_scan *scan);

/* --- what a load needs ------------------------------------------------------------------------ */

struct sql_needs {
    struct arena *arena;
    VEC(const char *) roles;         /* named by GRANT, OWNER TO, ... */
    VEC(const char *) created_roles; /* made by the text itself */
    VEC(const char *) superusers;    /* of the roles: what only a superuser may own becomes theirs */
    bool includes_files;             /* \i, \ir: more text than was seen */
};
void rh_sql_needs_add(struct sql_needs *needs, const struct sql_statement *statement);
/* The name in CREATE EXTENSION, COMMENT ON EXTENSION, ALTER EXTENSION; NULL for other statements.
 */
const char *rh_sql_extension_name(const struct sql_statement *statement);
bool rh_sql_starts_with(const struct sql_statement *statement, const char *first,
                        const char *second);

#endif
