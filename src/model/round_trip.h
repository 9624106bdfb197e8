/*
 * The way back: what became of schema and data when the migration was undone on a clone, at once
 * and after rows were written; the plan where nobody gave a way back; and what a dump of the
 * migrated database gives when it is restored. Plain data: gathered by rehearsal/, told apart by
 * compare/, judged by judge/. Texts lie in the arena of the run; no row value is in here.
 */
#ifndef RH_MODEL_ROUND_TRIP_H
#define RH_MODEL_ROUND_TRIP_H

#include "model/state.h"
#include "model/trace.h"

/* X(symbol, name in result.json) */
#define ROUND_TRIP_VERDICT_LIST(X)                                                              \
    X(ROUND_TRIP_NOT_REHEARSED, "not-rehearsed") /* `reason` says why */                        \
    X(ROUND_TRIP_LOSSLESS, "lossless")           /* schema and data are those of before */      \
    X(ROUND_TRIP_DIFFERS, "differs")             /* no data is gone, but it is not as before */ \
    X(ROUND_TRIP_LOSSY, "lossy")                 /* rows or values are gone */                  \
    X(ROUND_TRIP_FAILS_AFTER_WRITES, "fails-after-writes")                                      \
    X(ROUND_TRIP_FAILS, "fails")                                                                \
    X(ROUND_TRIP_NOT_REVERSIBLE, "not-reversible") /* none given, and commands cannot do it */
enum round_trip_verdict {
#define X(symbol, name) symbol,
    ROUND_TRIP_VERDICT_LIST(X)
#undef X
};
const char *rh_round_trip_verdict_name(enum round_trip_verdict verdict);

/* X(symbol, name in result.json) */
#define ROUND_TRIP_SUBJECT_LIST(X)     \
    X(ROUND_TRIP_SCHEMA, "schema")     \
    X(ROUND_TRIP_VALUES, "values")     \
    X(ROUND_TRIP_ROWS, "rows")         \
    X(ROUND_TRIP_SEQUENCE, "sequence") \
    X(ROUND_TRIP_ORDER, "column order") /* SELECT * and INSERT without a list of columns */
enum round_trip_subject {
#define X(symbol, name) symbol,
    ROUND_TRIP_SUBJECT_LIST(X)
#undef X
};
const char *rh_round_trip_subject_name(enum round_trip_subject subject);

/* Something that is not as it was before the migration. */
struct round_trip_difference {
    enum round_trip_subject subject;
    const char *sentence; /* "column public.users.email lost its default ('x')" */
    const char *kind;     /* of the object, for ROUND_TRIP_SCHEMA; else NULL */
    const char *identity; /* of the object; else the table */
    const char *table, *column;
    bool is_loss;      /* rows or values are gone */
    int64_t count;     /* of them; NOT_OBSERVED */
    bool after_writes; /* only when rows were written in between */
    int dropped_by;    /* index of the statement whose own words destroyed it; 0: none */
};

/* What a phase ran into: the server's words, values masked. */
struct round_trip_failure {
    const char *step;
    int line;
    const char *sql, *sqlstate, *message; /* NULL where there is none (a command's own failure) */
    const char *table;                    /* that the server named; NULL */
    int exit_status;                      /* of a command that failed by itself; else -1 */
};

/* Migration up, perhaps writes, and its way back, on a clone of its own. */
struct round_trip_phase {
    bool ran;                           /* to its end, or to the failure */
    const char *reason;                 /* why it did not; NULL when nobody meant to */
    int64_t duration_us;                /* of all of it */
    int64_t down_us;                    /* of the way back itself; NOT_OBSERVED */
    struct round_trip_failure *failure; /* of the way back; NULL */
};

