#include "sql/phrase.h"

bool rh_phrase_read(struct phrase *phrase, struct text sql, struct arena *arena, size_t tokens_max)
{
    struct sql_lexer lexer = rh_sql_lexer(sql);
    struct sql_token token;
    bool has_ended = false;
    *phrase = (struct phrase){.sql = sql, .arena = arena};
    while (rh_sql_lexer_next(&lexer, &token)) {
        if (!rh_sql_token_is_significant(&token))
            continue;
        if (token.kind == SQL_TOKEN_SEMICOLON) {
            has_ended = true;
            continue;
        }
        if (has_ended || phrase->tokens.count >= tokens_max)
            return false;
        *RH_PUSH(arena, &phrase->tokens) = token;
    }
    return true;
}

bool rh_phrase_is_word(const struct phrase *phrase, size_t i, const char *word)
{
    return i < phrase->tokens.count &&
           rh_sql_token_is_word(phrase->sql, &phrase->tokens.items[i], word);
}

bool rh_phrase_is_kind(const struct phrase *phrase, size_t i, enum sql_token_kind kind)
{
    return i < phrase->tokens.count && phrase->tokens.items[i].kind == kind;
}

bool rh_phrase_is_char(const struct phrase *phrase, size_t i, char c)
{
    return rh_phrase_is_kind(phrase, i, SQL_TOKEN_OTHER) &&
           phrase->sql.data[phrase->tokens.items[i].offset] == c;
}

const char *rh_phrase_words(const struct phrase *phrase, size_t from, size_t to)
{
    if (to > phrase->tokens.count)
        to = phrase->tokens.count;
    if (from >= to)
        return NULL;
    const struct sql_token *first = &phrase->tokens.items[from];
    const struct sql_token *last = &phrase->tokens.items[to - 1];
    return rh_arena_strndup(phrase->arena, phrase->sql.data + first->offset,
                            last->offset + last->len - first->offset);
}

size_t rh_phrase_behind_name(const struct phrase *phrase, size_t i)
{
    size_t at = i;
    while (rh_phrase_is_kind(phrase, at, SQL_TOKEN_WORD) ||
           rh_phrase_is_kind(phrase, at, SQL_TOKEN_QUOTED_IDENTIFIER)) {
        at++;
        if (!rh_phrase_is_char(phrase, at, '.'))
            return at;
        at++;
    }
    return i;
}

size_t rh_phrase_behind_parentheses(const struct phrase *phrase, size_t i)
{
    size_t depth = 0;
    for (size_t at = i; at < phrase->tokens.count; at++) {
        if (rh_phrase_is_kind(phrase, at, SQL_TOKEN_OPEN))
            depth++;
        else if (rh_phrase_is_kind(phrase, at, SQL_TOKEN_CLOSE) && depth > 0)
            depth--;
        if (depth == 0)
            return at == i ? i : at + 1;
    }
    return i;
}

const char *rh_phrase_inside_parentheses(const struct phrase *phrase, size_t i)
{
    size_t end = rh_phrase_behind_parentheses(phrase, i);
    return end > i + 1 ? rh_phrase_words(phrase, i + 1, end - 1) : NULL;
}

size_t rh_phrase_comma(const struct phrase *phrase, size_t i)
{
    while (i < phrase->tokens.count && !rh_phrase_is_char(phrase, i, ',')) {
        size_t behind = rh_phrase_behind_parentheses(phrase, i);
        i = behind > i ? behind : i + 1;
    }
    return i;
}

size_t rh_phrase_skip_if_exists(const struct phrase *phrase, size_t i)
{
    if (rh_phrase_is_word(phrase, i, "if"))
        i += rh_phrase_is_word(phrase, i + 1, "not") ? 3 : 2;
    return i;
}
