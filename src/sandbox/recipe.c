#include "sandbox/recipe.h"

static void add(struct sandbox_recipe *recipe, struct recipe_part part, const char *source,
                struct arena *arena)
{
    *RH_PUSH(arena, &recipe->parts) = part;
    if (source)
        recipe->source = recipe->source ? rh_arena_printf(arena, "%s, %s", recipe->source, source)
                                        : source;
}

void rh_recipe_add_snapshot(struct sandbox_recipe *recipe, const char *path, const char *name,
                            struct arena *arena)
{
    recipe->snapshot = name ? name : path;
    add(recipe, (struct recipe_part){.kind = RECIPE_SNAPSHOT, .path = path},
        rh_arena_printf(arena, "snapshot %s", recipe->snapshot), arena);
}

void rh_recipe_add_script(struct sandbox_recipe *recipe, const char *path, struct arena *arena)
{
    add(recipe, (struct recipe_part){.kind = RECIPE_SCRIPT, .path = path},
        rh_arena_printf(arena, "schema %s", path), arena);
}

void rh_recipe_add_text(struct sandbox_recipe *recipe, struct text text, const char *source,
                        struct arena *arena)
{
    add(recipe, (struct recipe_part){.kind = RECIPE_TEXT, .text = text}, source, arena);
}

struct sandbox_options rh_recipe_options(const struct sandbox_recipe *recipe,
                                         const struct sandbox_options *options)
{
    struct sandbox_options own = *options;

    for (size_t i = 0; !own.preferred_major && i < recipe->parts.count; i++)
        if (recipe->parts.items[i].kind == RECIPE_SNAPSHOT)
            own.preferred_major = rh_sandbox_snapshot_major(recipe->parts.items[i].path);
    return own;
}
