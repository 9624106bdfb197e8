#include "sql/pattern_int.h"

#include <strings.h>

static char at(struct text text, size_t offset)
{
    return offset < text.len ? text.data[offset] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits_end(struct text text, size_t offset)
{
    while (is_digit(at(text, offset)) || at(text, offset) == '_')
        offset++;
    return offset;
}

/* The end of a number that the lexer gave the first part of: fractions and exponents with a sign.
 */
static size_t number_end(struct text text, size_t start, size_t offset)
{
    if (at(text, offset) == '.' && at(text, offset + 1) != '.' &&
        digits_end(text, start) == offset) {
        offset = digits_end(text, offset + 1);
        if ((at(text, offset) | 0x20) == 'e') {
            size_t exponent = offset + 1;
            if (at(text, exponent) == '+' || at(text, exponent) == '-')
                exponent++;
            if (is_digit(at(text, exponent)))
                offset = digits_end(text, exponent);
        }
    } else if ((at(text, offset - 1) | 0x20) == 'e' && digits_end(text, start) == offset - 1 &&
               (at(text, offset) == '+' || at(text, offset) == '-') &&
               is_digit(at(text, offset + 1))) {
        offset = digits_end(text, offset + 1);
    }
    return offset;
}

/* The number behind a dollar: 0 when it is none. */
static unsigned parameter_at(struct text text, size_t offset, size_t *ret_end)
{
    unsigned number = 0;
    size_t end = offset;
    for (; is_digit(at(text, end)); end++)
        number = number > SQL_PARAMETERS_MAX ? number
                                             : number * 10 + (unsigned)(at(text, end) - '0');
    *ret_end = end;
    return number > SQL_PARAMETERS_MAX ? 0 : number;
}

static void name_piece(struct sql_pieces *pieces, const struct sql_token *token,
                       struct sql_piece *piece)
{
    struct text text = pieces->lexer.text;
    size_t end;
    char c = text.data[token->offset];
    switch (token->kind) {
    case SQL_TOKEN_QUOTED_IDENTIFIER:
        piece->is_quoted = true;
        piece->kind = SQL_PIECE_WORD;
        return;
    case SQL_TOKEN_WORD:
        piece->kind = SQL_PIECE_WORD;
        return;
    case SQL_TOKEN_STRING:
        piece->is_string = true;
        piece->kind = SQL_PIECE_CONSTANT;
        return;
    case SQL_TOKEN_NUMBER:
        piece->kind = SQL_PIECE_CONSTANT;
        pieces->lexer.offset = number_end(text, token->offset, pieces->lexer.offset);
        return;
    case SQL_TOKEN_SPACE:
    case SQL_TOKEN_COMMENT:
    case SQL_TOKEN_SEMICOLON:
    case SQL_TOKEN_OPEN:
    case SQL_TOKEN_CLOSE:
    case SQL_TOKEN_BACKSLASH:
    case SQL_TOKEN_PSQL_VARIABLE:
    case SQL_TOKEN_OTHER:
        piece->kind = SQL_PIECE_OTHER;
        break;
    }
    if (c == '$' && is_digit(at(text, token->offset + 1))) {
        piece->kind = SQL_PIECE_PARAMETER;
        piece->parameter = parameter_at(text, token->offset + 1, &end);
        pieces->lexer.offset = end;
    } else if (c == '.' && is_digit(at(text, token->offset + 1)) && !pieces->can_end_value) {
        piece->kind = SQL_PIECE_CONSTANT;
        end = digits_end(text, token->offset + 1);
        if ((at(text, end) | 0x20) == 'e')
            end = number_end(text, token->offset + 1, end + 1);
        pieces->lexer.offset = end;
    }
}

bool rh_sql_piece_next(struct sql_pieces *pieces, struct sql_piece *ret_piece)
{
    struct sql_token token;
    struct sql_piece piece = {0};
    do {
        if (!rh_sql_lexer_next(&pieces->lexer, &token))
            return false;
        piece.is_apart |= !rh_sql_token_is_significant(&token);
    } while (!rh_sql_token_is_significant(&token));
    piece.offset = token.offset;
    name_piece(pieces, &token, &piece);
    piece.len = pieces->lexer.offset - piece.offset;
    char last = pieces->lexer.text.data[pieces->lexer.offset - 1];
    pieces->can_end_value = piece.kind != SQL_PIECE_OTHER || last == ')' || last == ']';
    *ret_piece = piece;
    return true;
}

/* Pieces since the last comma, of every parenthesis that is open: a left-deep chain of operators
   is as long as they are, and what is within adds to it. */
#define DEPTH_LEVELS_MAX 512

size_t rh_sql_depth_bound(struct text query)
{
    struct sql_pieces pieces = {.lexer = rh_sql_lexer(query)};
    struct sql_piece piece;
    size_t counts[DEPTH_LEVELS_MAX] = {0}, level = 0, sum = 0, most = 0;
    while (rh_sql_piece_next(&pieces, &piece)) {
        char c = query.data[piece.offset];
        if (piece.kind != SQL_PIECE_OTHER)
            c = 'x';
        sum++;
        counts[level]++;
        most = sum > most ? sum : most;
        if (c == '(' || c == '[') {
            if (++level >= DEPTH_LEVELS_MAX)
                return SIZE_MAX;
            counts[level] = 0;
        } else if ((c == ')' || c == ']') && level > 0) {
            sum -= counts[level--];
        } else if (c == ',' || c == ';') {
            sum -= counts[level];
            counts[level] = 0;
        }
    }
    return most;
}

/* --- secrets ---------------------------------------------------------------------------------- */

#define SECRET_WORDS 4

static bool is_word(struct text query, const struct sql_piece *piece, const char *word)
{
    return piece->kind == SQL_PIECE_WORD && !piece->is_quoted && strlen(word) == piece->len &&
           strncasecmp(query.data + piece->offset, word, piece->len) == 0;
}

/* "password=x" of a connection string, PASSWORD 'x' in the body of a function, user:x@host. */
static bool string_has_secret(struct text string)
{
    static const char word[] = "password";
    for (size_t i = 0; i + sizeof(word) < string.len; i++) {
        if ((string.data[i] | 0x20) == 'p' &&
            strncasecmp(string.data + i, word, sizeof(word) - 1) == 0) {
            size_t next = i + sizeof(word) - 1;
            while (next < string.len && strchr(" \t\n\r", string.data[next]) != NULL)
                next++;
            if (next < string.len && (string.data[next] == '=' || string.data[next] == '\''))
                return true;
        }
    }
    const char *scheme = memmem(string.data, string.len, "://", 3);
    if (scheme == NULL)
        return false;
    struct text rest = {scheme + 3, string.len - (size_t)(scheme + 3 - string.data)};
    const char *host = memchr(rest.data, '@', rest.len);
    return host != NULL && memchr(rest.data, ':', (size_t)(host - rest.data)) != NULL &&
           memchr(rest.data, '/', (size_t)(host - rest.data)) == NULL;
}

/*
 * CREATE|ALTER ROLE|USER|GROUP ... PASSWORD; USER MAPPING and SERVER with OPTIONS; SUBSCRIPTION ...
 * CONNECTION; ALTER SYSTEM, whose settings may be anything (primary_conninfo); any string that
 * looks like one.
 */
bool rh_sql_has_secret(struct text query)
{
    struct sql_pieces pieces = {.lexer = rh_sql_lexer(query)};
    struct sql_piece piece;
    size_t words = 0;
    bool defines = false, is_role = false, is_mapping = false, is_server = false,
         is_subscription = false;
    while (rh_sql_piece_next(&pieces, &piece)) {
        if (piece.is_string &&
            string_has_secret((struct text){query.data + piece.offset, piece.len}))
            return true;
        if (query.data[piece.offset] == ';' && piece.kind == SQL_PIECE_OTHER) {
            words = 0;
            defines = is_role = is_mapping = is_server = is_subscription = false;
            continue;
        }
        if (words == 0)
            defines = is_word(query, &piece, "create") || is_word(query, &piece, "alter");
        if (defines && words > 0 && words < SECRET_WORDS) {
            is_role |= is_word(query, &piece, "role") || is_word(query, &piece, "user") ||
                       is_word(query, &piece, "group");
            is_mapping |= is_word(query, &piece, "mapping");
            is_server |= is_word(query, &piece, "server");
            is_subscription |= is_word(query, &piece, "subscription");
            if (words == 1 && is_word(query, &piece, "system"))
                return true;
        }
        if ((is_role && is_word(query, &piece, "password")) ||
            ((is_mapping || is_server) && is_word(query, &piece, "options")) ||
            (is_subscription && is_word(query, &piece, "connection")))
            return true;
        words++;
    }
    return false;
}
