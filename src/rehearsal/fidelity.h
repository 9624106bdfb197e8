/*
 * What the snapshot of a run says of itself: may it be used at all, how like production is it, and
 * which conclusions its masking and sampling weaken.
 */
#ifndef RH_REHEARSAL_FIDELITY_H
#define RH_REHEARSAL_FIDELITY_H

#include "rehearsal/rehearsal_int.h"

/*
 * Before anything is started: reads the manifest, and refuses a snapshot that is not masked
 * (unsanitized-snapshot), unless that is allowed. Fills the result's likeness.
 */
enum err_code rh_fidelity_open(struct rehearsal *rehearsal, struct err *err) RH_MUST_CHECK;
/* What of production's settings the sandbox has; adds notes. */
void rh_fidelity_fill(struct rehearsal *rehearsal, const struct sandbox_facts *facts);
/* Once it is known which tables the migration touched: what their masking weakens. */
void rh_fidelity_weaken(struct rehearsal *rehearsal);

#endif
