/*
 * What pg_stat_statements says of production, from an export of it: CSV with a header line (\copy
 * (SELECT query, calls, total_exec_time FROM pg_stat_statements) TO 'sums.csv' CSV HEADER) or JSON,
 * an array of objects; from a live server
 * (statement_source.h); or from a workload that was made of that. Its queries are put to the
 * patterns of a workload: which share of production's time they cover, how often each runs there,
 * and which were never seen.
 */
#ifndef RH_WORKLOAD_STATEMENT_SUMS_H
#define RH_WORKLOAD_STATEMENT_SUMS_H

#include "base/err.h"
#include "model/workload.h"

/* pg_stat_statements.max is 5000 unless somebody raises it. */
#define STATEMENT_SUMS_MAX 200000
#define STATEMENT_SUMS_BYTES_MAX ((size_t)256 * 1024 * 1024)

/* Of one pattern, over users, databases and texts. */
struct statement_sum {
    uint64_t fingerprint;
    const char *query; /* with $1 for constants */
    double calls, total_us;
    double rows, min_us, max_us; /* 0: not known */
    bool is_seen;                /* the workload has this pattern */
};
struct statement_sums {
    VEC(struct statement_sum) items; /* by time, longest first */
    double total_us;
    double covered_us; /* of those that are seen */
    size_t never_seen;
    double window_us;           /* that was counted for; negative: not known */
    const char *server_version; /* "" */
    VEC(const char *) notes;    /* sentences: what is not in them */
};

/* One more statement; its text is made a pattern's. Transaction control and settings do not count.
 */
void rh_statement_sums_add(struct statement_sums *sums, struct arena *arena,
                           const struct statement_sum *statement);
/* Behind the last one: those of one pattern are added up, and sorted. */
void rh_statement_sums_finish(struct statement_sums *sums);

/* An export, or a workload that was made of sums alone. RH_ERR_USAGE: it cannot be read, or has no
   columns query, calls and total_exec_time (total_time before PostgreSQL 13). */
enum err_code rh_statement_sums_read(const char *path, struct arena *arena,
                                     struct statement_sums *ret_sums,
                                     struct err *err) RH_MUST_CHECK;
/* Marks what is seen, and sums. */
void rh_statement_sums_cover(struct statement_sums *sums, const struct workload_pattern *patterns,
                             size_t count);
/* Calls in production for each of `calls` here; 1: production's are not known. */
double rh_statement_sums_weight(const struct statement_sums *sums, uint64_t fingerprint,
                                int64_t calls);

#endif
