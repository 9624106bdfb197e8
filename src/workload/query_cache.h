/*
 * What is known of a query's text: its pattern, its statements' patterns, whether it prepares or
 * executes by name, what its constants and parameters are and are compared with. Parsing costs
 * tens of microseconds, so it is remembered by the text's shape (its tokens, constants as one), and
 * production's queries have few of those. Bounded. Not for two threads.
 */
#ifndef RH_WORKLOAD_QUERY_CACHE_H
#define RH_WORKLOAD_QUERY_CACHE_H

#include "base/err.h"
#include "model/workload.h"
#include "sql/pattern.h"
#include "store/workload_file.h"

/* Shapes that are remembered; when there are more, those that no session holds are forgotten. */
#define QUERY_CACHE_MAX 16384
/* Different patterns; statements beyond them get number 0. */
#define QUERY_PATTERNS_MAX WORKLOAD_PATTERNS_MAX

/* A sequence by its name, or by the column that it fills (then `column` is not NULL, and `name` the
   table's); lastval() has no name. */
struct sequence_call {
    char *schema, *name, *column;
};

struct known_value {
    char *column; /* NULL: it is compared with none */
    enum sql_value_kind kind;
    enum sql_value_form form;
};

struct known_query { /* held by whoever was given it */
    unsigned holders;
    uint32_t pattern; /* 0: there are too many */
    unsigned flags;   /* PATTERN_* */
    /* Of each statement, where the text holds several; else NULL. */
    uint32_t *statements;
    size_t statement_count;
    char *executes;               /* EXECUTE name; NULL */
    char *prepares;               /* PREPARE name; NULL */
    struct known_query *prepared; /* what it prepares */
    /* Only where the cache was told to ask. */
    struct known_value *parameters, *constants;
    size_t parameter_count, constant_count;
    char *copies;               /* a COPY FROM STDIN (sql/copy_from.h), its text; NULL */
    struct sequence_call *call; /* nextval() and its like; NULL */
    bool has_constants;         /* the constants are those of the text's tokens, in their order */
};
struct known_query *rh_known_query_hold(struct known_query *query); /* NULL allowed */
void rh_known_query_drop(struct known_query *query);                /* NULL allowed */

struct query_cache;

struct query_cache_options {
    bool wants_columns;
    /* A pattern that is new; its number is set. */
    enum err_code (*on_pattern)(void *context, const struct workload_pattern *pattern,
                                struct err *err);
    void *context;
};
struct query_cache *rh_query_cache_new(const struct query_cache_options *options);
void rh_query_cache_free(struct query_cache *cache); /* NULL allowed */

/* *ret_query is held for the caller. Errors are those of on_pattern. */
enum err_code rh_query_cache_find(struct query_cache *cache, struct text query,
                                  struct known_query **ret_query, struct err *err) RH_MUST_CHECK;

#endif
