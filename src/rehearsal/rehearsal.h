/*
 * The stages of `run` in order over one struct rehearsal: reap, migration, sandbox, load, ready,
 * trace, judge, write. Composes; holds no logic another caller could want.
 */
#ifndef RH_REHEARSAL_REHEARSAL_H
#define RH_REHEARSAL_REHEARSAL_H

#include "base/progress.h"
#include "model/result.h"
#include "rehearsal/cut_plan.h"
#include "sandbox/sandbox.h"
#include "sql/transform.h"
#include "trace/migration.h"

/* --rollback: a database that is not ours, one transaction, rolled back. */
struct dry_run_options {
    const char *url;               /* with whatever password it holds: shown to nobody */
    const char *const *production; /* patterns (rehearsal/production.h) */
    size_t production_count;
    int64_t lock_timeout_us, statement_timeout_us;
    bool allow_active_sessions;
};

/* --workload: production's queries, replayed while the migration runs and compared behind it. */
struct workload_options {
    const char *path;               /* NULL: none */
    struct workload_reader *reader; /* of that file, the caller's; NULL: none */
    const char *key_path;           /* where its key was read; NULL: the default place, or no key */
    double speed;                   /* of the replay */
    int64_t pool;                   /* connections of the application; 0: not said */
    enum blocker_kind blocker;
    const char *blocker_relation; /* NULL: the table that the migration locks longest */
    int64_t blocker_us;
    int64_t compare_budget_us;
    const struct transform *transform;     /* what the new release says otherwise; NULL: nothing */
    const struct transform_survey *survey; /* what that does to its queries; rh_workload_check */
    struct query_limits limits;
};

struct rehearsal_options {
    const struct dry_run_options *dry_run; /* NULL: in a sandbox */
    struct migration_request migration;
    struct sandbox_options sandbox;
    const char *const *schema_paths;
    size_t schema_count;
    const char *snapshot_path;
    bool allow_unmasked; /* of a snapshot that says that it is not masked */
    bool require_masked; /* a dump that says nothing of it is refused */
    const char *const *environment;
    const char *const *check_paths;
    size_t check_count;
    const char *const *query_paths; /* --queries: what the release brings */
    size_t query_count;
    struct limits limits;
    bool no_isolation;
    bool show_values; /* row values may stand in the result, not only keys and counts */
    bool keep;
    struct cuts_wanted cuts;
    const char *down;  /* --down: a file, a directory or a command line; NULL: what is recognised */
    bool no_way_back;  /* it is not rehearsed */
    bool restore_test; /* a dump of the migrated database is restored elsewhere */
    struct workload_options workload;
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
