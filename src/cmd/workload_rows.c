#include "cmd/workload_rows.h"

#include "cmd/transform_option.h"

#include <stdlib.h>

const char *const rh_blocker_choices[] = {
#define X(symbol, name, what) name,
    BLOCKER_LIST(X)
#undef X
        NULL};

enum err_code rh_workload_speed(const struct options *options, bool takes_max, double *ret_speed,
                                struct err *err)
{
    const char *text = rh_option_text(options, "speed");
    char *end = NULL;
    double speed = strtod(text, &end);
    bool is_max = takes_max && strcmp(text, "max") == 0;
    if (!is_max &&
        (end == text || (*end && strcmp(end, "x") != 0) || !(speed >= 0.1 && speed <= 100))) {
        rh_err_set(err, RH_ERR_USAGE, "--speed: \"%s\" is no speed", text);
        rh_err_hint(err, "Give a number from 0.1 to 100%s.", takes_max ? ", or max" : "");
        return RH_ERR_USAGE;
    }
    *ret_speed = is_max ? 0 : speed;
    return RH_OK;
}

enum err_code rh_workload_options_read(const struct options *options,
                                       struct workload_options *ret_workload, struct err *err)
{
    struct workload_options workload = {
        .path = rh_option_text(options, "workload"),
        .key_path = rh_option_text(options, "workload-key"),
        .pool = rh_option_number(options, "pool", 0),
        .blocker = (enum blocker_kind)rh_option_number(options, "blocker", BLOCKER_NONE),
        .blocker_relation = rh_option_text(options, "blocker-table"),
        .blocker_us = rh_option_number(options, "blocker-time", 0),
        .compare_budget_us = rh_option_number(options, "compare-budget", 0),
    };
    enum err_code code = rh_workload_speed(options, false, &workload.speed, err);
    if (!code && workload.blocker != BLOCKER_NONE && workload.blocker_us < 1000)
        code = rh_err_set(err, RH_ERR_USAGE, "--blocker-time must be 1ms at least");
    size_t query_files = 0;
    (void)rh_option_list(options, "queries", &query_files);
    if (!code && (workload.path || query_files > 0) && workload.compare_budget_us < 1000000)
        code = rh_err_set(err, RH_ERR_USAGE, "--compare-budget must be 1s at least");
    if (!code)
        code = rh_query_limits_read(options, &workload.limits, err);
    if (!code)
        code = rh_transform_option_read(options, &workload.transform, err);
    if (!code && workload.transform && !workload.path)
        code = rh_err_set(err, RH_ERR_USAGE, "--transform needs --workload");
    if (!code && workload.path)
        code = rh_workload_open(options, workload.path, &workload.reader, err);
    if (!code)
        *ret_workload = workload;
    return code;
}
