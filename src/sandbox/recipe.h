/*
 * What a prepared sandbox is made of: put together here by whoever makes one, so that those who
 * come later find it under the very same digest (cache.h).
 */
#ifndef RH_SANDBOX_RECIPE_H
#define RH_SANDBOX_RECIPE_H

#include "sandbox/sandbox.h"

enum recipe_kind {
    RECIPE_SNAPSHOT, /* path: as rh_sandbox_load_snapshot takes it */
    RECIPE_SCRIPT,   /* path: a file that psql runs */
    RECIPE_TEXT,     /* text: what else decides, such as statements that are sent */
};
struct recipe_part {
    enum recipe_kind kind;
    const char *path;
    struct text text;
};
/* Of an empty database: zeroed. Its texts are the callers' and `arena`'s. */
struct sandbox_recipe {
    VEC(struct recipe_part) parts; /* in order */
    const char *source;            /* what facts say it was made of; NULL: an empty database */
    const char *snapshot;          /* where runs find its snapshot; NULL: there is none */
};

/* The snapshot that lies at `path`, and at `name` for those who come later (NULL: there, too). */
void rh_recipe_add_snapshot(struct sandbox_recipe *recipe, const char *path, const char *name,
                            struct arena *arena);
void rh_recipe_add_script(struct sandbox_recipe *recipe, const char *path, struct arena *arena);
/* `source`: what is said of it; NULL: nothing. */
void rh_recipe_add_text(struct sandbox_recipe *recipe, struct text text, const char *source,
                        struct arena *arena);
/* `options` for making it: on the snapshot's version of the server, unless another is preferred. */
struct sandbox_options rh_recipe_options(const struct sandbox_recipe *recipe,
                                         const struct sandbox_options *options);

#endif
