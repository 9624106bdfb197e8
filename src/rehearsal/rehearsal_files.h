/*
 * The files of a run: its directory, events as they come, and the renderings at the end.
 *
 * Modes 0700 and 0600. A default place that cannot be written is no reason not to rehearse: it is
 * noted once and the run goes on without files. A place the user named must work.
 */
#ifndef RH_REHEARSAL_REHEARSAL_FILES_H
#define RH_REHEARSAL_REHEARSAL_FILES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/progress.h"
#include "model/result.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct run_files {
    const char *directory;   /* NULL: no files */
    const char *output_path; /* output.log, NULL: no files */
    bool is_default_place;   /* `latest` beside the directory is kept */
    bool written;            /* something worth keeping is in it */
    FILE *events;            /* events.ndjson */
    struct progress *progress;
};

/* `name_source` (the bytes being rehearsed) makes the hash in the directory's name. */
enum err_code rh_run_files_open(const char *out_directory, struct text name_source,
                                struct arena *arena, struct progress *progress,
                                struct run_files *ret_files, struct err *err) RH_MUST_CHECK;
void rh_run_files_event(struct run_files *files, const json_t *event);
/* result.json, summary.txt and `latest`. What cannot be written is noted. */
void rh_run_files_write(struct run_files *files, const struct result *result);
/* Closes; removes a directory in which nothing was written. Safe on zeroed files, more than once.
 */
void rh_run_files_close(struct run_files *files);

#endif
