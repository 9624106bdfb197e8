/*
 * The stages of `run` in order over one struct rehearsal: reap, migration, sandbox, load, ready,
 * trace, judge, write. Composes; holds no logic another caller could want.
 */
#ifndef RH_REHEARSAL_REHEARSAL_H
#define RH_REHEARSAL_REHEARSAL_H

#include "base/progress.h"
#include "model/result.h"
#include "sandbox/sandbox.h"
#include "trace/migration.h"

struct rehearsal_options {
    struct migration_request migration;
    struct sandbox_options sandbox;
    const char *const *schema_paths;
    size_t schema_count;
    const char *snapshot_path;
    const char *const *environment;
    struct limits limits;
    bool no_isolation;
    bool keep;
    const char *down;  /* --down: a file, a directory or a command line; NULL: what is recognised */
    bool no_way_back;  /* it is not rehearsed */
    bool restore_test; /* a dump of the migrated database is restored elsewhere */
    const char *out_directory; /* NULL: .rehearse/runs/<UTC>-<hash> with `latest` */
    struct progress *progress;
    /* --json: every event as it happens, else NULL. */
    void (*event)(void *context, json_t *event);
    void *event_context;
};

struct rehearsal; /* owns everything of one run; freed with rh_rehearsal_free */

/* On success *ret_result is valid until free. Whatever happened is cleaned up when it returns. */
enum err_code rh_rehearsal_run(const struct rehearsal_options *options,
                               struct rehearsal **ret_rehearsal, const struct result **ret_result,
                               struct err *err) RH_MUST_CHECK;
/* URL and stop command of a kept sandbox, NULL when not kept. */
const char *rh_rehearsal_kept_url(const struct rehearsal *rehearsal);
const char *rh_rehearsal_kept_stop_command(const struct rehearsal *rehearsal);
void rh_rehearsal_free(struct rehearsal *rehearsal);

#endif
