/*
 * The way back of a migration: what was given with --down, else the counterparts that its tool
 * knows (down sections of goose and dbmate, x.down.sql, U1__x.sql of Flyway, down.sql of diesel).
 * Nothing is started.
 */
#ifndef RH_TRACE_MIGRATION_WAY_BACK_H
#define RH_TRACE_MIGRATION_WAY_BACK_H

#include "trace/migration.h"

struct migration_way_back {
    struct migration downs; /* in the order they run: the last step's first; none: no way back */
    bool is_given;          /* --down, not recognised */
    const char *text;       /* what it is, for people: "down.sql", "the goose sections" */
    size_t first;           /* of the migration's steps: those from here on are undone */
    const char *ends_at;    /* the step that has no way back, and ends the chain; NULL */
    const char *ends_why;
};

/*
 * `down` is the value of --down or NULL. A path that exists is a directory or a file of SQL, unless
 * it is executable and no .sql; of a directory each step's file is the one that has the step's name
 * (or its tool's name for a way back). One word that ends in ".sql" or holds a slash, and no such
 * file, is RH_ERR_USAGE. Anything else is a command line for /bin/sh. Whatever was given must be
 * readable: RH_ERR_USAGE.
 */
enum err_code rh_migration_open_way_back(const struct migration *migration, const char *down,
                                         struct arena *arena, struct migration_way_back *ret_back,
                                         struct err *err) RH_MUST_CHECK;

#endif
