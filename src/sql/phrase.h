/*
 * One statement as its significant tokens, for those who look for a clause in it: what stands
 * where, by the words alone. It knows no grammar; names and parentheses are all it understands.
 * Pure.
 */
#ifndef RH_SQL_PHRASE_H
#define RH_SQL_PHRASE_H

#include "base/arena.h"
#include "base/text.h"
#include "sql/lexer.h"

struct phrase {
    struct text sql;
    struct arena *arena;
    VEC(struct sql_token) tokens; /* the semicolon at the end is left out */
};

/* False for several statements, and for more than `tokens_max` tokens. `sql` must outlive it. */
bool rh_phrase_read(struct phrase *phrase, struct text sql, struct arena *arena, size_t tokens_max);

/* Positions are places in `tokens`; those behind the end are nothing at all. `word`: lower case. */
bool rh_phrase_is_word(const struct phrase *phrase, size_t i, const char *word);
bool rh_phrase_is_kind(const struct phrase *phrase, size_t i, enum sql_token_kind kind);
bool rh_phrase_is_char(const struct phrase *phrase, size_t i, char c);

/* The text of tokens [from, to) as written, what stands between them included; NULL for none. */
const char *rh_phrase_words(const struct phrase *phrase, size_t from, size_t to);
/* Behind the name at `i` (a, "a", a.b.c); `i` itself when there is none. */
size_t rh_phrase_behind_name(const struct phrase *phrase, size_t i);
/* Behind the parentheses that open at `i`; `i` itself when none open there, or they never close. */
size_t rh_phrase_behind_parentheses(const struct phrase *phrase, size_t i);
/* What stands between the parentheses that open at `i`; NULL for none. */
const char *rh_phrase_inside_parentheses(const struct phrase *phrase, size_t i);
/* The first comma at or behind `i`, outside of parentheses; the number of tokens when there is
   none. */
size_t rh_phrase_comma(const struct phrase *phrase, size_t i);
/* Behind IF EXISTS or IF NOT EXISTS at `i`; `i` itself when neither stands there. */
size_t rh_phrase_skip_if_exists(const struct phrase *phrase, size_t i);

#endif
