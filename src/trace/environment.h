/*
 * A wrapped command's view of the database: one endpoint in every dialect that migration tools
 * speak, as environment variables and as placeholders. Pure but for reading the environment it is
 * given.
 */
#ifndef RH_TRACE_ENVIRONMENT_H
#define RH_TRACE_ENVIRONMENT_H

#include "base/arena.h"

#include <stdint.h>

struct endpoint {
    const char *host; /* "127.0.0.1" */
    uint16_t port;
    const char *database, *user, *password;
};

/* {url} {jdbc_url} {host} {port} {db} {user} {password} replaced; anything else in braces stays. */
char *rh_environment_expand(struct arena *arena, const struct endpoint *endpoint, const char *text);
/* An argument vector, expanded; NULL-terminated. */
const char *const *rh_environment_expand_all(struct arena *arena, const struct endpoint *endpoint,
                                             const char *const *argv);
/*
 * `inherited` (NULL-terminated "A=b") without what could lead elsewhere (PGHOST, PGSERVICE,
 * PGPASSFILE and their like), with every dialect of the endpoint, and with `extra`
 * ("NAME=TEMPLATE", NULL allowed), which wins.
 */
const char *const *rh_environment_build(struct arena *arena, const struct endpoint *endpoint,
                                        const char *const *inherited, const char *const *extra);

#endif
