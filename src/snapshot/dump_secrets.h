/*
 * Passwords that a schema holds: options of user mappings and foreign servers, and settings of a
 * database that an application keeps there. pg_dump's questions for them are changed so that the
 * answers leave them out. Pure.
 */
#ifndef RH_SNAPSHOT_DUMP_SECRETS_H
#define RH_SNAPSHOT_DUMP_SECRETS_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>

/* *ret_changed NULL: the question may go as it is. False when it asks for such things in a way that
   is not known, and must not go at all. */
bool rh_dump_without_secrets(struct text sql, struct arena *arena,
                             const char **ret_changed) RH_MUST_CHECK;

#endif
