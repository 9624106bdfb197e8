#include "cmd/query_rows.h"

#include <math.h>
#include <stdlib.h>

/* Ratios below 1 would call what did not change a regression. */
static enum err_code read_number(const struct options *options, const char *name, double least,
                                 double *ret_number, struct err *err)
{
    const char *text = rh_option_text(options, name);
    char *end = NULL;

    *ret_number = -1;
    if (!text)
        return RH_OK;
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number) || number < least)
        return rh_err_set(err, RH_ERR_USAGE, "option --%s: \"%s\" is no number from %g on", name,
                          text, least);
    *ret_number = number;
    return RH_OK;
}

enum err_code rh_query_limits_read(const struct options *options, struct query_limits *ret_limits,
                                   struct err *err)
{
    struct query_limits limits = rh_query_limits_default();
    enum err_code code;

    if ((code = read_number(options, "p50-max-multiplier", 1, &limits.p50_max_multiplier, err)) ||
        (code = read_number(options, "p95-max-multiplier", 1, &limits.p95_max_multiplier, err)) ||
        (code = read_number(options, "p99-max-multiplier", 1, &limits.p99_max_multiplier, err)) ||
        (code = read_number(options, "error-rate-max-delta", 0, &limits.error_rate_max_delta, err)))
        return code;
    limits.min_query_count = rh_option_number(options, "min-query-count", limits.min_query_count);
    if (limits.min_query_count < 8)
        return rh_err_set(err, RH_ERR_USAGE,
                          "option --min-query-count: fewer than 8 measurements prove nothing");
    *ret_limits = limits;
    return RH_OK;
}
