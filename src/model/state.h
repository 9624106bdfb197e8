/*
 * States: what a database is (schema) and holds (data) at one moment, and how two moments differ.
 * Plain data: states are read by an engine, differences made by compare/, explained by judge/, told
 * by report/. Texts lie in the arena of whoever asked; no row value is ever in here.
 */
#ifndef RH_MODEL_STATE_H
#define RH_MODEL_STATE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- schema state ----------------------------------------------------------------------------- */

struct state_attribute {
    const char *name, *value; /* value never NULL: what is absent is not listed */
};

struct state_object {
    const char *kind;     /* "table column", as event triggers say it */
    const char *identity; /* public.users.email; unique within its kind */
    const char *parent;   /* identity of what it is a part of and goes with; NULL */
    /* The object whatever its name, comparable within one lineage. id 0: none. */
    int64_t id, sub_id;
    VEC(struct state_attribute) attributes; /* by name */
};

struct schema_state {
    /* Equal for two states of one database or of physical copies of it: then ids tell a rename from
       a drop and an add. NULL: never comparable by ids. */
    const char *lineage;
    VEC(struct state_object) objects; /* by kind, then identity */
};

/* --- data state ---------------------------------------------------------------------------------
 */

/* Two ways of adding up the rows' hashes, none of which depends on their order; parts add up. */
struct digest {
    uint64_t high, low;
};
static inline bool rh_digest_equals(struct digest a, struct digest b)
{
    return a.high == b.high && a.low == b.low;
}

struct column_state {
    const char *name; /* quoted where needed */
    const char *type; /* with its modifier */
    int number;       /* within the table, for its life */
    int64_t non_null; /* exact, also where digests are of a sample */
    struct digest digest;
    bool is_integer; /* as key_is_integer below */
};

struct table_state {
    const char *identity;
    const char *kind;   /* "table", "partitioned table", "materialized view", "foreign table" */
    const char *parent; /* of a partition; NULL */
    int64_t id;         /* as in struct state_object */
    int64_t rows;       /* exact */
    int64_t bytes;
    const char *skipped; /* why it was not read: then nothing but its name is known; NULL */
    /* Columns that tell its rows apart, quoted, in the key's order; each value is digested together
       with its row's key, so that two rows that swap a value are seen. Empty: there is no such
       key; `row` then stands for which values stood together in one row. */
    VEC(const char *) key;
    VEC(bool) key_is_integer; /* how the engine hashes them, also once their types have changed */
    bool has_row;
    struct digest row;
    VEC(const char *) row_columns; /* that `row` is made of, in this order */
    unsigned sample_parts;         /* digests cover the rows whose key's hash falls into that many
                                      of SAMPLE_PARTS; SAMPLE_PARTS: all */
    VEC(struct column_state) columns;
};
#define SAMPLE_PARTS 65536u

struct sequence_state {
    const char *identity;
    int64_t id;
    bool is_used;
    int64_t last_value; /* when used */
};

struct data_state {
    const char *lineage;
    VEC(struct table_state) tables; /* by identity */
    VEC(struct sequence_state) sequences;
    int64_t large_objects;
    int64_t duration_us;
};

/* --- differences --------------------------------------------------------------------------------
 */

/* X(symbol, name in result.json) */
#define DIFFERENCE_CHANGE_LIST(X)         \
    X(DIFFERENCE_ADDED, "added")          \
    X(DIFFERENCE_REMOVED, "removed")      \
    X(DIFFERENCE_CHANGED, "changed")      \
    X(DIFFERENCE_RENAMED, "renamed")      \
    X(DIFFERENCE_RECREATED, "re-created") \
    X(DIFFERENCE_NOT_COMPARED, "not-compared")
enum difference_change {
#define X(symbol, name) symbol,
    DIFFERENCE_CHANGE_LIST(X)
#undef X
};
const char *rh_difference_change_name(enum difference_change change);

/* How a statement of the migration accounts for a difference. X(symbol, name in result.json) */
#define EXPLANATION_LIST(X)                                                                      \
    X(EXPLAINED_NOT, "unexplained")                                                              \
    X(EXPLAINED_NAMED, "named")   /* a statement named the object, or what it is a part of */    \
    X(EXPLAINED_ALONG, "unnamed") /* a statement did it without naming it: CASCADE, a trigger */ \
    X(EXPLAINED_CODE, "code")     /* done inside a function or DO block: what it names is unseen */
enum explanation {
#define X(symbol, name) symbol,
    EXPLANATION_LIST(X)
#undef X
};
const char *rh_explanation_name(enum explanation explanation);

struct attribute_change {
    const char *name, *before, *after; /* NULL: was not, is no longer */
};

struct schema_difference {
    enum difference_change change;
    const char *kind;
    const char *identity;        /* as it is now; as it was, when it is gone */
    const char *identity_before; /* when renamed; else NULL */
    const char *parent;
    bool parent_recreated; /* what it is a part of was dropped and made again under the same name */
    VEC(struct attribute_change) attributes; /* what it had when it is gone, what it has when new */
    int64_t parts; /* columns, indexes and so on that came, went or moved with it, not listed */
    const char *sentence;
    enum explanation explanation;
    int statement; /* index; 0: none */
};

struct schema_differences {
    bool was_compared;
    const char *reason; /* why not; NULL when nobody meant to */
    VEC(struct schema_difference) list;
};

/* X(symbol, name in result.json) */
#define DATA_SUBJECT_LIST(X)     \
    X(DATA_TABLE, "table")       \
    X(DATA_ROWS, "rows")         \
    X(DATA_COLUMN, "column")     \
    X(DATA_SEQUENCE, "sequence") \
    X(DATA_LARGE_OBJECTS, "large objects")
enum data_subject {
#define X(symbol, name) symbol,
    DATA_SUBJECT_LIST(X)
#undef X
};
const char *rh_data_subject_name(enum data_subject subject);

/* What is known of the values of the rows that are there before and after.
   X(symbol, name in result.json) */
#define DATA_VALUES_LIST(X)           \
    X(VALUES_UNKNOWN, "not-compared") \
    X(VALUES_SAME, "same")            \
    X(VALUES_CHANGED, "changed")
enum data_values {
#define X(symbol, name) symbol,
    DATA_VALUES_LIST(X)
#undef X
};
const char *rh_data_values_name(enum data_values values);

struct data_difference {
    enum data_subject subject;
    enum difference_change change;
    const char *table; /* identity; of the sequence for DATA_SEQUENCE; NULL for large objects */
    const char *table_parent; /* the partitioned table it is a part of; NULL */
    const char *column;       /* for DATA_COLUMN; NULL for all columns of the table together */
    const char *before;       /* its former name when renamed; else NULL */
    const char *type_before, *type_after; /* of a column whose type changed; else NULL */
    /* NOT_OBSERVED where there is no such moment. last_value for a sequence, the number of large
       objects. */
    int64_t rows_before, rows_after;
    int64_t non_null_before, non_null_after;
    enum data_values values;
    /* Values of a column that is still there, of rows that are still there, at least. */
    int64_t vanished_values;
    int64_t changed_values; /* how many, where they were counted one by one; else NOT_OBSERVED */
    bool sampled;           /* "same" is said of a sample of the rows */
    const char *sentence;
    enum explanation explanation;
    int statement; /* index; 0: none */
};

struct data_differences {
    bool was_compared;
    const char *reason;   /* why not; NULL when nobody meant to */
    int64_t tables, rows; /* compared; partitions count, what they make up does not */
    int64_t sampled_tables, skipped_tables;
    int64_t duration_us; /* of reading, before and after */
    VEC(struct data_difference) list;
};

#endif
