/*
 * What a manifest says of a dump: the catalogue, the plans and the totals, put together. Pure.
 */
#ifndef RH_SNAPSHOT_DESCRIBE_H
#define RH_SNAPSHOT_DESCRIBE_H

#include "mask/masking.h"
#include "model/manifest.h"
#include "snapshot/dump.h"
#include "snapshot/sample.h"

struct description {
    const struct catalog *catalog;
    const struct masking *masking;               /* NULL: nothing is masked */
    const struct sample_plan *sample;            /* NULL: every row */
    const struct sample_options *sample_options; /* that it was made of; NULL without one */
    const bool *is_omitted;                      /* NULL: none */
    const struct dump_result *dump;
    struct connection_traffic traffic; /* of our own session, which plans and looks */
    bool is_standby;
    double fraction; /* asked for */
};

/* Fills what the sources above know; the rest is the caller's. */
void rh_describe_snapshot(const struct description *description, struct arena *arena,
                          struct manifest *manifest);

#endif
