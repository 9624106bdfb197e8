/*
 * Expressions of pgbench (manual, "pgbench", "Built-In Operators" and "Built-In Functions"): over
 * the variables of one client and its chance, which comes from a seed. Pure.
 */
#ifndef RH_WORKLOAD_PGBENCH_EXPRESSION_H
#define RH_WORKLOAD_PGBENCH_EXPRESSION_H

#include "base/arena.h"
#include "base/text.h"

#define PGBENCH_VARIABLES_MAX 200

/* PGBENCH_UNKNOWN: what only the server could have told (\gset), and whatever is made of it. */
enum pgbench_kind { PGBENCH_NULL, PGBENCH_BOOL, PGBENCH_INTEGER, PGBENCH_REAL, PGBENCH_UNKNOWN };
struct pgbench_value {
    enum pgbench_kind kind;
    int64_t integer; /* of a boolean 0 or 1 */
    double real;
};

struct pgbench_variable {
    const char *name;
    struct pgbench_value value;
};
struct pgbench_client {
    struct arena *arena; /* of names */
    uint64_t random;
    VEC(struct pgbench_variable) variables;
    /* What was left out, because it depends on what \gset had read. */
    int64_t unknown_statements, undecided_branches;
};
void rh_pgbench_client_init(struct pgbench_client *client, struct arena *arena, uint64_t seed,
                            int64_t number, int64_t scale);
/* A number from 0 up to, but not including, 1. */
double rh_pgbench_client_chance(struct pgbench_client *client);
/* NULL: it is not set. */
const struct pgbench_variable *rh_pgbench_client_find(const struct pgbench_client *client,
                                                      struct text name);
/* False: there are PGBENCH_VARIABLES_MAX already. */
bool rh_pgbench_client_set(struct pgbench_client *client, struct text name,
                           struct pgbench_value value);

/* NULL, or what is wrong with it, as a phrase. */
const char *rh_pgbench_evaluate(struct pgbench_client *client, struct text expression,
                                struct pgbench_value *ret_value);
/* As \if takes it: not NULL, false or 0. */
bool rh_pgbench_is_true(struct pgbench_value value);
/* As it stands in SQL. */
const char *rh_pgbench_value_text(struct arena *arena, struct pgbench_value value);

#endif
