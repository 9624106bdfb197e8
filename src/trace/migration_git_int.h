/*
 * What git says changed in a directory since the branch left REF: committed, staged, in the working
 * tree, and files git does not know yet. Reads only; runs the git program.
 */
#ifndef RH_TRACE_MIGRATION_GIT_INT_H
#define RH_TRACE_MIGRATION_GIT_INT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

enum git_change { GIT_UNCHANGED, GIT_ADDED, GIT_CHANGED };

struct git_change_entry {
    const char *name; /* relative to the directory */
    enum git_change change;
};

struct git_changes {
    const char *directory;
    const char *base; /* commit where the branch left REF */
    VEC(struct git_change_entry) entries;
    VEC(const char *) deleted;
};

/* Not a repository, an unknown REF, no common ancestor: RH_ERR_USAGE; no git: RH_ERR_ENVIRONMENT.
 */
enum err_code rh_git_changes(const char *directory, const char *since, struct arena *arena,
                             struct git_changes *ret_changes, struct err *err) RH_MUST_CHECK;
enum git_change rh_git_change_of(const struct git_changes *changes, const char *name);
/* The file as it was at `changes->base`. */
enum err_code rh_git_show(const struct git_changes *changes, const char *name, size_t max_bytes,
                          struct arena *arena, struct text *ret_content,
                          struct err *err) RH_MUST_CHECK;

#endif
