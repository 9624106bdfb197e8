/*
 * The manifest of a snapshot: DIR/manifest.json beside the archive in DIR/archive, what is in it
 * and what was done to it on the way. Plain data with its JSON form; no row value and no key.
 */
#ifndef RH_MODEL_MANIFEST_H
#define RH_MODEL_MANIFEST_H

#include "base/err.h"
#include "model/catalog.h"
#include "model/state.h"

#include <jansson.h>

#define MANIFEST_FORMAT_VERSION "1.0"

struct manifest_column {
    const char *name, *type;
    const char *rule;   /* "keep", "text", "email", ...; as masking.yaml has it */
    const char *domain; /* of its key; NULL where nothing is keyed */
    const char *reason; /* "nobody classified it", "name says e-mail", "masking.yaml:12" */
};

struct manifest_table {
    const char *schema, *name, *identity;
    int64_t production_rows; /* -1: unknown */
    bool rows_exact;
    int64_t production_pages, production_bytes;
    int64_t rows;           /* in the archive */
    int64_t bytes;          /* of its masked rows, as COPY text */
    double sample_fraction; /* rows / production_rows; 1: all */
    const char
        *sample_reason; /* "root, 5 %", "follows orders", "needed by order_items"; NULL: all */
    const char
        *omitted; /* why it has no rows though production has: "unlogged on a standby"; NULL */
    bool has_checksum;
    struct digest checksum; /* order-independent, of the masked rows as COPY text */
    VEC(struct manifest_column) columns;
};

#define CERTIFICATE_PASSED "passed"
#define CERTIFICATE_FAILED "failed"
#define CERTIFICATE_NOT_OBSERVED "not-observed"

struct manifest_certificate {
    const char *name;   /* "integrity", "shape", "leak" */
    const char *status; /* CERTIFICATE_* */
    const char *detail; /* one sentence */
    VEC(const char *) notes;
};

/* A pending migration for whose sake rows were looked for and forced into the sample. */
struct manifest_witness {
    const char *name;              /* of its file */
    const char *sha256;            /* of the file's bytes, as a step of a run has it */
    VEC(const char *) found;       /* sentences: what was looked for and is in the sample */
    VEC(const char *) not_covered; /* what could not be looked for */
};

struct manifest {
    const char *rehearse_version;
    const char *created_at;   /* RFC 3339 */
    const char *source;       /* "standby db2:5432/shop", never with a password; "archive x.dump" */
    const char *dump_version; /* of the pg_dump that made the archive: "15.18" */
    int64_t duration_us;      /* from the first question to the last byte */
    const char *server_version;
    int server_major;
    const char *database, *encoding;
    bool is_standby;
    const char *system_identifier, *wal_position;
    const char *taken_at;   /* RFC 3339, the server's clock at its snapshot */
    bool is_masked;         /* every column was decided by a masking plan */
    bool is_complete;       /* no table is sampled, filtered or left out */
    const char *key_id;     /* a name for the master key that does not tell it */
    const char *seed_id;    /* the same of the sample's key; NULL: not sampled */
    double sample_fraction; /* asked for; 1: all */
    int64_t masked_columns, kept_columns;
    struct {
        int64_t statements, bytes_read;
        int64_t snapshot_age_us; /* when it was given back: how long vacuum had to wait for it */
        VEC(const char *) locks; /* "AccessShareLock on 31 tables" */
    } footprint;
    VEC(struct catalog_extension) extensions;
    VEC(struct catalog_collation) collations;
    VEC(struct catalog_setting) settings;
    VEC(struct catalog_replica) replicas;
    VEC(const char *) roles;
    VEC(struct manifest_table) tables;
    int64_t large_objects, large_object_bytes; /* in the archive, as noise of the same length */
    VEC(struct manifest_certificate) certificates;
    VEC(struct manifest_witness) witnesses; /* may be missing in the JSON form */
    VEC(const char *) notes;                /* sentences: what is not like production */
};

/* NULL when the manifest has none of that name. */
const struct manifest_certificate *rh_manifest_certificate(const struct manifest *manifest,
                                                           const char *name);
/* A new reference, owned by the caller. */
json_t *rh_manifest_to_json(const struct manifest *manifest);
/* RH_ERR_USAGE, naming the member, for what is no manifest or of a newer major version. Members
   that are not known are skipped: a newer minor version has them. Texts are copied to `arena`. */
enum err_code rh_manifest_from_json(const json_t *json, struct arena *arena,
                                    struct manifest *ret_manifest, struct err *err) RH_MUST_CHECK;

#endif
