/*
 * Clones for those who measure queries: with the migration in it, run once more where nobody looks,
 * and where to connect to.
 */
#ifndef RH_REHEARSAL_MIGRATED_CLONE_H
#define RH_REHEARSAL_MIGRATED_CLONE_H

#include "rehearsal/rehearsal_int.h"
#include "replay/paired.h"

/* Times may be measured in it. *ret_clone is the caller's to destroy, also when this fails (NULL:
   there is none). */
enum err_code rh_migrated_clone(const struct rehearsal *rehearsal, struct sandbox **ret_clone,
                                struct err *err) RH_MUST_CHECK;
/* As the superuser, who can take any role; `host` and `upstream` are filled, and must live as long.
   Of any clone. */
struct paired_place rh_migrated_place(const struct sandbox *clone, struct upstream_host *host,
                                      struct upstream *upstream);

#endif
