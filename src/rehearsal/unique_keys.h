/*
 * Unique keys that a release makes over columns in which a repair would give many rows one value: a
 * placeholder for NULLs. Each of both is right for its own statement; together they make
 * duplicates, which the key would refuse or its repair delete. Then it is to be a value of its own
 * for each row, if that holds where the keys are.
 */
#ifndef RH_REHEARSAL_UNIQUE_KEYS_H
#define RH_REHEARSAL_UNIQUE_KEYS_H

#include "engine/engine.h"
#include "model/blocker.h"
#include "sandbox/sandbox.h"

struct unique_key {
    const char *table, *column, *name; /* "public.users", quoted column, of the index */
};
struct unique_keys {
    VEC(struct unique_key) items; /* one for each column of a key */
};

/* Those of the clone's database now. Blocks; texts lie in `arena`. */
enum err_code rh_unique_keys_read(const struct engine *engine, const struct sandbox *clone,
                                  struct arena *arena, struct unique_keys *ret_keys,
                                  struct err *err) RH_MUST_CHECK;
/* Sets made_unique of the offenders whose repair is spoiled: by a key that is there afterwards and
   was not before, or by one that failed for duplicates in another statement: once these are mended
   it is there. */
void rh_unique_keys_mark(const struct unique_keys *before, const struct unique_keys *after,
                         struct arena *arena, struct blockers *blockers);
/* Of those that are marked: makes their own_values_sql the repair where it works in the connected
   database, which is as the release left it, and no key's repair would delete a row of it; else the
   repair itself, where that holds (in a key of several columns), unmarked; else none. What is tried
   is rolled back. Blocks, at most UNIQUE_KEYS_TRIAL_MAX_US for each. */
void rh_unique_keys_mend(const struct engine *engine, struct connection *connection,
                         struct arena *arena, struct blockers *blockers);
/* As rh_unique_keys_mend, of the clone's database, as its superuser; nothing when none is marked.
   What could not be tried has no repair. */
enum err_code rh_unique_keys_settle(const struct engine *engine, const struct sandbox *clone,
                                    struct arena *arena, struct blockers *blockers,
                                    struct err *err) RH_MUST_CHECK;
/* As a statement of the second pass. */
#define UNIQUE_KEYS_TRIAL_MAX_US (INT64_C(300) * 1000 * 1000)

#endif
