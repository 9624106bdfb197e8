/*
 * A session that stands in the migration's way on purpose (--blocker): it holds its lock on a table
 * for a while and lets go by itself.
 */
#ifndef RH_REHEARSAL_IN_THE_WAY_H
#define RH_REHEARSAL_IN_THE_WAY_H

#include "engine/engine.h"

struct in_the_way;

/* Blocks until the lock is held. */
enum err_code rh_in_the_way_start(const struct engine *engine,
                                  const struct connection_parameters *superuser,
                                  enum blocker_kind kind, const char *relation, int64_t duration_us,
                                  struct in_the_way **ret_session, struct err *err) RH_MUST_CHECK;
void rh_in_the_way_end(struct in_the_way *session); /* NULL allowed */

#endif
