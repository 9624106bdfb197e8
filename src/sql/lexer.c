#include "sql/lexer.h"

#include <strings.h>

static bool is_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_identifier_start(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static unsigned char at(struct text text, size_t offset)
{
    return offset < text.len ? (unsigned char)text.data[offset] : '\0';
}

/* Offset of the line end or the text's end. */
static size_t line_comment_end(struct text text, size_t offset)
{
    while (offset < text.len && text.data[offset] != '\n' && text.data[offset] != '\r')
        offset++;
    return offset;
}

static size_t block_comment_end(struct text text, size_t offset, bool *ret_unterminated)
{
    size_t depth = 0;

    while (offset < text.len) {
        if (at(text, offset) == '/' && at(text, offset + 1) == '*') {
            depth++;
            offset += 2;
        } else if (at(text, offset) == '*' && at(text, offset + 1) == '/') {
            offset += 2;
            if (--depth == 0)
                return offset;
        } else {
            offset++;
        }
    }
    *ret_unterminated = true;
    return text.len;
}

/* `offset` is behind the opening quote; returns the offset behind the closing one. */
static size_t quoted_end(struct text text, size_t offset, char quote, bool has_escapes,
                         bool *ret_unterminated)
{
    while (offset < text.len) {
        char c = text.data[offset];

        if (c == '\\' && has_escapes) {
            offset += offset + 1 < text.len ? 2 : 1;
        } else if (c != quote) {
            offset++;
        } else if (offset + 1 < text.len && text.data[offset + 1] == quote) {
            offset += 2;
        } else {
            return offset + 1;
        }
    }
    *ret_unterminated = true;
    return text.len;
}

/*
 * A string goes on after white space that holds a new line ("String Constants", 4.1.2.1), and keeps
 * its kind: in E'a' <newline> 'b\'c' the second part has escapes too. Returns the offset behind the
 * quote that opens the continuation, 0 for none.
 */
static size_t continuation_start(struct text text, size_t offset)
{
    bool has_newline = false;

    while (offset < text.len) {
        unsigned char c = at(text, offset);

        if (is_space(c)) {
            has_newline |= c == '\n' || c == '\r';
            offset++;
        } else if (c == '-' && at(text, offset + 1) == '-') {
            offset = line_comment_end(text, offset);
        } else {
            return c == '\'' && has_newline ? offset + 1 : 0;
        }
    }
    return 0;
}

static size_t string_end(struct text text, size_t offset, bool has_escapes, bool *ret_unterminated)
{
    for (;;) {
        offset = quoted_end(text, offset, '\'', has_escapes, ret_unterminated);
        if (*ret_unterminated)
            return offset;

        size_t next = continuation_start(text, offset);

        if (next == 0)
            return offset;
        offset = next;
    }
}

/* Length of "$tag$" at offset, 0 when there is none. */
static size_t dollar_quote_length(struct text text, size_t offset)
{
    size_t end = offset + 1;

    if (is_identifier_start(at(text, end))) {
        while (is_identifier_start(at(text, end)) || is_digit(at(text, end)))
            end++;
    }
    return at(text, end) == '$' ? end + 1 - offset : 0;
}

static size_t dollar_quoted_end(struct text text, size_t offset, size_t tag_len,
                                bool *ret_unterminated)
{
    const char *tag = text.data + offset;
    const char *from = tag + tag_len;
    size_t left = text.len - offset - tag_len;
    const char *found = memmem(from, left, tag, tag_len);

    if (!found) {
        *ret_unterminated = true;
        return text.len;
    }
    return (size_t)(found - text.data) + tag_len;
}

static bool is_variable_character(unsigned char c)
{
    return is_identifier_start(c) || is_digit(c);
}

/* Length of :'name', :"name" or :{?name} (psql's psqlscan.l), 0 when there is none. */
static size_t psql_variable_length(struct text text, size_t offset)
{
    size_t start = offset + 2, end;
    char close = (char)at(text, offset + 1);

    if (close == '{') {
        if (at(text, offset + 2) != '?')
            return 0;
        start++;
        close = '}';
    } else if (close != '\'' && close != '"') {
        return 0;
    }
    end = start;
    while (is_variable_character(at(text, end)))
        end++;
    return end > start && at(text, end) == (unsigned char)close ? end + 1 - offset : 0;
}

static size_t word_end(struct text text, size_t offset)
{
    while (is_identifier_start(at(text, offset)) || is_digit(at(text, offset)) ||
           at(text, offset) == '$')
        offset++;
    return offset;
}

/* A word, or a string or identifier with a prefix: E'', B'', X'', N'', U&'', U&"". */
static size_t scan_word(struct text text, struct sql_token *token)
{
    size_t offset = token->offset;
    unsigned char first = at(text, offset) | 0x20, second = at(text, offset + 1);

    if (second == '\'' && (first == 'e' || first == 'b' || first == 'x' || first == 'n')) {
        token->kind = SQL_TOKEN_STRING;
        return string_end(text, offset + 2, first == 'e', &token->is_unterminated);
    }
    if (first == 'u' && second == '&' && at(text, offset + 2) == '\'') {
        token->kind = SQL_TOKEN_STRING;
        return string_end(text, offset + 3, false, &token->is_unterminated);
    }
    if (first == 'u' && second == '&' && at(text, offset + 2) == '"') {
        token->kind = SQL_TOKEN_QUOTED_IDENTIFIER;
        return quoted_end(text, offset + 3, '"', false, &token->is_unterminated);
    }
    token->kind = SQL_TOKEN_WORD;
    return word_end(text, offset);
}

static size_t scan_dollar(struct text text, struct sql_token *token)
{
    size_t tag_len = dollar_quote_length(text, token->offset);

    if (tag_len == 0) {
        token->kind = SQL_TOKEN_OTHER;
        return token->offset + 1;
    }
    token->kind = SQL_TOKEN_STRING;
    return dollar_quoted_end(text, token->offset, tag_len, &token->is_unterminated);
}

static size_t scan_token(struct text text, struct sql_token *token)
{
    size_t offset = token->offset;
    unsigned char c = at(text, offset), next = at(text, offset + 1);

    if (is_space(c)) {
        token->kind = SQL_TOKEN_SPACE;
        while (offset < text.len && is_space(at(text, offset)))
            offset++;
        return offset;
    }
    if (c == '-' && next == '-') {
        token->kind = SQL_TOKEN_COMMENT;
        return line_comment_end(text, offset);
    }
    if (c == '/' && next == '*') {
        token->kind = SQL_TOKEN_COMMENT;
        return block_comment_end(text, offset, &token->is_unterminated);
    }
    if (is_identifier_start(c))
        return scan_word(text, token);
    if (is_digit(c)) {
        /* Digits, and the letters of 1e5 and 0x1f: where a number ends matters to nobody here. */
        token->kind = SQL_TOKEN_NUMBER;
        while (is_digit(at(text, offset)) || is_identifier_start(at(text, offset)))
            offset++;
        return offset;
    }

    token->kind = SQL_TOKEN_OTHER;
    switch (c) {
    case '\'':
        token->kind = SQL_TOKEN_STRING;
        return string_end(text, offset + 1, false, &token->is_unterminated);
    case '"':
        token->kind = SQL_TOKEN_QUOTED_IDENTIFIER;
        return quoted_end(text, offset + 1, '"', false, &token->is_unterminated);
    case '$':
        return scan_dollar(text, token);
    case ';':
        token->kind = SQL_TOKEN_SEMICOLON;
        break;
    case '(':
        token->kind = SQL_TOKEN_OPEN;
        break;
    case ')':
        token->kind = SQL_TOKEN_CLOSE;
        break;
    case '\\':
        token->kind = SQL_TOKEN_BACKSLASH;
        break;
    case ':':
        if (next == ':') /* a cast: its second colon starts no variable */
            return offset + 2;
        if (psql_variable_length(text, offset) > 0) {
            token->kind = SQL_TOKEN_PSQL_VARIABLE;
            return offset + psql_variable_length(text, offset);
        }
        break;
    }
    return offset + 1;
}

bool rh_sql_lexer_next(struct sql_lexer *lexer, struct sql_token *ret_token)
{
    if (lexer->offset >= lexer->text.len)
        return false;

    struct sql_token token = {.offset = lexer->offset};

    lexer->offset = scan_token(lexer->text, &token);
    token.len = lexer->offset - token.offset;
    *ret_token = token;
    return true;
}

bool rh_sql_token_is_significant(const struct sql_token *token)
{
    return token->kind != SQL_TOKEN_SPACE && token->kind != SQL_TOKEN_COMMENT;
}

bool rh_sql_token_is_word(struct text text, const struct sql_token *token, const char *word)
{
    return token->kind == SQL_TOKEN_WORD && strlen(word) == token->len &&
           strncasecmp(text.data + token->offset, word, token->len) == 0;
}

size_t rh_sql_skip_blank(struct text text, size_t offset)
{
    struct sql_lexer lexer = {.text = text, .offset = offset};
    struct sql_token token;

    while (rh_sql_lexer_next(&lexer, &token)) {
        if (rh_sql_token_is_significant(&token))
            return token.offset;
    }
    return text.len;
}

size_t rh_sql_end_of_last_token(struct text text)
{
    struct sql_lexer lexer = rh_sql_lexer(text);
    struct sql_token token;
    size_t end = 0;

    while (rh_sql_lexer_next(&lexer, &token)) {
        /* A comment that never closes is the server's to complain about, not ours to drop. */
        if (rh_sql_token_is_significant(&token) || token.is_unterminated)
            end = token.offset + token.len;
    }
    return end;
}

/* Remembers the words psql looks at: CREATE [OR REPLACE] FUNCTION|PROCEDURE (psqlscan.l). */
static void remember_prefix(struct sql_boundary *boundary, struct text text,
                            const struct sql_token *token)
{
    static const char *const words[] = {"create", "or", "replace", "function", "procedure"};

    if (boundary->words >= sizeof(boundary->prefix))
        return;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (rh_sql_token_is_word(text, token, words[i]))
            boundary->prefix[boundary->words] = words[i][0];
    }
}

