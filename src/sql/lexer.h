/*
 * A lexical scanner for PostgreSQL's SQL as psql reads it ("Lexical Structure", section 4.1 of the
 * manual, standard_conforming_strings on): strings with their prefixes, dollar quotes, nested
 * comments, and what only psql understands (backslash commands, :'variables', COPY data in line).
 *
 * It never fails: any bytes are a sequence of tokens that covers them all, in order and without
 * gaps; what is not closed is a token that says so. It knows no grammar. Pure; allocates nothing.
 */
#ifndef RH_SQL_LEXER_H
#define RH_SQL_LEXER_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

enum sql_token_kind {
    SQL_TOKEN_SPACE,
    SQL_TOKEN_COMMENT,
    SQL_TOKEN_WORD,              /* keyword or identifier without quotes */
    SQL_TOKEN_QUOTED_IDENTIFIER, /* "x", U&"x" */
    SQL_TOKEN_STRING,            /* '', E'', B'', X'', N'', U&'', $tag$ $tag$, with continuations */
    SQL_TOKEN_NUMBER,
    SQL_TOKEN_SEMICOLON,
    SQL_TOKEN_OPEN,          /* ( */
    SQL_TOKEN_CLOSE,         /* ) */
    SQL_TOKEN_BACKSLASH,     /* one backslash outside quotes and comments: only psql knows it */
    SQL_TOKEN_PSQL_VARIABLE, /* :'name' :"name" :{?name} */
    SQL_TOKEN_OTHER          /* one operator character, $1, anything else */
};

struct sql_token {
    enum sql_token_kind kind;
    size_t offset, len;   /* in bytes */
    bool is_unterminated; /* a quote or comment that the text does not close */
};

struct sql_lexer {
    struct text text;
    size_t offset; /* of the next token */
};

static inline struct sql_lexer rh_sql_lexer(struct text text)
{
    return (struct sql_lexer){.text = text};
}

/* False at the end of the text. */
bool rh_sql_lexer_next(struct sql_lexer *lexer, struct sql_token *ret_token);

/* Neither space nor comment. */
bool rh_sql_token_is_significant(const struct sql_token *token);
/* Whether the token is this word; `word` in lower case. */
bool rh_sql_token_is_word(struct text text, const struct sql_token *token, const char *word);

/* Offset of the first significant token at or after `offset`; text.len when there is none. */
size_t rh_sql_skip_blank(struct text text, size_t offset);
/* Offset behind the last significant token; 0 when there is none. */
size_t rh_sql_end_of_last_token(struct text text);

/*
 * Follows the tokens of a script and says where a statement ends, by psql's rules: a semicolon
 * outside parentheses and outside BEGIN ATOMIC bodies. Give it every significant token.
 */
struct sql_boundary {
    size_t parentheses;
    unsigned words;        /* of this statement, at most WORDS_MAX are looked at */
    char prefix[4];        /* psql's memory of CREATE [OR REPLACE] FUNCTION|PROCEDURE */
    unsigned atomic_depth; /* BEGIN ATOMIC and the CASEs inside */
    bool saw_begin;        /* the token before was BEGIN */
    bool is_copy;          /* the statement's first word */
    bool saw_from;         /* ... FROM was the word before */
    bool copies_stdin;     /* COPY ... FROM STDIN */
};
/* True when `token` ends the statement (and resets itself for the next one). */
bool rh_sql_boundary_feed(struct sql_boundary *boundary, struct text text,
                          const struct sql_token *token);

/* What makes a script one that only psql can run. */
enum psql_need {
    PSQL_NEED_NONE,
    PSQL_NEED_META_COMMAND, /* \connect, \set, \i, \; ... */
    PSQL_NEED_VARIABLE,     /* :'name' */
    PSQL_NEED_COPY_DATA     /* COPY ... FROM STDIN; the data follows in the file */
};
/* The first thing in `text` that needs psql; *ret_offset (may be NULL) is where. */
enum psql_need rh_sql_psql_need(struct text text, size_t *ret_offset);

#endif
