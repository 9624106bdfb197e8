/* Rows that could break the pending migration, or slow it: found by reading, forced in. */
#ifndef RH_SNAPSHOT_WITNESS_INT_H
#define RH_SNAPSHOT_WITNESS_INT_H

#include "snapshot/sample_int.h"

/* Before the closure: what it finds becomes extras, and foreign keys that the migration adds become
   edges, so that the sample has no orphans of its own making. */
enum err_code rh_witness_find(struct sampling *sampling, struct err *err) RH_MUST_CHECK;

#endif
