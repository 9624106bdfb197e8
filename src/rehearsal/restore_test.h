/*
 * --restore-test: the migrated database dumped by pg_dump, restored into an empty sandbox, and both
 * states compared. Fills result->round_trip.restore_test.
 */
#ifndef RH_REHEARSAL_RESTORE_TEST_H
#define RH_REHEARSAL_RESTORE_TEST_H

#include "rehearsal/way_back_int.h"

/* Fails only when the user ended the run; everything else is a reason, or a failure of the restore.
 */
enum err_code rh_restore_test_run(struct way_back *back, struct err *err) RH_MUST_CHECK;

#endif
