/*
 * Commands of two-phase commit in a query string, and the transaction's identifier as it is
 * written: who prepares a transaction and who ends it write it alike. Pure.
 */
#ifndef RH_SQL_TWO_PHASE_H
#define RH_SQL_TWO_PHASE_H

#include "base/text.h"

enum two_phase {
    TWO_PHASE_NONE,
    TWO_PHASE_PREPARES, /* PREPARE TRANSACTION */
    TWO_PHASE_ENDS      /* COMMIT PREPARED, ROLLBACK PREPARED */
};
/* The first one in it. *ret_name lies in the query; set unless TWO_PHASE_NONE. */
enum two_phase rh_sql_two_phase(struct text query, struct text *ret_name);

#endif
