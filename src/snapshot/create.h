/*
 * Making a snapshot, from the first question to the last byte on disk: the source is opened and
 * looked at, the masking and the sample are planned and checked, the dump runs through the tap, the
 * archive is restored to be certified, and then all of it appears under its name at once; what was
 * restored waits in the cache for the first run. Whatever ends it earlier leaves nothing. Blocking.
 */
#ifndef RH_SNAPSHOT_CREATE_H
#define RH_SNAPSHOT_CREATE_H

#include "mask/masking.h"
#include "model/manifest.h"
#include "sandbox/sandbox.h"
#include "snapshot/master_key.h"
#include "snapshot/sample.h"
#include "snapshot/source.h"

struct snapshot_options {
    struct sandbox_options
        sandbox; /* of the certification; its engine and progress are everybody's */
    /* With which a run here would prepare a sandbox of this snapshot alone, and finds what this
       leaves in the cache for it; NULL: it leaves nothing. */
    const struct sandbox_options *runs;
    const char *url;     /* of production; NULL: `archive` */
    const char *archive; /* any pg_dump archive; NULL: `url` */
    const char *out;
    bool replace;
    int jobs;
    struct sample_options sample; /* its seed is made of the key */
    const char *masking_path;     /* masking.yaml; NULL */
    bool suggests;                /* only the plan is wanted, as a masking.yaml */
    bool is_unmasked;
    struct master_key_options key;
    int64_t rate_bytes_per_s, lock_timeout_us;
    const char *const *excluded; /* tables, or patterns with * and ?: their rows stay there */
    size_t excluded_count;
    bool no_large_objects, keeps_comments, no_verify;
};

struct snapshot {
    struct arena *arena;
    struct manifest manifest;
    struct source_lacks lacks; /* what the role may not read: then there is no snapshot */
    const char *masking_yaml;  /* the plan; NULL: unmasked, or it was not reached */
    const char *key_made;      /* the file of a new master key; NULL: there was one */
    VEC(struct masking_problem) problems; /* fatal ones: then there is no snapshot */
};

/* ret_snapshot is filled as far as it went, also on an error. */
enum err_code rh_snapshot_create(const struct snapshot_options *options,
                                 struct snapshot **ret_snapshot, struct err *err) RH_MUST_CHECK;
void rh_snapshot_free(struct snapshot *snapshot);

#endif
