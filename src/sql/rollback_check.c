#include "sql/rollback_check.h"

#include "sql/facts.h"
#include "sql/lexer.h"

#include <strings.h>

/* --- tokens ------------------------------------------------------------------------------------
 */

struct walk {
    struct text sql;
    struct sql_lexer lexer;
    struct sql_token token;
};

static struct walk walk_of(struct text sql)
{
    return (struct walk){.sql = sql, .lexer = rh_sql_lexer(sql)};
}

static bool next(struct walk *walk)
{
    while (rh_sql_lexer_next(&walk->lexer, &walk->token))
        if (rh_sql_token_is_significant(&walk->token))
            return true;
    return false;
}

/* To the token of that number, 1 being the next. */
static bool skip_to(struct walk *walk, int number)
{
    for (; number > 0; number--)
        if (!next(walk))
            return false;
    return true;
}

static struct text token_text(const struct walk *walk)
{
    return (struct text){walk->sql.data + walk->token.offset, walk->token.len};
}

static bool is_word(const struct walk *walk, const char *word)
{
    return rh_sql_token_is_word(walk->sql, &walk->token, word);
}

/* The content of 'x' as it is written, without its quotes; other strings as a whole. */
static struct text string_content(struct text string)
{
    if (string.len >= 2 && string.data[0] == '\'')
        return (struct text){string.data + 1, string.len - 2};
    return string;
}

/* Whether `label` stands in `sql` as a string of its own, or inside a longer one (a function's
   body) in quotes. */
static bool uses_label(struct text sql, struct arena *arena, const char *label)
{
    const char *quoted = rh_arena_printf(arena, "'%s'", label);

    for (struct walk walk = walk_of(sql); next(&walk);) {
        if (walk.token.kind != SQL_TOKEN_STRING)
            continue;
        struct text string = token_text(&walk);
        if (rh_text_is(string_content(string), label) ||
            memmem(string.data, string.len, quoted, strlen(quoted)))
            return true;
    }
    return false;
}

/* --- enum labels -------------------------------------------------------------------------------
 */

/* "mood" of "public.mood", at the token behind TYPE; leaves the walk behind the name. */
static char *take_type_name(struct walk *walk, struct arena *arena, bool *ret_has_next)
{
    char *name = rh_text_dup(arena, token_text(walk));

    while ((*ret_has_next = next(walk)) && rh_text_is(token_text(walk), ".")) {
        if (!(*ret_has_next = next(walk)))
            break;
        name = rh_text_dup(arena, token_text(walk));
    }
    return name;
}

static bool is_made_here(const struct rollback_check *check, const char *type)
{
    for (size_t i = 0; i < check->made_types.count; i++)
        if (strcasecmp(check->made_types.items[i], type) == 0)
            return true;
    return false;
}

/* A label that was added cannot be used before the transaction ends, unless its type was made in it
   (manual, ALTER TYPE, Notes). */
static void remember_types(struct rollback_check *check, struct text sql, const char *tag,
                           const char *place)
{
    struct walk walk = walk_of(sql);
    bool has_next = false;

    if (strcmp(tag, "CREATE TYPE") != 0 && strcmp(tag, "ALTER TYPE") != 0)
        return;
    if (!skip_to(&walk, 3))
        return;
    const char *type = take_type_name(&walk, check->arena, &has_next);
    if (strcmp(tag, "CREATE TYPE") == 0) {
        *RH_PUSH(check->arena, &check->made_types) = type;
        return;
    }
    if (!has_next || !is_word(&walk, "add") || !next(&walk) || !is_word(&walk, "value") ||
        is_made_here(check, type))
        return;
    while (next(&walk))
        if (walk.token.kind == SQL_TOKEN_STRING) {
            *RH_PUSH(check->arena, &check->labels) = (struct added_label){
                rh_text_dup(check->arena, string_content(token_text(&walk))),
                rh_arena_strdup(check->arena, place)};
            return;
        }
}

static const char *refuse_label(struct rollback_check *check, struct text sql, const char *tag)
{
    for (size_t i = 0; i < check->labels.count && strcmp(tag, "ALTER TYPE") != 0; i++)
        if (uses_label(sql, check->arena, check->labels.items[i].label))
            return rh_arena_printf(check->arena,
                                   "%s uses '%s', which ALTER TYPE ... ADD VALUE (%s) makes in the "
                                   "same transaction",
                                   tag, check->labels.items[i].label, check->labels.items[i].place);
    return NULL;
}

/* --- the others --------------------------------------------------------------------------------
 */

/* COPY to a program or a file of the server. */
static bool writes_outside(struct text sql, const char *tag)
{
    bool is_to = false;
    size_t depth = 0;

    if (strcmp(tag, "COPY") != 0)
        return false;
    for (struct walk walk = walk_of(sql); next(&walk);) {
        if (walk.token.kind == SQL_TOKEN_OPEN)
            depth++;
        else if (walk.token.kind == SQL_TOKEN_CLOSE && depth > 0)
            depth--;
        if (depth == 0 && is_word(&walk, "program"))
            return true;
        if (depth == 0 && is_to && walk.token.kind == SQL_TOKEN_STRING)
            return true;
        is_to = depth == 0 && is_word(&walk, "to");
    }
    return false;
}

static bool has_word(struct text sql, int number, const char *word)
{
    struct walk walk = walk_of(sql);

    return skip_to(&walk, number) && is_word(&walk, word);
}

const char *rh_rollback_refuse(struct rollback_check *check, struct text sql, const char *place)
{
    struct arena *arena = check->arena;
    struct sql_facts facts;

    rh_sql_facts_of_words(sql, arena, &facts);
    const char *tag = facts.tag;
    if (facts.is_concurrently && facts.forbids_transaction)
        return rh_arena_printf(arena, "%s CONCURRENTLY cannot run inside a transaction", tag);
    if (facts.forbids_transaction || (strcmp(tag, "DISCARD") == 0 && has_word(sql, 2, "all")))
        return rh_arena_printf(arena, "%s cannot run inside a transaction", tag);
    if (facts.opens_transaction || facts.ends_transaction)
        return rh_arena_printf(arena,
                               "%s: its transactions are its own, and one that commits cannot "
                               "be rolled back",
                               tag);
    if (strcmp(tag, "SET") == 0 && has_word(sql, 2, "transaction"))
        return "SET TRANSACTION must come first in its transaction";
    if (strcmp(tag, "CREATE SUBSCRIPTION") == 0 || strcmp(tag, "DROP SUBSCRIPTION") == 0)
        return rh_arena_printf(arena, "%s acts on another server", tag);
    if (strcmp(tag, "DEALLOCATE") == 0 && (has_word(sql, 2, "all") || has_word(sql, 3, "all")))
        return "DEALLOCATE ALL takes away the statements that observe the transaction";
    if (strcmp(tag, "CHECKPOINT") == 0 || writes_outside(sql, tag))
        return rh_arena_printf(arena, "%s acts outside of the database, which no rollback undoes",
                               tag);
    const char *reason = refuse_label(check, sql, tag);
    if (!reason)
        remember_types(check, sql, tag, place);
    return reason;
}

bool rh_rollback_is_refusal(const char *sqlstate)
{
    /* active_sql_transaction, invalid_transaction_termination, unsafe_new_enum_value_usage
       (appendix A of the manual) */
    static const char *const states[] = {"25001", "2D000", "55P04"};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(sqlstate, states[i]) == 0)
            return true;
    return false;
}
