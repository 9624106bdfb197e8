/*
 * The clauses of one statement that make the server look at rows: what has to be taken out of its
 * text so that the server can be asked what each means, on an empty copy of the table.
 *
 * Only the places of clauses are found here; names, types and expressions stay as written, and the
 * server is the one who understands them. A statement of another shape is VALIDATION_NONE. Pure.
 */
#ifndef RH_SQL_VALIDATIONS_H
#define RH_SQL_VALIDATIONS_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>

/* Statements of more tokens than this are not looked at (generated INSERTs and the like). */
#define VALIDATION_TOKENS_MAX 5000

enum validation_kind {
    VALIDATION_NONE,
    VALIDATION_CREATE_INDEX,     /* index, definition: behind the table's name */
    VALIDATION_ALTER_TABLE,      /* clauses */
    VALIDATION_CREATE_PARTITION, /* relation: the parent; definition: the bound */
    VALIDATION_ALTER_DOMAIN,     /* relation: the domain; clauses: one */
    VALIDATION_INSERT,           /* prefix, definition: around the table's name */
    VALIDATION_UPDATE,           /* clauses: one for each column that is set; condition, alias */
    VALIDATION_DELETE,           /* condition, alias */
    VALIDATION_REFRESH           /* relation: the materialized view */
};

enum validation_clause_kind {
    VALIDATION_CLAUSE_DEFINE,   /* an empty copy of the table takes it as it is; expression: the
                                   same without the name of a key, NULL when it has none */
    VALIDATION_CLAUSE_TYPE,     /* name: the column; text: up to USING, which goes to expression */
    VALIDATION_CLAUSE_VALIDATE, /* name: of the constraint */
    VALIDATION_CLAUSE_USING_INDEX, /* a primary key; name: of the index */
    VALIDATION_CLAUSE_ATTACH,      /* name: the partition, expression: its bound */
    VALIDATION_CLAUSE_SET          /* name: the column, expression: its new value */
};

struct validation_clause {
    enum validation_clause_kind kind;
    const char *text; /* the whole clause */
    const char *name, *expression;
};

/* Texts as written, in the arena; NULL where there is none. */
struct validation {
    enum validation_kind kind;
    const char *relation;
    bool only;         /* ONLY stands before it */
    bool unique;       /* CREATE UNIQUE INDEX */
    const char *plain; /* the statement without CONCURRENTLY and without its semicolon */
    const char *index, *prefix, *definition, *condition, *alias;
    VEC(struct validation_clause) clauses;
};

/* `sql` is one statement. */
void rh_sql_validations(struct text sql, struct arena *arena, struct validation *ret_validation);

#endif
