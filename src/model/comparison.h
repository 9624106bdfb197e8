/*
 * How queries fared on a candidate beside its baseline and the baseline's twin: what each side
 * answered, how it got there, how long it took, and the verdict on each pattern. Plain data, made
 * by replay/paired and compare/queries, judged by judge/, shown by report/. Everything lies in the
 * arena of the run. No value of a row or a parameter is in here: query texts have $1 for constants,
 * filters are named by their columns.
 *
 * Times are microseconds; -1 in a count means not observed.
 */
#ifndef RH_MODEL_COMPARISON_H
#define RH_MODEL_COMPARISON_H

#include "base/arena.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* X(symbol, name) */
#define QUERY_VERDICT_LIST(X)                 \
    X(QUERY_SAME, "same")                     \
    X(QUERY_BETTER, "better")                 \
    X(QUERY_WORSE, "worse")                   \
    X(QUERY_TOO_NOISY, "too-noisy")           \
    X(QUERY_TOO_FEW, "too-few")               \
    X(QUERY_NOT_COMPARABLE, "not-comparable") \
    X(QUERY_REPLAYER_BOUND, "replayer-bound")
enum query_verdict {
#define X(symbol, name) symbol,
    QUERY_VERDICT_LIST(X)
#undef X
};
const char *rh_query_verdict_name(enum query_verdict verdict);

enum compared_side { SIDE_BASELINE, SIDE_TWIN, SIDE_CANDIDATE, COMPARED_SIDES };
const char *rh_compared_side_name(enum compared_side side);

/* --- what was answered ------------------------------------------------------------------------ */

#define ANSWER_DIGEST_WORDS 2

struct answer_column {
    const char *name;
    uint32_t type;                          /* its OID, on the baseline where it is there too */
    bool is_left_out;                       /* the release asks for it no more */
    uint64_t values[ANSWER_DIGEST_WORDS];   /* sum of the hashes of the values as text */
    uint64_t in_order[ANSWER_DIGEST_WORDS]; /* hash of the values' hashes in their order */
};
/* One side's answer to one execution. */
struct query_answer {
    char sqlstate[6];    /* "" when it succeeded */
    const char *message; /* the server's, where it names objects and no values; NULL */
    int64_t rows;        /* that came back, or were changed */
    bool has_columns;
    VEC(struct answer_column) columns;
    uint64_t row_set[ANSWER_DIGEST_WORDS]; /* sum of the rows' hashes */
};
/* One execution on all sides. */
struct query_observation {
    struct query_answer answers[COMPARED_SIDES];
    /* Its rows depend on the plan: the same side answers otherwise when it may not use its plan,
       or when ties in ORDER BY are broken at random. */
    bool is_undetermined;
};

/* How errors changed. X(symbol, name) */
#define ERROR_CHANGE_LIST(X)      \
    X(ERROR_NEW, "new")           \
    X(ERROR_RESOLVED, "resolved") \
    X(ERROR_EXISTING, "existing")
enum error_change {
#define X(symbol, name) symbol,
    ERROR_CHANGE_LIST(X)
#undef X
};
const char *rh_error_change_name(enum error_change change);

struct query_error {
    char sqlstate[6];
    const char *message; /* NULL */
    enum error_change change;
    int64_t baseline, candidate; /* executions that failed with it, each execution once */
    bool is_cached_plan;         /* of a statement that was prepared before the migration */
};

/* The gravest last. X(symbol, name) */
#define RESULT_CHANGE_LIST(X)                                                            \
    X(RESULT_SAME, "same")                                                               \
    X(RESULT_NOT_COMPARED, "not-compared") /* why: `reason` */                           \
    X(RESULT_COLUMNS_ADDED, "columns-added")                                             \
    X(RESULT_TYPES_CHANGED, "types-changed") /* values as text: the same, or open */     \
    X(RESULT_ORDER_CHANGED, "order-changed")                                             \
    X(RESULT_COLUMNS_CHANGED, "columns-changed") /* gone, renamed, or of another type */ \
    X(RESULT_VALUES_CHANGED, "values-changed")                                           \
    X(RESULT_ROWS_CHANGED, "rows-changed") /* their number */
enum result_change {
#define X(symbol, name) symbol,
    RESULT_CHANGE_LIST(X)
#undef X
};
const char *rh_result_change_name(enum result_change change);

struct name_list {
    const char **items;
    size_t count, capacity;
};

struct query_results {
    int64_t compared, differing; /* executions */
    enum result_change change;   /* the gravest */
    const char *reason;          /* RESULT_NOT_COMPARED: a sentence without its full stop; NULL */
    struct name_list columns;    /* that were changed so, or were added */
    struct name_list masked;     /* left out, because the twins differ in them as well */
    int64_t undetermined;        /* executions left out: their rows depend on the plan */
    int64_t rows_before, rows_after; /* of the first execution whose number of rows changed */
};

/* --- how it got there ------------------------------------------------------------------------- */

