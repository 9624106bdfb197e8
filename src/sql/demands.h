/*
 * What the clauses of one statement demand of the rows that are there: no duplicates, no NULLs, a
 * parent, a condition, another type. For asking where nothing may be created, so that the server
 * cannot be shown the clause itself (there engine/inquiry.h knows better).
 *
 * Names and expressions stay as written. A clause that is not understood demands nothing, and says
 * so. Pure.
 */
#ifndef RH_SQL_DEMANDS_H
#define RH_SQL_DEMANDS_H

#include "sql/validations.h"

enum demand_kind {
    DEMAND_INDEXED,       /* keys, condition: an index is made of them */
    DEMAND_UNIQUE,        /* keys, condition, nulls_equal */
    DEMAND_NOT_NULL,      /* column */
    DEMAND_CHECK,         /* condition; of a domain, over "value" */
    DEMAND_REFERENCE,     /* columns, referenced, referenced_columns, is_full */
    DEMAND_EXCLUSION,     /* keys with operators, condition */
    DEMAND_TYPE,          /* column, type, expression (NULL: the column) */
    DEMAND_EXPRESSION,    /* expression, which must be computable: of an index, a new column */
    DEMAND_KEY_INDEX,     /* name: of an index whose columns become a primary key */
    DEMAND_VALID,         /* name: of a constraint that becomes valid */
    DEMAND_ATTACH,        /* name: of the partition; bound */
    DEMAND_PARTITION,     /* bound: of a new partition */
    DEMAND_CHANGED_ROWS,  /* condition, alias: those that an UPDATE changes */
    DEMAND_DELETED_ROWS,  /* those that a DELETE removes */
    DEMAND_NOT_UNDERSTOOD /* text */
};

struct demand_key {
    const char *expression; /* without operator class and order, with its collation */
    const char *operator;   /* of an exclusion; else NULL */
    bool is_column;         /* a name alone */
};

/* FOR VALUES ..., or DEFAULT. */
struct demand_bound {
    enum { BOUND_UNKNOWN, BOUND_DEFAULT, BOUND_LIST, BOUND_RANGE, BOUND_HASH } kind;
    VEC(const char *) values; /* of a list; the lower ends of a range */
    VEC(const char *) to;     /* the upper ends */
    const char *modulus, *remainder;
};

struct demand {
    enum demand_kind kind;
    const char *text; /* the clause */
    const char *name, *column, *type, *expression, *condition, *alias, *referenced;
    VEC(struct demand_key) keys;
    VEC(const char *) columns, referenced_columns;
    bool nulls_equal, is_full, is_primary;
    struct demand_bound bound;
};

struct demands {
    VEC(struct demand) items;
};

void rh_sql_demands(const struct validation *validation, struct arena *arena,
                    struct demands *ret_demands);
/* Columns of a partition key as the server prints it, "RANGE (a, lower(b))". False when it is not
   understood. *ret_kind: 'r', 'l', 'h'. */
bool rh_sql_partition_key(const char *definition, struct arena *arena, char *ret_kind,
                          struct demands *ret_keys);

#endif
