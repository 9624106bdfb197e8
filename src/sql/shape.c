#include "sql/shape.h"

#include "base/quote.h"

#include <string.h>
#include <strings.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* --- constants -------------------------------------------------------------------------------- */

bool rh_sql_token_is_constant(struct text query, const struct sql_token *token)
{
    if (token->kind == SQL_TOKEN_NUMBER)
        return token->offset == 0 || query.data[token->offset - 1] != '$';
    return token->kind == SQL_TOKEN_STRING;
}

size_t rh_sql_constant_count(struct text query)
{
    struct sql_lexer lexer = rh_sql_lexer(query);
    struct sql_token token;
    size_t count = 0;
    while (rh_sql_lexer_next(&lexer, &token))
        count += rh_sql_token_is_constant(query, &token);
    return count;
}

/* --- shapes ----------------------------------------------------------------------------------- */

static bool is_sequence_function(struct text query, const struct sql_token *token)
{
    return rh_sql_token_is_word(query, token, "nextval") ||
           rh_sql_token_is_word(query, token, "currval") ||
           rh_sql_token_is_word(query, token, "pg_get_serial_sequence");
}

/* What stands in a shape for a token; 0: the token. */
static char stand_in(struct text query, const struct sql_token *token, bool names_sequence)
{
    if (token->kind == SQL_TOKEN_SPACE || token->kind == SQL_TOKEN_COMMENT)
        return ' ';
    if (token->kind == SQL_TOKEN_STRING)
        return names_sequence ? '\0' : '\1';
    return rh_sql_token_is_constant(query, token) ? '\2' : '\0';
}

struct sql_shape rh_sql_shape(struct text query, struct buf *scratch)
{
    struct sql_lexer lexer = rh_sql_lexer(query);
    struct sql_token token;
    bool names_sequence = false;
    size_t done = 0; /* of the query; what follows is in the shape as it is, as far as was looked */
    rh_buf_clear(scratch);
    while (query.len <= SQL_SHAPE_BYTES_MAX && rh_sql_lexer_next(&lexer, &token)) {
        char instead = stand_in(query, &token, names_sequence);
        if (token.kind == SQL_TOKEN_CLOSE)
            names_sequence = false;
        else if (token.kind == SQL_TOKEN_WORD && is_sequence_function(query, &token))
            names_sequence = true;
        if (!instead || (token.len == 1 && query.data[token.offset] == instead))
            continue;
        rh_buf_add(scratch, query.data + done, token.offset - done);
        rh_buf_add_char(scratch, instead);
        done = token.offset + token.len;
    }
    if (query.len <= SQL_SHAPE_BYTES_MAX)
        rh_buf_add(scratch, query.data + done, query.len - done);
    XXH128_hash_t hash = query.len > SQL_SHAPE_BYTES_MAX || scratch->failed
                             ? XXH3_128bits(query.data, query.len)
                             : XXH3_128bits(scratch->data ? scratch->data : "", scratch->len);
    return (struct sql_shape){hash.low64, hash.high64};
}

/* --- sequences -------------------------------------------------------------------------------- */

static bool next_significant(struct sql_lexer *lexer, struct sql_token *token)
{
    while (rh_sql_lexer_next(lexer, token))
        if (rh_sql_token_is_significant(token))
            return true;
    return false;
}

/* What stands between plain quotes; anything else is not understood. */
static bool take_string(struct text query, struct sql_lexer *lexer, struct text *ret_string)
{
    struct sql_token token;
    if (!next_significant(lexer, &token) || token.kind != SQL_TOKEN_STRING || token.len < 2 ||
        query.data[token.offset] != '\'')
        return false;
    *ret_string = (struct text){query.data + token.offset + 1, token.len - 2};
    return memchr(ret_string->data, '\'', ret_string->len) == NULL;
}

static bool take_kind(struct sql_lexer *lexer, enum sql_token_kind kind)
{
    struct sql_token token;
    return next_significant(lexer, &token) && token.kind == kind;
}

static void split_name(struct arena *arena, struct text name, const char **ret_schema,
                       const char **ret_name)
{
    size_t dot = 0;
    bool is_quoted = false;
    for (size_t i = 0; i < name.len; i++) {
        is_quoted ^= name.data[i] == '"';
        if (name.data[i] == '.' && !is_quoted)
            dot = i;
    }
    *ret_schema = dot > 0 ? rh_quote_read_name(arena, (struct text){name.data, dot}) : NULL;
    *ret_name = dot > 0 ? rh_quote_read_name(arena,
                                             (struct text){name.data + dot + 1, name.len - dot - 1})
                        : rh_quote_read_name(arena, name);
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The arguments of the function whose name was read. */
static bool take_call(struct text query, struct sql_lexer lexer, struct arena *arena,
                      struct sql_sequence_call *call)
{
    struct sql_lexer inner;
    struct sql_token token;
    struct text name, column;
    if (!take_kind(&lexer, SQL_TOKEN_OPEN))
        return false;
    inner = lexer;
    if (take_string(query, &inner, &name)) {
        split_name(arena, name, &call->schema, &call->sequence);
        return true;
    }
    if (!next_significant(&lexer, &token) ||
        !rh_sql_token_is_word(query, &token, "pg_get_serial_sequence") ||
        !take_kind(&lexer, SQL_TOKEN_OPEN) || !take_string(query, &lexer, &name) ||
        !take_kind(&lexer, SQL_TOKEN_OTHER) || !take_string(query, &lexer, &column))
        return false;
    split_name(arena, name, &call->schema, &call->table);
    /* The column is a name as it is, not folded (pg_get_serial_sequence, "System Information"). */
    call->column = rh_text_dup(arena, column);
    return true;
}

bool rh_sql_sequence_call(struct text query, struct arena *arena,
                          struct sql_sequence_call *ret_call)
{
    struct sql_lexer lexer = rh_sql_lexer(query);
    struct sql_token token;
    struct sql_sequence_call found = {0};
    bool has_found = false;
    while (rh_sql_lexer_next(&lexer, &token)) {
        struct sql_sequence_call call = {0};
        if (token.kind != SQL_TOKEN_WORD)
            continue;
        call.is_last = rh_sql_token_is_word(query, &token, "lastval");
        if (!call.is_last && !rh_sql_token_is_word(query, &token, "nextval") &&
            !rh_sql_token_is_word(query, &token, "currval"))
            continue;
        if (!call.is_last && !take_call(query, lexer, arena, &call))
            return false;
        if (has_found && (call.is_last != found.is_last || !is_same(call.schema, found.schema) ||
                          !is_same(call.sequence, found.sequence) ||
                          !is_same(call.table, found.table) || !is_same(call.column, found.column)))
            return false;
        found = call;
        has_found = true;
    }
    if (has_found)
        *ret_call = found;
    return has_found;
}
