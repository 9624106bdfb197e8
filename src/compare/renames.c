#include "compare/renames.h"

#include "base/text.h"
#include "model/trace.h"

#include <ctype.h>

static void add_pair(struct renames *renames, struct arena *arena, const char *before,
                     const char *after)
{
    for (size_t i = 0; i < renames->pairs.count; i++)
        if (strcmp(renames->pairs.items[i].before, before) == 0)
            return;
    if (strcmp(before, after) != 0)
        *RH_PUSH(arena, &renames->pairs) = (struct rename_pair){before, after};
}

void rh_renames_add(struct renames *renames, struct arena *arena, const char *before,
                    const char *after)
{
    add_pair(renames, arena, before, after);
    add_pair(renames, arena, rh_bare_name(before), rh_bare_name(after));
}

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '"' || (c & 0x80);
}

static const struct rename_pair *longest_at(const struct renames *renames, struct text text,
                                            size_t at)
{
    const struct rename_pair *best = NULL;
    size_t best_len = 0;
    if (at > 0 && is_name_byte(text.data[at - 1]) && is_name_byte(text.data[at]))
        return NULL;
    for (size_t i = 0; i < renames->pairs.count; i++) {
        const struct rename_pair *pair = &renames->pairs.items[i];
        size_t len = strlen(pair->before);
        if (len > best_len && len <= text.len - at &&
            memcmp(text.data + at, pair->before, len) == 0 &&
            (at + len == text.len || !is_name_byte(text.data[at + len]))) {
            best = pair;
            best_len = len;
        }
    }
    return best;
}

/* A view keeps the name that a renamed column had for its readers: "u.mail AS email". */
static size_t skip_kept_name(struct text text, size_t at, const struct rename_pair *pair)
{
    const char *kept = rh_bare_name(pair->before);
    struct text rest = {text.data + at, text.len - at};
    size_t len = 4 + strlen(kept);
    if (!rh_text_starts_with(rest, " AS ") || rest.len < len ||
        memcmp(rest.data + 4, kept, len - 4) != 0 ||
        (rest.len > len && is_name_byte(rest.data[len])))
        return 0;
    return len;
}

bool rh_renames_explain(const struct renames *renames, const char *before, const char *after)
{
    struct text old = rh_text(before), new = rh_text(after);
    size_t i = 0, j = 0;
    while (i < old.len) {
        const struct rename_pair *pair = longest_at(renames, old, i);
        struct text rest = {new.data + j, new.len - j};
        if (pair && rh_text_starts_with(rest, pair->after)) {
            i += strlen(pair->before);
            j += strlen(pair->after);
            if (skip_kept_name(old, i, pair) == 0)
                j += skip_kept_name(new, j, pair);
        } else if (rest.len > 0 && rest.data[0] == old.data[i]) {
            i++;
            j++;
        } else {
            return false;
        }
    }
    return renames->pairs.count > 0 && j == new.len;
}

const char *rh_renames_before(const struct renames *renames, const char *after)
{
    for (size_t i = 0; i < renames->pairs.count; i++)
        if (strcmp(renames->pairs.items[i].after, after) == 0)
            return renames->pairs.items[i].before;
    return after;
}
