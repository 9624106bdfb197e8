#include "compare/write_causes.h"

#include "base/say.h"

#include <string.h>

struct thing {
    struct text kind, name;
};

/* False: there is no further line. What is no line of ours is passed over. */
static bool next_thing(struct text *rest, struct thing *ret_thing)
{
    while (rest->len > 0) {
        const char *end = memchr(rest->data, '\n', rest->len);
        struct text line = {rest->data, end ? (size_t)(end - rest->data) : rest->len};
        size_t used = line.len + (end ? 1 : 0);
        const char *tab = line.len > 0 ? memchr(line.data, '\t', line.len) : NULL;
        rest->data += used;
        rest->len -= used;
        if (!tab)
            continue;
        ret_thing->kind = (struct text){line.data, (size_t)(tab - line.data)};
        ret_thing->name = (struct text){tab + 1, line.len - ret_thing->kind.len - 1};
        return true;
    }
    return false;
}

static size_t count_of(struct text things, struct text kind)
{
    struct thing thing;
    size_t count = 0;
    while (next_thing(&things, &thing))
        count += rh_text_equals(thing.kind, kind);
    return count;
}

static bool has(struct text things, struct thing wanted)
{
    struct thing thing;
    while (next_thing(&things, &thing))
        if (rh_text_equals(thing.kind, wanted.kind) && rh_text_equals(thing.name, wanted.name))
            return true;
    return false;
}

static const char *plural_of(struct arena *arena, struct text kind)
{
    bool is_index = rh_text_ends_with(kind, "x");
    return rh_arena_printf(arena, "%.*s%s", (int)kind.len, kind.data, is_index ? "es" : "s");
}

/* "3 more indexes: a, b and c"; a name that was there before is none of them. */
static const char *say_kind(struct arena *arena, struct text kind, size_t more, struct text before,
                            struct text after)
{
    VEC(const char *) names = {0};
    struct thing thing;
    while (next_thing(&after, &thing))
        if (rh_text_equals(thing.kind, kind) && !has(before, thing))
            *RH_PUSH(arena, &names) = rh_arena_strndup(arena, thing.name.data, thing.name.len);
    return rh_arena_printf(arena, "%s more %s: %s", rh_say_number(arena, (int64_t)more),
                           more == 1 ? rh_arena_strndup(arena, kind.data, kind.len)
                                     : plural_of(arena, kind),
                           rh_say_list(arena, names.items, names.count, WRITE_CAUSE_NAMES_SHOWN));
}

const char *rh_write_cause(struct arena *arena, const char *table, struct text before,
                           struct text after, bool *ret_only_indexes)
{
    const char *cause = NULL;
    bool only_indexes = true;
    struct text rest = after, done = {0};
    struct thing thing;
    while (next_thing(&rest, &thing)) {
        if (done.data && rh_text_equals(done, thing.kind))
            continue;
        done = thing.kind;
        size_t now = count_of(after, thing.kind), then = count_of(before, thing.kind);
        if (now <= then)
            continue;
        only_indexes &= rh_text_is(thing.kind, "index");
        const char *said = say_kind(arena, thing.kind, now - then, before, after);
        cause = cause ? rh_arena_printf(arena, "%s; %s", cause, said)
                      : rh_arena_printf(arena, "%s has %s", table, said);
    }
    *ret_only_indexes = cause && only_indexes;
    return cause;
}