/* Means over the executions that were explained. -1: not observed. */
struct query_effort {
    double blocks;       /* shared and local, hit and read */
    double temp_blocks;  /* read and written */
    double rows_scanned; /* that scans looked at */
    double rows;
    double wal_records;    /* of what writes, but for its AFTER triggers */
    double estimate_ratio; /* the worst of a node's rows to their estimate, or the reverse; >= 1 */
    const char *estimate_node; /* where; NULL */
    double estimate_rows, estimate_actual;
};
#define QUERY_EFFORT_INIT                                                                   \
    {                                                                                       \
        .blocks = -1, .temp_blocks = -1, .rows_scanned = -1, .rows = -1, .wal_records = -1, \
        .estimate_ratio = 1,                                                                \
    }

struct plan_line {
    int depth;
    const char *text;  /* "Index Scan using orders_customer_idx on orders" */
    int64_t rows;      /* that came out, of all loops; -1 */
    int64_t scanned;   /* of a scan: looked at; -1 */
    bool is_different; /* the other plan has none like it */
    /* The text under the names that relations and indexes had before the migration, where it gave
       them others; NULL: the same. */
    const char *old_text;
};
struct query_plan {
    VEC(struct plan_line) lines; /* empty: not explained */
};
struct query_plans {
    bool is_compared, is_changed;
    struct query_plan baseline, candidate;
    /* "Index Scan using orders_customer_idx -> Seq Scan on orders, 412 of 1,000,000 rows" */
    const char *difference;
};

/* --- how long it took ------------------------------------------------------------------------- */

struct query_times {
    double p50_us, p95_us, p99_us, mean_us;
    double p50_low_us, p50_high_us; /* 95 % */
    int64_t errors;
};

/* A second look at a slower pattern. */
struct query_retry {
    bool was_tried, is_repaired;
    double p50_us, ratio;   /* to the baseline */
    const char *difference; /* of the plans: with the repair, to the candidate's; NULL */
};

struct index_proposal {
    struct query_retry retry;
    const char *table, *sql;
    int64_t build_us, bytes; /* here; -1 */
};

/* Whose query it is, where a transform says that the release sends another in its place. */
enum query_application {
    APPLICATION_BOTH, /* no rule concerns it */
    APPLICATION_OLD,  /* as recorded; the release sends another */
    APPLICATION_NEW   /* the candidate got what the release sends, the others what was recorded */
};

struct query_comparison {
    uint64_t fingerprint;
    const char *query;
    enum query_application application;
    const char *sent;           /* APPLICATION_NEW: the query as the candidate got it */
    bool is_refused;            /* APPLICATION_NEW: what the release sends is not known; `reason` */
    unsigned flags;             /* PATTERN_* */
    bool is_prepared;           /* executed under the name of a prepared statement */
    int64_t calls;              /* in the workload */
    double calls_per_s, weight; /* of production */
    double share;               /* of the workload's total time */
    enum query_verdict verdict;
    const char *reason; /* of the verdict, a sentence without its full stop; NULL: none needed */
    bool is_slower;     /* QUERY_WORSE by its times: its ratios are beyond doubt */
    /* Of writes that became slower: "orders has 2 more indexes: a and b"; NULL: nothing is known.
     */
    const char *cause;
    bool cause_is_indexes; /* alone: then blocks and WAL records show it as well */

    int64_t rounds; /* each side was timed so often */
    struct query_times sides[COMPARED_SIDES];
    double ratio, ratio_low, ratio_high; /* p50, candidate to baseline; 99 % */
    double p95_ratio, p99_ratio;         /* 0: too few rounds to tell */
    double noise;                        /* p50 of the twins, the larger to the smaller */
    double slower_share;                 /* rounds that took at least twice the time of both */
    double p_value;
    double added_ms_per_s; /* of a backend's time for each second of production: 1000 is one
                              backend busy; negative: saved */
    int64_t timeouts;      /* executions that the candidate did not finish in the time allowed */

    VEC(struct query_error) errors;
    struct query_results results;
    struct query_effort effort[COMPARED_SIDES];
    struct query_plans custom, generic;
    struct query_retry after_analyze;
    struct index_proposal proposal;
};

/* Limits of rehearse.yaml, gates.regression_thresholds; negative: not set. */
struct query_limits {
    double p50_max_multiplier, p95_max_multiplier, p99_max_multiplier;
    double error_rate_max_delta;
    int64_t min_query_count; /* timed rounds below which nothing is said of a pattern */
};
struct query_limits rh_query_limits_default(void);

struct workload_comparison {
    bool was_made;
    const char *workload;                 /* as the user named it */
    VEC(const char *) notes;              /* sentences */
    bool has_own_twin;                    /* a server of its own; else a second session on the
                                             baseline's */
    VEC(struct query_comparison) queries; /* worst first */
    int64_t left_out;                     /* patterns that were not measured at all */
    int64_t executions;                   /* timed, on all sides */
    int64_t duration_us;
    uint64_t seed;
    double covered;            /* share of the workload's total time in what was compared */
    bool knows_production;     /* the workload has weights of pg_stat_statements */
    double production_covered; /* share of production's time then */
    double added_ms_per_s;     /* of all that are worse */
    bool budget_ran_out;
    struct query_limits limits;
};

/* A new reference: "patterns" and what goes with them; NULL-safe for what was not made. */
json_t *rh_comparison_to_json(const struct workload_comparison *comparison);

#endif
