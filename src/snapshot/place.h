/*
 * Where a snapshot lies on disk:
 *
 *     DIR/archive        pg_dump's directory archive, as pg_restore takes it
 *     DIR/manifest.json  what is in it, and what was done to it on the way
 *     DIR/masking.yaml   the masking plan, to read and to use again
 *
 * It is made in a directory beside it, DIR.incomplete-<random>, and appears under its name when all
 * of it is on disk. What a run left that was killed goes when the next one begins. Blocking.
 */
#ifndef RH_SNAPSHOT_PLACE_H
#define RH_SNAPSHOT_PLACE_H

#include "base/arena.h"
#include "base/err.h"
#include "model/manifest.h"
#include "sandbox/snapshot_own.h"

#include <stdbool.h>

#define SNAPSHOT_MASKING "masking.yaml"

struct snapshot_place {
    const char *final;     /* the user's DIR, without a slash at its end */
    const char *directory; /* where it is made */
    const char *sockets;   /* 0700, a short path */
    int lock_fd;           /* -1: none; held while it is made */
    bool replaces;         /* there is one under that name, which goes at the end */
    /* RENAME_*: which of renameat2's flags the file system may know; all of them after _open. Some
       of networks and of user space know none. */
    unsigned rename_flags;
};

/* RH_ERR_USAGE when DIR exists and is no snapshot, or may not be replaced. */
enum err_code rh_snapshot_place_open(const char *out, bool may_replace, struct arena *arena,
                                     struct snapshot_place *ret_place,
                                     struct err *err) RH_MUST_CHECK;
/* Everything is in it: it gets its name. On an error the snapshot that it was to replace has its
   name as before. */
enum err_code rh_snapshot_place_finish(struct snapshot_place *place, struct err *err) RH_MUST_CHECK;
/* Removes what was not finished; of a zeroed place with lock_fd -1: nothing. */
void rh_snapshot_place_close(struct snapshot_place *place);

/* RH_ERR_USAGE when it is no snapshot, or its manifest is of a newer format. */
enum err_code rh_snapshot_read(const char *path, struct arena *arena, struct manifest *ret_manifest,
                               struct err *err) RH_MUST_CHECK;
enum err_code rh_snapshot_write_manifest(const char *directory, const struct manifest *manifest,
                                         struct err *err) RH_MUST_CHECK;

#endif
