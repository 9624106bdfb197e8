#include "cmd/cli.h"
#include "cmd/query_rows.h"
#include "cmd/transform_option.h"
#include "cmd/workload_open.h"

#include "engine/engine.h"
#include "rehearsal/comparison.h"
#include "rehearsal/queries.h"
#include "report/report.h"

#define GROUP_SERVERS "Servers"

static const struct option rows[] = {
    {
        .name = "baseline",
        .kind = OPTION_TEXT,
        .value_name = "URL",
        .group = GROUP_SERVERS,
        .environment = "REHEARSE_BASELINE",
        .not_in_file = true,
        .is_common = true,
        .help = "The database as it was; never production.",
        .details = "A URL or connection string as libpq takes them, TLS settings included. "
                   "Passwords are better in the environment variable or in ~/.pgpass; PG* "
                   "variables are not looked at.",
    },
    {
        .name = "candidate",
        .kind = OPTION_TEXT,
        .value_name = "URL",
        .group = GROUP_SERVERS,
        .environment = "REHEARSE_CANDIDATE",
        .not_in_file = true,
        .is_common = true,
        .help = "The database as it is to be; never production.",
    },
    {
        .name = "twin",
        .kind = OPTION_TEXT,
        .value_name = "URL",
        .group = GROUP_SERVERS,
        .environment = "REHEARSE_TWIN",
        .not_in_file = true,
        .is_common = true,
        .help = "A copy of the baseline: its difference is noise.",
        .details = "Without it a second session on the baseline stands in; it knows nothing of "
                   "how much two servers that are the same differ.",
    },
    {
        .name = "production",
        .kind = OPTION_TEXTS,
        .value_name = "PATTERN",
        .group = GROUP_SERVERS,
        .environment = "REHEARSE_PRODUCTION",
        .help = "Names and hosts that are refused.",
        .details = "As for \"rehearse run --rollback\". A database that has the setting "
                   "rehearse.production = on, or \"rehearse: production\" in its comment, is "
                   "refused in any case.",
    },
    OPTION_ROW_WORKLOAD_KEY,
    OPTION_ROW_COMPARE_BUDGET,
    {
        .name = "try-indexes",
        .kind = OPTION_FLAG,
        .group = GROUP_QUERIES,
        .environment = "REHEARSE_TRY_INDEXES",
        .is_common = true,
        .help = "Try ANALYZE and indexes on the candidate.",
        .details = "It may be changed then: tables of slower queries are analyzed, and indexes are "
                   "built, measured and "
                   "dropped again. What repaired a query is proposed; nothing else is.",
    },
    {
        .name = "statement-timeout",
        .kind = OPTION_DURATION,
        .value_name = "DURATION",
        .group = GROUP_QUERIES,
        .environment = "REHEARSE_STATEMENT_TIMEOUT",
        .default_text = "10s",
        .help = "The longest that one execution may take.",
    },
    {
        .name = "seed",
        .kind = OPTION_COUNT,
        .value_name = "N",
        .group = GROUP_QUERIES,
        .help = "Draws the same executions in the same order again.",
        .details = "Without it another one each time; the report tells which.",
    },
    OPTION_ROW_MULTIPLIER("p50"),
    OPTION_ROW_MULTIPLIER("p95"),
    OPTION_ROW_MULTIPLIER("p99"),
    OPTION_ROW_ERROR_RATE,
    OPTION_ROW_MIN_QUERY_COUNT,
    OPTION_ROW_FAIL_ON(GROUP_QUERIES),
    OPTION_ROW_TRANSFORM(GROUP_QUERIES, "Also compare what the new release sends."),
    OPTION_ROW_TIMEOUT,
    OPTION_ROW_JSON_OBJECT("REHEARSE_JSON", "The result as one JSON object, as in result.json."),
    OPTION_ROW_QUIET,
    {
        .name = "verbose",
        .short_name = 'v',
        .kind = OPTION_FLAG,
        .group = GROUP_OUTPUT,
        .environment = "REHEARSE_VERBOSE",
        .help = "Every query pattern.",
    },
    OPTION_ROW_COLOR,
    OPTION_ROW_CONFIG,
    OPTION_ROW_NO_CONFIG,
};

static enum err_code read_options(const struct options *options,
                                  struct comparison_options *comparison, struct err *err)
{
    static const char *const sides[COMPARED_SIDES] = {
        [SIDE_BASELINE] = "baseline", [SIDE_TWIN] = "twin", [SIDE_CANDIDATE] = "candidate"};