static bool creates_routine(const struct sql_boundary *boundary)
{
    const char *p = boundary->prefix;

    return p[0] == 'c' && (p[1] == 'f' || p[1] == 'p' ||
                           (p[1] == 'o' && p[2] == 'r' && (p[3] == 'f' || p[3] == 'p')));
}

static void feed_word(struct sql_boundary *boundary, struct text text,
                      const struct sql_token *token)
{
    bool after_begin = boundary->saw_begin;

    remember_prefix(boundary, text, token);
    if (boundary->words == 0)
        boundary->is_copy = rh_sql_token_is_word(text, token, "copy");
    boundary->words += boundary->words < sizeof(boundary->prefix);

    if (boundary->is_copy && boundary->parentheses == 0) {
        if (boundary->saw_from && rh_sql_token_is_word(text, token, "stdin"))
            boundary->copies_stdin = true;
        boundary->saw_from = rh_sql_token_is_word(text, token, "from");
    }
    if (!creates_routine(boundary) || boundary->parentheses > 0)
        return;
    boundary->saw_begin = false;
    if (boundary->atomic_depth == 0) {
        if (after_begin && rh_sql_token_is_word(text, token, "atomic"))
            boundary->atomic_depth = 1;
        boundary->saw_begin = rh_sql_token_is_word(text, token, "begin");
    } else if (rh_sql_token_is_word(text, token, "case")) {
        boundary->atomic_depth++;
    } else if (rh_sql_token_is_word(text, token, "end")) {
        boundary->atomic_depth--;
    }
}

