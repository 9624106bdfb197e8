/*
 * What the stages of a run share. `run` uses all of them in order; the demo prepares once and
 * performs each migration on a clone.
 */
#ifndef RH_REHEARSAL_REHEARSAL_INT_H
#define RH_REHEARSAL_REHEARSAL_INT_H

#include "rehearsal/rehearsal.h"
#include "rehearsal/rehearsal_files.h"
#include "trace/migration_way_back.h"
#include "trace/trace.h"

struct rehearsal {
    struct arena *arena;
    const struct rehearsal_options *options;
    struct migration migration;
    struct migration_way_back way_back;
    struct manifest manifest; /* of the snapshot, where it is one of ours; else empty */
    struct run_files files;
    /* The starting point: stopped, serves clones. The demo lends one to each of its rehearsals. */
    struct sandbox *prepared;
    bool has_lent_prepared;
    struct sandbox *sandbox; /* the candidate, a clone of it; NULL once destroyed */
    struct trace trace;
    struct result result;
    const char *kept_url, *kept_stop_command;
};

struct rehearsal *rh_rehearsal_new(const struct rehearsal_options *options);

/* Everything in the arguments: migration, schema and snapshot files. Starts nothing. */
enum err_code rh_rehearsal_stage_open(struct rehearsal *rehearsal, struct err *err) RH_MUST_CHECK;
/* A sandbox with the starting point in it, ready for clones. */
enum err_code rh_rehearsal_stage_prepare(struct rehearsal *rehearsal,
                                         struct err *err) RH_MUST_CHECK;
/* Another clone of the starting point, running, the caller's to destroy before the rehearsal is
   freed. Nothing may be timed in it: see rh_sandbox_clone_untimed. */
enum err_code rh_rehearsal_clone(struct rehearsal *rehearsal, struct sandbox **ret_clone,
                                 struct err *err) RH_MUST_CHECK;
/* How the migration is traced on a clone, whichever it is. */
struct trace_options rh_rehearsal_trace_options(const struct rehearsal *rehearsal,
                                                struct sandbox *clone);
/* Why the migration must not be run more than once; NULL: it may be. */
const char *rh_rehearsal_why_once(const struct rehearsal *rehearsal);
/* The same of what only follows a migration that came well to its end. */
const char *rh_rehearsal_why_not_again(const struct rehearsal *rehearsal);
/* Clone, trace, judge, write. Files are written also when it returns an
   error that came of the migration (syntax, timeout, interrupt). */
enum err_code rh_rehearsal_stage_perform(struct rehearsal *rehearsal,
                                         struct err *err) RH_MUST_CHECK;

/* The end of both kinds of run: judge, write; RH_OK, or the error that cut the run. */
enum err_code rh_rehearsal_conclude(struct rehearsal *rehearsal, struct err *err) RH_MUST_CHECK;

/*
 * A statement that the server could not parse ended the run: fills *err with place, source line and
 * caret and returns RH_ERR_SYNTAX. RH_OK when it ended otherwise.
 */
enum err_code rh_syntax_error_find(const struct trace *trace, const struct migration *migration,
                                   struct arena *arena, struct err *err) RH_MUST_CHECK;

#endif
