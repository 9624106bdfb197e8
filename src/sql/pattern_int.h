/* The parts of pattern.h: pieces of a text, and what its parse tree tells. */
#ifndef RH_SQL_PATTERN_INT_H
#define RH_SQL_PATTERN_INT_H

#include "sql/lexer.h"
#include "sql/pattern.h"

/* --- pieces: what a text is made of, without blanks and comments -------------------------------
 */

enum sql_piece_kind {
    SQL_PIECE_WORD,      /* keyword or identifier, quoted or not */
    SQL_PIECE_CONSTANT,  /* a string or a number, as a whole */
    SQL_PIECE_PARAMETER, /* $1 */
    SQL_PIECE_OTHER      /* a character of an operator, punctuation */
};

struct sql_piece {
    enum sql_piece_kind kind;
    size_t offset, len;
    bool is_apart; /* something stood before it: blanks, a comment */
    bool is_quoted, is_string;
    unsigned parameter; /* its number; 0: none that can be */
};

/* Numbers of parameters as the protocol can count them (Bind: Int16). */
#define SQL_PARAMETERS_MAX 65535u

struct sql_pieces {
    struct sql_lexer lexer;
    bool can_end_value; /* the piece before may be the end of one: a dot behind it names a column */
};
bool rh_sql_piece_next(struct sql_pieces *pieces, struct sql_piece *ret_piece);

/*
 * How deep a parse tree of the text may be, from above: trees are walked by functions that call
 * themselves, in libpg_query too.
 */
size_t rh_sql_depth_bound(struct text query);
/* Texts that may go deeper are not parsed. A level is a few frames of at most 200 bytes; 20,000
   levels of an expression were seen to fit in a stack of 8 MB (sql/facts.h). */
#define SQL_DEPTH_MAX 4000

/* What the parser may have of the text: all of it, each byte in its place, with blanks for
   comments. NULL: it is too long, or may be too deep. */
const char *rh_sql_parseable(struct arena *arena, struct text query);

/* A statement that sets or shows a secret, by its words. */
bool rh_sql_has_secret(struct text query);

/* --- the parse tree --------------------------------------------------------------------------- */

struct sql_tree_facts {
    struct workload_pattern *pattern; /* flags and tables are added to it */
    const char *executes;
    /* What is told of values. */
    sql_constants *constants;     /* in their order; NULL: not wanted */
    struct sql_value *parameters; /* by number less 1; NULL */
    size_t parameter_count;
};
/* False: it cannot be parsed; nothing was added. */
bool rh_sql_tree_facts(struct arena *arena, const char *query, struct sql_tree_facts *facts);

#endif
