#include "sql/two_phase.h"

#include "sql/lexer.h"

/* By a statement's first two words. */
static enum two_phase kind_of(struct text query, const struct sql_token words[2])
{
    if (rh_sql_token_is_word(query, &words[0], "prepare"))
        return rh_sql_token_is_word(query, &words[1], "transaction") ? TWO_PHASE_PREPARES
                                                                     : TWO_PHASE_NONE;
    if (rh_sql_token_is_word(query, &words[0], "commit") ||
        rh_sql_token_is_word(query, &words[0], "rollback"))
        return rh_sql_token_is_word(query, &words[1], "prepared") ? TWO_PHASE_ENDS : TWO_PHASE_NONE;
    return TWO_PHASE_NONE;
}

enum two_phase rh_sql_two_phase(struct text query, struct text *ret_name)
{
    struct sql_lexer lexer = rh_sql_lexer(query);
    struct sql_token token, words[2];
    size_t place = 0; /* in its statement */

    while (rh_sql_lexer_next(&lexer, &token)) {
        if (!rh_sql_token_is_significant(&token))
            continue;
        if (token.kind == SQL_TOKEN_SEMICOLON) {
            place = 0;
            continue;
        }
        if (place == 2 && token.kind == SQL_TOKEN_STRING) {
            enum two_phase kind = kind_of(query, words);

            if (kind != TWO_PHASE_NONE) {
                *ret_name = (struct text){query.data + token.offset, token.len};
                return kind;
            }
        }
        if (place < 2)
            words[place] = token;
        place++;
    }
    return TWO_PHASE_NONE;
}
