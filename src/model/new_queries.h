/*
 * The queries that a release brings with it (--queries): what the user's file says of each, and how
 * it fared on the migrated database. Plain data: made by sql/ (what is asked) and rehearsal/ (what
 * came), read by judge/ and report/. Texts lie in the arena of the run. Values of parameters are in
 * `parameters` alone and go nowhere else.
 *
 * Times are microseconds; -1: not observed, or not said.
 */
#ifndef RH_MODEL_NEW_QUERIES_H
#define RH_MODEL_NEW_QUERIES_H

#include "model/comparison.h"

/* The values of one execution's $1, $2, ...; NULL: SQL NULL. */
struct query_values {
    VEC(const char *) values;
};

/* X(symbol, name in result.json) */
#define NEW_QUERY_OUTCOME_LIST(X)                                                             \
    X(NEW_QUERY_NOT_RUN, "not-run")     /* why: reason */                                     \
    X(NEW_QUERY_FINE, "fine")           /* it runs; within its limit where it has one */      \
    X(NEW_QUERY_SLOW, "slow")           /* over its limit beyond doubt, or it did not end */  \
    X(NEW_QUERY_UNDECIDED, "undecided") /* its limit is neither kept nor exceeded for sure */ \
    X(NEW_QUERY_FAILED, "failed")       /* with some of its parameters at least */
enum new_query_outcome {
#define X(symbol, name) symbol,
    NEW_QUERY_OUTCOME_LIST(X)
#undef X
};
const char *rh_new_query_outcome_name(enum new_query_outcome outcome);

/* A quantile and its 95 % interval, whatever the distribution. */
struct new_query_time {
    double us, low_us, high_us; /* -1: too few executions for that bound */
};

struct new_query_error {
    char sqlstate[6];
    const char *message; /* where it names objects and no values; NULL */
    int64_t failed;      /* sets of parameters */
};

/* What is worth knowing of its plan. X(symbol, name in result.json) */
#define QUERY_COST_LIST(X)                                                       \
    X(QUERY_COST_SCAN, "scan")   /* a large table was read whole */              \
    X(QUERY_COST_SPILL, "spill") /* rows that did not fit into work_mem, on disk \
                                  */
enum query_cost_kind {
#define X(symbol, name) symbol,
    QUERY_COST_LIST(X)
#undef X
};
const char *rh_query_cost_name(enum query_cost_kind kind);
struct query_cost {
    enum query_cost_kind kind;
    const char *subject;   /* the table; the node: "Sort" */
    int64_t scanned, kept; /* rows, of a scan */
    int64_t bytes;         /* on disk, of a spill */
};
struct query_costs {
    VEC(struct query_cost) list;
};

struct new_query {
    const char *name, *file;
    int line;
    const char *sql;            /* as written, without its semicolon */
    const char *query;          /* with $1 for constants */
    const char *role;           /* that it runs as; NULL: the migration's */
    const char *parameters_sql; /* a query whose rows are the values; NULL */
    VEC(struct query_values) parameters;
    uint64_t fingerprint;
    unsigned flags;      /* PATTERN_* */
    size_t placeholders; /* the highest n of $n */
    double calls_per_s;  /* as expected; -1 */
    int64_t limit_us;    /* of its p95; -1 */
    int64_t repeat;      /* executions to time; 0: as many as it takes */

    enum new_query_outcome outcome;
    const char *reason;    /* a sentence without its full stop; NULL */
    int64_t tried, failed; /* sets of parameters */
    VEC(struct new_query_error) errors;
    int64_t executions; /* timed */
    int64_t cut;        /* of them, ended by us: their times are at least that */
    struct new_query_time p50, p95, p99;
    double mean_us;
    struct query_effort effort;
    struct query_plan plan;
    struct query_costs costs;
    struct query_retry after_analyze; /* ratio: to its own p50 before */
    struct index_proposal proposal;   /* the same */
};

struct new_queries {
    VEC(struct new_query) list;
    bool was_run;
    const char *why_not; /* NULL */
    int64_t duration_us;
};

/* A new reference; null: there were none. */
json_t *rh_new_queries_to_json(const struct new_queries *queries);

#endif
