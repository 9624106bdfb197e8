/*
 * Scripts of pgbench (manual, "pgbench", "Custom Scripts"): SQL with :variables, \set with
 * expressions of numbers and random functions, \sleep. What only a server can answer (\gset), or
 * what decides by it, is refused. Chance comes from a seed. Pure.
 */
#ifndef RH_WORKLOAD_PGBENCH_SCRIPT_H
#define RH_WORKLOAD_PGBENCH_SCRIPT_H

#include "base/err.h"
#include "base/text.h"

#define PGBENCH_VARIABLES_MAX 200

struct pgbench_script;

/* RH_ERR_USAGE with "path:line" and why, for what is not understood. */
enum err_code rh_pgbench_script_parse(const char *path, struct text text, struct arena *arena,
                                      struct pgbench_script **ret_script,
                                      struct err *err) RH_MUST_CHECK;

/* One client: its variables and its chance. */
struct pgbench_variable {
    const char *name;
    bool is_double;
    int64_t integer;
    double real;
};
struct pgbench_client {
    struct arena *arena; /* of names */
    uint64_t random;
    VEC(struct pgbench_variable) variables;
};
void rh_pgbench_client_init(struct pgbench_client *client, struct arena *arena, uint64_t seed,
                            int64_t number, int64_t scale);
/* A number from 0 up to, but not including, 1. */
double rh_pgbench_client_chance(struct pgbench_client *client);

/* What one transaction of the script does. */
struct pgbench_step {
    struct text query; /* with its variables' values; data NULL: sleeps */
    int64_t sleep_us;
};
struct pgbench_steps {
    VEC(struct pgbench_step) items;
};
/* Runs it once; texts lie in `arena`. RH_ERR_USAGE: an unknown variable, a division by zero. */
enum err_code rh_pgbench_script_run(const struct pgbench_script *script,
                                    struct pgbench_client *client, struct arena *arena,
                                    struct pgbench_steps *ret_steps, struct err *err) RH_MUST_CHECK;

#endif
