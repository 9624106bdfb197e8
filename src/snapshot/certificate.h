/*
 * Certificates: what was proven about a snapshot after it was made, by restoring its archive into a
 * private sandbox. What could not be tried is not observed, never passed.
 */
#ifndef RH_SNAPSHOT_CERTIFICATE_H
#define RH_SNAPSHOT_CERTIFICATE_H

#include "model/manifest.h"
#include "sandbox/sandbox.h"
#include "snapshot/dump.h"

struct certify_options {
    const char *archive;
    const struct catalog *catalog;
    const struct dump_result *dump;
    struct watches *watches;        /* of the dump's rows; NULL: nothing was masked */
    struct sandbox_options sandbox; /* preferred_major is set here */
};

/*
 * Adds certificates to the manifest. "integrity": every table of the restored archive has the rows
 * that left the tap, by number and checksum. Where there are watches also "shape" and "leak": what
 * was restored has the shape of what was read, and nothing personal survived in it. They may come
 * out as failed, as "integrity" does when the archive cannot be restored; an error is only what
 * ended the attempt as a whole (the user, a deadline). *ret_sandbox holds what was restored and
 * compared, the archive and nothing else, and is the caller's to destroy; NULL where it could not
 * be compared to its end. Blocking, as long as a restore takes.
 */
enum err_code rh_snapshot_certify(const struct certify_options *options, struct arena *arena,
                                  struct manifest *manifest, struct sandbox **ret_sandbox,
                                  struct err *err) RH_MUST_CHECK;

#endif
