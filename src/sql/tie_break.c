#include "sql/tie_break.h"

#include "sql/lexer.h"

#include <string.h>

/* What may stand behind the sort keys of a SELECT (manual, "SELECT"). */
static bool ends_order(struct text query, const struct sql_token *token)
{
    static const char *const words[] = {"limit", "offset", "fetch", "for"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (rh_sql_token_is_word(query, token, words[i]))
            return true;
    return false;
}

bool rh_sql_break_ties(struct text query, struct arena *arena, struct text *ret_query)
{
    struct sql_lexer lexer = rh_sql_lexer(query);
    struct sql_token token;
    size_t depth = 0, end = 0;
    bool after_order = false, in_keys = false, is_over = false;

    while (rh_sql_lexer_next(&lexer, &token)) {
        if (!rh_sql_token_is_significant(&token))
            continue;
        if (is_over)
            return false;
        if (token.kind == SQL_TOKEN_SEMICOLON) {
            is_over = true;
            continue;
        }
        if (token.kind == SQL_TOKEN_OPEN)
            depth++;
        else if (token.kind == SQL_TOKEN_CLOSE && depth > 0)
            depth--;
        bool is_top = depth == 0 && token.kind == SQL_TOKEN_WORD;
        if (is_top && after_order && rh_sql_token_is_word(query, &token, "by")) {
            in_keys = true;
            end = token.offset + token.len;
        } else if (in_keys && is_top && ends_order(query, &token)) {
            in_keys = false;
        } else if (in_keys) {
            end = token.offset + token.len;
        }
        after_order = is_top && rh_sql_token_is_word(query, &token, "order");
    }
    if (end == 0)
        return false;
    char *text = rh_arena_printf(arena, "%.*s, random()%.*s", (int)end, query.data,
                                 (int)(query.len - end), query.data + end);
    *ret_query = rh_text(text);
    return true;
}
