/*
 * The user's checks around a run: each query in a read-only transaction of the migration's own role
 * that is rolled back, before and after the migration; pgTAP files through psql.
 *
 * A check that is wrong (does not parse, writes, reads what nobody may read, gives another result
 * each time) is the user's error, told before the migration is run. What could not be asked for
 * another reason is recorded as such: never a pass. Blocking; bounded in time for each check, and
 * in memory whatever a query returns.
 */
#ifndef RH_REHEARSAL_CHECKS_H
#define RH_REHEARSAL_CHECKS_H

#include "engine/engine.h"
#include "model/check.h"
#include "rehearsal/rehearsal.h"

/* Reads and parses the files; starts nothing. */
enum err_code rh_checks_open(const char *const *paths, size_t count, struct arena *arena,
                             struct checks *ret_checks, struct err *err) RH_MUST_CHECK;
/* Fill `before` on the candidate (pgTAP files, which may write, on a clone of their own).
   RH_ERR_USAGE: a check is wrong. */
enum err_code rh_checks_run_before(struct rehearsal *rehearsal, struct err *err) RH_MUST_CHECK;
/* Fill `after`, outcome and reason; last on the candidate: a pgTAP file may leave something there.
   Fails only when the user or the clock ended the run. */
enum err_code rh_checks_run_after(struct rehearsal *rehearsal, struct err *err) RH_MUST_CHECK;

#endif
