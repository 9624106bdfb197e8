/*
 * What a server itself has counted of its statements (PostgreSQL: pg_stat_statements).
 */
#ifndef RH_ENGINE_STATEMENTS_H
#define RH_ENGINE_STATEMENTS_H

#include <stdbool.h>
#include <stdint.h>

/* One of them, with placeholders for constants; times in microseconds. */
struct engine_statement {
    const char *query; /* until the call returns */
    double calls, total_us, rows, min_us, max_us;
};
typedef void engine_statement_fn(void *context, const struct engine_statement *statement);

struct engine_statements {
    const char *database, *server_version;
    int64_t taken;
    int64_t hidden;    /* whose text our role may not see */
    int64_t left_out;  /* beyond the most that was asked for, those of the least time */
    int64_t forgotten; /* evicted since the counting began, for want of room; -1: not known */
    double window_us;  /* that was counted for; -1: not known */
    bool reads_all;    /* our role may see everybody's */
};

#endif
