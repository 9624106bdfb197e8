#include "sql/copy_from.h"

#include "sql/lexer.h"

struct reading {
    struct text sql;
    struct sql_lexer lexer;
    struct sql_token token; /* the next one */
    bool is_over;
    struct arena *arena;
};

static void advance(struct reading *reading)
{
    do
        reading->is_over = !rh_sql_lexer_next(&reading->lexer, &reading->token);
    while (!reading->is_over && !rh_sql_token_is_significant(&reading->token));
}

static bool take_word(struct reading *reading, const char *word)
{
    if (reading->is_over || !rh_sql_token_is_word(reading->sql, &reading->token, word))
        return false;
    advance(reading);
    return true;
}

static bool take_kind(struct reading *reading, enum sql_token_kind kind)
{
    if (reading->is_over || reading->token.kind != kind)
        return false;
    advance(reading);
    return true;
}

static bool take_other(struct reading *reading, char c)
{
    if (reading->is_over || reading->token.kind != SQL_TOKEN_OTHER || reading->token.len != 1 ||
        reading->sql.data[reading->token.offset] != c)
        return false;
    advance(reading);
    return true;
}

/* What stands between the quotes; NULL: of the kind U&"", or not closed. */
static const char *unquote(struct text quoted, struct arena *arena)
{
    char *name = rh_arena_alloc(arena, quoted.len + 1);
    size_t len = 0;

    if (quoted.len < 3 || quoted.data[0] != '"' || quoted.data[quoted.len - 1] != '"')
        return NULL;
    for (size_t i = 1; i + 1 < quoted.len; i++) {
        name[len++] = quoted.data[i];
        i += quoted.data[i] == '"'; /* doubled */
    }
    name[len] = '\0';
    return name;
}

/* Folded as the server folds names that have no quotes (ASCII: downcase_identifier). */
static const char *fold(struct text word, struct arena *arena)
{
    char *name = rh_arena_strndup(arena, word.data, word.len);

    for (char *c = name; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    return name;
}

static const char *take_name(struct reading *reading)
{
    struct text text = {reading->sql.data + reading->token.offset, reading->token.len};
    const char *name = NULL;

    if (!reading->is_over && reading->token.kind == SQL_TOKEN_WORD)
        name = fold(text, reading->arena);
    else if (!reading->is_over && reading->token.kind == SQL_TOKEN_QUOTED_IDENTIFIER &&
             !reading->token.is_unterminated)
        name = unquote(text, reading->arena);
    if (name)
        advance(reading);
    return name;
}

static bool take_columns(struct reading *reading, struct sql_copy_from *copy)
{
    if (!take_kind(reading, SQL_TOKEN_OPEN))
        return true;
    do {
        const char *name = take_name(reading);

        if (!name)
            return false;
        *RH_PUSH(reading->arena, &copy->columns) = name;
    } while (take_other(reading, ','));
    return take_kind(reading, SQL_TOKEN_CLOSE);
}

static bool take_options(struct reading *reading)
{
    bool has_with = take_word(reading, "with");

    if (!take_kind(reading, SQL_TOKEN_OPEN))
        return !has_with;
    return take_word(reading, "format") && take_word(reading, "text") &&
           take_kind(reading, SQL_TOKEN_CLOSE);
}

bool rh_sql_copy_from(struct text sql, struct arena *arena, struct sql_copy_from *ret_copy)
{
    struct reading reading = {.sql = sql, .lexer = rh_sql_lexer(sql), .arena = arena};
    struct sql_copy_from copy = {.schema = NULL};

    advance(&reading);
    if (!take_word(&reading, "copy") || !(copy.table = take_name(&reading)))
        return false;
    if (take_other(&reading, '.')) {
        copy.schema = copy.table;
        if (!(copy.table = take_name(&reading)))
            return false;
    }
    if (!take_columns(&reading, &copy) || !take_word(&reading, "from") ||
        !take_word(&reading, "stdin") || !take_options(&reading))
        return false;
    (void)take_kind(&reading, SQL_TOKEN_SEMICOLON);
    if (!reading.is_over)
        return false;
    *ret_copy = copy;
    return true;
}
