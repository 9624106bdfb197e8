/*
 * Records of a server's log to statements: what log_statement, log_duration and
 * log_min_duration_statement write ("Error Reporting and Logging"), in English.
 */
#ifndef RH_WORKLOAD_LOG_STATEMENTS_H
#define RH_WORKLOAD_LOG_STATEMENTS_H

#include "workload/import_maker.h"
#include "workload/log_record.h"

struct log_statements;

struct log_statement_counts {
    int64_t statements, extended, parameters_cut, without_duration, unknown_sqlstate;
    int64_t announced;   /* logged before they ran: log_statement */
    int64_t shortest_us; /* -1: no duration at all */
    int64_t transactions, copies;
    bool has_fractions; /* times finer than a second */
};

struct log_statements *rh_log_statements_new(struct import_maker *maker);
void rh_log_statements_free(struct log_statements *statements); /* NULL allowed */
enum err_code rh_log_statements_add(struct log_statements *statements,
                                    const struct log_record *record, struct err *err) RH_MUST_CHECK;
/* At the end of the log: what was announced and not heard of again. */
enum err_code rh_log_statements_finish(struct log_statements *statements,
                                       struct err *err) RH_MUST_CHECK;
const struct log_statement_counts *
rh_log_statements_counts(const struct log_statements *statements);

#endif
