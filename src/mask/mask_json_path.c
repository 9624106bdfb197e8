#include "mask/mask_json_int.h"

static enum err_code refuse(const char *text, size_t at, struct err *err)
{
    rh_err_set(err, RH_ERR_USAGE, "cannot read the JSON path \"%s\" at character %zu", text,
               at + 1);
    rh_err_hint(err, "A path is \"$\", followed by .name, .*, [*] or [\"any name\"], as in "
                     "$.items[*].note.");
    return RH_ERR_USAGE;
}

enum err_code rh_json_path_parse(const char *text, struct arena *arena, struct json_path *ret_path,
                                 struct err *err)
{
    struct json_path path = {.steps = {NULL}};
    if (text[0] != '$')
        return refuse(text, 0, err);
    for (size_t at = 1; text[at] != '\0';) {
        struct json_step step = {NULL, false};
        if (strncmp(text + at, "[*]", 3) == 0) {
            step.is_item = true;
            at += 3;
        } else if (strncmp(text + at, ".*", 2) == 0) {
            at += 2;
        } else if (strncmp(text + at, "[\"", 2) == 0) {
            const char *end = strstr(text + at + 2, "\"]");
            if (end == NULL)
                return refuse(text, at, err);
            step.name = rh_arena_strndup(arena, text + at + 2, (size_t)(end - text) - at - 2);
            at = (size_t)(end - text) + 2;
        } else if (text[at] == '.') {
            size_t len = strcspn(text + at + 1, ".[");
            if (len == 0)
                return refuse(text, at, err);
            step.name = rh_arena_strndup(arena, text + at + 1, len);
            at += 1 + len;
        } else {
            return refuse(text, at, err);
        }
        *RH_PUSH(arena, &path.steps) = step;
    }
    *ret_path = path;
    return RH_OK;
}

/* The rule in force at a level: the longest that is complete; of equals the last. */
static int16_t rule_at(const struct json_paths *paths, uint64_t live, size_t depth,
                       int16_t inherited)
{
    int16_t rule = inherited;
    for (; live != 0; live &= live - 1) {
        int i = __builtin_ctzll(live);
        if (paths->items[i].steps.count == depth)
            rule = (int16_t)i;
    }
    return rule;
}

void rh_json_place_begin(const struct json_paths *paths, struct json_place *place)
{
    place->depth = 0;
    place->levels[0].live = paths->count == JSON_PATHS_MAX ? UINT64_MAX
                                                           : (UINT64_C(1) << paths->count) - 1;
    place->levels[0].rule = rule_at(paths, place->levels[0].live, 0, -1);
}

void rh_json_place_enter(const struct json_paths *paths, struct json_place *place, struct text name)
{
    size_t depth = place->depth++;
    if (depth >= JSON_PATH_DEPTH)
        return;
    uint64_t live = 0;
    for (uint64_t left = place->levels[depth].live; left != 0; left &= left - 1) {
        int i = __builtin_ctzll(left);
        if (paths->items[i].steps.count <= depth)
            continue;
        const struct json_step *step = &paths->items[i].steps.items[depth];
        if (step->is_item == (name.data == NULL) &&
            (step->name == NULL || rh_text_is(name, step->name)))
            live |= UINT64_C(1) << i;
    }
    place->levels[depth + 1].live = live;
    place->levels[depth + 1].rule = rule_at(paths, live, depth + 1, place->levels[depth].rule);
}

void rh_json_place_leave(struct json_place *place)
{
    RH_ASSERT(place->depth > 0);
    place->depth--;
}
