#include "sql/predicate_columns.h"

#include "sql/lexer.h"

#include <string.h>

#define TOKENS_MAX 2000

struct walk {
    struct text text;
    struct sql_token *tokens;
    size_t count;
};

static struct text token_text(const struct walk *walk, size_t at)
{
    if (at >= walk->count)
        return (struct text){"", 0};
    return (struct text){walk->text.data + walk->tokens[at].offset, walk->tokens[at].len};
}

static bool is(const struct walk *walk, size_t at, const char *text)
{
    return at < walk->count && rh_text_is(token_text(walk, at), text);
}

static bool is_name(const struct walk *walk, size_t at)
{
    return at < walk->count && (walk->tokens[at].kind == SQL_TOKEN_WORD ||
                                walk->tokens[at].kind == SQL_TOKEN_QUOTED_IDENTIFIER);
}

static bool is_keyword(const struct walk *walk, size_t at)
{
    static const char *const words[] = {"and",  "or",    "not",  "is",   "null", "any",  "all",
                                        "true", "false", "case", "when", "then", "else", "end"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (at < walk->count && rh_sql_token_is_word(walk->text, &walk->tokens[at], words[i]))
            return true;
    return false;
}

/* alias.column or column at `at`: its last token, or SIZE_MAX. */
static size_t column_at(const struct walk *walk, size_t at, const char *alias,
                        struct text *ret_column)
{
    struct text own = rh_text(alias);
    if (!is_name(walk, at) || is_keyword(walk, at))
        return SIZE_MAX;
    if (is(walk, at + 1, ".")) {
        struct text qualifier = token_text(walk, at);
        if (qualifier.len >= 2 && qualifier.data[0] == '"')
            qualifier = (struct text){qualifier.data + 1, qualifier.len - 2};
        if (!rh_text_equals(qualifier, own) || !is_name(walk, at + 2))
            return SIZE_MAX;
        *ret_column = token_text(walk, at + 2);
        return at + 2;
    }
    if (is(walk, at + 1, "("))
        return SIZE_MAX;
    *ret_column = token_text(walk, at);
    return at;
}

/* Tokens of "::" at `at`; 0: there is none. */
static size_t cast_tokens(const struct walk *walk, size_t at)
{
    if (is(walk, at, "::"))
        return 1;
    return is(walk, at, ":") && is(walk, at + 1, ":") ? 2 : 0;
}

/* Behind casts and the parentheses that they need: "(status)::text". */
static size_t skip_cast(const struct walk *walk, size_t at)
{
    for (;;) {
        if (is(walk, at, ")") && cast_tokens(walk, at + 1) > 0)
            at++;
        if (cast_tokens(walk, at) == 0)
            return at;
        at += cast_tokens(walk, at);
        while (is_name(walk, at) && !is_keyword(walk, at))
            at++;
        if (is(walk, at, "("))
            while (at < walk->count && !is(walk, at++, ")"))
                continue;
    }
}

static void add(struct arena *arena, struct index_elements *names, const char *text)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], text) == 0)
            return;
    *RH_PUSH(arena, names) = text;
}

/* Looks at the operator behind an operand and files the operand. */
static void file_operand(const struct walk *walk, size_t behind, const char *operand,
                         struct arena *arena, struct predicate_columns *columns)
{
    size_t at = skip_cast(walk, behind);
    if (is(walk, at, "=")) {
        add(arena, &columns->equal, operand);
    } else if (is(walk, at, "<") || is(walk, at, ">")) {
        if (!(is(walk, at, "<") && is(walk, at + 1, ">")))
            add(arena, &columns->ranges, operand);
    } else if (at < walk->count && rh_sql_token_is_word(walk->text, &walk->tokens[at], "is") &&
               at + 1 < walk->count &&
               rh_sql_token_is_word(walk->text, &walk->tokens[at + 1], "null")) {
        add(arena, &columns->equal, operand);
    }
}

void rh_sql_predicate_columns(struct text condition, const char *alias, struct arena *arena,
                              struct predicate_columns *columns)
{
    struct sql_lexer lexer = rh_sql_lexer(condition);
    struct sql_token token;
    struct walk walk = {.text = condition};

    walk.tokens = rh_arena_alloc_array(arena, TOKENS_MAX, sizeof(token));
    while (walk.count < TOKENS_MAX && rh_sql_lexer_next(&lexer, &token))
        if (rh_sql_token_is_significant(&token))
            walk.tokens[walk.count++] = token;
    for (size_t i = 0; i < walk.count; i++) {
        struct text column;
        columns->has_or |= rh_sql_token_is_word(condition, &walk.tokens[i], "or");
        /* function(column) */
        if (is_name(&walk, i) && !is_keyword(&walk, i) && is(&walk, i + 1, "(")) {
            size_t from = i + 2 + is(&walk, i + 2, "(");
            size_t last = column_at(&walk, from, alias, &column);
            size_t behind = last == SIZE_MAX ? SIZE_MAX : skip_cast(&walk, last + 1);
            if (behind != SIZE_MAX && is(&walk, behind, ")")) {
                struct text function = token_text(&walk, i);
                file_operand(&walk, behind + 1,
                             rh_arena_printf(arena, "%.*s(%.*s)", (int)function.len, function.data,
                                             (int)column.len, column.data),
                             arena, columns);
                i = behind;
            }
            continue;
        }
        size_t uncast = skip_cast(&walk, i);
        if (uncast > i) { /* of a constant */
            i = uncast - 1;
            continue;
        }
        size_t last = column_at(&walk, i, alias, &column);
        if (last == SIZE_MAX) {
            i += is_name(&walk, i) && is(&walk, i + 1, ".") ? 2 : 0;
            continue;
        }
        bool is_right = i > 1 && is(&walk, i - 1, "=") && !is(&walk, i - 2, "<") &&
                        !is(&walk, i - 2, ">") && !is(&walk, i - 2, "!");
        if (is_right)
            add(arena, &columns->equal, rh_text_dup(arena, column));
        else
            file_operand(&walk, last + 1, rh_text_dup(arena, column), arena, columns);
        i = skip_cast(&walk, last + 1) - 1;
    }
}
