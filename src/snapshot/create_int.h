/*
 * Inside of making a snapshot: what its stages share.
 */
#ifndef RH_SNAPSHOT_CREATE_INT_H
#define RH_SNAPSHOT_CREATE_INT_H

#include "mask/column_maps.h"
#include "snapshot/create.h"
#include "snapshot/dump.h"
#include "snapshot/place.h"
#include "snapshot/sightings.h"

struct creation {
    const struct snapshot_options *options;
    struct snapshot *snapshot;
    struct arena *arena; /* the snapshot's */
    struct mono started_at;

    struct connection_parameters connection;
    struct sandbox *import; /* the archive, restored: the source then; NULL */
    struct source source;
    struct mask_master_key key;
    struct sightings sightings;
    struct masking masking;
    bool *is_omitted; /* of each table */
    struct sample_plan sample;
    bool is_sampled;
    struct column_maps *maps;
    struct watches *watches; /* NULL: nothing is masked, or nothing will be certified */
    struct snapshot_place place;
    struct dump_result dump;
};

/* exclude.c: which tables' rows stay there. RH_ERR_USAGE when a pattern fits none, or when rows
   that are copied need them. */
enum err_code rh_exclude(const char *const *patterns, size_t count, const struct catalog *catalog,
                         struct arena *arena, bool *is_omitted, struct err *err) RH_MUST_CHECK;

/* dump_program.c: the pg_dump that fits a server: the oldest of those that are not older.
   RH_ERR_ENVIRONMENT with the package to install. */
struct dump_program {
    const char *path, *version;
    int major;
};
enum err_code rh_dump_program_find(const struct engine *engine, const char *server_bin,
                                   int server_major, struct arena *arena,
                                   struct dump_program *ret_program, struct err *err) RH_MUST_CHECK;

/* import.c: starts a private sandbox with the archive in it, and makes it the source. */
enum err_code rh_creation_import(struct creation *creation, struct err *err) RH_MUST_CHECK;

#endif
