/*
 * One row for one table, as SQL: what goes into each column so that constraints hold and the
 * freedom asked for is used. Pure but for the words: nothing is sent from here.
 */
#ifndef RH_ENGINE_POSTGRES_PG_WRITES_INT_H
#define RH_ENGINE_POSTGRES_PG_WRITES_INT_H

#include "base/arena.h"
#include "model/round_trip.h"

struct writable_column {
    const char *name; /* quoted where needed */
    const char *type; /* with its modifier */
    const char *base; /* name of the type below its domains: "int4" */
    char category;    /* pg_type.typcategory */
    int number;
    int64_t length; /* of characters; 0: any */
    bool is_required, has_default, is_computed, is_key;
    bool is_new;       /* since the migration: rows of before say nothing of what goes into it */
    const char *label; /* the first of an enum, quoted; NULL */
    const char *parent, *parent_column; /* of a foreign key; NULL */
    VEC(int64_t) uniques;               /* unique keys that it takes part in */
};

struct writable_table {
    const char *identity;
    int64_t id;
    bool has_rows;
    VEC(struct writable_column) columns;
};

/* Ways to make the same row, tried in order: some constraint may refuse one and take another. */
#define WRITE_VARIANTS 3

/*
 * INSERT ... RETURNING: the key's columns as text, then for FREEDOM_CHECK whether the former check
 * is violated. `number` counts rows, so that no two get the same key. `candidate` is used by
 * FREEDOM_CHECK alone, 0 and up; NULL when there is none left (or nothing is known for a type that
 * needs a value: *ret_reason then says so).
 */
const char *rh_pg_write_row_sql(const struct writable_table *table, const struct freedom *freedom,
                                int number, int variant, int candidate, struct arena *arena,
                                const char **ret_reason);

#endif
