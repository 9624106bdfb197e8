/*
 * Option rows about the comparison of queries, and their limits (gates.regression_thresholds).
 */
#ifndef RH_CMD_QUERY_ROWS_H
#define RH_CMD_QUERY_ROWS_H

#include "cmd/run_options.h"
#include "model/comparison.h"

#define GROUP_QUERIES "Queries"

#define OPTION_ROW_COMPARE_BUDGET                                                                  \
    {                                                                                              \
        .name = "compare-budget", .kind = OPTION_DURATION, .value_name = "DURATION",               \
        .group = GROUP_QUERIES, .environment = "REHEARSE_COMPARE_BUDGET", .default_text = "60s",   \
        .help = "How long queries may be measured.",                                               \
        .details = "It goes to the most expensive patterns first, and on to those that are still " \
                   "undecided. What was not decided by then says so.",                             \
    }
#define OPTION_ROW_MULTIPLIER(percentile)                                                        \
    {                                                                                            \
        .name = percentile "-max-multiplier", .kind = OPTION_TEXT, .value_name = "NUMBER",       \
        .group = GROUP_QUERIES, .gate = "regression_thresholds." percentile "_max_multiplier",   \
        .help = "Most that the " percentile " of a query may grow, as 1.5.",                     \
        .details = "Without any such limit, every pattern that became slower beyond doubt (and " \
                   "by 1.2 times at least) is an error.",                                        \
    }
#define OPTION_ROW_ERROR_RATE                                                         \
    {                                                                                 \
        .name = "error-rate-max-delta", .kind = OPTION_TEXT, .value_name = "NUMBER",  \
        .group = GROUP_QUERIES, .gate = "regression_thresholds.error_rate_max_delta", \
        .help = "Share of executions that may newly fail, as 0.01.",                  \
    }
#define OPTION_ROW_MIN_QUERY_COUNT                                               \
    {                                                                            \
        .name = "min-query-count", .kind = OPTION_COUNT, .value_name = "N",      \
        .group = GROUP_QUERIES, .gate = "min_query_count", .default_text = "20", \
        .help = "Fewer measurements a side prove nothing.",                      \
    }

/* From those rows. RH_ERR_USAGE: one of them is no number. */
enum err_code rh_query_limits_read(const struct options *options, struct query_limits *ret_limits,
                                   struct err *err) RH_MUST_CHECK;

#endif
