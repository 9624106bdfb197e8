/*
 * Workloads of what is there already: logs of a server (stderr with any log_line_prefix, csvlog,
 * jsonlog, also .gz), files of SQL with how often they are run, scripts of pgbench ("FILE@WEIGHT"),
 * and the sums of pg_stat_statements, which make a workload without executions, and weigh the
 * patterns of all others, of a workload that is there already too. Blocks on the disk.
 */
#ifndef RH_WORKLOAD_IMPORT_H
#define RH_WORKLOAD_IMPORT_H

#include "base/err.h"
#include "model/workload.h"
#include "workload/import_maker.h"
#include "workload/statement_sums.h"

#define IMPORT_FORMAT_LIST(X)    \
    X(IMPORT_GUESS, "guess")     \
    X(IMPORT_STDERR, "stderr")   \
    X(IMPORT_CSVLOG, "csvlog")   \
    X(IMPORT_JSONLOG, "jsonlog") \
    X(IMPORT_SQL, "sql")         \
    X(IMPORT_PGBENCH, "pgbench")
enum import_format {
#define X(symbol, name) symbol,
    IMPORT_FORMAT_LIST(X)
#undef X
};

struct import_options {
    const char *const *paths;
    size_t path_count;
    enum import_format format;
    const char *prefix;     /* log_line_prefix; NULL: guessed */
    int64_t repeat;         /* of scripts: how often (each client's transactions); at least 1 */
    int64_t clients, scale; /* of pgbench scripts; at least 1 */
    uint64_t seed;
    const struct statement_sums *sums; /* of production, to weigh by; NULL: none */
    const char *out;
    const uint8_t *key;        /* NULL: not encrypted */
    const uint8_t *source_key; /* of a workload that is weighed; NULL: it is not encrypted */
};

struct import_report {
    struct import_outcome outcome;
    const char *format; /* as found: "stderr log" */
    const char *prefix; /* that was guessed; NULL */
    int64_t lines, strange_lines;
    struct workload_totals totals; /* fidelity and notes; texts lie in the arena */
};

/* RH_ERR_USAGE: a file cannot be read, nothing in it is a statement, the prefix does not fit. */
enum err_code rh_workload_import(const struct import_options *options, struct arena *arena,
                                 struct import_report *ret_report, struct err *err) RH_MUST_CHECK;

#endif
