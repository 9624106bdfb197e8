/*
 * Blockers: statements that fail on this data, every row that makes them fail, and what would mend
 * it. Plain data: asked by an engine, gathered by trace/, judged by judge/. Texts lie in the arena
 * of the run. No row value but keys is ever in here, unless the user asked for values.
 */
#ifndef RH_MODEL_BLOCKER_H
#define RH_MODEL_BLOCKER_H

#include "model/trace.h"

/* What is wrong with the rows. X(symbol, id of the rule) */
#define OFFENCE_LIST(X)                               \
    X(OFFENCE_NONE, NULL) /* no set question fits */  \
    X(OFFENCE_DUPLICATE_KEYS, "duplicate-keys")       \
    X(OFFENCE_NULL_VALUES, "null-values")             \
    X(OFFENCE_ORPHAN_ROWS, "orphan-rows")             \
    X(OFFENCE_CHECK_VIOLATIONS, "check-violations")   \
    X(OFFENCE_EXCLUSION, "exclusion-conflicts")       \
    X(OFFENCE_PARTITION_MISFITS, "partition-misfits") \
    X(OFFENCE_CAST_FAILURE, "cast-failure")           \
    X(OFFENCE_VALUE_TOO_LONG, "value-too-long")       \
    X(OFFENCE_OUT_OF_RANGE, "out-of-range")
enum offence {
#define X(symbol, rule) symbol,
    OFFENCE_LIST(X)
#undef X
};
/* The rule's id; NULL for OFFENCE_NONE. */
const char *rh_offence_rule(enum offence offence);

#define SAMPLE_KEYS_MAX 10 /* keys kept per offence, whatever the count */

/* All rows of one relation that offend in one way: the answer to one set question. */
struct offenders {
    enum offence offence;
    const char *relation;   /* that holds the rows */
    const char *columns;    /* "email", "lower(email), tenant_id": what the question was about */
    const char *constraint; /* or index; NULL */
    const char *referenced; /* of a foreign key: "public.users (id)"; NULL */
    const char *new_type;   /* of a cast; NULL */
    int64_t groups;         /* of equal keys; NOT_OBSERVED where the offence has none */
    int64_t rows;           /* all rows concerned, those that could stay included */
    VEC(const char *) sample_keys; /* primary keys: "id=42", at most SAMPLE_KEYS_MAX */
    /* The newest offender by a column that plausibly holds the time of creation; NULL. */
    const char *newest, *newest_column;
    /* SQL to be run right before the statement. NULL: none is known. */
    const char *repair_sql;
    bool repair_loses_rows; /* it deletes rows or overwrites values: a person must choose */
    bool repair_invents;    /* it fills NULLs with values that stand for unknown ones */
    bool repair_per_row;    /* with another one in every row */
    /* A constraint on the table may wait for COMMIT: in one transaction with the statement it has
       to be settled between the repair and the statement. */
    bool repair_defers;
    /* The column (quoted) in which it gives all these rows one value; NULL. Then: SQL that gives
       each row a value of its own, tried before the statement too; NULL: none is known. */
    const char *repair_fills, *own_values_sql;
    /* The unique key over the column that the release makes, so that one value for all rows would
       spoil it; NULL. Where repair_fills is NULL, repair_sql is none such. */
    const char *made_unique;
};

struct blocker {
    int step, line, column; /* as struct statement */
    const char *sql, *tag;
    bool in_transaction;
    struct server_message error; /* what the server said first */
    /* What failed inside of it, a DO block or a call of a function, and was asked about: with the
       rows as they were before the whole of it began. NULL: it itself. */
    const char *inside;
    /* More than one: several clauses of one statement. Their repairs go in this order. */
    VEC(struct offenders) offenders;
    bool repair_tried, repair_worked; /* all repairs together made this very statement succeed */
    const char *repair_error;         /* why not; NULL */
    /* No set question was answered: why. NULL when one was. */
    const char *not_asked;
    VEC(const char *) unasked; /* further clauses that could not be asked about, and why */
    /* It needs what an earlier blocker would have made: that one's place in the list, else -1. */
    int needs;
};

/* What a second pass over the whole release found. */
struct blockers {
    bool looked;            /* there was one */
    const char *incomplete; /* why it may not have found all; NULL: it came to the end */
    VEC(struct blocker) items;
};

#endif
