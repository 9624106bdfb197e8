/*
 * Scripts of pgbench (manual, "pgbench", "Custom Scripts"): SQL with :variables, \set with
 * expressions, \sleep, \if, pipelines, run with chance from a seed. What \gset reads only a server
 * could tell: statements that use it, and branches that it decides, are left out and counted. What
 * runs programs (\shell, \setshell) is refused. Pure.
 */
#ifndef RH_WORKLOAD_PGBENCH_SCRIPT_H
#define RH_WORKLOAD_PGBENCH_SCRIPT_H

#include "base/err.h"
#include "workload/pgbench_expression.h"

/* Statements between \startpipeline and the next \syncpipeline or \endpipeline. */
#define PGBENCH_PIPELINE_MAX 1000

struct pgbench_script;

/* RH_ERR_USAGE with "path:line" and why, for what is not understood. */
enum err_code rh_pgbench_script_parse(const char *path, struct text text, struct arena *arena,
                                      struct pgbench_script **ret_script,
                                      struct err *err) RH_MUST_CHECK;

/* What one transaction of the script does. */
struct pgbench_step {
    struct text query; /* with its variables' values; data NULL: sleeps */
    int64_t sleep_us;
    /* In a pipeline: its parameters apart, and no answer is waited for before the one that ends
       the batch. */
    bool is_pipelined, ends_batch;
    const struct text *parameters;
    size_t parameter_count;
};
struct pgbench_steps {
    VEC(struct pgbench_step) items;
};
/* Runs it once; texts lie in `arena`. RH_ERR_USAGE: an unknown variable, a division by zero. */
enum err_code rh_pgbench_script_run(const struct pgbench_script *script,
                                    struct pgbench_client *client, struct arena *arena,
                                    struct pgbench_steps *ret_steps, struct err *err) RH_MUST_CHECK;

#endif
