/*
 * Checks: queries the user wrote, run before and after the migration, and what came of them. Plain
 * data: made by sql/ (what is asked) and rehearsal/ (what was answered), decided by compare/, read
 * by judge/ and report/.
 *
 * Values are in `rows` alone, and only where the user asked for them; `number` is the one figure of
 * a check that counts something. Texts lie in the arena of the run.
 */
#ifndef RH_MODEL_CHECK_H
#define RH_MODEL_CHECK_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* What a check expects of its result. The number of a result is its only cell, when that is a
   number; else how many rows it has. X(symbol, as written) */
#define CHECK_EXPECT_LIST(X)                                    \
    X(CHECK_SAME, "same")       /* as before the migration */   \
    X(CHECK_CHANGED, "changed") /* not as before */             \
    X(CHECK_ZERO, "zero")       /* its number is 0 */           \
    X(CHECK_ROWS, "rows")       /* its number is more than 0 */ \
    X(CHECK_AT_MOST, "<=")                                      \
    X(CHECK_AT_LEAST, ">=")                                     \
    X(CHECK_NOT_EQUAL, "!=")                                    \
    X(CHECK_LESS, "<")                                          \
    X(CHECK_MORE, ">")                                          \
    X(CHECK_EQUAL, "=")                                         \
    X(CHECK_TESTS, "tests pass") /* of a pgTAP file */
enum check_expect {
#define X(symbol, name) symbol,
    CHECK_EXPECT_LIST(X)
#undef X
};
const char *rh_check_expect_name(enum check_expect expect);
/* "same", "<= 10": as it is written. `limit` is NULL where there is none. */
const char *rh_check_expect_text(struct arena *arena, enum check_expect expect, const char *limit);
/* Asks for the result from before; the others are about one result alone. */
bool rh_check_expect_is_relative(enum check_expect expect);

/* A column of the result that ORDER BY names. */
struct check_key {
    const char *name; /* NULL: by its position */
    size_t position;  /* 1-based */
};

struct check_row {
    const char **cells; /* one per column; NULL: SQL NULL */
};

/* One test of a pgTAP file. */
struct check_test {
    int64_t number; /* as its line says; counted where it says none */
    bool ok;        /* as its line says */
    bool is_todo, is_skipped;
    const char *description; /* "" for none */
    const char *reason;      /* why it may fail, or was skipped; NULL */
};

/* What a check gave at one moment. */
struct check_output {
    bool ran;            /* to its end: the rest is known */
    const char *problem; /* why not: the server's words, values masked; NULL */
    char sqlstate[6];    /* "" when it was not the server */
    bool is_missing;     /* it names something that is not there at that moment */
    int64_t duration_us;
    VEC(const char *) columns;
    int64_t row_count;
    bool is_null;       /* its only cell is NULL */
    const char *number; /* of the only cell; NULL: there are more, or it is none */
    /* Of all rows, 128 bits, hexadecimal: whatever their order; and of the columns that ORDER BY
       names alone, in the order the rows came, so that equal ones may come in any. */
    char digest[33], ordered_digest[33];
    VEC(struct check_row) rows; /* the first ones, when values may be kept */
    bool keeps_rows;
    /* of a pgTAP file */
    VEC(struct check_test) tests; /* at most CHECK_TESTS_MAX; the counts are of all */
    int64_t planned;              /* NOT_OBSERVED: no plan was seen */
    int64_t passed, failed;       /* todo and skipped tests count as passed */
    const char *bail_out;         /* the reason; NULL: it did not */
};

#define CHECK_ROWS_KEPT 100          /* rows of a result that are kept */
#define CHECK_BYTES_KEPT (64 * 1024) /* and bytes of their values */
#define CHECK_TESTS_MAX 10000        /* tests of one pgTAP file that are kept */

/* X(symbol, name in result.json) */
#define CHECK_OUTCOME_LIST(X)                                                           \
    X(CHECK_UNDECIDED, "undecided") /* could not be run, or not compared: see reason */ \
    X(CHECK_PASSED, "passed")                                                           \
    X(CHECK_FAILED, "failed")               /* only afterwards */                       \
    X(CHECK_FAILED_BEFORE, "failed-before") /* before and after */                      \
    X(CHECK_WORSE, "worse")                 /* failed before, and is further off now */
enum check_outcome {
#define X(symbol, name) symbol,
    CHECK_OUTCOME_LIST(X)
#undef X
};
const char *rh_check_outcome_name(enum check_outcome outcome);

struct check {
    const char *name;
    const char *file;
    int line, column; /* of its query; 1, 1 for a pgTAP file */
    const char *sql;  /* without its semicolon; NULL for a pgTAP file */
    enum check_expect expect;
    const char *limit; /* of the comparisons: a decimal number as written; else NULL */
    VEC(struct check_key)
    order_by; /* of its outermost query, all its items; empty: there is none,
                 or not by columns of the result alone */
    struct check_output before, after;
    enum check_outcome outcome;
    const char *reason; /* one phrase: what makes it fail, or keeps it from being decided; NULL */
};

struct checks {
    VEC(struct check) list;
};

#endif
