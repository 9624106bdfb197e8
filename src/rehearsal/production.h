/*
 * Whether a database is production, by what the configuration and the database itself declare.
 * Pure.
 *
 * The configuration names patterns (production: ["prod*", "*.prod.example.org"]), in which * and ?
 * stand for any text and any character and case does not matter; one matches the database's name,
 * a host, or host/database. The database declares itself with a setting or a comment, whatever the
 * configuration says:
 *
 *     ALTER DATABASE app SET rehearse.production = on;
 *     COMMENT ON DATABASE app IS 'the shop (rehearse: production)';
 */
#ifndef RH_REHEARSAL_PRODUCTION_H
#define RH_REHEARSAL_PRODUCTION_H

#include "base/arena.h"

#include <stddef.h>

struct production_facts {
    const char *database;
    const char *hosts;   /* of the URL, separated by commas; "" for the default socket */
    const char *setting; /* of the database, NULL: not set */
    const char *comment; /* NULL */
};

/* NULL when it is not, else what says so: "its name matches \"prod*\"". */
const char *rh_production_why(const char *const *patterns, size_t count,
                              const struct production_facts *facts, struct arena *arena);

#endif
