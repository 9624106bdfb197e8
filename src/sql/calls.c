#include "sql/calls.h"

#include "base/quote.h"
#include "sql/lexer.h"

#include <string.h>
#include <strings.h>

static bool next_significant(struct sql_lexer *lexer, struct sql_token *token)
{
    while (rh_sql_lexer_next(lexer, token))
        if (rh_sql_token_is_significant(token))
            return true;
    return false;
}

static bool is_char(struct text sql, const struct sql_token *token, char c)
{
    return token->kind == SQL_TOKEN_OTHER && token->len == 1 && sql.data[token->offset] == c;
}

static bool is_name(const struct sql_token *token)
{
    return token->kind == SQL_TOKEN_WORD || token->kind == SQL_TOKEN_QUOTED_IDENTIFIER;
}

static const char *name_of(struct text sql, const struct sql_token *token, struct arena *arena)
{
    struct text written = {sql.data + token->offset, token->len};

    return token->kind == SQL_TOKEN_WORD || written.data[0] == '"'
               ? rh_quote_read_name(arena, written)
               : "U&";
}

/* Commas up to the parenthesis that closes the one at the lexer's token. */
static size_t count_commas(struct sql_lexer lexer)
{
    struct sql_token token;
    size_t commas = 0;
    int depth = 1;
    while (depth > 0 && next_significant(&lexer, &token)) {
        depth += (token.kind == SQL_TOKEN_OPEN) - (token.kind == SQL_TOKEN_CLOSE);
        commas += depth == 1 && is_char(lexer.text, &token, ',');
    }
    return commas;
}

void rh_sql_calls(struct text sql, struct arena *arena, struct sql_calls *ret_calls)
{
    struct sql_lexer lexer = rh_sql_lexer(sql);
    struct sql_token token;
    const char *before = NULL, *schema = NULL; /* a name, and that name with a dot behind it */
    *ret_calls = (struct sql_calls){0};
    while (next_significant(&lexer, &token)) {
        if (is_name(&token)) {
            struct sql_lexer ahead = lexer;
            struct sql_token behind;
            struct sql_call *call = RH_PUSH(arena, &ret_calls->items);
            *call = (struct sql_call){.schema = schema, .name = name_of(sql, &token, arena)};
            call->has_arguments = next_significant(&ahead, &behind) &&
                                  behind.kind == SQL_TOKEN_OPEN;
            call->commas = call->has_arguments ? count_commas(ahead) : 0;
            before = call->name;
            schema = NULL;
        } else {
            /* (row).name has no name before its dot */
            schema = is_char(sql, &token, '.') ? (before ? before : "") : NULL;
            before = NULL;
        }
    }
}

static bool is_one_of(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

#define IS_ONE_OF(name, list) is_one_of((name), (list), sizeof(list) / sizeof(*(list)))

/* Of SQL itself: no parentheses needed. "Date/Time Functions and Operators", manual 9.9.5. */
static const char *const WORDS[] = {"current_timestamp", "current_date",   "current_time",
                                    "localtime",         "localtimestamp", "tablesample"};
static const char *const FUNCTIONS[] = {"now",
                                        "transaction_timestamp",
                                        "statement_timestamp",
                                        "clock_timestamp",
                                        "timeofday",
                                        "random",
                                        "random_normal",
                                        "gen_random_uuid",
                                        "uuidv4",
                                        "uuidv7",
                                        "uuid_generate_v1",
                                        "uuid_generate_v1mc",
                                        "uuid_generate_v4",
                                        "gen_random_bytes",
                                        "nextval",
                                        "currval",
                                        "lastval",
                                        "setval",
                                        "txid_current",
                                        "txid_current_if_assigned",
                                        "pg_current_xact_id",
                                        "pg_current_xact_id_if_assigned",
                                        "pg_backend_pid",
                                        "pg_postmaster_start_time"};
static const char *const TIMES[] = {"now", "today", "tomorrow", "yesterday"};

static bool stands_for_a_time(struct text string, struct arena *arena)
{
    const char *quote = memchr(string.data, '\'', string.len);
    const char *begin = quote ? quote + 1 : string.data;
    size_t len = string.len - (size_t)(begin - string.data);
    char *inside = rh_arena_strndup(arena, begin, len ? len - 1 : 0);
    struct text trimmed = rh_text_trim(rh_text(inside));
    for (size_t i = 0; i < sizeof(TIMES) / sizeof(*TIMES); i++)
        if (trimmed.len == strlen(TIMES[i]) &&
            strncasecmp(trimmed.data, TIMES[i], trimmed.len) == 0)
            return true;
    return false;
}

const char *rh_sql_changing_word(struct text sql, struct arena *arena)
{
    struct sql_calls calls;
    struct sql_lexer lexer = rh_sql_lexer(sql);
    struct sql_token token;
    rh_sql_calls(sql, arena, &calls);
    for (size_t i = 0; i < calls.items.count; i++) {
        const struct sql_call *call = &calls.items.items[i];
        bool is_of_server = !call->schema || strcmp(call->schema, "pg_catalog") == 0;
        /* age(x) counts from the beginning of today */
        if ((!call->schema && IS_ONE_OF(call->name, WORDS)) ||
            (call->has_arguments && IS_ONE_OF(call->name, FUNCTIONS)) ||
            (call->has_arguments && is_of_server && call->commas == 0 &&
             strcmp(call->name, "age") == 0))
            return call->name;
    }
    while (next_significant(&lexer, &token)) {
        struct text string = {sql.data + token.offset, token.len};
        if (token.kind == SQL_TOKEN_STRING && stands_for_a_time(string, arena))
            return rh_text_dup(arena, string);
    }
    return NULL;
}
