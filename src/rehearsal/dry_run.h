/*
 * --rollback: the migration on a database that is not ours, in one transaction that is rolled back.
 *
 * Nothing is written that stays: there is one BEGIN and one ROLLBACK, both ours, and what would end
 * the transaction in between is refused before anything is sent. Bounded by lock_timeout and
 * statement_timeout, which the migration can make shorter but not longer. The database is looked at
 * first (production, a standby, other sessions: refused by name), and the states before and after
 * prove that nothing stayed, as far as the role may read them.
 *
 * Evidence is weaker than in a sandbox: no event triggers, no log, no samples. Locks, rewritten
 * files and scans are read in the transaction itself after each statement; what that cannot tell is
 * not observed. Blocking; the user's interrupt cancels what runs, and the server rolls back.
 */
#ifndef RH_REHEARSAL_DRY_RUN_H
#define RH_REHEARSAL_DRY_RUN_H

#include "rehearsal/rehearsal.h"

/* Refuses by file and line what cannot be tested that way; pure but for its arena. */
enum err_code rh_dry_run_check(const struct migration *migration, struct arena *arena,
                               struct err *err) RH_MUST_CHECK;
/* RH_ERR_USAGE when the URL is none; connects to nothing. */
enum err_code rh_dry_run_check_url(const struct engine *engine, const char *url,
                                   struct arena *arena, struct err *err) RH_MUST_CHECK;
/* The stage of a run in the place of the sandbox's: looks, performs, rolls back, proves, judges,
   writes. Files are written also when it returns an error that came of the migration. */
enum err_code rh_dry_run_stage(struct rehearsal *rehearsal, struct err *err) RH_MUST_CHECK;

#endif