/* What the migration newly allows: rows are made that use it. X(symbol, name in result.json) */
#define FREEDOM_LIST(X)                                                \
    X(FREEDOM_PLAIN, "plain") /* a row as the application writes it */ \
    X(FREEDOM_NULL, "null")   /* the column may be NULL now */         \
    X(FREEDOM_LONGER, "longer value")                                  \
    X(FREEDOM_BIGGER, "bigger value")                                  \
    X(FREEDOM_OTHER_TYPE, "value of the new type")                     \
    X(FREEDOM_LABEL, "new enum label")                                 \
    X(FREEDOM_CHECK, "violates the former check")                      \
    X(FREEDOM_DUPLICATE, "duplicate key")                              \
    X(FREEDOM_ORPHAN, "no such parent")
enum freedom_kind {
#define X(symbol, name) symbol,
    FREEDOM_LIST(X)
#undef X
};
const char *rh_freedom_name(enum freedom_kind kind);

struct freedom {
    enum freedom_kind kind;
    const char *table;      /* as it is called after the migration */
    const char *column;     /* quoted where needed; NULL for FREEDOM_PLAIN, _CHECK, _DUPLICATE */
    const char *definition; /* the former type, CHECK, key or REFERENCES, or the new label */
};

/* One row that was to be written. */
struct written_row {
    struct freedom freedom;
    bool is_written;
    const char *reason;    /* why no row could be generated; NULL */
    VEC(const char *) key; /* its primary key, as text; empty: the table has none */
};

struct table_writes {
    const char *table; /* as it was called when written */
    int64_t id;
    VEC(const char *) key_columns;
    VEC(int) key_numbers;
    VEC(struct written_row) rows;
    int64_t removed; /* written rows that were still there at the end; NOT_OBSERVED */
};

struct writes {
    VEC(struct table_writes) tables;
    int64_t rows; /* written in all */
    /* Tables that triggers and foreign keys wrote to along with ours. */
    VEC(const char *) touched;
};

/* --- the plan ------------------------------------------------------------------------------------
 */

/* X(symbol, name in result.json) */
#define PLAN_ITEM_LIST(X)                                                   \
    X(PLAN_COMMAND, "command")                                              \
    X(PLAN_BACKUP, "restore from backup") /* nothing else brings it back */ \
    X(PLAN_BY_HAND, "by hand")            /* commands could, but not from what we know */
enum plan_item_kind {
#define X(symbol, name) symbol,
    PLAN_ITEM_LIST(X)
#undef X
};
const char *rh_plan_item_name(enum plan_item_kind kind);

struct plan_item {
    enum plan_item_kind kind;
    const char *sql;      /* one statement without its semicolon, for PLAN_COMMAND */
    const char *text;     /* what it undoes, or what is lost */
    const int *statement; /* index of the one it undoes, filled by the judge later; NULL: unknown */
};

struct rollback_plan {
    bool is_made;       /* the states were compared */
    const char *reason; /* why not */
    VEC(struct plan_item) items;
    bool is_complete; /* nothing to be done by hand */
    bool is_lossless; /* nothing to be restored */
    bool was_tried;
    const char *outcome; /* of the trial: "brings back schema and data"; why it was not tried */
    bool is_proven;      /* it was tried, and everything was as before */
};

/* --- the whole -----------------------------------------------------------------------------------
 */

struct restore_test {
    bool was_asked, ran;
    const char *reason;  /* why it did not run */
    const char *failure; /* what pg_dump or pg_restore said; NULL */
    VEC(struct round_trip_difference) differences;
    int64_t duration_us, dump_bytes;
};

struct round_trip {
    enum round_trip_verdict verdict;
    const char *reason;             /* of not-rehearsed, else NULL */
    bool is_declined;               /* nobody wants to hear of it: --no-way-back */
    bool is_given;                  /* by --down; else recognised */
    const char *way_back;           /* what was run: "down.sql", "alembic downgrade -1"; NULL */
    const char *ends_at, *ends_why; /* the step the chain ends at; NULL */
    VEC(const char *) steps;        /* names of the downs in the order they ran */
    struct round_trip_phase at_once, after_writes;
    struct writes writes;
    VEC(struct round_trip_difference) differences;
    VEC(const char *) notes; /* what was left out of the comparison, and why */
    struct rollback_plan plan;
    struct restore_test restore_test;
};

#endif
