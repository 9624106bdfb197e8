#include "sql/directive.h"

#include <strings.h>

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
