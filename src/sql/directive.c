#include "sql/directive.h"

#include "sql/lexer.h"

#include <string.h>
#include <strings.h>

/* Editors of some systems begin a file with it. */
#define UTF8_BOM "\xEF\xBB\xBF"

bool rh_sql_directive_split(struct text comment, struct text *ret_key, struct text *ret_value)
{
    if (!rh_text_starts_with(comment, "--"))
        return false;
    struct text rest = rh_text_trim((struct text){comment.data + 2, comment.len - 2});
    const char *colon = rest.len ? memchr(rest.data, ':', rest.len) : NULL;
    if (!colon)
        return false;
    *ret_key = rh_text_trim((struct text){rest.data, (size_t)(colon - rest.data)});
    *ret_value = rh_text_trim(
        (struct text){colon + 1, (size_t)(rest.data + rest.len - (colon + 1))});
    return true;
}

bool rh_sql_directive_is(struct text key, const char *name)
{
    return key.len == strlen(name) && strncasecmp(key.data, name, key.len) == 0;
}

enum err_code rh_sql_directive_fail(const char *path, struct text text, size_t offset,
                                    const char *what, const char *hint, struct err *err)
{
    struct text_position at = rh_text_position(text, offset);
    rh_err_set(err, RH_ERR_USAGE, "%s:%zu:%zu: %s", path, at.line, at.column, what);
    rh_err_hint(err, "%s", hint);
    return RH_ERR_USAGE;
}

enum err_code rh_sql_directive_open(const char *path, struct text *text, struct err *err)
{
    if (rh_text_starts_with(*text, UTF8_BOM))
        *text = (struct text){text->data + strlen(UTF8_BOM), text->len - strlen(UTF8_BOM)};
    size_t valid = rh_text_utf8_valid_prefix(*text);
    const char *nul = text->len ? memchr(text->data, 0, text->len) : NULL;
    if (nul && (size_t)(nul - text->data) < valid)
        valid = (size_t)(nul - text->data);
    return valid < text->len ? rh_sql_directive_fail(path, *text, valid, "this is not UTF-8 text",
                                                     "Save the file as UTF-8.", err)
                             : RH_OK;
}

/* --- files ------------------------------------------------------------------------------------ */

static enum err_code fail(const struct directive_file *file, size_t offset, const char *what,
                          const char *hint, struct err *err)
{
    return rh_sql_directive_fail(file->path, file->text, offset, what, hint, err);
}

static enum err_code refuse_psql(const struct directive_file *file, struct err *err)
{
    size_t offset = 0;

    switch (rh_sql_psql_need(file->text, &offset)) {
    case PSQL_NEED_NONE:
        return RH_OK;
    case PSQL_NEED_META_COMMAND:
        return fail(file, offset, "psql commands cannot be run here", file->psql_hint, err);
    case PSQL_NEED_VARIABLE:
        return fail(file, offset, "psql variables cannot be used here", file->psql_hint, err);
    case PSQL_NEED_COPY_DATA:
        return fail(file, offset, "COPY FROM STDIN cannot be run here", file->psql_hint, err);
    }
    return RH_OK;
}

static bool is_ours(const struct directive_file *file, struct text key)
{
    for (const char *const *known = file->keys; *known; known++)
        if (rh_sql_directive_is(key, *known))
            return true;
    return false;
}

struct found {
    size_t offset;
    struct text key, value;
};

static bool next_comment(struct sql_lexer *lexer, struct found *found)
{
    struct sql_token token;

    while (rh_sql_lexer_next(lexer, &token)) {
        found->offset = token.offset;
        if (token.kind == SQL_TOKEN_COMMENT &&
            rh_sql_directive_split((struct text){lexer->text.data + token.offset, token.len},
                                   &found->key, &found->value))
            return true;
    }
    return false;
}

/* The comments in [from, to), before a statement or, with `is_last`, before none. */
static enum err_code read_comments(const struct directive_file *file, size_t from, size_t to,
                                   bool is_last, struct err *err)
{
    struct sql_lexer lexer = {.text = {file->text.data, to}, .offset = from};
    struct found found;
    enum err_code code = RH_OK;

    while (!code && next_comment(&lexer, &found)) {
        const char *before = file->text.data + from;
        bool is_known = is_ours(file, found.key);

        if (is_known && from > 0 && !memchr(before, '\n', found.offset - from))
            return fail(file, found.offset, "this comment stands behind a query",
                        "Write it on a line of its own, before the query it is about.", err);
        code = file->comment(file->context, found.offset, found.key, found.value);
        if (!code && is_known && is_last)
            return fail(file, found.offset, "no query follows this comment",
                        "Comments stand before the query that they are about.", err);
    }
    return code;
}

static enum err_code refuse_within(const struct directive_file *file,
                                   const struct sql_statement *statement, struct err *err)
{
    struct sql_lexer lexer = {.text = {file->text.data, statement->offset + statement->text.len},
                              .offset = statement->offset};
    struct found found;

    while (next_comment(&lexer, &found))
        if (is_ours(file, found.key) && !rh_sql_directive_is(found.key, "name"))
            return fail(file, found.offset, "this comment stands inside a query",
                        "Write it before the query it is about.", err);
    return RH_OK;
}

enum err_code rh_sql_directive_read(const struct directive_file *file, struct err *err)
{
    struct sql_script script;
    size_t behind = 0;
    enum err_code code = refuse_psql(file, err);

    if (code)
        return code;
    rh_sql_split(file->text, file->arena, &script);
    for (size_t i = 0; i < script.statements.count; i++) {
        const struct sql_statement *statement = &script.statements.items[i];

        if ((code = read_comments(file, behind, statement->offset, false, err)) ||
            (code = refuse_within(file, statement, err)) ||
            (code = file->statement(file->context, statement)))
            return code;
        behind = statement->offset + statement->text.len;
    }
    if ((code = read_comments(file, behind, file->text.len, true, err)))
        return code;
    if (script.statements.count == 0) {
        rh_err_set(err, RH_ERR_USAGE, "%s holds no %s", file->path, file->thing);
        rh_err_hint(err, "Write statements, each ended with a semicolon.");
        return RH_ERR_USAGE;
    }
    return RH_OK;
}
