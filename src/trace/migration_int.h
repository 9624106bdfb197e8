/*
 * Steps of a migration as its modules make them.
 */
#ifndef RH_TRACE_MIGRATION_INT_H
#define RH_TRACE_MIGRATION_INT_H

#include "trace/migration.h"

/* The step that runs the way back of the file: its down section where it has sections, else all of
   it. `name` tells the tool. No statement at all is no error. */
enum err_code rh_migration_read_down(const char *name, const char *path, struct arena *arena,
                                     struct migration_step *ret_step,
                                     struct err *err) RH_MUST_CHECK;
/* The step of a command; argv is copied. `step` is zero. */
void rh_migration_make_command(const char *const *argv, struct arena *arena,
                               struct migration_step *step);

#endif
