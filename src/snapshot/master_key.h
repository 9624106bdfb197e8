/*
 * The master key of a user: where it comes from, and what it is called without telling it. It is 64
 * hexadecimal digits, in a file that others cannot read, printed by a command (a vault's client),
 * or in the environment. Reads files, runs the command; never prints the key.
 */
#ifndef RH_SNAPSHOT_MASTER_KEY_H
#define RH_SNAPSHOT_MASTER_KEY_H

#include "base/arena.h"
#include "base/err.h"
#include "mask/mask_map.h"

#define MASTER_KEY_ID_BYTES 17 /* 16 digits and a NUL */

struct master_key_options {
    const char *file;    /* NULL: the default file */
    const char *command; /* for /bin/sh; NULL: none */
    const char *text;    /* from the environment; NULL: none */
    bool must_exist;     /* another key than one that was used before is of no use: none is made */
};

/*
 * The first that is given: file, command, text, else the default file. A file that does not exist
 * is made, of random bytes, mode 0600, unless it must exist. RH_ERR_USAGE when others may read the
 * file, or when it holds no key; two sources at once are the same. *ret_made names the file when it
 * was made, else NULL. Waits for the command, at most MASTER_KEY_COMMAND_US.
 */
#define MASTER_KEY_COMMAND_US (60 * INT64_C(1000000))
enum err_code rh_master_key_load(const struct master_key_options *options, struct arena *arena,
                                 struct mask_master_key *ret_key, const char **ret_made,
                                 struct err *err) RH_MUST_CHECK;
/* A name that a key alone can have, and that does not lead back to it: another one for each
   purpose. A snapshot and a workload that name the same masking key have the same pseudonyms. */
#define MASTER_KEY_PURPOSE_MASKING "rehearse masking key id"
void rh_master_key_id(const struct mask_master_key *key, const char *purpose,
                      char out[static MASTER_KEY_ID_BYTES]);
/* A number for one purpose. */
uint64_t rh_master_key_number(const struct mask_master_key *key, const char *purpose);
void rh_master_key_wipe(struct mask_master_key *key);

#endif
