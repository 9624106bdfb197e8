#include "snapshot/copy_statement.h"

#include <strings.h>

/* --- reading --------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void skip_spaces(struct text *rest)
{
    while (rest->len > 0 && is_space(rest->data[0])) {
        rest->data++;
        rest->len--;
    }
}

static void advance(struct text *rest, size_t len)
{
    rest->data += len;
    rest->len -= len;
}

static bool is_identifier_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* A keyword, and nothing that goes on behind it. */
static bool take_word(struct text *rest, const char *word)
{
    size_t len = strlen(word);

    skip_spaces(rest);
    if (rest->len < len || strncasecmp(rest->data, word, len) != 0 ||
        (rest->len > len && is_identifier_byte(rest->data[len])))
        return false;
    advance(rest, len);
    return true;
}

static bool take_char(struct text *rest, char c)
{
    skip_spaces(rest);
    return rh_text_take_char(rest, c);
}

static const char *take_quoted(struct text *rest, struct arena *arena)
{
    char *name = rh_arena_alloc(arena, rest->len + 1);
    size_t len = 0;

    for (size_t i = 1; i < rest->len; i++) {
        if (rest->data[i] != '"') {
            name[len++] = rest->data[i];
        } else if (i + 1 < rest->len && rest->data[i + 1] == '"') {
            name[len++] = '"';
            i++;
        } else {
            advance(rest, i + 1);
            return len > 0 ? name : NULL;
        }
    }
    return NULL;
}

/* A name as pg_dump quotes it; bare. NULL when there is none. */
static const char *take_identifier(struct text *rest, struct arena *arena)
{
    size_t len = 0;

    skip_spaces(rest);
    if (rest->len > 0 && rest->data[0] == '"')
        return take_quoted(rest, arena);
    /* pg_dump quotes what is not in lower case, so a bare name is as it stands. */
    while (len < rest->len && is_identifier_byte(rest->data[len]))
        len++;
    if (len == 0 || (rest->data[0] >= '0' && rest->data[0] <= '9'))
        return NULL;

    const char *name = rh_arena_strndup(arena, rest->data, len);

    advance(rest, len);
    return name;
}

static const char *since(const char *start, const struct text *rest, struct arena *arena)
{
    return rh_text_dup(arena, rh_text_trim((struct text){start, (size_t)(rest->data - start)}));
}

static bool take_table(struct text *rest, struct arena *arena, struct copy_statement *statement)
{
    skip_spaces(rest);

    const char *start = rest->data;

    statement->schema = take_identifier(rest, arena);
    if (!statement->schema || rest->len == 0 || rest->data[0] != '.')
        return false;
    advance(rest, 1);
    statement->table = take_identifier(rest, arena);
    statement->identity = since(start, rest, arena);
    return statement->table != NULL;
}

static bool take_columns(struct text *rest, struct arena *arena, struct copy_statement *statement)
{
    const char *start = rest->data;

    do {
        const char *name = take_identifier(rest, arena);

        if (!name)
            return false;
        *RH_PUSH(arena, &statement->columns) = name;
    } while (take_char(rest, ','));
    statement->column_list = since(start, rest, arena);
    return true;
}

/* Up to the parenthesis that closes the query; quotes are minded. False when none does. */
static bool take_filter(struct text *rest, struct arena *arena, struct copy_statement *statement)
{
    const char *start = rest->data;
    int depth = 0;
    char quote = 0;

    for (; rest->len > 0; advance(rest, 1)) {
        char c = rest->data[0];

        if (quote) {
            quote = c == quote ? 0 : quote;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '(') {
            depth++;
        } else if (c == ')' && depth-- == 0) {
            statement->filter = since(start, rest, arena);
            advance(rest, 1);
            return true;
        }
    }
    return false;
}

static bool take_query(struct text *rest, struct arena *arena, struct copy_statement *statement)
{
    statement->is_query = true;
    if (!take_word(rest, "SELECT"))
        return false;
    skip_spaces(rest);
    if (!take_columns(rest, arena, statement) || !take_word(rest, "FROM"))
        return false;
    (void)take_word(rest, "ONLY");
    return take_table(rest, arena, statement) && take_filter(rest, arena, statement);
}

static bool take_plain(struct text *rest, struct arena *arena, struct copy_statement *statement)
{
    if (!take_table(rest, arena, statement))
        return false;
    return !take_char(rest, '(') || (take_columns(rest, arena, statement) && take_char(rest, ')'));
}

bool rh_copy_statement_parse(struct text sql, struct arena *arena,
                             struct copy_statement *ret_statement)
{
    struct copy_statement statement = {.column_list = "", .filter = ""};
    struct text rest = sql;

    if (!take_word(&rest, "COPY"))
        return false;
    if (take_char(&rest, '(') ? !take_query(&rest, arena, &statement)
                              : !take_plain(&rest, arena, &statement))
        return false;
    if (!take_word(&rest, "TO") || !take_word(&rest, "stdout"))
        return false;
    (void)take_char(&rest, ';');
    skip_spaces(&rest);
    if (rest.len > 0)
        return false;
    *ret_statement = statement;
    return true;
}

/* --- writing --------------------------------------------------------------------------------- */

char *rh_copy_statement_where(const struct copy_statement *statement, const char *condition,
                              struct arena *arena)
{
    if (statement->is_query)
        return rh_arena_printf(
            arena, "COPY (SELECT %s FROM (SELECT * FROM %s %s) AS t WHERE (%s)) TO stdout;",
            statement->column_list, statement->identity, statement->filter, condition);
    /* COPY of a table leaves out its children, which are dumped on their own. */
    return rh_arena_printf(arena, "COPY (SELECT %s FROM ONLY %s WHERE (%s)) TO stdout;",
                           statement->column_list, statement->identity, condition);
}
