/*
 * How like production the data of a run is: what the snapshot says of itself, what of production's
 * settings the sandbox has, and which conclusions that weakens. A part of struct fidelity. Plain
 * data; no row value.
 */
#ifndef RH_MODEL_LIKENESS_H
#define RH_MODEL_LIKENESS_H

#include "base/arena.h"
#include "model/manifest.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether the rows that could break this very migration are in the sample. */
/* X(symbol, name in result.json) */
#define WITNESS_COVER_LIST(X)                                                           \
    X(WITNESS_NOT_NEEDED, "not-needed") /* no sample */                                 \
    X(WITNESS_COVERED, "covered")                                                       \
    X(WITNESS_PARTLY, "partly")   /* some probes were not made: struct likeness says */ \
    X(WITNESS_MISSING, "missing") /* the sample was made without, or for another migration */
enum witness_cover {
#define X(symbol, name) symbol,
    WITNESS_COVER_LIST(X)
#undef X
};

/* A table that has fewer rows here than in production. */
struct sampled_table {
    const char *relation;
    int64_t rows, production_rows; /* production's -1: unknown */
    bool rows_exact;               /* of production's */
    double fraction;
    const char *reason;  /* NULL */
    const char *omitted; /* why it has none at all; NULL */
};

struct likeness {
    /* Of a snapshot made by `rehearse snapshot`; all of it is empty for anything else. */
    bool has_manifest;
    const char *production_version, *production_database;
    bool is_standby, is_masked, is_complete;
    const char *clear_data;        /* why it may hold any, which was accepted; NULL */
    const char *taken_at;          /* RFC 3339 */
    int64_t production_rows, rows; /* of all tables; -1: unknown of some */
    int64_t production_bytes;      /* -1 */
    VEC(struct sampled_table) sampled;
    VEC(struct manifest_certificate) certificates;
    enum witness_cover cover;
    VEC(const char *) not_covered; /* sentences */

    int64_t settings_kept;
    VEC(const char *) settings_not_kept; /* "shared_buffers = 64GB (server): why" */
    VEC(const char *) weakened;          /* sentences: what masking keeps from being concluded */
};

/* NULL when all its rows, or as many as anybody knows, are here. */
const struct sampled_table *rh_likeness_sampled(const struct likeness *likeness,
                                                const char *relation);
/* New reference: the member "snapshot" of fidelity; null where there is no manifest. */
json_t *rh_likeness_to_json(const struct likeness *likeness);

#endif
