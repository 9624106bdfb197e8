/*
 * Risks: what a migration that succeeded did to values, statistics, sequences and keys, and which
 * of its steps had no effect. Plain data: asked by an engine of the migrated database and, where a
 * question is about what was there before, of a copy of the starting point; gathered by rehearsal/,
 * judged by judge/. Texts lie in the arena of the run. No row value is ever in here.
 *
 * Names of relations and columns are quoted where needed, as in the states. NOT_OBSERVED in a count
 * is never 0.
 */
#ifndef RH_MODEL_RISK_H
#define RH_MODEL_RISK_H

#include "model/trace.h"

/* --- marks: what is cheap to read of every table, before the run and after it -------------------
 */

/* A column, or an extended statistics object, that the planner has figures about. */
struct statistics_mark {
    int64_t table_id, number; /* number: of the column; of an extended object its own id */
    bool is_extended;
    const char *table, *root, *name; /* root: as below */
    int64_t rows;                    /* of the table, as the planner estimates them */
};
/* Rows changed since the server started counting. */
struct activity_mark {
    int64_t table_id;
    const char *table, *root; /* root: the outermost partitioned table it is a part of; else NULL */
    int64_t inserted, updated, deleted;
    const char *ways; /* foreign-key actions and triggers that write to it; NULL: none known */
};
struct risk_marks {
    VEC(struct statistics_mark) statistics;
    VEC(struct activity_mark) activity; /* by table_id */
    bool has_activity;                  /* false: the counters could not be had exactly */
};

/* --- questions that only some migrations raise ---------------------------------------------------
 */

/* X(symbol, name in result.json) */
#define CAST_TEST_LIST(X)                                                                  \
    X(CAST_ROUND_TRIP, "round-trip") /* old value -> new -> old */                         \
    X(CAST_DISTINCT, "distinct")     /* different old values that became the same new one; \
                                        where no cast leads back */                        \
    X(CAST_KEYS, "object-keys")      /* json: keys of an object that came twice */
enum cast_test {
#define X(symbol, name) symbol,
    CAST_TEST_LIST(X)
#undef X
};
const char *rh_cast_test_name(enum cast_test test);

/* A column whose type changed: asked of the data as they were before. */
struct cast_risk {
    /* The question. */
    const char *table, *column;               /* as they are now */
    const char *table_before, *column_before; /* as they were */
    const char *type_before, *type_after;
    const char *expression; /* of USING, as written; NULL: the plain cast */
    int statement;          /* index; 0: unknown */
    /* The answer. */
    enum cast_test test;
    int64_t values;     /* not NULL, asked about; NOT_OBSERVED: not_asked says why */
    int64_t changed;    /* of these, not brought back by the way `test` says */
    const char *limit;  /* the new type's limit where the old one had a wider one or none: "50
                           characters"; NULL */
    int64_t near;       /* values that use RISK_NEAR_PERCENT of that limit or more */
    int used_percent;   /* of the limit, by the value that comes closest */
    int sample_percent; /* of the table's pages that were read; 100: all */
    const char *not_asked;
};
#define RISK_NEAR_PERCENT 95

/* A key column of an integer type and the highest number it has to hold. */
struct headroom_risk {
    const char *table, *column, *type;
    const char *role; /* "primary key", "foreign key", "sequence" */
    const char
        *source; /* where the number is from: a sequence, or a referenced column; NULL: itself */
    int64_t used, limit;
    const char *sequence; /* that feeds it; NULL */
};

/* A sequence whose next number is in its column already. */
struct sequence_risk {
    const char *sequence, *table, *column;
    int64_t next, highest;
    bool was_behind; /* before the run too */
};

/* The planner knew the values of a column (or an extended statistics object), and no longer does.
 */
struct statistics_risk {
    const char *table, *root, *name; /* root: the partitioned table it is a part of; NULL */
    bool is_extended;
    int64_t rows; /* of the table, before */
};

/* Rows of one table changed in the run, by whatever. */
struct activity_risk {
    const char *table, *root, *ways; /* as in struct activity_mark */
    int64_t inserted, updated, deleted;
};

/* X(symbol, name in result.json) */
#define SKIP_LIST(X)                                                    \
    X(SKIPPED_EXISTS, "exists")       /* IF NOT EXISTS met something */ \
    X(SKIPPED_MISSING, "missing")     /* IF EXISTS met nothing */       \
    X(SKIPPED_SWALLOWED, "swallowed") /* it failed, and an exception handler went on */
enum skip {
#define X(symbol, name) symbol,
    SKIP_LIST(X)
#undef X
};
const char *rh_skip_name(enum skip skip);

/* A step that was passed over, though the statement succeeded. */
struct skipped_risk {
    /* The question. */
    enum skip skip;
    int statement; /* index of what the client sent */
    /* "index", "table" or "table column", for SKIPPED_EXISTS; the name as the server's notice had
       it, not quoted. */
    const char *kind, *name;
    /* Its definition around the name of the relation it is for (struct clause); NULL: `sql` is
       tried as it is. */
    const char *relation, *column, *before_relation, *after_relation;
    const char *sql; /* of what a handler swallowed */
    /* The answer. */
    VEC(const char *) differences; /* what it wanted and what is there; empty: the same */
    const char *sqlstate;          /* of the swallowed error; NULL */
    const char *not_asked;
};

/* An UPDATE made a column NULL though what it was computed from was not. */
struct null_risk {
    int statement;
    const char *table, *column, *expression; /* as written in the statement */
    const char *sources;                     /* the columns it was computed from: "first, last" */
    int64_t updated;                         /* rows the statement says it updated */
    /* Now: rows with a value; rows without one where one source has a value and another has none.
       NOT_OBSERVED: not_asked says why. */
    int64_t filled, rows;
    const char *not_asked;
};

struct risks {
    bool was_asked;
    const char *reason; /* why not; NULL when nobody meant to */
    int64_t duration_us;
    bool has_activity;
    VEC(struct activity_risk) activity;
    VEC(struct statistics_risk) statistics;
    VEC(struct headroom_risk) headroom;
    VEC(struct sequence_risk) sequences;
    VEC(struct cast_risk) casts;
    VEC(struct skipped_risk) skipped;
    VEC(struct null_risk) nulls;
    VEC(const char *) not_asked; /* questions as a whole that went without an answer: sentences */
};

#endif
