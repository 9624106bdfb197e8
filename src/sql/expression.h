/*
 * An SQL expression as a tree: of a CHECK constraint, a predicate, an index or a generated column.
 * Read with PostgreSQL 15's grammar; of what has no kind of its own here (CASE, subqueries, newer
 * forms) the parts are there, so that at least the columns it names are known. Pure.
 */
#ifndef RH_SQL_EXPRESSION_H
#define RH_SQL_EXPRESSION_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>

enum sql_expression_kind {
    SQL_COLUMN,      /* name: the column, bare; VALUE of a domain is "value" */
    SQL_CONSTANT,    /* name: its text; NULL: SQL NULL */
    SQL_CAST,        /* name: the type, without schema, "text[]" for arrays; one argument */
    SQL_CALL,        /* name: the function, without schema */
    SQL_OPERATOR,    /* name: "=", "~~"; one or two arguments */
    SQL_ANY,         /* name: the operator; column op ANY (array) */
    SQL_ALL,         /* the same with ALL; NOT IN is "<>" of it */
    SQL_AND,         /* any number of arguments, as the next */
    SQL_OR,          /**/
    SQL_NOT,         /* one argument, as the next two */
    SQL_IS_NULL,     /**/
    SQL_IS_NOT_NULL, /**/
    SQL_ARRAY,
    SQL_COALESCE,
    SQL_OTHER
};

struct sql_expression {
    enum sql_expression_kind kind;
    const char *name;
    bool has_modifier; /* of a cast: to varchar(5), numeric(8,2) */
    VEC(struct sql_expression *) arguments;
};

/* `text`: an expression, or a constraint's "CHECK (...) NO INHERIT". NULL: it cannot be read (or is
   longer than SQL_TREE_MAX, sql/facts.h). */
struct sql_expression *rh_sql_expression(struct text text, struct arena *arena);
/* Without the casts around it, but those that a modifier makes round or cut. */
const struct sql_expression *rh_sql_uncast(const struct sql_expression *expression);
/* Without the casts that leave a text as it is: to text, varchar, citext and bpchar, or to arrays
   of them, without a modifier. */
const struct sql_expression *rh_sql_uncast_text(const struct sql_expression *expression);

#endif
