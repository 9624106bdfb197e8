/*
 * A smaller copy: of a running clone, rows are taken away so that a share of them stays and every
 * foreign key still finds its parent; the files are written anew, as if more had never been there.
 */
#ifndef RH_REHEARSAL_SHRINK_H
#define RH_REHEARSAL_SHRINK_H

#include "engine/engine.h"

/* `superuser` is the sandbox's. No trigger fires. Blocking, up to `deadline`. What cannot be made
   smaller is an error with the reason. */
enum err_code rh_shrink(const struct engine *engine, const struct connection_parameters *superuser,
                        double fraction, struct mono deadline, struct arena *arena,
                        struct err *err) RH_MUST_CHECK;

#endif
