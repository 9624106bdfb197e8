/*
 * The dump: pg_dump reads production through a tap of ours, which masks and samples the rows as
 * they pass. pg_dump writes the archive, so nothing that it did not get from the tap can be in
 * there.
 *
 * What is not understood is refused: a COPY of a table that the catalogue does not have, a query
 * that could carry rows in another way, an answer that does not fit its question. Then, and when a
 * COPY fails or is short of rows, the dump fails as a whole.
 */
#ifndef RH_SNAPSHOT_DUMP_H
#define RH_SNAPSHOT_DUMP_H

#include "base/progress.h"
#include "engine/engine.h"
#include "mask/column_maps.h"
#include "mask/copy_mask.h"
#include "snapshot/sample.h"
#include "snapshot/watches.h"

/* Sessions of pg_dump at most: its own and its workers. */
#define DUMP_JOBS_MAX 64

struct dump_options {
    const struct engine *engine;
    /* In its transaction, whose snapshot the dump shares; asked for locks meanwhile. */
    struct connection *source;
    const struct connection_place *place; /* what pg_dump says for itself */
    const struct upstream *upstream;      /* where the tap goes: the server that `source` is on */
    const struct source_facts *facts;
    const char *program; /* pg_dump, not older than the server */
    int program_major;
    const char *directory; /* 0700, ours: for the tap's socket; short enough for one */
    const char *archive;   /* made by pg_dump */
    int jobs;
    const struct catalog *catalog;
    const struct column_maps *maps;    /* NULL: nothing is masked */
    const struct sample_plan *sample;  /* NULL: every row */
    const bool *is_omitted;            /* of each table: its rows stay there; NULL: none */
    const struct mask_master_key *key; /* of the noise for large objects; NULL: as they are */
    bool no_large_objects, keeps_comments;
    int64_t lock_timeout_us;
    int64_t rate_bytes_per_s; /* 0: as fast as it goes */
    struct watches
        *watches; /* see the rows of masked columns, for certificates; NULL: nobody does */
    struct progress *progress;
};

struct dumped_table {
    bool is_dumped;
    struct copy_mask_totals totals;
    const char *column_list;    /* in the order of its rows, quoted */
    const char *const *columns; /* the same, bare */
    size_t column_count;
};

struct dump_result {
    struct dumped_table *tables; /* one for each of the catalogue */
    int64_t statements, bytes_read;
    int64_t large_objects, large_object_bytes;
    VEC(const char *) locks; /* "AccessShareLock on 31 relations" */
    const char *encoding;    /* of the texts in the archive, as the server names it */
};

/* Blocking, until pg_dump ended, a deadline passed or the user interrupts; what it left on disk is
   the caller's to remove then. */
enum err_code rh_dump(const struct dump_options *options, struct arena *arena,
                      struct dump_result *ret_result, struct err *err) RH_MUST_CHECK;

#endif
