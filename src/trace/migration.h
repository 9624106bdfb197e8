/*
 * A migration as given: files, directories, or a command; resolved to steps in order before
 * anything is started, so that every mistake in the arguments is a usage error.
 *
 * Directories run in version order (natural sort). Names and sections of golang-migrate and sqlx
 * (.up.sql, .down.sql), goose, dbmate and Flyway are recognised; the up direction is taken.
 */
#ifndef RH_TRACE_MIGRATION_H
#define RH_TRACE_MIGRATION_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>

enum step_kind {
    STEP_SQL,    /* split by us, sent one statement at a time */
    STEP_PSQL,   /* uses psql meta-commands: psql runs it */
    STEP_COMMAND /* the wrapped command */
};

struct migration_statement {
    struct text sql;  /* as in the file, its semicolon included */
    int line, column; /* of its first character, 1-based */
};

struct migration_step {
    enum step_kind kind;
    const char *name;    /* file name without the directory; the command line */
    const char *path;    /* NULL for a command */
    struct text content; /* of the file, whole */
    struct text section; /* the direction that runs, a part of content */
    char sha256[65];
    const char *format;    /* "plain", "goose", "dbmate", "golang-migrate or sqlx", "flyway" */
    bool tool_transaction; /* the tool whose sections these are runs them in one transaction, so do
                              we */
    VEC(struct migration_statement) statements; /* STEP_SQL */
    const char *const *argv;                    /* STEP_COMMAND, placeholders not yet replaced */
    const char *down_path;                      /* recognised counterpart, NULL */
};

struct migration {
    VEC(struct migration_step) starting_point; /* --since: older files, loaded before the run */
    VEC(struct migration_step) steps;
    VEC(const char *) notes; /* "3 files older than origin/main are the starting point" */
};

struct migration_request {
    const char *const *paths; /* FILE|DIR ... */
    size_t path_count;
    const char *const *argv; /* command, NULL for none */
    const char *directory;   /* --dir, NULL */
    const char *since;       /* --since REF, NULL */
};

/* Reads and splits everything. Missing, empty, invalid UTF-8, directory without migrations:
 * RH_ERR_USAGE. */
enum err_code rh_migration_open(const struct migration_request *request, struct arena *arena,
                                struct migration *ret_migration, struct err *err) RH_MUST_CHECK;

/* Steps [first, end) of it; shares them. Notes and starting point stay behind. */
struct migration rh_migration_part(const struct migration *whole, size_t first, size_t end);
bool rh_migration_has_command(const struct migration *migration);

#endif
