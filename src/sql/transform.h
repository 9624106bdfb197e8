/*
 * What a new release of the application says otherwise than the one that a workload was recorded
 * of, as rules, and the file (transform.yaml) that they stand in. Pure: the text is given.
 */
#ifndef RH_SQL_TRANSFORM_H
#define RH_SQL_TRANSFORM_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum transform_kind {
    TRANSFORM_RENAME_TABLE,
    TRANSFORM_RENAME_COLUMN,
    TRANSFORM_DROP_COLUMN,
    TRANSFORM_REPLACE /* a whole query, by the fingerprint of its pattern */
};

struct transform_rule {
    enum transform_kind kind;
    size_t line, column_number; /* where it stands */
    const char *text;           /* for people: "rename_table customers to clients" */
    /* Of tables and columns, names as the catalogue has them. */
    const char *schema; /* NULL: public, or whatever the text leaves out */
    const char *table, *column;
    const char *to_schema; /* NULL: as it was */
    const char *to;        /* as SQL writes it: with quotes where it needs them */
    /* Of a replacement. */
    uint64_t fingerprint;
    const char *sql;
    unsigned most_parameter; /* the greatest $n in it */
};

struct transform {
    const char *path;
    /* The application that the workload is of no longer runs when the migration has committed:
       what fails there concerns nobody. */
    bool is_old_stopped;
    VEC(struct transform_rule) rules;
};

#define TRANSFORM_NONE ((size_t)-1)
/* So much of a file is read; a rule takes fewer than a hundred bytes, a replacement a few kB. */
#define TRANSFORM_FILE_BYTES_MAX ((size_t)4 * 1024 * 1024)

/* RH_ERR_USAGE: every mistake with its place, "transform.yaml:3:5: ...". `path` is how errors call
   the file. Everything lies in the arena. */
enum err_code rh_transform_read(const char *path, struct text content, struct arena *arena,
                                struct transform *ret_transform, struct err *err) RH_MUST_CHECK;

#endif
