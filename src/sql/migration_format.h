/*
 * Which tool a migration file was written for, told from its name and its text, and what that tool
 * would run of it: the sections of each direction, whether the tool wraps them in a transaction,
 * and in which order files go. Pure: names and bytes in, views out.
 *
 * Sources: golang-migrate (MIGRATIONS.md, database/postgres), sqlx-cli (migrate), goose
 * (internal/sqlparser), dbmate (README "Migration Options"), Flyway ("Migrations": versioned, undo,
 * repeatable, baseline; "mixed"), diesel and Prisma (a directory a migration).
 */
#ifndef RH_SQL_MIGRATION_FORMAT_H
#define RH_SQL_MIGRATION_FORMAT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>

/* X(symbol, name in results) */
#define MIGRATION_TOOL_LIST(X)                \
    X(TOOL_PLAIN, "plain")                    \
    X(TOOL_UP_DOWN, "golang-migrate or sqlx") \
    X(TOOL_GOOSE, "goose")                    \
    X(TOOL_DBMATE, "dbmate")                  \
    X(TOOL_FLYWAY, "flyway")                  \
    X(TOOL_DIRECTORY, "diesel or prisma") /* <version>_<name>/up.sql, migration.sql */
enum migration_tool {
#define X(symbol, name) symbol,
    MIGRATION_TOOL_LIST(X)
#undef X
};
const char *rh_migration_tool_name(enum migration_tool tool);

/* What a file is good for in a directory of migrations. */
enum migration_role {
    MIGRATION_UP,         /* runs (and holds its own way down, for goose and dbmate) */
    MIGRATION_DOWN,       /* the way back of another file: not run */
    MIGRATION_REPEATABLE, /* Flyway R__: runs behind all versions */
    MIGRATION_IGNORED     /* the tool itself would not run it (baseline, callback) */
};

/* A part of the file in the order it is sent. */
struct migration_piece {
    struct text text;
    bool is_whole; /* sent as one string, however many statements it holds */
};

struct migration_format {
    enum migration_tool tool;
    enum migration_role role;
    struct text up;   /* the part that runs; the whole text where the tool has no sections */
    struct text down; /* data NULL: this file has none */
    VEC(struct migration_piece) pieces; /* of up */
    bool no_transaction;                /* the file says so in its tool's words */
    bool tool_transaction;              /* the tool wraps `up` in a transaction */
    VEC(struct migration_piece)
    down_pieces; /* of down, and its transaction: where up has its own */
    bool down_tool_transaction;
    VEC(const char *) notes; /* sentences about what is not imitated */
};

/*
 * `name` is the file's name without its directory ("<dir>/up.sql" for TOOL_DIRECTORY). `text` is
 * valid UTF-8 without NUL. Markers that contradict each other are RH_ERR_USAGE with the line.
 */
enum err_code rh_migration_format(const char *name, struct text text, struct arena *arena,
                                  struct migration_format *ret_format,
                                  struct err *err) RH_MUST_CHECK;

/* From the name alone: enough to order and to pair files. */
enum migration_role rh_migration_role_of_name(const char *name);
bool rh_migration_is_flyway_name(const char *name);
/* "x.down.sql" for "x.up.sql" and "x.sql", "U1__x.sql" for "V1__x.sql", "d/down.sql" for "d/up.sql"
   and "d/migration.sql"; else NULL. */
char *rh_migration_down_name(const char *name, struct arena *arena);

/*
 * Order in a directory: versions first, by number part for part (a missing part is 0), then
 * repeatables by name. Names without a version go by natural order of the whole name.
 */
int rh_migration_compare(const char *a, const char *b);
/*
 * Two up files of one directory that have the same version for their tool, which no tool runs.
 * Plain scripts (01_a.sql, 01_b.sql) have names, not versions.
 */
bool rh_migration_is_same_version(const char *a, enum migration_tool tool_a, const char *b,
                                  enum migration_tool tool_b);

#endif