bool rh_sql_boundary_feed(struct sql_boundary *boundary, struct text text,
                          const struct sql_token *token)
{
    if (token->kind == SQL_TOKEN_WORD) {
        feed_word(boundary, text, token);
        return false;
    }
    boundary->saw_begin = false;
    boundary->saw_from = false;
    if (token->kind == SQL_TOKEN_OPEN)
        boundary->parentheses++;
    else if (token->kind == SQL_TOKEN_CLOSE && boundary->parentheses > 0)
        boundary->parentheses--;
    else if (token->kind == SQL_TOKEN_SEMICOLON && boundary->parentheses == 0 &&
             boundary->atomic_depth == 0) {
        *boundary = (struct sql_boundary){0};
        return true;
    }
    return false;
}

enum psql_need rh_sql_psql_need(struct text text, size_t *ret_offset)
{
    struct sql_lexer lexer = rh_sql_lexer(text);
    struct sql_boundary boundary = {0};
    struct sql_token token;
    size_t start = 0; /* of the statement */
    bool in_statement = false;

    while (rh_sql_lexer_next(&lexer, &token)) {
        enum psql_need need = PSQL_NEED_NONE;
        size_t offset = token.offset;

        if (!rh_sql_token_is_significant(&token))
            continue;
        if (!in_statement)
            start = token.offset;
        in_statement = true;
        if (token.kind == SQL_TOKEN_BACKSLASH) {
            need = PSQL_NEED_META_COMMAND;
        } else if (token.kind == SQL_TOKEN_PSQL_VARIABLE) {
            need = PSQL_NEED_VARIABLE;
        } else {
            bool copies = boundary.copies_stdin;

            if (rh_sql_boundary_feed(&boundary, text, &token)) {
                in_statement = false;
                if (copies) {
                    need = PSQL_NEED_COPY_DATA;
                    offset = start;
                }
            }
        }
        if (need != PSQL_NEED_NONE) {
            if (ret_offset)
                *ret_offset = offset;
            return need;
        }
    }
    return PSQL_NEED_NONE;
}
