#include "sql/directive.h"

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
