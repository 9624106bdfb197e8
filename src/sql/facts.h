/*
 * What a statement says it is. Advisory: it labels statements, picks what to warm up and what to
 * ask the server; nothing is judged by it. What the statement really did comes from the server.
 *
 * Tag, transaction control and CONCURRENTLY are read from the words, so that they are right for
 * newer grammars too; relations come from the parse tree (PostgreSQL 15) and are absent when there
 * is none. Pure.
 */
#ifndef RH_SQL_FACTS_H
#define RH_SQL_FACTS_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>

/* Statements above this many bytes are not given to the tree builder: it recurses once per nested
   expression and would overrun the stack (measured: 20,000 levels fit in 8 MB, 200,000 do not). */
#define SQL_TREE_MAX (16u * 1024)

struct sql_name {
    const char *schema; /* NULL: by search_path */
    const char *name;   /* as the catalogue has it, not quoted */
};

struct sql_facts {
    const char *tag; /* "ALTER TABLE" as the server would say it; "" when there are no words */
    bool opens_transaction;   /* BEGIN, START TRANSACTION */
    bool ends_transaction;    /* COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION; AND CHAIN too */
    bool is_concurrently;     /* CREATE | DROP INDEX, REINDEX, DETACH PARTITION, REFRESH */
    bool forbids_transaction; /* the server refuses it inside a transaction block */
    bool parsed;              /* the parse tree was read: `relations` can be relied on */
    VEC(struct sql_name) relations; /* tables, indexes, views, sequences it names, each once */
};

/* `sql` is one statement (of several, the first one counts). Results lie in `arena`. */
void rh_sql_facts(struct text sql, struct arena *arena, struct sql_facts *ret_facts);
/* The same without the parse tree: cheap, and no relations. */
void rh_sql_facts_of_words(struct text sql, struct arena *arena, struct sql_facts *ret_facts);

/* Whether it is SQL that does something, and so no command line of a shell: it parses, or begins as
   nothing but SQL does (ALTER TABLE: also one with a mistake in it). */
bool rh_sql_is_written_as_sql(struct text text, struct arena *arena);

#endif
