/*
 * The parts of a dry run: the target (dry_run_target.c), what a statement did as the transaction
 * itself sees it (dry_run_observe.c), the whole (dry_run.c).
 */
#ifndef RH_REHEARSAL_DRY_RUN_INT_H
#define RH_REHEARSAL_DRY_RUN_INT_H

#include "observe/relation_map.h"
#include "rehearsal/dry_run.h"
#include "rehearsal/rehearsal_int.h"

struct held_lock {
    int64_t relation_id;
    const char *mode;
};

struct dry_run {
    struct rehearsal *rehearsal;
    const struct dry_run_options *options;
    const struct engine *engine;
    struct arena *arena;
    struct trace *trace;
    struct connection_parameters parameters;
    const char *place;             /* "app at db.example:5432": never with a password */
    struct connection *connection; /* of the transaction; NULL once lost or closed */
    struct connection *watcher;    /* beside it: cancels, reads before and after */
    int64_t other_sessions;
    bool can_check_client; /* the server looks whether we are still there, should we be killed */
    struct mono origin;
    /* The session's timeouts: as it began, as the migration set them, and as they are now. */
    int64_t session_lock_ms, session_statement_ms;
    int64_t user_lock_ms, user_statement_ms;
    int64_t lock_ms, statement_ms;
    struct relation_map relations; /* that were there before */
    struct held_lock *held;        /* by relation and mode; freed by rh_dry_run_close */
    size_t held_count;
    VEC(const char *) modes;
    bool is_blocking;  /* one of them keeps others from an existing relation */
    bool was_blocking; /* the same where the transaction of the migration's own began */
    int64_t wal_position;
};

/* --- dry_run_target.c --------------------------------------------------------------------------
 */
/* Connects twice, and refuses what must not be touched. */
enum err_code rh_dry_run_open(struct dry_run *dry_run, struct err *err) RH_MUST_CHECK;
void rh_dry_run_close(struct dry_run *dry_run);
/* Ends what the transaction's session is doing, without waiting for it. */
void rh_dry_run_cancel(struct dry_run *dry_run);

/* --- dry_run_observe.c -------------------------------------------------------------------------
 */
enum err_code rh_dry_run_read_relations(struct dry_run *dry_run, struct err *err) RH_MUST_CHECK;
/* Behind a statement that succeeded (NULL: at the start of the transaction): its locks, rewrites,
   scans, and the session's settings. Locks are held to the end of the transaction, a statement's
   own here or its tool's: `held_us` is set later. */
enum err_code rh_dry_run_look(struct dry_run *dry_run, struct statement *statement,
                              struct err *err) RH_MUST_CHECK;
/* The facts of the relations that were locked; whether they are empty is read now. */
void rh_dry_run_describe_relations(struct dry_run *dry_run);

#endif
