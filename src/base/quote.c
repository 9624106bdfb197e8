#include "base/quote.h"

/* `text` behind `before`, each of the bytes in `doubled` twice, and the quote at the end. */
static char *surround(struct arena *arena, const char *before, const char *text,
                      const char *doubled, char quote)
{
    size_t len = strlen(before);
    char *quoted = rh_arena_alloc(arena, len + 2 * strlen(text) + 2);

    memcpy(quoted, before, len);
    for (; *text; text++) {
        if (strchr(doubled, *text))
            quoted[len++] = *text;
        quoted[len++] = *text;
    }
    quoted[len++] = quote;
    quoted[len] = 0;
    return quoted;
}

char *rh_quote_name(struct arena *arena, const char *name)
{
    return surround(arena, "\"", name, "\"", '"');
}

const char *rh_quote_name_where_needed(struct arena *arena, const char *name)
{
    bool is_plain = *name && !(*name >= '0' && *name <= '9');

    for (const char *c = name; *c; c++)
        if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9') && *c != '_')
            is_plain = false;
    return is_plain ? name : rh_quote_name(arena, name);
}

const char *rh_quote_literal(struct arena *arena, const char *text)
{
    if (!text)
        return "NULL";
    return surround(arena, strchr(text, '\\') ? "E'" : "'", text, "'\\", '\'');
}

char *rh_quote_read_name(struct arena *arena, struct text written)
{
    char *name = rh_text_dup(arena, written), *to = name;

    if (*name != '"') {
        for (; *to; to++)
            *to = *to >= 'A' && *to <= 'Z' ? (char)(*to - 'A' + 'a') : *to;
        return name;
    }
    for (const char *from = name + 1; *from && !(from[0] == '"' && from[1] != '"'); from++) {
        from += *from == '"'; /* "" is one " */
        *to++ = *from;
    }
    *to = 0;
    return name;
}

struct text rh_quote_first(const char *message)
{
    const char *open = message ? strchr(message, '"') : NULL;
    const char *close = open ? strchr(open + 1, '"') : NULL;

    return close ? (struct text){open + 1, (size_t)(close - open - 1)} : (struct text){0};
}
