/*
 * The names in a statement that advice can be written with: which table, column and constraint an
 * ALTER TABLE is about, and how an index command reads with CONCURRENTLY.
 *
 * Read from the tokens, so that they are there for newer grammars too; a clause that is not
 * understood is left out. Nothing is judged by them. Pure.
 */
#ifndef RH_SQL_CLAUSES_H
#define RH_SQL_CLAUSES_H

#include "base/arena.h"
#include "base/text.h"
#include "model/trace.h"

/* Statements of more tokens than this are not looked at (generated INSERTs and the like). */
#define CLAUSE_TOKENS_MAX 2000

/* Fills statement->clauses from statement->sql, and those of its children. Texts lie in `arena`. */
void rh_sql_clauses(struct statement *statement, struct arena *arena);

#endif