    *comparison = (struct comparison_options){
        .engine = &rh_engine_postgres,
        .budget_us = rh_option_number(options, "compare-budget", QUERIES_BUDGET_US),
        .statement_timeout_us = rh_option_number(options, "statement-timeout",
                                                 QUERIES_STATEMENT_TIMEOUT_US),
        .may_change_candidate = rh_option_flag(options, "try-indexes"),
        .fail_on = rh_run_fail_on(options),
    };
    for (size_t side = 0; side < COMPARED_SIDES; side++) {
        comparison->urls[side] = rh_option_text(options, sides[side]);
        if (!comparison->urls[side] && side != SIDE_TWIN)
            return rh_err_set(err, RH_ERR_USAGE, "--%s is missing: the URL of a database",
                              sides[side]);
    }
    if (rh_workload_named(options, &comparison->workload_path, err))
        return err->code;
    comparison->seed = rh_option_text(options, "seed")
                           ? (uint64_t)rh_option_number(options, "seed", 0)
                           : (uint64_t)rh_clock_wall().us % 1000000000;
    if (comparison->budget_us < 1000000 || comparison->statement_timeout_us < 1000)
        return rh_err_set(err, RH_ERR_USAGE,
                          "--compare-budget must be 1s at least, and --statement-timeout 1ms");
    enum err_code code = rh_transform_option_read(options, &comparison->transform, err);
    if (code)
        return code;
    comparison->production = rh_option_list(options, "production", &comparison->production_count);
    return rh_query_limits_read(options, &comparison->query_limits, err);
}

static int show(const struct options *options, const struct result *result)
{
    RH_CLEANUP_BUF struct buf text;

    rh_buf_init(&text, OUTPUT_MAX_BYTES);
    if (rh_option_flag(options, "json")) {
        int status = rh_cli_finish_json(rh_result_to_json(result));
        return status ? status : result->exit_code;
    }
    enum report_detail detail = rh_option_flag(options, "quiet")     ? REPORT_QUIET
                                : rh_option_flag(options, "verbose") ? REPORT_VERBOSE
                                                                     : REPORT_NORMAL;
    struct terminal terminal = rh_run_terminal(options);
    rh_report_comparison(result, &terminal, detail, &text);
    return rh_cli_finish(rh_buf_text(&text), result->exit_code);
}

static int run(const struct options *parsed)
{
    struct options options = *parsed;
    struct comparison_options comparison;
    struct result result = {.arena = options.arena};
    struct err err = RH_ERR_INIT;
    int status = rh_run_options_complete(&options, NULL);

    if (status)
        return status;
    bool is_json = rh_option_flag(&options, "json");
    struct progress *progress = rh_run_begin(&options);
    struct workload_reader *workload = NULL;
    enum err_code code = read_options(&options, &comparison, &err);
    if (!code)
        code = rh_workload_open(&options, comparison.workload_path, &workload, &err);
    comparison.workload = workload;
    if (!code) {
        rh_progress_phase(progress, "compare queries");
        code = rh_comparison_run(&comparison, &result, &err);
        rh_progress_end(progress);
    }
    status = code ? rh_cli_fail_as(is_json, &err) : show(&options, &result);
    rh_progress_free(progress);
    rh_result_deinit(&result);
    rh_workload_reader_free(workload);
    return status;
}

static const char *const usage[] = {
    "rehearse compare WORKLOAD --baseline URL --candidate URL [--twin URL]", NULL};
static const char *const description[] = {
    "Runs the queries of a workload on a baseline and on a candidate, in turn, and says which "
    "query patterns fail, answer otherwise, or became slower: with their plans, how sure that is, "
    "and how much load it adds. What two servers that are the same differ by (the twin) is no "
    "finding.",
    "Statements that write run in transactions that are rolled back, everything else in sessions "
    "that refuse to write. Sequences move on all the same.",
    "Exit codes: 0 SAFE, 5 UNSAFE, 3 INCONCLUSIVE (too little could be decided), 1 could not "
    "compare, 2 usage.",
    NULL};
static const char *const examples[] = {
    "rehearse compare app.workload --baseline postgresql://localhost/before \\",
    "    --candidate postgresql://localhost/after", NULL};

const struct command rh_command_compare = {
    .name = "compare",
    .section = "compare",
    .summary = "compare queries on two servers",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .positional_name = "WORKLOAD",
    .positional_max = 1,
    .run = run,
};
