#include "engine/postgres/pg_engine_int.h"

#include <string.h>

/*
 * PostgreSQL 18 manual, 13.3.1, table 13.2 "Conflicting Lock Modes" (the same in 13 to 18). A read
 * of a table takes ACCESS SHARE, which conflicts with ACCESS EXCLUSIVE alone; INSERT, UPDATE,
 * DELETE and MERGE take ROW EXCLUSIVE. SELECT ... FOR UPDATE takes ROW SHARE, which EXCLUSIVE
 * blocks as well: it counts with the writes here.
 */
static const struct {
    const char *mode;
    bool reads, writes;
} BLOCKED[] = {
    {"AccessShareLock", false, false},  {"RowShareLock", false, false},
    {"RowExclusiveLock", false, false}, {"ShareUpdateExclusiveLock", false, false},
    {"ShareLock", false, true},         {"ShareRowExclusiveLock", false, true},
    {"ExclusiveLock", false, true},     {"AccessExclusiveLock", true, true},
};

void rh_pg_lock_blocks(const char *mode, bool *ret_reads, bool *ret_writes)
{
    *ret_reads = *ret_writes = false;
    for (size_t i = 0; i < sizeof(BLOCKED) / sizeof(*BLOCKED); i++) {
        if (!strcmp(BLOCKED[i].mode, mode)) {
            *ret_reads = BLOCKED[i].reads;
            *ret_writes = BLOCKED[i].writes;
            return;
        }
    }
    /* SIReadLock blocks nobody. A mode we do not know is taken for the strongest: better a false
       alarm than a silent outage. */
    if (strcmp(mode, "SIReadLock"))
        *ret_reads = *ret_writes = true;
}
