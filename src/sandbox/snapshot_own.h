/*
 * A snapshot of ours: a directory with manifest.json and, in `archive`, what pg_dump wrote. Any
 * other path is a plain dump, which says nothing of itself.
 */
#ifndef RH_SANDBOX_SNAPSHOT_OWN_H
#define RH_SANDBOX_SNAPSHOT_OWN_H

#include "base/arena.h"
#include "base/err.h"
#include "model/manifest.h"

#include <stdbool.h>

bool rh_snapshot_is_own(const char *path);
const char *rh_snapshot_own_archive(struct arena *arena, const char *path);
/* RH_ERR_USAGE, naming the file, when it cannot be read or is none. */
enum err_code rh_snapshot_own_read(const char *path, struct arena *arena,
                                   struct manifest *ret_manifest, struct err *err) RH_MUST_CHECK;

struct sandbox;
/*
 * What rh_sandbox_load_snapshot does for a snapshot of ours behind its archive, for whoever loaded
 * the archive alone: production's settings, notes on what is not as there. With that and
 * rh_sandbox_cache_prepare (recipe: the snapshot under its final name, options as those of `run`)
 * a sandbox that was used to check a snapshot is the one that the first run of it finds.
 */
enum err_code rh_sandbox_apply_manifest(struct sandbox *sandbox, const struct manifest *manifest,
                                        struct err *err) RH_MUST_CHECK;

#endif
