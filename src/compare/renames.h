/*
 * What got another name, and whether one text is another under those new names.
 */
#ifndef RH_COMPARE_RENAMES_H
#define RH_COMPARE_RENAMES_H

#include "base/arena.h"

#include <stdbool.h>

struct rename_pair {
    const char *before, *after;
};
struct renames {
    VEC(struct rename_pair) pairs;
};

/* An object's qualified name; its last part alone is taken to be renamed with it, so that "users"
   in the body of a view follows public.users. */
void rh_renames_add(struct renames *renames, struct arena *arena, const char *before,
                    const char *after);
/* `before` becomes `after` when every name in it is replaced by its new one. */
bool rh_renames_explain(const struct renames *renames, const char *before, const char *after);
/* The name that it had before; its own where it was not renamed. */
const char *rh_renames_before(const struct renames *renames, const char *after);

#endif
