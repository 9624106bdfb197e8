/*
 * A database that is not ours and shall be written to: what it says of itself
 * (ENGINE_QUERY_TARGET), and the refusal of production (rehearsal/production.h) and of standbys,
 * for all who need it.
 */
#ifndef RH_REHEARSAL_PRODUCTION_TARGET_H
#define RH_REHEARSAL_PRODUCTION_TARGET_H

#include "engine/engine.h"

/* Columns of ENGINE_QUERY_TARGET. */
enum target_column {
    TARGET_DATABASE,
    TARGET_SERVER_VERSION,
    TARGET_IS_STANDBY,
    TARGET_PRODUCTION_SETTING,
    TARGET_COMMENT,
    TARGET_SESSIONS,
    TARGET_BUSY_SESSIONS,
    TARGET_ROLES
};

struct production_patterns {
    const char *const *items; /* of the configuration */
    size_t count;
};

/* Why the database that the row is of must not be touched; NULL: it may. `hosts` of its URL.
   Standbys are let pass with `only_reads`. */
const char *rh_production_target_why(const struct rows *target, const char *hosts,
                                     const struct production_patterns *patterns, bool only_reads,
                                     struct arena *arena);

/* Connects, asks, and refuses with RH_ERR_USAGE and `hint`. *ret_place is how errors call it, never
   with a password. Blocking. */
enum err_code rh_production_target_check(const struct engine *engine, const char *url,
                                         const struct production_patterns *patterns,
                                         bool only_reads, const char *hint, struct mono deadline,
                                         struct arena *arena, const char **ret_place,
                                         struct err *err) RH_MUST_CHECK;

#endif
