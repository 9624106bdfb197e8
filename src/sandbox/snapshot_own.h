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

#define SNAPSHOT_ARCHIVE "archive"
#define SNAPSHOT_MANIFEST "manifest.json"

bool rh_snapshot_is_own(const char *path);
/* One of ours whose archive is gone: a manifest, and neither that nor a dump of somebody else's. */
bool rh_snapshot_has_lost_its_archive(const char *path); /* both are there */
const char *rh_snapshot_own_archive(struct arena *arena, const char *path);
/* RH_ERR_USAGE, naming the file, when it cannot be read or is none. */
enum err_code rh_snapshot_own_read(const char *path, struct arena *arena,
                                   struct manifest *ret_manifest, struct err *err) RH_MUST_CHECK;

#endif
